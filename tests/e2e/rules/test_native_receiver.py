"""Exponential histograms by OTLP into a real Prometheus: there they are native, and `rules --native` judges them."""

import json
import subprocess
import sys

import pytest

from tests.e2e.conftest import command_line, eventually, get_json, without_telemetry

TURNS = 60
SCRIPT = """
import sys, time
import agentnet_otel

handle = agentnet_otel.instrument()
for number in range(int(sys.argv[1])):
    with agentnet_otel.turn(sys.argv[2], model="m") as turn:
        turn.record_cost(usd=0.5)
        time.sleep(float(sys.argv[3]))
handle.flush(30)
"""
FAST, SLOW = ("fast", 0.0), ("slow", 0.06)
LIMITS = "turn_latency: {recommended: 30, critical: 50}\n"
"""Milliseconds; no bucket of the classic histograms ends there."""
EXPECTED = {
    ("AgentNetTurnLatencyWarning", "slow"),
    ("AgentNetTurnLatencyCritical", "slow"),
    *((f"AgentNetCostPerTurn{end}", agent) for end in ("Warning", "Critical") for agent in ("slow", "fast")),
}


@pytest.fixture
def prometheus(servers):
    """The address of a Prometheus with the rules for native histograms, which alert at once."""
    folder = servers.folder
    (folder / "limits.yaml").write_text(LIMITS)
    rules = command_line("rules", "--native", "--thresholds", folder / "limits.yaml")
    (folder / "native.rules.yml").write_text(
        rules.replace("for: 1m", "for: 0s").replace("interval: 2m", "interval: 1s")
    )
    configuration = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": ["native.rules.yml"],
        "otlp": {"promote_resource_attributes": ["service.name"]},
    }
    _, address = servers.prometheus(configuration)
    return f"http://{address}"


def run_agents(servers, url):
    """Turns of an agent that is fast, and of one that is slow, in processes of their own."""
    script = servers.folder / "agents.py"
    script.write_text(SCRIPT)
    environment = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{url}/api/v1/otlp/v1/metrics",
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }
    for agent, seconds in (FAST, SLOW):
        command = [sys.executable, script, str(TURNS), agent, str(seconds)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**without_telemetry(), **environment}
        )
        assert done.returncode == 0, done.stderr


def firing(url):
    """Name and agent of each alert that fires."""
    alerts = get_json(f"{url}/api/v1/alerts")["data"]["alerts"]
    return {
        (alert["labels"]["alertname"], alert["labels"].get("gen_ai_agent_name"))
        for alert in alerts
        if alert["state"] == "firing"
    }


def test_alerts_fire_on_native_series(servers, prometheus):
    """Latency is judged by the histogram itself, cost by its sum and count; no classic bucket is there."""
    run_agents(servers, prometheus)
    eventually(lambda: firing(prometheus) >= EXPECTED, f"{EXPECTED} fire")
    assert {agent for name, agent in firing(prometheus) if "Latency" in name} == {"slow"}
    assert not get_json(f"{prometheus}/api/v1/query?query=agentnet_turn_duration_seconds_bucket")["data"]["result"]
    rules = [rule for group in get_json(f"{prometheus}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    assert not [(rule["name"], rule["lastError"]) for rule in rules if rule.get("lastError")]
    limits = servers.folder / "limits.yaml"
    told = command_line("doctor", "--prometheus", prometheus, "--thresholds", limits, "--json")
    assert [finding["change"] for finding in json.loads(told)["findings"] if finding["change"]] == []
