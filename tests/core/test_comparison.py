"""Tests and estimates for two samples, against an independent implementation."""

import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agentnet_otel.core.comparison import (
    fisher_greater,
    hodges_lehmann_ratio,
    mann_whitney_greater,
    share_ratio,
)

positive = st.floats(min_value=1e-3, max_value=1e6)
small_integers = st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=40)


@given(st.lists(positive, min_size=2, max_size=60, unique=True), st.data())
def test_without_ties_small_samples_are_counted_out_exactly(values, data):
    """U and p are those of the exact test of scipy."""
    cut = data.draw(st.integers(min_value=1, max_value=len(values) - 1))
    first, second = values[:cut], values[cut:]
    found = mann_whitney_greater(first, second)
    expected = stats.mannwhitneyu(second, first, alternative="greater", method="exact")
    assert found.exact
    assert found.u == expected.statistic
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@given(small_integers, small_integers)
def test_ties_are_corrected_for(first, second):
    """With ties p is that of scipy's normal approximation, corrected for ties and continuity."""
    if len(set(first + second)) in {1, len(first + second)}:
        return
    found = mann_whitney_greater(first, second)
    expected = stats.mannwhitneyu(second, first, alternative="greater", method="asymptotic")
    assert not found.exact
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_large_samples_use_the_normal_approximation():
    """It agrees with scipy's, and with the exact test where that can still be made."""
    draw = random.Random(5)
    first, second = ([draw.gauss(mean, 1) for _ in range(60)] for mean in (0, 0.3))
    found = mann_whitney_greater(first, second)
    exact = stats.mannwhitneyu(second, first, alternative="greater", method="exact").pvalue
    normal = stats.mannwhitneyu(second, first, alternative="greater", method="asymptotic").pvalue
    assert not found.exact
    assert found.p_value == pytest.approx(normal, rel=1e-9)
    assert found.p_value == pytest.approx(exact, rel=0.05)


def test_equal_constants_are_no_change():
    """Two constant samples of one value say nothing; p is 1, never significant."""
    assert mann_whitney_greater([3.0] * 30, [3.0] * 30).p_value == 1.0


def test_clusters_of_one_change_nothing():
    """Each value in a cluster of its own, or in none, is the test of independent values."""
    draw = random.Random(6)
    first, second = ([draw.random() for _ in range(25)] for _ in range(2))
    plain = mann_whitney_greater(first, second)
    assert mann_whitney_greater(first, second, first_clusters=range(25), second_clusters=[None] * 25) == plain


def test_clusters_of_alike_values_are_less_evidence():
    """Values repeated within a cluster count about once; where they differ within it as between, they all count."""
    draw = random.Random(7)
    first, second = ([draw.gauss(mean, 1) for mean in [centre] * 12] for centre in (0, 1))
    repeated = mann_whitney_greater(
        [v for v in first for _ in range(5)],
        [v + noise * 1e-6 for v in second for noise in range(5)],
        first_clusters=[place // 5 for place in range(60)],
        second_clusters=[place // 5 for place in range(60)],
    )
    alone = mann_whitney_greater(first, second)
    assert 4 < repeated.design_effect < 7
    assert repeated.p_value == pytest.approx(alone.p_value, rel=0.5)


def test_one_cluster_on_a_side_tells_nothing_of_correlation():
    """A single session has no spread between sessions: values count as independent."""
    draw = random.Random(8)
    first, second = ([draw.random() for _ in range(25)] for _ in range(2))
    found = mann_whitney_greater(first, second, first_clusters=["s"] * 25, second_clusters=["s"] * 25)
    assert found == mann_whitney_greater(first, second)


@given(*[st.integers(min_value=0, max_value=30) for _ in range(4)])
def test_fishers_test_is_that_of_the_reference(first_hits, first_misses, second_hits, second_misses):
    """One-sided p of every table with small counts."""
    if not first_hits + first_misses or not second_hits + second_misses:
        return
    found = fisher_greater([True] * first_hits + [False] * first_misses, [True] * second_hits + [False] * second_misses)
    expected = stats.fisher_exact(
        [[second_hits, second_misses], [first_hits, first_misses]], alternative="greater"
    ).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9)


def test_failures_that_come_together_are_less_evidence():
    """Ten failures of one session weigh less than ten of ten sessions."""
    clean, sessions = [False] * 100, [place // 10 for place in range(100)]
    spread = fisher_greater(clean, [place % 10 == 0 for place in range(100)], second_clusters=sessions)
    together = fisher_greater(clean, [place < 10 for place in range(100)], second_clusters=sessions)
    assert spread.design_effect == 1
    assert together.design_effect > 4
    assert together.p_value > 100 * spread.p_value


@given(st.lists(positive, min_size=1, max_size=30), st.lists(positive, min_size=1, max_size=30))
def test_the_ratio_is_the_median_of_all_ratios(first, second):
    """Hodges and Lehmann's estimate by its definition, on logarithms."""
    expected = math.exp(median(math.log(b) - math.log(a) for a in first for b in second))
    assert hodges_lehmann_ratio(first, second).value == pytest.approx(expected, rel=1e-6)


def test_the_interval_covers_the_true_ratio():
    """In 300 pairs of samples the 95 % interval holds the true ratio in 91 to 99 % of them."""
    draw = random.Random(9)
    covered = 0
    for _ in range(300):
        first = [draw.lognormvariate(0, 0.5) for _ in range(30)]
        second = [1.3 * draw.lognormvariate(0, 0.5) for _ in range(40)]
        interval = hodges_lehmann_ratio(first, second).interval
        covered += interval.low <= 1.3 <= interval.high
    assert 0.91 < covered / 300 < 0.99


def test_large_samples_are_thinned_without_moving_the_ratio():
    """Of 30,000 values quantiles stand in, and the ratio is what all values give, to one part in a thousand."""
    draw = random.Random(10)
    first = [draw.lognormvariate(0, 0.3) for _ in range(30_000)]
    found = hodges_lehmann_ratio(first, [1.25 * value for value in first])
    assert found.value == pytest.approx(1.25, rel=1e-3)
    assert found.interval.low > 1.23


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ([0.0, 0.0], [0.0, 0.0], 1.0),
        ([0.0, 0.0], [1.0, 2.0], math.inf),
        ([1.0, 2.0], [0.0, 0.0], 0.0),
        ([0.0, 2.0, 2.0], [0.0, 2.0, 2.0], 1.0),
        ([0.0, 0.0, 5.0], [5.0, 5.0, 5.0], math.inf),
    ],
)
def test_zeros_have_a_ratio(first, second, ratio):
    """Nothing to nothing is 1, something to nothing is infinite, nothing to something is 0."""
    assert hodges_lehmann_ratio(first, second).value == ratio


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_values_without_a_ratio_are_refused(bad):
    """A negative or endless value is named."""
    with pytest.raises(ValueError, match="finite and at least 0"):
        hodges_lehmann_ratio([1.0], [bad])


def test_a_ratio_of_shares_has_an_interval_even_from_nothing():
    """None to some is infinite with finite bounds; none to none is 1; else the shares divided."""
    assert share_ratio(2, 100, 6, 100).value == pytest.approx(3.0)
    rise = share_ratio(0, 100, 6, 100)
    assert rise.value == math.inf
    assert rise.interval.low > 0.7
    assert math.isfinite(rise.interval.high)
    assert share_ratio(0, 50, 0, 50).value == 1.0


@pytest.mark.parametrize("test", [mann_whitney_greater, fisher_greater, hodges_lehmann_ratio])
def test_an_empty_side_is_refused(test):
    """There is nothing to compare with nothing."""
    with pytest.raises(ValueError, match="on both sides"):
        test([], [1.0])


def test_shares_of_nothing_are_refused():
    """A share needs values."""
    with pytest.raises(ValueError, match="on both sides"):
        share_ratio(0, 0, 1, 2)
