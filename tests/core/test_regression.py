"""Whether turns got worse."""

import math
import random

import pytest

from agentnet_otel.core.observations import Observation
from agentnet_otel.core.regression import ALPHA, Change, ComparedMetric, compare
from agentnet_otel.model import Outcome


def samples(n=50, seed=1, slow=1.0, failing=0.0, tokens=1.0, cost=1.0, **facts):
    """Turns around 800 ms, 500 tokens and $0.004, log-normal with sigma .2."""
    draw = random.Random(seed)
    return [
        Observation(
            latency_ms=800 * slow * draw.lognormvariate(0, 0.2),
            outcome=outcome(draw.random() < failing),
            tokens=round(500 * tokens * draw.lognormvariate(0, 0.2)),
            cost_usd=0.004 * cost * draw.lognormvariate(0, 0.2),
            **facts,
        )
        for _ in range(n)
    ]


def outcome(failed):
    """The outcome of a turn that failed, or did not."""
    return Outcome.ERROR if failed else Outcome.SUCCESS


def changes(comparison):
    """What became of each metric."""
    return {row.metric: row.change for row in comparison.metrics}


@pytest.mark.parametrize(
    ("worse", "metric"),
    [
        ({"slow": 1.4}, ComparedMetric.TURN_LATENCY),
        ({"failing": 0.4}, ComparedMetric.SUCCESS_RATE),
        ({"tokens": 1.4}, ComparedMetric.TOKENS_PER_TURN),
        ({"cost": 1.4}, ComparedMetric.COST_PER_TURN),
    ],
)
def test_each_metric_is_judged_on_its_own(worse, metric):
    """What got worse is a regression, the other three are not; turned round it is an improvement."""
    before, now = samples(), samples(seed=2, **worse)
    found = compare(before, now)
    assert [row.metric for row in found.regressions] == [metric]
    assert changes(compare(now, before))[metric] is Change.IMPROVED
    assert not compare(now, before).regressions


def test_a_sure_but_small_change_is_no_regression():
    """5 % at n = 3,000 is beyond doubt, but below the factor; a smaller factor calls it."""
    before, now = samples(3000), samples(3000, seed=2, slow=1.05)
    row = compare(before, now).metrics[0]
    assert row.p_value < row.alpha / 1000
    assert row.change is Change.UNCHANGED
    assert compare(before, now, factor=1.02).metrics[0].change is Change.REGRESSION


def test_a_large_but_unsure_change_is_no_regression():
    """Twice as many failures, but of three: nobody can know."""
    before = [Observation(outcome=outcome(place < 3)) for place in range(100)]
    now = [Observation(outcome=outcome(place < 6)) for place in range(100)]
    row = compare(before, now).metrics[1]
    assert row.ratio.value == pytest.approx(2.0)
    assert row.p_value > row.alpha
    assert row.change is Change.UNCHANGED


def test_failures_are_judged_by_their_own_ratio():
    """From 99 % to 94 % success is six times as many failures, though the success rates differ by 5 %."""
    before = [Observation(outcome=outcome(place % 100 == 0)) for place in range(1000)]
    now = [Observation(outcome=outcome(place % 100 < 6)) for place in range(1000)]
    row = compare(before, now).metrics[1]
    assert row.change is Change.REGRESSION
    assert row.ratio.value == pytest.approx(6.0)
    assert (row.baseline.value, row.current.value) == (99.0, 94.0)
    assert (row.baseline.failures, row.current.failures) == (10, 60)


def test_nineteen_turns_are_too_few_however_bad():
    """Below 20 on a side nothing is called, and the comparison says so."""
    found = compare(samples(50), samples(19, slow=10))
    assert found.too_few
    assert not found.regressions
    assert changes(found)[ComparedMetric.TURN_LATENCY] is Change.INSUFFICIENT
    assert not compare(samples(20), samples(20)).too_few


def test_a_metric_that_a_side_does_not_know_is_not_compared():
    """Unknown cost is not zero: there is no data. Cancelled turns are on neither side of the success rate."""
    unknown = [Observation(latency_ms=1.0)] * 30
    found = changes(compare(samples(30), unknown))
    assert found[ComparedMetric.COST_PER_TURN] is Change.NO_DATA
    assert found[ComparedMetric.SUCCESS_RATE] is Change.NO_DATA
    assert compare(samples(30), unknown).metrics[1].current.n == 0


def test_a_few_known_values_are_insufficient():
    """30 turns of which 5 tell their cost: the cost is not judged."""
    now = [Observation(latency_ms=800.0, cost_usd=9.0 if place < 5 else None) for place in range(30)]
    assert changes(compare(samples(30), now))[ComparedMetric.COST_PER_TURN] is Change.INSUFFICIENT


def test_few_sessions_are_told():
    """Where turns are correlated and sessions few, the row says so; with turns that stand alone it does not."""
    few = [Observation(latency_ms=1.0 + place, session=place % 4) for place in range(40)]
    many = [Observation(latency_ms=1.0 + place, session=place % 10) for place in range(40)]
    alone = [Observation(latency_ms=1.0 + place) for place in range(40)]
    assert compare(few, few).metrics[0].few_sessions
    assert compare(few, few).metrics[0].current.sessions == 4
    assert not compare(many, alone).metrics[0].few_sessions
    uneven = [Observation(latency_ms=1.0 + place, session=max(0, place - 25)) for place in range(40)]
    assert compare(uneven, alone).metrics[0].baseline.sessions == 2  # 15 sessions, but one has 26 of the 40 turns
    assert compare(uneven, alone).metrics[0].few_sessions


@pytest.mark.parametrize("factor", [0.9, math.nan, math.inf])
def test_a_factor_that_makes_no_sense_is_refused(factor):
    """The factor is named."""
    with pytest.raises(ValueError, match="factor has to be"):
        compare([], [], factor=factor)


def test_all_tests_together_may_err_in_one_of_a_hundred():
    """The chances of a false alarm of all metrics add up to at most 1 %, with some room."""
    assert sum(ALPHA.values()) <= 0.008
    assert set(ALPHA) == set(ComparedMetric)
