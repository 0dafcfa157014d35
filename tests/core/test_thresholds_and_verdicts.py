"""Limits and verdicts."""

import pytest

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, Verdict, with_limits
from agentnet_otel.core.verdicts import judge, worst
from agentnet_otel.model import Outcome, QualitySource, Turn


def turn(number=0, ms=100.0, outcome=Outcome.SUCCESS, agent="a", **facts):
    """A turn."""
    return Turn(
        turn_id=f"t{number}",
        trace_id="1" * 32,
        span_id=format(number + 1, "016x"),
        agent=agent,
        start_ns=0,
        end_ns=round(ms * 1e6),
        outcome=outcome,
        **facts,
    )


@pytest.mark.parametrize(
    ("metric", "value", "verdict"),
    [
        (Metric.TURN_LATENCY, 1999.9, Verdict.PASS),
        (Metric.TURN_LATENCY, 2000, Verdict.WARN),
        (Metric.TURN_LATENCY, 5000, Verdict.FAIL),
        (Metric.SUCCESS_RATE, 95.1, Verdict.PASS),
        (Metric.SUCCESS_RATE, 95, Verdict.WARN),
        (Metric.SUCCESS_RATE, 90, Verdict.FAIL),
        (Metric.TOKEN_EFFICIENCY, 0.71, Verdict.PASS),
        (Metric.TOKEN_EFFICIENCY, 0.7, Verdict.WARN),
        (Metric.TOKEN_EFFICIENCY, 0.5, Verdict.FAIL),
        (Metric.COST_PER_TURN, 0.0099, Verdict.PASS),
        (Metric.COST_PER_TURN, 0.01, Verdict.WARN),
        (Metric.COST_PER_TURN, 0.05, Verdict.FAIL),
    ],
)
def test_a_value_equal_to_a_limit_is_on_its_bad_side(metric, value, verdict):
    """The documented limits, and what happens exactly on them."""
    assert DOCUMENTED[metric].verdict(value) is verdict


def test_no_data_is_not_judged():
    """A metric without data is n/a, and does not spoil the whole."""
    rows = judge([], ThresholdTable())
    assert {row.verdict for row in rows} == {Verdict.NO_DATA}
    assert worst(rows) is Verdict.NO_DATA


def test_values_of_the_table():
    """p95 latency, success rate without the cancelled, means of what is known."""
    turns = [turn(i, ms=100.0 + i, cost_usd=0.02 if i % 2 else None, efficiency=0.6) for i in range(100)]
    turns += [turn(200, outcome=Outcome.ERROR), turn(201, outcome=Outcome.CANCELLED)]
    latency, success, efficiency, cost = judge(turns, ThresholdTable())
    assert latency.value == pytest.approx(194.0, abs=1.1)
    assert success.value == pytest.approx(100 * 100 / 101)
    assert success.n == 101
    assert efficiency.value == pytest.approx(0.6)
    assert (cost.value, cost.n) == (pytest.approx(0.02), 50)
    assert cost.verdict is Verdict.WARN
    assert latency.sufficient
    assert not judge(turns[:10], ThresholdTable())[0].sufficient


def test_an_interval_that_holds_a_limit_is_told():
    """Where more turns could change the verdict, the row says so."""
    turns = [turn(i, ms=1900 if i % 10 else 2100) for i in range(100)]
    row = judge(turns, ThresholdTable())[0]
    assert row.limit_inside
    assert worst([row]) is row.verdict


def test_agents_have_limits_of_their_own():
    """An agent's own limits give it rows of its own; what it does not override is the default."""
    strict = {Metric.TURN_LATENCY: with_limits(DOCUMENTED[Metric.TURN_LATENCY], 10, 50)}
    table = ThresholdTable(agents={"b": strict})
    rows = judge([turn(0, agent="a"), turn(1, agent="b")], table)
    own = [row for row in rows if row.agent == "b"]
    assert [(row.threshold.metric, row.verdict) for row in own] == [(Metric.TURN_LATENCY, Verdict.FAIL)]
    assert table.of(Metric.COST_PER_TURN, "b") is DOCUMENTED[Metric.COST_PER_TURN]
    assert table.of(Metric.TURN_LATENCY, "b").recommended == 10


def test_limits_in_the_wrong_order_are_refused():
    """Critical has to be worse than recommended."""
    with pytest.raises(ValueError, match="above recommended"):
        with_limits(DOCUMENTED[Metric.TURN_LATENCY], 100, 50)
    with pytest.raises(ValueError, match="below recommended"):
        with_limits(DOCUMENTED[Metric.SUCCESS_RATE], 90, 95)
    assert with_limits(DOCUMENTED[Metric.SUCCESS_RATE], None, 80).critical == 80


def test_turn_values():
    """What a turn derives from itself."""
    made = turn(quality_source=QualitySource.ASSUMED)
    assert made.duration_ns == 100_000_000
    assert made.tools == ()
    assert Outcome.TIMEOUT.failed
    assert not Outcome.CANCELLED.failed
