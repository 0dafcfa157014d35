"""Statistics: intervals that hold what they promise."""

import math
import random

import pytest

from agentnet_otel.core.statistics import (
    MAX_BOOTSTRAP_CLUSTERS,
    mean_interval,
    min_n_for_quantile,
    outliers,
    quantile,
    quantile_interval,
    wilson_interval,
)


def test_sample_sizes_are_the_documented_ones():
    """p95 needs 72 values, p99 368."""
    assert min_n_for_quantile(0.95) == 72
    assert min_n_for_quantile(0.99) == 368
    assert min_n_for_quantile(0.05) == 72


def test_quantile_is_the_documented_place():
    """The value at int(n * q)."""
    assert quantile(list(range(100)), 0.95) == 95
    assert quantile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError, match="at least one"):
        quantile([], 0.5)


def test_quantile_interval_needs_enough_values():
    """Below the number that it needs there is no interval."""
    assert quantile_interval(list(range(71)), 0.95) is None
    assert quantile_interval(list(range(72)), 0.95) is not None


@pytest.mark.parametrize(("n", "q"), [(72, 0.95), (200, 0.95), (400, 0.99), (60, 0.5), (2500, 0.95)])
def test_quantile_interval_covers(n, q):
    """In simulations of a skewed distribution the interval holds the true quantile often enough."""
    draw = random.Random(7)
    true = math.exp(__import__("statistics").NormalDist().inv_cdf(q))
    runs = 400 if n < 1000 else 100
    hits = 0
    for _ in range(runs):
        interval = quantile_interval(sorted(draw.lognormvariate(0, 1) for _ in range(n)), q)
        hits += interval.low <= true <= interval.high
    assert hits / runs >= 0.93


def test_mean_interval_covers_with_and_without_clusters():
    """The bootstrap by clusters covers the mean where values of a cluster are alike; the naive one would not."""
    draw = random.Random(3)
    hits = 0
    for run in range(60):
        values, clusters = [], []
        for cluster in range(40):
            level = draw.gauss(10, 2)
            for _ in range(5):
                values.append(draw.gauss(level, 0.5))
                clusters.append(cluster)
        interval = mean_interval(values, clusters, seed=run)
        hits += interval.low <= 10 <= interval.high
    assert hits >= 51


def test_mean_interval_is_the_same_for_the_same_seed():
    """A report made twice says the same."""
    values = [1.0, 5.0, 2.0, 8.0, 3.0]
    assert mean_interval(values) == mean_interval(values)


def test_mean_interval_needs_two_independent_values():
    """One value, or one cluster, has no spread."""
    assert mean_interval([1.0]) is None
    assert mean_interval([1.0, 2.0], ["s", "s"]) is None
    assert mean_interval([1.0, 2.0], ["s", None]) is not None


def test_mean_interval_of_many_values_is_normal():
    """Above the bound the normal approximation is used, and agrees with the textbook."""
    n = MAX_BOOTSTRAP_CLUSTERS + 1000
    values = [float(i % 10) for i in range(n)]
    interval = mean_interval(values)
    half = 1.96 * math.sqrt(8.25) / math.sqrt(n)
    assert interval.low == pytest.approx(4.5 - half, rel=1e-3)
    assert interval.high == pytest.approx(4.5 + half, rel=1e-3)


def test_wilson_interval():
    """The score interval, checked against a published example (15 of 50)."""
    interval = wilson_interval(15, 50)
    assert interval.low == pytest.approx(0.191, abs=1e-3)
    assert interval.high == pytest.approx(0.4375, abs=1e-3)
    assert wilson_interval(0, 0) is None
    assert wilson_interval(20, 20).high == 1.0


def test_outliers_are_counted():
    """Far above the third quartile is an outlier."""
    assert outliers([1.0, 1.1, 1.2, 1.3, 50.0] * 1) == 1
    assert outliers([]) == 0
