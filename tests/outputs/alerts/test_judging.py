"""Which alerts are true on turns: windows, traffic, limits of agents and models, what is known and what is not."""

import dataclasses

import pytest

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.model import Outcome, PolicyViolation, QualitySource, ToolCall, Turn
from agentnet_otel.outputs.alerts import minutes as counting
from agentnet_otel.outputs.alerts.conditions import lower_bound
from agentnet_otel.outputs.alerts.judging import Judge
from agentnet_otel.outputs.alerts.minutes import MINUTE_NS, TurnMinutes
from agentnet_otel.outputs.rules.catalogue import RuleOptions

NOW_NS = 200 * MINUTE_NS


def turn(seconds=1.0, **facts):
    """A turn of the shop's planner."""
    made = Turn(
        turn_id="t", trace_id="a", span_id="b", agent="planner", service_name="shop", model="m-large",
        start_ns=0, end_ns=round(seconds * 1e9), outcome=Outcome.SUCCESS,
    )  # fmt: skip
    return dataclasses.replace(made, **facts)


def active(turns, table=None):
    """What is true of turns with their ages in minutes: labels of each, in order."""
    table = table or ThresholdTable()
    minutes = TurnMinutes(table)
    for one, age in turns:
        minutes.add(one, NOW_NS - age * MINUTE_NS)
    return [alert.labels for alert in Judge(RuleOptions(table=table)).active(minutes, NOW_NS)]


def names(turns, table=None):
    """Names and severities of what is true."""
    return {(labels["alertname"], labels["severity"]) for labels in active(turns, table)}


def both(name):
    """An alert at both levels."""
    return {(f"AgentNet{name}Warning", "warning"), (f"AgentNet{name}Critical", "critical")}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"seconds": 9}, both("TurnLatency")),
        ({"seconds": 3}, {("AgentNetTurnLatencyWarning", "warning")}),
        ({"outcome": Outcome.ERROR}, both("SuccessRate")),
        ({"outcome": Outcome.CANCELLED}, set()),
        ({"cost_usd": 0.2}, both("CostPerTurn")),
        ({"cost_usd": 0.0101}, {("AgentNetCostPerTurnWarning", "warning")}),
        ({"cost_usd": 0.0099}, set()),
        ({"efficiency": 0.4, "quality_source": QualitySource.EVALUATED}, both("TokenEfficiency")),
        (
            {"efficiency": 0.4, "quality_source": QualitySource.ASSUMED},
            {("AgentNetTokenEfficiencyWarning", "info"), ("AgentNetTokenEfficiencyCritical", "info")},
        ),
        ({}, set()),
    ],
)
@pytest.mark.parametrize(("count", "minutes"), [(100, 10), (40, 100)])
def test_many_and_few_turns(facts, told, count, minutes):
    """The same is told where turns are many and where they are few."""
    turns = [(turn(**facts), number * minutes // count) for number in range(count)]
    assert names(turns) == told


@pytest.mark.parametrize(("count", "told"), [(9, False), (10, True)])
def test_nobody_is_told_of_very_few_turns(count, told):
    """Nine failures in two hours are too few, ten are not."""
    assert bool(names([(turn(outcome=Outcome.ERROR), 1)] * count)) is told


def test_one_failure_now_is_chance():
    """Where turns are few, a second one has to fail in the last half hour."""
    old = [(turn(outcome=Outcome.ERROR), 60)] * 40
    assert not names([*old, (turn(outcome=Outcome.ERROR), 1)])
    assert names([*old, (turn(outcome=Outcome.ERROR), 1), (turn(outcome=Outcome.ERROR), 2)])


@pytest.mark.parametrize(("bad", "told"), [(2, False), (3, True)])
@pytest.mark.parametrize("facts", [{"seconds": 9}, {"outcome": Outcome.ERROR}])
def test_two_bad_turns_of_many_are_chance(facts, bad, told):
    """Just after a fault, while the long window is full of it: two of twelve are likely chance, three are not."""
    old = [(turn(**facts), 60)] * 12
    now = [(turn(**facts), 1)] * bad + [(turn(), 2)] * (12 - bad)
    assert any(name.endswith("Warning") for name, _ in names([*old, *now])) is told


def test_what_is_over_is_not_told():
    """The short window decides whether it is still so."""
    turns = [(turn(seconds=9), 10)] * 60 + [(turn(), 1)] * 60
    assert not names(turns)


def called(outcome, times=1):
    """A turn that calls a tool."""
    return turn(tool_calls=(ToolCall(name="search", outcome=outcome),) * times)


def violating(severity, times=1):
    """A turn that violates a policy."""
    return turn(violations=(PolicyViolation(rule="truth", severity=severity),) * times)


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ([(called("error"), 3)] * 20, {("AgentNetToolFailures", "warning")}),
        ([(called("error"), 3)] * 19, set()),
        ([(called("error"), 30)] * 20 + [(called("error"), 3)], set()),
        ([(called("error"), 30)] * 20 + [(called("error"), 3)] * 2, {("AgentNetToolFailures", "warning")}),
        ([(violating("minor", 5), 30), (violating("minor"), 3)], set()),
        ([(called("error"), 3)] * 20 + [(called("success", 9), 2)] * 20, set()),
        ([(called("error"), 20)] * 20 + [(called("success"), 2)] * 20, set()),
        ([(called(None), 3)] * 20, set()),
        ([(violating("minor", 5), 3), *[(turn(), 2)] * 49], {("AgentNetPolicyViolations", "warning")}),
        ([(violating("minor", 5), 3), *[(turn(), 2)] * 50], set()),
        ([(turn(policy_violations=5), 3), *[(turn(), 2)] * 49], {("AgentNetPolicyViolations", "warning")}),
        ([(violating(None, 4), 3)], set()),
        ([(violating("minor", 9), 16), (turn(), 2)], set()),
        ([(violating("severe"), 14)], {("AgentNetSeverePolicyViolation", "critical")}),
        ([(violating("severe"), 15)], set()),
        ([(violating("critical"), 1)], {("AgentNetSeverePolicyViolation", "critical")}),
        ([(turn(outcome=Outcome.CANCELLED, violations=(PolicyViolation(rule="truth"),) * 9), 1)], set()),
    ],
)
def test_policies_and_tools(turns, told):
    """Surely too many in an hour, and still so; a severe violation at once."""
    assert names(turns) == told


def test_turns_without_a_service():
    """They are told under the name that metrics have for them."""
    (labels,) = active([(turn(service_name="", violations=(PolicyViolation(rule="truth", severity="severe"),)), 1)])
    assert labels["service_name"] == "unknown_service"


def test_long_names_are_cut():
    """As metrics cut labels: nobody makes alerts of a megabyte."""
    call = ToolCall(name="t" * 5000, outcome="error")
    (labels,) = active([(turn(agent="a" * 5000, tool_calls=(call,) * 20), 1)])
    assert {len(labels["gen_ai_agent_name"]), len(labels["gen_ai_tool_name"])} == {256}


def test_which_tool_and_which_rule():
    """It is told by the labels of the rules."""
    (tool,) = active([(called("error"), 3)] * 20)
    assert tool["gen_ai_tool_name"] == "search"
    (rule,) = active([(violating("severe"), 1)])
    assert rule["agentnet_policy_rule"] == "truth"


def test_own_limits_of_agents_and_models():
    """An agent's own limits go before those of its model; both are named, and nobody is judged twice."""
    lax = with_limits(DOCUMENTED[Metric.COST_PER_TURN], 10, 20)
    strict = with_limits(DOCUMENTED[Metric.COST_PER_TURN], 0.001, 100)
    table = ThresholdTable(agents={"coder": {lax.metric: lax}}, models={"m-large": {strict.metric: strict}})
    turns = [(turn(cost_usd=0.2), 1), (turn(cost_usd=0.2, agent="coder"), 1)] * 60
    assert active(turns, table) == [
        {
            "alertname": "AgentNetCostPerTurnWarning",
            "severity": "warning",
            "limits": "model m-large",
            "service_name": "shop",
            "gen_ai_agent_name": "planner",
            "gen_ai_request_model": "m-large",
        }
    ]


def test_series_are_bounded(monkeypatch):
    """Names beyond the bound are counted as left out; what is forgotten makes room."""
    monkeypatch.setattr(counting, "MAX_SERIES", 2)
    minutes = TurnMinutes(ThresholdTable())
    for agent in ("a", "b", "c"):
        minutes.add(turn(agent=agent), NOW_NS)
    assert {whom.agent for whom in minutes} == {"a"}
    assert minutes.left_out == 7
    minutes.forget(NOW_NS + 120 * MINUTE_NS)
    assert not list(minutes)


def test_lower_bound_is_wilsons():
    """Of ten that all fail the bound is 10 / (10 + z²)."""
    assert lower_bound(10, 10) == pytest.approx(10 / (10 + 2.58**2))
    assert lower_bound(0, 10) == pytest.approx(0, abs=1e-12)
