"""Turns that are judged one by one come to what they come to together."""

import random
from dataclasses import replace

import pytest

from agentnet_otel.core.observations import Observation
from agentnet_otel.core.running_verdicts import RunningVerdicts
from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.core.verdicts import judge_observations
from agentnet_otel.model import Outcome


def observations(n):
    """Turns of two agents in sessions of four, some of which tell little."""
    draw = random.Random(7)
    return [
        Observation(
            agent=f"a{place % 2}",
            model=(None, "small", "large")[place % 3],
            latency_ms=draw.lognormvariate(6, 0.4),
            outcome=draw.choices([Outcome.SUCCESS, Outcome.ERROR, Outcome.CANCELLED], [90, 8, 2])[0],
            tokens=100.0,
            cost_usd=None if place % 10 == 0 else draw.expovariate(200),
            efficiency=draw.random(),
            session=None if place % 9 == 0 else f"s-{place // 4}",
        )
        for place in range(n)
    ]


def table():
    """The limits, with one of an agent's own, and some of a model's own."""
    limit = replace(ThresholdTable().of(Metric.TURN_LATENCY), recommended=500.0, critical=900.0)
    theirs = {metric: ThresholdTable().of(metric) for metric in Metric}
    return ThresholdTable(agents={"a1": {Metric.TURN_LATENCY: limit}}, models={"large": theirs})


def judged(turns, **limits):
    """The table by the running way."""
    running = RunningVerdicts(table(), **limits)
    for seen in turns:
        running.add(seen)
    assert running.turns == len(turns)
    return running.judgements()


@pytest.mark.parametrize("n", [0, 1, 50])
def test_few_turns_are_judged_as_ever(n):
    """Up to the bound nothing differs."""
    turns = observations(n)
    assert judged(turns) == judge_observations(turns, table())


def test_many_turns_come_to_the_same_values_and_verdicts():
    """Beyond the bound values, numbers and verdicts are equal, and intervals of means nearly as wide."""
    turns = observations(20_000)
    exact, running = judge_observations(turns, table()), judged(turns, exact_turns=100)
    assert len(exact) == len(running) == 9
    for one, other in zip(exact, running, strict=True):
        assert (one.threshold, one.agent, one.model) == (other.threshold, other.agent, other.model)
        assert (one.n, one.needed) == (other.n, other.needed)
        assert other.value == pytest.approx(one.value, rel=1e-9)
        assert other.verdict is one.verdict
        width = one.interval.high - one.interval.low
        assert other.interval.low == pytest.approx(one.interval.low, abs=0.1 * width)
        assert other.interval.high == pytest.approx(one.interval.high, abs=0.1 * width)


def test_what_no_turn_tells_has_no_value():
    """Of many turns without cost the cost is not available."""
    cost = judged([Observation(latency_ms=1.0)] * 200, exact_turns=10)[3]
    assert (cost.value, cost.interval, cost.n) == (None, None, 0)
