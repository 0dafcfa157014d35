"""How long turns took: the distribution of latency, its quantiles, and the time to the first token."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, stdev
from typing import Final

from agentnet_otel.core.columns import TurnColumns
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.statistics import (
    Interval,
    mean_interval,
    min_n_for_quantile,
    outliers,
    quantile,
    quantile_interval,
)

BUCKET_EDGES_MS: Final = (50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 30_000.0)
HISTOGRAM_STEPS: Final = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
"""Edges of a decade that are alike in ratio (the preferred numbers R10), so that bins of a logarithmic axis are of one
width; the documented limits, 2 s and 5 s, are among them."""
HISTOGRAM_EDGES_MS: Final = tuple(step * 10**decade for decade in range(7) for step in HISTOGRAM_STEPS)
QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
P95: Final = 0.95
P95_NEEDS: Final = min_n_for_quantile(P95)
"""Values that a p95 needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileRow:
    """A quantile of the latency; its interval where there were the turns that one needs."""

    q: float
    value_ms: float
    interval: Interval | None
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Turns that took at least ``from_ms`` and less than ``below_ms`` (None: no limit)."""

    from_ms: float
    below_ms: float | None
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """The distribution of turn latency. ``peak_concurrency``: turns that ran at the same time, at most.

    ``buckets`` are the same in every report; ``histogram`` is finer, from the first that has a turn to the last.
    """

    count: int
    mean_ms: float
    mean_interval: Interval | None
    min_ms: float
    max_ms: float
    stdev_ms: float
    quantiles: tuple[QuantileRow, ...]
    outliers: int
    buckets: tuple[Bucket, ...]
    histogram: tuple[Bucket, ...]
    peak_concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTokenSummary:
    """How long turns whose answer was streamed took to its first token."""

    turns: int
    median_ms: float
    p95_ms: float
    p95_sufficient: bool


def latency_summary(turns: TurnColumns) -> LatencySummary | None:
    """The distribution of latency; None without turns."""
    ordered = turns.ordered_ms
    if not ordered:
        return None
    return LatencySummary(
        count=len(ordered),
        mean_ms=fmean(ordered),
        mean_interval=mean_interval(turns.latencies_ms, turns.sessions),
        min_ms=ordered[0],
        max_ms=ordered[-1],
        stdev_ms=stdev(ordered) if len(ordered) > 1 else 0.0,
        quantiles=quantile_rows(ordered),
        outliers=outliers(ordered),
        buckets=_buckets(ordered, (0.0, *BUCKET_EDGES_MS)),
        histogram=_histogram(ordered),
        peak_concurrency=_peak_concurrency(turns),
    )


def quantile_rows(ordered: Sequence[float]) -> tuple[QuantileRow, ...]:
    """The quantiles of sorted latencies; none without any."""
    if not ordered:
        return ()
    return tuple(
        QuantileRow(
            q=q,
            value_ms=quantile(ordered, q),
            interval=quantile_interval(ordered, q),
            needed=min_n_for_quantile(q),
        )
        for q in QUANTILES
    )


def first_token_summary(turns: TurnColumns) -> FirstTokenSummary | None:
    """Time to first token; None where no answer was streamed."""
    ordered = sorted([first_ns / NANOS_PER_MS for first_ns in turns.first_token_ns])
    if not ordered:
        return None
    return FirstTokenSummary(
        turns=len(ordered),
        median_ms=quantile(ordered, 0.5),
        p95_ms=quantile(ordered, P95),
        p95_sufficient=len(ordered) >= P95_NEEDS,
    )


def _histogram(ordered: Sequence[float]) -> tuple[Bucket, ...]:
    """Bins alike in ratio; those without a turn at both ends are left out."""
    found = _buckets(ordered, (0.0, *HISTOGRAM_EDGES_MS))
    held = [place for place, bucket in enumerate(found) if bucket.turns]
    return found[held[0] : held[-1] + 1]


def _buckets(ordered: Sequence[float], edges: Sequence[float]) -> tuple[Bucket, ...]:
    places = [bisect_left(ordered, edge) for edge in edges]
    return tuple(
        Bucket(
            from_ms=edge,
            below_ms=edges[place + 1] if place + 1 < len(edges) else None,
            turns=(places[place + 1] if place + 1 < len(edges) else len(ordered)) - places[place],
        )
        for place, edge in enumerate(edges)
    )


def _peak_concurrency(turns: TurnColumns) -> int:
    """Turns open at one instant, at most; one that ends as another starts does not overlap it.

    What happens is put in order as whole numbers: twice the time, and one more for a start.
    """
    spans = list(zip(turns.starts_ns, turns.durations_ns, strict=True))
    happens = [2 * (start_ns + duration_ns) for start_ns, duration_ns in spans]
    happens += [2 * start_ns + 1 for start_ns, _ in spans]
    happens.sort()
    return max(1, *accumulate([1 if number & 1 else -1 for number in happens]))
