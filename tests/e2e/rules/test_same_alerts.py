"""Judged on turns, alerts are those of Prometheus' own engine: labels, annotations and times, field by field."""

import json
import subprocess

import pytest
from rule_cases import EDGES, counted, series_name

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.model import Outcome, PolicyViolation, QualitySource, ToolCall, Turn
from agentnet_otel.outputs.alerts.judging import Judge
from agentnet_otel.outputs.alerts.lifecycle import advanced
from agentnet_otel.outputs.alerts.minutes import MINUTE_NS, TurnMinutes
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts, all_rules

MINUTES = 200
RATES = {"busy": 12, "quiet & slow": 1}
"""Turns a minute, by agent."""
OWN = ThresholdTable(models={"m/large": {Metric.COST_PER_TURN: with_limits(DOCUMENTED[Metric.COST_PER_TURN], 0.02, 1)}})


def bad_turn(agent):
    """A turn that passes each limit."""
    return Turn(
        turn_id="t", trace_id="a", span_id="b", agent=agent, service_name="shop", model="m/large", start_ns=0,
        end_ns=7_000_000_000, outcome=Outcome.ERROR, cost_usd=0.0765, efficiency=0.123,
        quality_source=QualitySource.EVALUATED,
        tool_calls=(ToolCall(name="search", outcome="error"), ToolCall(name="search", outcome="success")),
        violations=(PolicyViolation(rule='no "lies"', severity="severe"), PolicyViolation(rule="x", severity="minor")),
    )  # fmt: skip


def series_of(agent, rate):
    """What Prometheus sees of such turns, from the tenth minute on."""
    who = {"service_name": "shop", "gen_ai_agent_name": agent, "gen_ai_request_model": "m/large"}
    grown = [0] * 10 + [rate] * (MINUTES - 10)
    made = {series_name("agentnet_turns_total", {**who, "agentnet_turn_outcome": "error"}): counted(grown)}
    for edge in (*EDGES, "+Inf"):
        steps = grown if edge == "+Inf" else [0] * MINUTES
        made[series_name("agentnet_turn_duration_seconds_bucket", {**who, "le": edge})] = counted(steps)
    for family, value, more in (
        ("agentnet_turn_cost_usd", 0.0765, {}),
        ("agentnet_turn_token_efficiency", 0.123, {"agentnet_quality_source": "evaluated"}),
    ):
        made[series_name(f"{family}_count", {**who, **more})] = counted(grown)
        made[series_name(f"{family}_sum", {**who, **more})] = counted([step * value for step in grown])
    del who["gen_ai_request_model"]
    for outcome in ("success", "error"):
        called = {"gen_ai_tool_name": "search", "agentnet_tool_outcome": outcome}
        made[series_name("agentnet_tool_calls_total", {**who, **called})] = counted(grown)
    for rule, severity in (('no "lies"', "severe"), ("x", "minor")):
        violated = {"agentnet_policy_rule": rule, "agentnet_policy_severity": severity}
        made[series_name("agentnet_policy_violations_total", {**who, **violated})] = counted(grown)
    return made


def fired(options):
    """What fires here at the last minute, as promtool expects it: by name, labels and annotations."""
    judge, minutes, known = Judge(options), TurnMinutes(options.table), {}
    for minute in range(MINUTES):
        for agent, rate in RATES.items():
            for _ in range(rate if minute >= 10 else 0):
                minutes.add(bad_turn(agent), minute * MINUTE_NS)
        known = advanced(known, judge.active(minutes, minute * MINUTE_NS), minute * MINUTE_NS)
    found = {}
    for standing in known.values():
        labels = {name: value for name, value in standing.labels.items() if name != "alertname"}
        told = {"exp_labels": labels, "exp_annotations": standing.annotations}
        found.setdefault(standing.labels["alertname"], []).append(told)
    return found


@pytest.mark.parametrize("options", [RuleOptions(), RuleOptions(table=OWN)], ids=["documented", "of a model"])
def test_the_engine_says_the_same(options, program, tmp_path):
    """Promtool runs the rules on the same turns and compares each label and each annotation of each alert."""
    found = fired(options)
    limits = {alert.alert for alert in alerts(options) if "limit:" in json.dumps(alert.annotations)}
    limits |= {"AgentNetPolicyViolations", "AgentNetSeverePolicyViolation", "AgentNetToolFailures"}
    assert limits - set(found) == (set() if options.table is not OWN else {"AgentNetCostPerTurnCritical"})
    (tmp_path / "agentnet.rules.yml").write_text(all_rules(options), encoding="utf-8")
    series = {name: values for agent, rate in RATES.items() for name, values in series_of(agent, rate).items()}
    tests = [
        {
            "interval": "1m",
            "input_series": [
                {"series": name, "values": " ".join(f"{value:.10g}" for value in values)}
                for name, values in series.items()
            ],
            "alert_rule_test": [
                {"alertname": name, "eval_time": f"{MINUTES - 1}m", "exp_alerts": found.get(name, [])}
                for name in sorted(limits)
            ],
        }
    ]
    document = {"rule_files": ["agentnet.rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "cases.yml").write_text(json.dumps(document), encoding="utf-8")
    command = [program("promtool"), "test", "rules", "--diff", tmp_path / "cases.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[:6000]
