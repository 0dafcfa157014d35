"""`rules --native` in promtool's engine, on native histograms."""

import json
import subprocess

import pytest

from agentnet_otel.outputs.rules.catalogue import RuleOptions, all_rules

MINUTES = 60
WHO = 'service_name="shop", gen_ai_agent_name="a", gen_ai_request_model="m", agentnet_turn_outcome="success"'
FIRING = 'count by (alertname) (ALERTS{alertstate="firing", alertname=~"AgentNetTurnLatency.*"})'
BUCKET_OF = {"up to 1 s": 0, "up to 4 s": 2, "up to 16 s": 4}
"""Turns of a minute are all in one bucket; of schema 0, whose bucket n ends at 2^n seconds."""


@pytest.mark.parametrize(
    ("turns", "fired"),
    [
        ("up to 1 s", []),
        ("up to 4 s", ["AgentNetTurnLatencyWarning"]),
        ("up to 16 s", ["AgentNetTurnLatencyCritical", "AgentNetTurnLatencyWarning"]),
    ],
)
def test_native_latency(program, tmp_path, turns, fired):
    """A latency alert fires on native histograms when turns pass its limit, and not when they do not."""
    step = f"{{{{schema:0 sum:100 count:10 buckets:[10] offset:{BUCKET_OF[turns]}}}}}"
    test = {
        "interval": "1m",
        "input_series": [
            {"series": f"agentnet_turn_duration_seconds{{{WHO}}}", "values": f"{step}+{step}x{MINUTES}"},
            {"series": f"agentnet_turns_total{{{WHO}}}", "values": f"10+10x{MINUTES}"},
        ],
        "promql_expr_test": [
            {
                "expr": FIRING,
                "eval_time": f"{MINUTES}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in fired],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(all_rules(RuleOptions(native=True)))
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [test]}))
    command = [program("promtool"), "test", "rules", tmp_path / "test.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
