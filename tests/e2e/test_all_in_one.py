"""A stack that takes OTLP on the default ports of this machine needs nothing but `exporter="otlp"`."""

import json
import socket
from pathlib import Path

import pytest

from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import rebuild
from tests.e2e.conftest import facts, run_workload, unavailable

TURNS = 20
PORTS = (4317, 4318)


@pytest.fixture
def stack(servers):
    """The Collector on the default ports; where it writes."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                unavailable(f"port {port} is not free, and the test is about the default ports: {error.strerror}")
    configuration = Path(__file__).with_name("all_in_one.yaml")
    return servers.collector(configuration, environment={"FOLDER": str(servers.folder)})


def test_no_variable_is_needed(stack):
    """Over gRPC without any variable, and over HTTP with the protocol alone, spans and metrics arrive."""
    live = run_workload("plain", TURNS)
    live |= run_workload("plain", TURNS, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert stack.stop() == 0
    assert facts(rebuild([stack.folder / "spans.jsonl"], prices=installed()).turns) == live
    assert len(live) == 2 * TURNS
    counted = {}
    for line in (stack.folder / "metrics.jsonl").read_text().splitlines():
        for resource in json.loads(line)["resourceMetrics"]:
            for metric in (metric for scope in resource["scopeMetrics"] for metric in scope["metrics"]):
                if metric["name"] == "agentnet.turns":
                    points = metric["sum"]["dataPoints"]
                    process = json.dumps(resource["resource"], sort_keys=True)
                    counted[process] = sum(int(point["asInt"]) for point in points)
    assert list(counted.values()) == [TURNS, TURNS]
