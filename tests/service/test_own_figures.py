"""What the bridge tells of itself: read by a strict reader, and told on its page."""

import re
from pathlib import Path

import msgspec
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agentnet_otel.core.assembler import Counts
from agentnet_otel.outputs.alerts.pushing import PushCounts
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.service.messages import Figures, Progress
from agentnet_otel.service.own_figures import OwnState, own_data
from agentnet_otel.sources.intake import Door, IntakeCounts, Times
from agentnet_otel.testing import EPOCH_NS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serve.md"
ROW = re.compile(r"^\| `(agentnet\.[\w.]+)` \| `(\S+)` \| (?:`([\w.]+)`|none) \|", re.MULTILINE)


def state(**fields):
    """How a bridge stands."""
    given = {
        "started_ns": EPOCH_NS,
        "now_ns": EPOCH_NS + 10**9,
        "intake": IntakeCounts(requests=3, spans=30, refused_requests=2, times={Door.GRPC: Times(sum_s=0.5)}),
        "progress": Progress(
            place=1, arrived_ns=2, counts=Counts(spans=28, late=2), bad_spans=0, bad_requests=1, bad_turns=16,
            held_spans=5, held_traces=4,
        ),
        "figures": Figures(body=msgspec.Raw(b"{}"), counted=6, left_out=7, folded=8),
        "queue_bytes": 9, "lag_s": 1.5, "log_bytes": 10, "turns_bytes": 11, "stored_turns": 12, "restarts": 1,
        "set_aside": 17, "streams_open": 13, "streams_accepted": 14, "streams_refused": 15,
        "alerts": PushCounts(sent=3, firing=2), "unjudged": 13, "certificate_left_s": -60.0,
        **fields,
    }  # fmt: skip
    return OwnState(**given)


def samples():
    """What a scrape reads, by name and the one label beside the service."""
    text = PrometheusEndpoint(lambda: [own_data(state())]).scrape("application/openmetrics-text").body.decode()
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {sample.labels["service_name"] for sample in found} == {"agentnet-otel"}
    return {(s.name, *(value for key, value in s.labels.items() if key != "service_name")): s.value for s in found}


def test_a_strict_reader_takes_them():
    """Each with its value."""
    found = samples()
    assert found["agentnet_bridge_requests_total", "accepted"] == 3
    assert found["agentnet_bridge_requests_total", "refused"] == 2
    assert found["agentnet_bridge_requests_total", "not_understood"] == 1
    assert found["agentnet_bridge_requests_total", "set_aside"] == 17
    assert found["agentnet_bridge_spans_total", "late"] == 2
    assert found["agentnet_bridge_turns_total", "left_out"] == 7
    assert found["agentnet_bridge_turns_total", "failed"] == 16
    assert found[("agentnet_bridge_lag_seconds",)] == 1.5
    assert found["agentnet_bridge_store_size_bytes", "turns"] == 11
    assert found[("agentnet_bridge_streams_open",)] == 13
    assert found[("agentnet_bridge_certificate_left_seconds",)] == -60
    assert found["agentnet_bridge_streams_total", "accepted"] == 14
    assert found["agentnet_bridge_streams_total", "refused"] == 15
    assert found[("agentnet_otel_labels_folded_total",)] == 8
    assert found["agentnet_bridge_export_duration_seconds_sum", "grpc"] == 0.5


def test_the_page_tells_them_all():
    """Names, units and labels, and no other."""
    told = {name: (unit, label or None) for name, unit, label in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    (of_resource,) = own_data(state()).resource_metrics
    metrics = of_resource.scope_metrics[0].metrics
    labels = {metric.name: {key for point in metric.data.data_points for key in point.attributes} for metric in metrics}
    assert told == {metric.name: (metric.unit, next(iter(labels[metric.name]), None)) for metric in metrics}
