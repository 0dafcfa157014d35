"""The gateway of deploy/ is killed while it holds spans that nobody has taken yet."""

from agentnet_otel.sources.rebuild import rebuild
from tests.e2e.conftest import eventually, facts, run_workload
from tests.e2e.test_deploy import SERVICE, Stack

TURNS = 20


def test_what_was_acknowledged_survives_a_killed_gateway(servers):
    """SIGKILL between the acknowledgement and the bridge: each turn arrives once, field by field, after the restart."""
    stack = Stack(servers)
    gateway = stack.start_collector("gateway", "gateway.yaml")
    doors = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{stack.at('gateway grpc')}", "OTEL_METRICS_EXPORTER": "none"}
    live = run_workload("plain", TURNS, service=SERVICE, **doors)  # ends well only when everything was acknowledged
    gateway.process.kill()
    gateway.process.wait(20)
    stack.start_bridge()
    stack.start_collector("gateway", "gateway.yaml")
    eventually(lambda: len(stack.turns()) == TURNS, "all turns are in the bridge")
    assert len(live) == TURNS
    assert facts(rebuild([stack.store]).turns) == live
