"""Spans of real processes through the real Collector: what comes out at each end is what was live."""

import json
from pathlib import Path

import pytest

from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import rebuild
from tests.e2e.conftest import by_span, command_line, eventually, facts, free_port, get, get_json, run_workload

TURNS = 96
HERE = Path(__file__).parent
FILES = ("json", "proto", "json_zstd", "proto_rotated")
DOORS = {"builtin": "grpc", "agentnet": "http/protobuf"}
"""The workloads, and the protocol that each sends its spans with."""


class Ends:
    """What went in, by workload, and where it came out."""

    def __init__(self, live, folder, jaeger, bridge):
        self.live, self.folder, self.jaeger, self.bridge = live, folder, jaeger, bridge

    @property
    def everything(self):
        return {span: turn for turns in self.live.values() for span, turn in turns.items()}


def differences(found, wanted, rounding_ns, name="turn"):
    """Where two values differ; times (``.._ns``) by more than what rounding explains."""
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys():
        names = {key: name if name.endswith("_ns") else key for key in found}
        return [text for key in found for text in differences(found[key], wanted[key], rounding_ns, names[key])]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = zip(found, wanted, strict=True)
        return [text for one, other in pairs for text in differences(one, other, rounding_ns, name)]
    if name.endswith("_ns") and isinstance(found, int) and isinstance(wanted, int):
        return [] if abs(found - wanted) <= rounding_ns else [f"{name}: {found} and {wanted}"]
    return [] if found == wanted else [f"{name}: {found!r} and {wanted!r}"]


def export_to(protocol, doors):
    """Variables of an application that sends its spans, and no metrics, to one of the doors."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{doors[protocol]}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_METRICS_EXPORTER": "none",
    }


@pytest.fixture(scope="module")
def ends(servers):
    """Both workloads have run through one Collector, and everything has arrived."""
    jaeger_otlp, jaeger = servers.jaeger()
    bridge_otlp, bridge, store = servers.bridge()
    doors = {protocol: f"127.0.0.1:{free_port()}" for protocol in DOORS.values()}
    environment = {
        "OTLP_GRPC": doors["grpc"],
        "OTLP_HTTP": doors["http/protobuf"],
        "FOLDER": str(servers.folder),
        "JAEGER": jaeger_otlp,
        "BRIDGE": bridge_otlp,
    }
    collector = servers.collector(HERE / "fan_out.yaml", environment=environment)
    live = {
        source: run_workload(source, TURNS, service=f"shop-{source}", **export_to(DOORS[source], doors))
        for source in DOORS
    }
    count = sum(map(len, live.values()))
    assert collector.stop() == 0  # it sends what it holds, and completes its files
    eventually(lambda: len(get(f"http://{bridge}/api/turns?limit=10000")[1].splitlines()) == count, "all turns")
    return Ends(live, servers.folder, jaeger, (bridge, store))


def test_the_workloads_are_worth_comparing(ends):
    """Both have their turns, with every outcome that the demo has, tools, costs and violations."""
    for turns in (list(found.values()) for found in ends.live.values()):
        assert abs(len(turns) - TURNS) <= 4
        assert {turn["outcome"] for turn in turns} >= {"success", "error", "fault", "timeout"}
        assert any(turn["tool_calls"] for turn in turns)
        assert any(turn["policy_violations"] for turn in turns)
        assert sum(turn["cost_usd"] or 0 for turn in turns) > 0.1


@pytest.mark.parametrize("kind", FILES)
def test_files_of_the_collector(ends, kind):
    """Each form of file that the Collector writes gives the turns that were live, field by field."""
    rebuilt = rebuild([ends.folder / kind], prices=installed())
    assert not rebuilt.read.problems
    assert facts(rebuilt.turns) == ends.everything


def test_the_bridge(ends):
    """What `serve` keeps equals the live turns, field by field; its page has the rows that `turns` makes of files."""
    bridge, store = ends.bridge
    assert facts(rebuild([store]).turns) == ends.everything
    served = by_span(map(json.loads, get(f"http://{bridge}/api/turns?limit=10000")[1].splitlines()))
    for source in (store, ends.folder / "json"):
        assert by_span(map(json.loads, command_line("turns", source).splitlines())) == served


def test_jaeger(ends):
    """What Jaeger gives back equals the live turns field by field, its times to the microseconds that it tells."""
    assert set(get_json(f"http://{ends.jaeger}/api/services")["data"]) >= {f"shop-{source}" for source in DOORS}
    for source, live in ends.live.items():
        query = f"jaeger+http://{ends.jaeger}?service=shop-{source}&lookback=1h&limit=5"
        found = facts(rebuild([query], prices=installed()).turns)
        assert found.keys() == live.keys()
        for span, turn in found.items():
            assert not differences(turn, live[span], rounding_ns=2000 * turn["spans"])
        assert len(command_line("turns", query).splitlines()) == len(live)
