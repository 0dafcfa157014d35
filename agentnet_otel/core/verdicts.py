"""Judging turns by the thresholds: value, interval, verdict, and whether there were enough turns to say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.statistics import (
    MIN_MEAN_N,
    Interval,
    mean_interval,
    min_n_for_quantile,
    quantile,
    quantile_interval,
    wilson_interval,
)
from agentnet_otel.core.thresholds import Metric, Threshold, ThresholdTable, Verdict
from agentnet_otel.model import Outcome, Turn

LATENCY_QUANTILE: Final = 0.95
NANOS_PER_MS: Final = 1_000_000
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One row of the verdict table, in the unit of its threshold. ``agent`` None: all turns.

    ``n``: values that it rests on; ``needed``: how many it should. ``limit_inside``: the interval holds a limit, so
    that more turns could change the verdict.
    """

    threshold: Threshold
    agent: str | None
    value: float | None
    interval: Interval | None
    n: int
    needed: int
    verdict: Verdict

    @property
    def sufficient(self) -> bool:
        """Whether there were enough values."""
        return self.n >= self.needed

    @property
    def limit_inside(self) -> bool:
        """Whether the interval holds a limit."""
        if self.interval is None:
            return False
        limits = (self.threshold.recommended, self.threshold.critical)
        return any(self.interval.low <= limit <= self.interval.high for limit in limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    value: float | None
    interval: Interval | None
    n: int
    needed: int = MIN_MEAN_N


def judge(turns: Sequence[Turn], table: ThresholdTable) -> tuple[Judgement, ...]:
    """The verdict table: a row a metric over all turns, then the rows of agents that have limits of their own."""
    rows = [_row(metric, turns, table, None) for metric in Metric]
    for agent, own in sorted(table.agents.items()):
        theirs = [turn for turn in turns if turn.agent == agent]
        rows.extend(_row(metric, theirs, table, agent) for metric in Metric if metric in own)
    return tuple(rows)


def worst(judgements: Sequence[Judgement]) -> Verdict:
    """The worst verdict of a table; n/a where nothing could be judged."""
    order = (Verdict.FAIL, Verdict.WARN, Verdict.PASS)
    found = {judgement.verdict for judgement in judgements}
    return next((verdict for verdict in order if verdict in found), Verdict.NO_DATA)


def success_rate(turns: Sequence[Turn]) -> tuple[int, int]:
    """Turns that did not fail, and turns that count: cancelled ones are on neither side."""
    counted = [turn for turn in turns if turn.outcome is not Outcome.CANCELLED]
    return sum(not turn.outcome.failed for turn in counted), len(counted)


def latencies_ms(turns: Sequence[Turn]) -> list[float]:
    """Durations of the turns, sorted."""
    return sorted(turn.duration_ns / NANOS_PER_MS for turn in turns)


def _row(metric: Metric, turns: Sequence[Turn], table: ThresholdTable, agent: str | None) -> Judgement:
    measured = _MEASURES[metric](turns)
    threshold = table.of(metric, agent)
    return Judgement(
        threshold=threshold,
        agent=agent,
        value=measured.value,
        interval=measured.interval,
        n=measured.n,
        needed=measured.needed,
        verdict=threshold.verdict(measured.value),
    )


def _latency(turns: Sequence[Turn]) -> _Measured:
    ordered = latencies_ms(turns)
    return _Measured(
        value=quantile(ordered, LATENCY_QUANTILE) if ordered else None,
        interval=quantile_interval(ordered, LATENCY_QUANTILE),
        n=len(ordered),
        needed=min_n_for_quantile(LATENCY_QUANTILE),
    )


def _success(turns: Sequence[Turn]) -> _Measured:
    good, counted = success_rate(turns)
    interval = wilson_interval(good, counted)
    return _Measured(
        value=_PERCENT * good / counted if counted else None,
        interval=interval and Interval(low=_PERCENT * interval.low, high=_PERCENT * interval.high),
        n=counted,
    )


def _efficiency(turns: Sequence[Turn]) -> _Measured:
    return _mean([(turn.efficiency, turn.session) for turn in turns])


def _cost(turns: Sequence[Turn]) -> _Measured:
    return _mean([(turn.cost_usd, turn.session) for turn in turns])


def _mean(values: Sequence[tuple[float | None, str | None]]) -> _Measured:
    """The mean of the known values; those of one session are correlated."""
    known = [(value, session) for value, session in values if value is not None]
    if not known:
        return _Measured(value=None, interval=None, n=0)
    numbers = [value for value, _ in known]
    return _Measured(
        value=sum(numbers) / len(numbers),
        interval=mean_interval(numbers, [session for _, session in known]),
        n=len(numbers),
    )


_MEASURES: Final = {
    Metric.TURN_LATENCY: _latency,
    Metric.SUCCESS_RATE: _success,
    Metric.TOKEN_EFFICIENCY: _efficiency,
    Metric.COST_PER_TURN: _cost,
}
