"""Judging turns by the thresholds: value, interval, verdict, and whether there were enough turns to say so."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentnet_otel.core.observations import Observation, observation_of
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

if TYPE_CHECKING:  # most who judge have no columns, and need not load them
    from agentnet_otel.core.columns import TurnColumns

LATENCY_QUANTILE: Final = 0.95
_PERCENT: Final = 100.0
Whose = tuple[str | None, str | None]
"""Whose turns a row is over: of an agent, of a model, or with neither of all."""
ALL: Final[Whose] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One row of the verdict table, in the unit of its threshold: over all turns, those of an agent, or of a model.

    ``n``: values that it rests on; ``needed``: how many it should. ``limit_inside``: the interval holds a limit, so
    that more turns could change the verdict.
    """

    threshold: Threshold
    agent: str | None = None
    model: str | None = None
    value: float | None
    interval: Interval | None
    n: int
    needed: int
    verdict: Verdict

    @property
    def of_all(self) -> bool:
        """Whether it is over all turns."""
        return self.agent is None and self.model is None

    @property
    def owner(self) -> str:
        """The agent or the model that it is over; empty for all turns."""
        return self.agent or self.model or ""

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
class Measured:
    """A figure that is judged, in the unit of its threshold: ``n`` values that it rests on, of ``needed``."""

    value: float | None
    interval: Interval | None
    n: int
    needed: int = MIN_MEAN_N


def judge(turns: Sequence[Turn], table: ThresholdTable) -> tuple[Judgement, ...]:
    """The verdict table: a row a metric over all turns, then those of agents and of models with limits of their own.

    An agent's own limits go before those of a model: its turns are not judged again as those of their models.
    """
    return judge_observations([observation_of(turn) for turn in turns], table)


def judge_columns(turns: "TurnColumns", table: ThresholdTable) -> tuple[Judgement, ...]:
    """As `judge`, of turns as columns."""
    good, counted = turns.success()
    of_all = {
        Metric.TURN_LATENCY: latency_measured(turns.ordered_ms),
        Metric.SUCCESS_RATE: success_measured(good, counted),
        Metric.TOKEN_EFFICIENCY: _mean(turns.spent.efficiency.values, turns.sessions_of(turns.spent.efficiency)),
        Metric.COST_PER_TURN: _mean(turns.spent.cost_usd.values, turns.sessions_of(turns.spent.cost_usd)),
    }
    owned = list(turns.observations()) if table.agents or table.models else []
    return judge_observations(owned, table, of_all)


def judge_measured(measured: Mapping[Whose, Mapping[Metric, Measured]], table: ThresholdTable) -> tuple[Judgement, ...]:
    """As `judge`, of figures that were measured before."""
    return tuple(_judged(metric, measured[whose][metric], table, whose) for whose, metric in _rows(table))


def judge_observations(
    observations: Sequence[Observation], table: ThresholdTable, told: Mapping[Metric, Measured] | None = None
) -> tuple[Judgement, ...]:
    """As `judge`, whatever the observations are of. ``told``: figures over all turns that are known otherwise."""
    rows = []
    for whose, metric in _rows(table):
        measured = (told or {}).get(metric) if whose == ALL else None
        if measured is None:
            all_of_them = whose == ALL
            theirs = observations if all_of_them else [o for o in observations if _counts(o, whose, metric, table)]
            measured = _MEASURES[metric](theirs)
        rows.append(_judged(metric, measured, table, whose))
    return tuple(rows)


def _rows(table: ThresholdTable) -> Iterator[tuple[Whose, Metric]]:
    """Whose figures are judged, and which, in the order of the table."""
    yield from ((ALL, metric) for metric in Metric)
    for agent, own in sorted(table.agents.items()):
        yield from (((agent, None), metric) for metric in Metric if metric in own)
    for model, own in sorted(table.models.items()):
        yield from (((None, model), metric) for metric in Metric if metric in own)


def _counts(seen: Observation, whose: Whose, metric: Metric, table: ThresholdTable) -> bool:
    """Whether a turn counts in the row of an agent or a model."""
    agent, model = whose
    if agent is not None:
        return seen.agent == agent
    return seen.model == model and metric not in table.own_of(seen.agent)


def worst(judgements: Sequence[Judgement]) -> Verdict:
    """The worst verdict of a table; n/a where nothing could be judged."""
    order = (Verdict.FAIL, Verdict.WARN, Verdict.PASS)
    found = {judgement.verdict for judgement in judgements}
    return next((verdict for verdict in order if verdict in found), Verdict.NO_DATA)


def success_rate(turns: Sequence[Turn]) -> tuple[int, int]:
    """Turns that did not fail, and turns that count: cancelled ones are on neither side."""
    counted = [turn for turn in turns if turn.outcome is not Outcome.CANCELLED]
    return sum(not turn.outcome.failed for turn in counted), len(counted)


def _judged(metric: Metric, measured: Measured, table: ThresholdTable, whose: Whose) -> Judgement:
    agent, model = whose
    threshold = table.of(metric, agent, model)
    return Judgement(
        threshold=threshold,
        agent=agent,
        model=model,
        value=measured.value,
        interval=measured.interval,
        n=measured.n,
        needed=measured.needed,
        verdict=threshold.verdict(measured.value),
    )


def _latency(observations: Sequence[Observation]) -> Measured:
    return latency_measured(sorted(o.latency_ms for o in observations if o.latency_ms is not None))


def latency_measured(ordered: Sequence[float]) -> Measured:
    """The latency of turns, from their sorted durations in milliseconds."""
    return Measured(
        value=quantile(ordered, LATENCY_QUANTILE) if ordered else None,
        interval=quantile_interval(ordered, LATENCY_QUANTILE),
        n=len(ordered),
        needed=min_n_for_quantile(LATENCY_QUANTILE),
    )


def _success(observations: Sequence[Observation]) -> Measured:
    known = [failed for o in observations if (failed := o.failed) is not None]
    return success_measured(known.count(False), len(known))


def success_measured(good: int, counted: int) -> Measured:
    """The success rate of ``counted`` turns."""
    interval = wilson_interval(good, counted)
    return Measured(
        value=_PERCENT * good / counted if counted else None,
        interval=interval and Interval(low=_PERCENT * interval.low, high=_PERCENT * interval.high),
        n=counted,
    )


def _efficiency(observations: Sequence[Observation]) -> Measured:
    known = [(o.efficiency, o.session) for o in observations if o.efficiency is not None]
    return _mean([value for value, _ in known], [session for _, session in known])


def _cost(observations: Sequence[Observation]) -> Measured:
    known = [(o.cost_usd, o.session) for o in observations if o.cost_usd is not None]
    return _mean([value for value, _ in known], [session for _, session in known])


def _mean(numbers: Sequence[float], sessions: Sequence[Hashable | None]) -> Measured:
    """The mean of values; those of one session are correlated."""
    if not numbers:
        return Measured(value=None, interval=None, n=0)
    return Measured(value=sum(numbers) / len(numbers), interval=mean_interval(numbers, sessions), n=len(numbers))


_MEASURES: Final = {
    Metric.TURN_LATENCY: _latency,
    Metric.SUCCESS_RATE: _success,
    Metric.TOKEN_EFFICIENCY: _efficiency,
    Metric.COST_PER_TURN: _cost,
}
