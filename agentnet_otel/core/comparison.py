"""Tests and estimates for two independent samples, both without an assumption about the distribution.

Everything is one-sided: the question is whether the second sample tends to be larger than the first.

Sources: rank test, Mann and Whitney (1947), Annals of Mathematical Statistics 18; its variance with ties and the
interval of the shift, Hollander, Wolfe and Chicken, Nonparametric Statistical Methods (2014), 4.1 to 4.3; exact test
of two shares, Fisher (1935), JRSS 98; interval of their ratio, Walter (1975), Biometrika 62; correlated values (the
design effect), Rao and Scott (1992), Biometrics 48.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist, fmean, median
from typing import Final

from agentnet_otel.core.statistics import CONFIDENCE, Interval

Clusters = Sequence[Hashable | None]
"""For each value what it is correlated within (a session); None stands alone."""

MIN_CLUSTERS: Final = 10
"""Clusters that a sample should have: with fewer, their spread is a guess and the test errs more often than it says."""

_MAX_EXACT_PAIRS: Final = 2_500
"""Pairs up to which the distribution of U is counted out; above it the normal approximation is as good."""
_MAX_RATIO_VALUES: Final = 400
"""Values of a sample that ratios are made of; of a larger one its quantiles stand in, evenly spaced."""
_CONTINUITY: Final = 0.5
_HALF_COUNT: Final = 0.5
"""Added to each count of a ratio of shares, so that a share of 0 has an interval too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTest:
    """Whether the second sample tends to be larger.

    ``u``: pairs in which the second sample's value is the larger one, ties counting half. ``p_value``: the chance of
    at least so many if both came from one distribution. ``design_effect``: how many times as large as with
    independent values the variance of ``u`` was taken; 1 where values are independent.
    """

    u: float
    p_value: float
    exact: bool
    design_effect: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTest:
    """Whether the second share is larger: the chance of one so large, or larger, if both were the same."""

    p_value: float
    design_effect: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times as large the second sample is; infinite where it is compared with nothing."""

    value: float
    interval: Interval


def mann_whitney_greater(
    first: Sequence[float],
    second: Sequence[float],
    *,
    first_clusters: Clusters | None = None,
    second_clusters: Clusters | None = None,
) -> RankTest:
    """One-sided Mann-Whitney U test.

    Small samples without ties are counted out exactly, else the normal approximation is used, corrected for ties and
    continuity. Where values come in clusters, its variance is multiplied by their design effect.

    Raises:
        ValueError: a sample is empty.
    """
    _require_values(first, second)
    n, m = len(first), len(second)
    ranks, tied = _midranks([*first, *second])
    u = math.fsum(ranks[n:]) - m * (m + 1) / 2
    effect = _design_effect(ranks[:n], ranks[n:], first_clusters, second_clusters)
    if effect == 1 and not tied and n * m <= _MAX_EXACT_PAIRS:
        return RankTest(u=u, p_value=_exact_tail(n, m, round(u)), exact=True)
    total = n + m
    variance = n * m / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:  # all values are equal
        return RankTest(u=u, p_value=1.0, exact=False)
    z = (u - n * m / 2 - _CONTINUITY) / math.sqrt(variance * effect)
    return RankTest(u=u, p_value=math.erfc(z / math.sqrt(2)) / 2, exact=False, design_effect=effect)


def fisher_greater(
    first: Sequence[bool],
    second: Sequence[bool],
    *,
    first_clusters: Clusters | None = None,
    second_clusters: Clusters | None = None,
) -> ShareTest:
    """Fisher's exact test, one-sided, of the share of true values.

    Where values come in clusters, counts are divided by their design effect first, and rounded to the careful side.

    Raises:
        ValueError: a sample is empty.
    """
    _require_values(first, second)
    effect = _design_effect(
        [float(hit) for hit in first], [float(hit) for hit in second], first_clusters, second_clusters
    )
    first_n, second_n = (max(1, round(len(side) / effect)) for side in (first, second))
    first_hits = min(first_n, math.ceil(sum(first) / effect))
    second_hits = min(second_n, math.floor(sum(second) / effect))
    return ShareTest(p_value=_hypergeometric_tail(first_hits, first_n, second_hits, second_n), design_effect=effect)


def hodges_lehmann_ratio(first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """The median of all ratios of a value of the second sample to one of the first, with its interval.

    That is the Hodges-Lehmann shift of the logarithms. Zeros are allowed: 0 to 0 is 1, anything else to 0 infinite.

    Raises:
        ValueError: a sample is empty, or a value is negative or not finite.
    """
    _require_values(first, second)
    n, m = len(first), len(second)
    half = NormalDist().inv_cdf(1 - (1 - confidence) / 2) * math.sqrt((n + m + 1) / (12 * n * m))
    ratios = _sorted_log_ratios(first, second)
    low = max(0, math.floor(len(ratios) * (0.5 - half)))
    return Ratio(
        value=math.exp(median(ratios)),
        interval=Interval(low=math.exp(ratios[low]), high=math.exp(ratios[-1 - low])),
    )


def share_ratio(
    first_hits: float, first_n: float, second_hits: float, second_n: float, confidence: float = CONFIDENCE
) -> Ratio:
    """The second share divided by the first: 1 where both are 0, infinite where only the first is.

    Raises:
        ValueError: a sample is empty.
    """
    if not first_n or not second_n:
        message = "a ratio of shares needs values on both sides"
        raise ValueError(message)
    half = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    counts = (first_hits + _HALF_COUNT, first_n + _HALF_COUNT, second_hits + _HALF_COUNT, second_n + _HALF_COUNT)
    hits1, n1, hits2, n2 = counts
    centre = math.log(hits2 / n2) - math.log(hits1 / n1)
    error = math.sqrt(max(0.0, 1 / hits1 - 1 / n1 + 1 / hits2 - 1 / n2))
    return Ratio(
        value=_quotient(second_hits / second_n, first_hits / first_n),
        interval=Interval(low=math.exp(centre - half * error), high=math.exp(centre + half * error)),
    )


def _quotient(value: float, by: float) -> float:
    """``value / by``, where nothing divided by nothing is 1."""
    if by:
        return value / by
    return math.inf if value else 1.0


def _require_values(*samples: Sequence[float]) -> None:
    if not all(samples):
        message = "a comparison needs values on both sides"
        raise ValueError(message)


def _midranks(values: Sequence[float]) -> tuple[list[float], int]:
    """The rank of each value, equal ones sharing theirs; and the sum of t^3 - t over groups of t equal values."""
    counts = Counter(values)
    rank_of: dict[float, float] = {}
    below = tied = 0
    for value in sorted(counts):
        count = counts[value]
        rank_of[value] = below + (count + 1) / 2
        tied += count**3 - count
        below += count
    return [rank_of[value] for value in values], tied


def _design_effect(
    first: Sequence[float],
    second: Sequence[float],
    first_clusters: Clusters | None,
    second_clusters: Clusters | None,
) -> float:
    """How many times as large clusters make the variance of the difference of the means; never below 1.

    It is 1 where no cluster has two values, and where a side has one cluster, for then nothing can be said.
    """
    together = independent = 0.0
    correlated = False
    for values, clusters in ((first, first_clusters), (second, second_clusters)):
        n = len(values)
        deviations = _cluster_deviations(values, clusters or [None] * n)
        groups = len(deviations)
        if groups < 2:  # noqa: PLR2004 - a spread needs two
            return 1.0
        correlated = correlated or groups < n
        centre = fmean(values)
        together += math.fsum(total * total for total in deviations) / n**2 * groups / (groups - 1)
        independent += math.fsum((value - centre) ** 2 for value in values) / n**2 * n / (n - 1)
    return max(1.0, together / independent) if correlated and independent else 1.0


def _cluster_deviations(values: Sequence[float], clusters: Clusters) -> list[float]:
    """The sum of the deviations from the mean, of each cluster."""
    centre = fmean(values)
    alone: list[float] = []
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        if cluster is None:
            alone.append(value - centre)
        else:
            sums[cluster] = sums.get(cluster, 0.0) + value - centre
    return [*alone, *sums.values()]


def _hypergeometric_tail(first_hits: int, first_n: int, second_hits: int, second_n: int) -> float:
    """The chance of at least so many hits in the second sample, given all counts but how they fall on the two."""
    hits = first_hits + second_hits
    whole = _log_choose(first_n + second_n, hits)
    terms = (
        math.exp(_log_choose(second_n, k) + _log_choose(first_n, hits - k) - whole)
        for k in range(second_hits, min(hits, second_n) + 1)
    )
    return min(1.0, math.fsum(terms))


def _exact_tail(n: int, m: int, u: int) -> float:
    """P(U >= u) without ties; U is symmetric."""
    up_to = _u_counts_up_to(min(n, m), max(n, m))
    return up_to[n * m - u] / up_to[-1]


@lru_cache(maxsize=64)
def _u_counts_up_to(n: int, m: int) -> tuple[int, ...]:
    """In how many orders of n and m values U is at most 0, 1, 2, ...: sums of a Gaussian binomial's coefficients."""
    size = n * m + 1
    counts = [1] + [0] * (size - 1)
    for k in range(1, n + 1):
        step = m + k
        for place in range(size - 1, step - 1, -1):  # times (1 - q^(m + k))
            counts[place] -= counts[place - step]
        for place in range(k, size):  # divided by (1 - q^k)
            counts[place] += counts[place - k]
    return tuple(accumulate(counts))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _sorted_log_ratios(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Logarithms of all ratios of a value of the second sample to one of the first; minus infinity stands for 0."""
    own, others = (_logs(_thinned(values)) for values in (first, second))
    return sorted(0.0 if a == b else b - a for a in own for b in others)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    """The values, or evenly spaced quantiles of them where they are more than ratios are made of."""
    n = len(values)
    if n <= _MAX_RATIO_VALUES:
        return values
    ordered = sorted(values)
    return [ordered[(2 * place + 1) * n // (2 * _MAX_RATIO_VALUES)] for place in range(_MAX_RATIO_VALUES)]


def _logs(values: Iterable[float]) -> list[float]:
    logs = []
    for value in values:
        if not 0 <= value < math.inf:
            message = f"values that are compared by ratio have to be finite and at least 0, not {value!r}"
            raise ValueError(message)
        logs.append(math.log(value) if value else -math.inf)
    return logs
