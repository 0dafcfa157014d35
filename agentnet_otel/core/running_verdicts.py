"""Judging turns one after the other, in memory that hardly grows with their number.

Up to `EXACT_TURNS` the turns are held and judged as `verdicts` judges them. Of more, each metric keeps what it needs:
of latency eight bytes a turn, for a quantile is exact; of means the sums over `GROUPS` groups of sessions. A session
stands whole in one group, so the spread between groups holds what correlates within sessions, as that between
sessions does.
"""

import zlib
from collections.abc import Container, Hashable
from itertools import count
from typing import Final

from agentnet_otel.core.observations import Observation
from agentnet_otel.core.sorted_runs import SortedRuns
from agentnet_otel.core.statistics import interval_of_sums
from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.core.verdicts import (
    ALL,
    Judgement,
    Measured,
    Whose,
    judge_measured,
    judge_observations,
    latency_measured,
    success_measured,
)

EXACT_TURNS: Final = 10_000
"""Turns that are held as they are."""
GROUPS: Final = 2000


class RunningVerdicts:
    """The verdict table of turns that come one by one."""

    def __init__(self, table: ThresholdTable, *, exact_turns: int = EXACT_TURNS) -> None:
        self.turns = 0
        self._table = table
        self._limit = exact_turns
        self._held: list[Observation] = []
        self._all = _Figures()
        self._of_agents = {agent: _Figures() for agent in table.agents}
        self._of_models = {model: _Figures() for model in table.models}

    def add(self, seen: Observation) -> None:
        """Take a turn in."""
        self.turns += 1
        if self.turns <= self._limit:
            self._held.append(seen)
            return
        if self._held:
            for held in self._held:
                self._count(held)
            self._held.clear()
        self._count(seen)

    def judgements(self) -> tuple[Judgement, ...]:
        """The verdict table, as `verdicts.judge` gives it."""
        if self.turns <= self._limit:
            return judge_observations(self._held, self._table)
        measured: dict[Whose, dict[Metric, Measured]] = {ALL: self._all.measured()}
        for agent, figures in self._of_agents.items():
            measured[agent, None] = figures.measured()
        for model, figures in self._of_models.items():
            measured[None, model] = figures.measured()
        return judge_measured(measured, self._table)

    def _count(self, seen: Observation) -> None:
        self._all.add(seen)
        if self._of_agents and seen.agent in self._of_agents:
            self._of_agents[seen.agent].add(seen)
        if self._of_models and seen.model in self._of_models:
            self._of_models[seen.model].add(seen, self._table.own_of(seen.agent))


class _Figures:
    """What is kept of the turns of one agent, of one model, or of all."""

    def __init__(self) -> None:
        self._latencies_ms = SortedRuns()
        self._good = 0
        self._counted = 0
        self._efficiency = _GroupedMean()
        self._cost = _GroupedMean()

    def add(self, seen: Observation, but: Container[Metric] = ()) -> None:
        """Take a turn in, ``but`` not for metrics that it is judged by elsewhere."""
        if seen.latency_ms is not None and Metric.TURN_LATENCY not in but:
            self._latencies_ms.append(seen.latency_ms)
        failed = seen.failed
        if failed is not None and Metric.SUCCESS_RATE not in but:
            self._counted += 1
            self._good += not failed
        if seen.efficiency is not None and Metric.TOKEN_EFFICIENCY not in but:
            self._efficiency.add(seen.efficiency, seen.session)
        if seen.cost_usd is not None and Metric.COST_PER_TURN not in but:
            self._cost.add(seen.cost_usd, seen.session)

    def measured(self) -> dict[Metric, Measured]:
        return {
            Metric.TURN_LATENCY: latency_measured(self._latencies_ms),
            Metric.SUCCESS_RATE: success_measured(self._good, self._counted),
            Metric.TOKEN_EFFICIENCY: self._efficiency.measured(),
            Metric.COST_PER_TURN: self._cost.measured(),
        }


class _GroupedMean:
    """A mean of values that are correlated within sessions."""

    def __init__(self) -> None:
        self._sums = [0.0] * GROUPS
        self._counts = [0] * GROUPS
        self._alone = count()

    def add(self, value: float, session: Hashable | None) -> None:
        place = next(self._alone) if session is None else zlib.crc32(str(session).encode(errors="replace"))
        self._sums[place % GROUPS] += value
        self._counts[place % GROUPS] += 1

    def measured(self) -> Measured:
        n = sum(self._counts)
        groups = [(total, size) for total, size in zip(self._sums, self._counts, strict=True) if size]
        return Measured(
            value=sum(self._sums) / n if n else None,
            interval=interval_of_sums(groups) if n else None,
            n=n,
        )
