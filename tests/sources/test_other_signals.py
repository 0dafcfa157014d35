"""Requests of metrics and logs among spans: told by name, and spans never taken for them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentnet_otel.sources.other_signals import MAX_LOOKED_AT_BYTES, signal_of_json, signal_of_message


def metrics(name="requests", size=1):
    """A request with a counter."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name, unit="1")
    for number in range(size):
        metric.sum.data_points.add(as_int=number, time_unix_nano=7)
    return request.SerializeToString()


def logs():
    """A request with a line of a log."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=7, trace_id=b"1" * 16)
    record.body.string_value = "something"
    return request.SerializeToString()


def test_messages():
    """By what would be left over if they were something else; large ones are not looked at."""
    assert signal_of_message(metrics()) == signal_of_message(metrics("a" * 16)) == "metrics"
    assert signal_of_message(logs()) == "logs"
    assert signal_of_message(b"") is None
    assert signal_of_message(b"\x0a\xff") is None
    assert signal_of_message(metrics(size=MAX_LOOKED_AT_BYTES // 10)) is None


@given(
    st.binary(max_size=16), st.binary(max_size=8), st.text(), st.integers(0, 2**64 - 1), st.integers(0, 5), st.text()
)
def test_spans_are_never_taken_for_them(trace_id, span_id, name, time_ns, kind, state):
    """Whatever they lack: a span that only lacks an id is no metric."""
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=trace_id, span_id=span_id, name=name, start_time_unix_nano=1, end_time_unix_nano=time_ns, kind=kind
        )
    )
    span.trace_state = state
    span.attributes.add(key="a").value.string_value = name
    assert signal_of_message(request.SerializeToString()) is None


@pytest.mark.parametrize(
    ("document", "signal"),
    [
        ({"resourceMetrics": []}, "metrics"),
        ({"resourceLogs": [{}]}, "logs"),
        ({"resourceProfiles": None}, "profiles"),
        ({"resourceSpans": [], "resourceLogs": []}, None),
        ({}, None),
        ([], None),
    ],
)
def test_documents(document, signal):
    """By the name that they give themselves, unless there are spans too."""
    assert signal_of_json(json.dumps(document).encode()) == signal


def test_what_is_no_document():
    """Nothing is said of it here."""
    assert signal_of_json(b"{") is None
    assert signal_of_json(b'{"a": ' * 100_000) is None
