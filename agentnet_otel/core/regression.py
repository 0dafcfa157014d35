"""Whether turns got worse: two sets of turns compared, metric by metric.

A regression is called where a one-sided test says so and the effect is larger than a factor. Each test alone would
cry wolf now and then, so the share of false alarms that all may have together is divided among them in `ALPHA`: what
the documented targets ask of latency goes to latency, the rest is kept strict. docs/adr has the simulations.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import median
from typing import Final

from agentnet_otel.core.comparison import (
    MIN_CLUSTERS,
    Ratio,
    fisher_greater,
    hodges_lehmann_ratio,
    mann_whitney_greater,
    share_ratio,
)
from agentnet_otel.core.observations import Observation
from agentnet_otel.core.statistics import MIN_MEAN_N

DEFAULT_FACTOR: Final = 1.1
"""How many times as large (or as frequent) something has to be to count as worse."""


class ComparedMetric(str, Enum):
    """What is compared. The value is its name in files and reports."""

    TURN_LATENCY = "turn_latency"
    SUCCESS_RATE = "success_rate"
    TOKENS_PER_TURN = "tokens_per_turn"
    COST_PER_TURN = "cost_per_turn"


ALPHA: Final[Mapping[ComparedMetric, float]] = {
    ComparedMetric.TURN_LATENCY: 0.005,
    ComparedMetric.SUCCESS_RATE: 0.001,
    ComparedMetric.TOKENS_PER_TURN: 0.0005,
    ComparedMetric.COST_PER_TURN: 0.0005,
}
"""Chance of a false alarm that each test may have; together at most 0.7 %, so that 1 % holds with some room."""


_CERTAINLY_NOT_WORSE: Final = 0.9
"""Only where worse is so unlikely, better is tested at all."""


class Change(str, Enum):
    """What became of a metric."""

    REGRESSION = "REGRESSION"
    IMPROVED = "improved"
    UNCHANGED = "no regression"
    INSUFFICIENT = "INSUFFICIENT"
    NO_DATA = "n/a"


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSummary:
    """One side of a comparison. ``value``: the median, or the success rate in per cent; ``n``: values known.

    ``sessions``: how many sessions of equal size would tell as much; turns without one are sessions of their own.
    ``failures`` are told for the success rate only.
    """

    value: float | None
    n: int
    sessions: int
    failures: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric, before and now.

    ``ratio``: how many times as large it is now (of the success rate: how many times as frequent failures are);
    ``p_value``: the chance of such a change for the worse by accident; below ``alpha`` it is no accident.
    ``few_sessions``: correlated turns come from fewer sessions than the test needs to be sure of its error rate.
    """

    metric: ComparedMetric
    change: Change
    baseline: SideSummary
    current: SideSummary
    ratio: Ratio | None = None
    p_value: float | None = None
    alpha: float
    factor: float
    design_effect: float = 1.0
    few_sessions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All metrics. ``baseline_turns`` and ``current_turns``: how many turns each side has.

    ``mismatches``: sentences on what else differs between the two sides, or is not known of them.
    """

    metrics: tuple[MetricComparison, ...]
    baseline_turns: int
    current_turns: int
    mismatches: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[MetricComparison, ...]:
        """The metrics that got worse."""
        return tuple(metric for metric in self.metrics if metric.change is Change.REGRESSION)

    @property
    def too_few(self) -> bool:
        """Whether a side has fewer turns than a comparison needs."""
        return min(self.baseline_turns, self.current_turns) < MIN_MEAN_N


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """Known values of one metric, and the session of each."""

    values: Sequence[float]
    sessions: Sequence[Hashable | None]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def groups(self) -> int:
        """How many sessions of equal size tell as much (Kish): one that holds most turns makes the others count less.

        Turns without a session are sessions of their own.
        """
        sizes = Counter(session for session in self.sessions if session is not None)
        alone = self.n - sizes.total()
        return round(self.n**2 / (alone + sum(size**2 for size in sizes.values())))


def compare(
    baseline: Sequence[Observation], current: Sequence[Observation], *, factor: float = DEFAULT_FACTOR
) -> Comparison:
    """Compare ``current`` with ``baseline``; a change counts where it is larger than ``factor``.

    Raises:
        ValueError: ``factor`` is below 1 or not finite.
    """
    if not 1 <= factor < math.inf:
        message = f"factor has to be a number of at least 1, not {factor!r}"
        raise ValueError(message)
    return Comparison(
        metrics=tuple(_compared(metric, baseline, current, factor) for metric in ComparedMetric),
        baseline_turns=len(baseline),
        current_turns=len(current),
    )


def _compared(
    metric: ComparedMetric, baseline: Sequence[Observation], current: Sequence[Observation], factor: float
) -> MetricComparison:
    before, now = _values(metric, baseline), _values(metric, current)
    rates = metric is ComparedMetric.SUCCESS_RATE
    untested = MetricComparison(
        metric=metric,
        change=Change.INSUFFICIENT if before.n and now.n else Change.NO_DATA,
        baseline=_summary(before, rates=rates),
        current=_summary(now, rates=rates),
        alpha=ALPHA[metric],
        factor=factor,
    )
    if min(before.n, now.n) < MIN_MEAN_N:
        return untested
    test, ratio = (_test_shares, _share_ratio) if rates else (_test_ranks, _value_ratio)
    worse, effect = test(before, now)
    better = test(now, before)[0] if worse > _CERTAINLY_NOT_WORSE else 1.0
    size = ratio(before, now)
    if worse <= untested.alpha and size.value > factor:
        change = Change.REGRESSION
    elif better <= untested.alpha and size.value * factor < 1:
        change = Change.IMPROVED
    else:
        change = Change.UNCHANGED
    return replace(
        untested,
        change=change,
        ratio=size,
        p_value=worse,
        design_effect=effect,
        few_sessions=any(side.groups < min(side.n, MIN_CLUSTERS) for side in (before, now)),
    )


def _values(metric: ComparedMetric, samples: Sequence[Observation]) -> _Values:
    """What is known of a metric; of the success rate, 1 for a turn that failed."""
    read = _READ[metric]
    known = [(value, sample.session) for sample in samples if (value := read(sample)) is not None]
    return _Values(values=[value for value, _ in known], sessions=[session for _, session in known])


def _summary(side: _Values, *, rates: bool) -> SideSummary:
    if not side.n:
        return SideSummary(value=None, n=0, sessions=0)
    if not rates:
        return SideSummary(value=median(side.values), n=side.n, sessions=side.groups)
    failures = round(sum(side.values))
    share = 100 * (side.n - failures) / side.n
    return SideSummary(value=share, n=side.n, sessions=side.groups, failures=failures)


def _test_ranks(before: _Values, now: _Values) -> tuple[float, float]:
    """P value and design effect."""
    found = mann_whitney_greater(
        before.values, now.values, first_clusters=before.sessions, second_clusters=now.sessions
    )
    return found.p_value, found.design_effect


def _test_shares(before: _Values, now: _Values) -> tuple[float, float]:
    """As `_test_ranks`, of shares of failures."""
    found = fisher_greater(
        [bool(value) for value in before.values],
        [bool(value) for value in now.values],
        first_clusters=before.sessions,
        second_clusters=now.sessions,
    )
    return found.p_value, found.design_effect


def _value_ratio(before: _Values, now: _Values) -> Ratio:
    return hodges_lehmann_ratio(before.values, now.values)


def _share_ratio(before: _Values, now: _Values) -> Ratio:
    return share_ratio(sum(before.values), before.n, sum(now.values), now.n)


_READ: Final[Mapping[ComparedMetric, Callable[[Observation], float | None]]] = {
    ComparedMetric.TURN_LATENCY: lambda sample: sample.latency_ms,
    ComparedMetric.SUCCESS_RATE: lambda sample: None if sample.failed is None else float(sample.failed),
    ComparedMetric.TOKENS_PER_TURN: lambda sample: sample.tokens,
    ComparedMetric.COST_PER_TURN: lambda sample: sample.cost_usd,
}
