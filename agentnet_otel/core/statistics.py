"""Statistics for small, skewed samples: intervals that make no assumption about the distribution.

Sources: order-statistic intervals, David and Nagaraja, Order Statistics (2003), 7.1; bootstrap and its version for
clusters, Davison and Hinkley, Bootstrap Methods and their Application (1997), 2.2 and 3.8; score interval, Wilson
(1927), JASA 22.
"""

import math
import random
from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

MIN_MEAN_N: Final = 20
"""Values that a mean or a rate needs; below it the value is shown and marked."""
CONFIDENCE: Final = 0.95
RESAMPLES: Final = 1000
MAX_BOOTSTRAP_CLUSTERS: Final = 300
"""Above it the normal approximation with cluster sums is as good, and much quicker."""

_UINT32: Final = "I"
_PLACES: Final = "H"
_MAX_EXACT_N: Final = 2000
"""Above it binomial tails are taken from the normal approximation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval, in the unit of what it is about."""

    low: float
    high: float


def min_n_for_quantile(q: float, confidence: float = CONFIDENCE) -> int:
    """The smallest sample that has an order-statistic interval for quantile ``q``: 72 for p95, 368 for p99."""
    tail = (1 - confidence) / 2
    return math.ceil(math.log(tail) / math.log(max(q, 1 - q)))


def quantile(ordered: Sequence[float], q: float) -> float:
    """The value at place ``int(n * q)`` of the sorted values: the convention of the documented API.

    Raises:
        ValueError: there are no values.
    """
    if not ordered:
        message = "a quantile needs at least one value"
        raise ValueError(message)
    return ordered[min(int(len(ordered) * q), len(ordered) - 1)]


def quantile_interval(ordered: Sequence[float], q: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Two sorted values between which quantile ``q`` lies with at least this confidence; None if n is too small."""
    n = len(ordered)
    if n < min_n_for_quantile(q, confidence):
        return None
    tail = (1 - confidence) / 2
    low, high = _binomial_places(n, q, tail)
    return Interval(low=ordered[low], high=ordered[high])


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable | None] | None = None,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval | None:
    """Interval of the mean; None for fewer than two independent values.

    ``clusters`` names for each value what it is correlated within (a session); None stands alone. Up to
    `MAX_BOOTSTRAP_CLUSTERS` clusters are resampled whole (percentile bootstrap, the same for the same seed), above
    it the standard error of the cluster sums is used.
    """
    return interval_of_sums(_cluster_sums(values, clusters), confidence=confidence, seed=seed)


def interval_of_sums(
    sums: Sequence[tuple[float, int]], *, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval | None:
    """As `mean_interval`, of the sum and the number of values of each cluster."""
    if len(sums) < 2:  # noqa: PLR2004 - a spread needs two
        return None
    if len(sums) > MAX_BOOTSTRAP_CLUSTERS:
        return _normal_mean_interval(sums, confidence)
    means = sorted(_resampled_means(sums, seed))
    tail = (1 - confidence) / 2
    return Interval(low=quantile(means, tail), high=quantile(means, 1 - tail))


def wilson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Score interval of a share; None without any trial."""
    if n == 0:
        return None
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))


def outliers(ordered: Sequence[float]) -> int:
    """How many values lie more than three interquartile ranges above the third quartile (they are not dropped)."""
    if not ordered:
        return 0
    first, third = quantile(ordered, 0.25), quantile(ordered, 0.75)
    fence = third + 3 * (third - first)
    return sum(value > fence for value in ordered)


def _binomial_places(n: int, q: float, tail: float) -> tuple[int, int]:
    """Places (from 0) of the order statistics whose tails are each at most ``tail``."""
    if n > _MAX_EXACT_N:
        half = NormalDist().inv_cdf(1 - tail) * math.sqrt(n * q * (1 - q))
        return max(0, math.floor(n * q - half) - 1), min(n - 1, math.ceil(n * q + half))
    cumulative, below, low, high = 0.0, 0.0, 0, n - 1
    for k in range(n + 1):
        below = cumulative
        cumulative += _binomial(n, k, q)
        if cumulative <= tail:
            low = k  # P(B <= k) <= tail: the quantile lies above place k in all but the tail
        if 1 - below <= tail:
            high = min(k - 1, n - 1) if k else 0
            break
    return low, high


def _binomial(n: int, k: int, q: float) -> float:
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log + k * math.log(q) + (n - k) * math.log(1 - q))


def _cluster_sums(values: Sequence[float], clusters: Sequence[Hashable | None] | None) -> list[tuple[float, int]]:
    """Sum and number of values of each cluster."""
    if clusters is None:
        return [(value, 1) for value in values]
    alone = [(value, 1) for value, cluster in zip(values, clusters, strict=True) if cluster is None]
    together: dict[Hashable, tuple[float, int]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        if cluster is not None:
            total, count = together.get(cluster, (0.0, 0))
            together[cluster] = (total + value, count + 1)
    return [*alone, *together.values()]


def _resampled_means(sums: Sequence[tuple[float, int]], seed: int) -> list[float]:
    """The means of `RESAMPLES` samples of as many clusters, drawn with replacement."""
    number = len(sums)
    totals, counts = [total for total, _ in sums], [count for _, count in sums]
    alone = all(count == 1 for count in counts)
    return [
        sum(map(totals.__getitem__, places)) / (number if alone else sum(map(counts.__getitem__, places)))
        for places in _drawn(number, seed)
    ]


@lru_cache(maxsize=1)
def _drawn(number: int, seed: int) -> tuple["array[int]", ...]:
    """Places of `RESAMPLES` samples. They are kept, for the figures of a report are mostly of the same clusters.

    Places are drawn as 32 random bits modulo their number, many at once: for a thousand clusters none is likelier than
    another by more than one in four million.
    """
    draw = random.Random(seed)  # noqa: S311 - reproducible, not cryptography
    size = number * array(_UINT32).itemsize
    return tuple(
        array(_PLACES, [bits % number for bits in array(_UINT32, draw.randbytes(size))]) for _ in range(RESAMPLES)
    )


def _normal_mean_interval(sums: Sequence[tuple[float, int]], confidence: float) -> Interval:
    n = sum(count for _, count in sums)
    mean = sum(total for total, _ in sums) / n
    squares = sum((total - count * mean) ** 2 for total, count in sums)
    error = math.sqrt(squares * len(sums) / (len(sums) - 1)) / n
    half = NormalDist().inv_cdf(1 - (1 - confidence) / 2) * error
    return Interval(low=mean - half, high=mean + half)
