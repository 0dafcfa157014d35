"""Runs side by side: what each was like, and for two what became of it.

A run is a set of turns with a name. Durations are milliseconds, money is USD, rates are shares from 0 to 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentnet_otel.core.columns import TurnColumns, Turns, columns_of
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.regression import DEFAULT_FACTOR, Comparison, compare
from agentnet_otel.core.statistics import MIN_MEAN_N, Interval, mean_interval, wilson_interval
from agentnet_otel.core.thresholds import ThresholdTable, Verdict
from agentnet_otel.core.verdicts import judge_columns, worst
from agentnet_otel.model import TokenCategory
from agentnet_otel.outputs.reports.tables.components import component_means_ms
from agentnet_otel.outputs.reports.tables.latency import QuantileRow, quantile_rows

MOST_CHANGES: Final = 8
"""Changes that are told."""
_SMALLEST_EFFECT: Final = 0.01
"""A change of less than a hundredth of its whole is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A name and the turns."""

    name: str
    turns: Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A figure with its interval (None where there are too few values), of ``n`` values; None where there is none."""

    value: float | None
    interval: Interval | None
    n: int

    @property
    def sufficient(self) -> bool:
        """Whether a rate or a mean of so many values can be relied upon."""
        return self.n >= MIN_MEAN_N


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run. ``component_ms`` and ``tokens_by_category`` are means of a turn."""

    name: str
    turns: int
    verdict: Verdict
    success_rate: Estimated
    mean_ms: Estimated
    quantiles: tuple[QuantileRow, ...]
    tokens_per_turn: Estimated
    cost_per_turn_usd: Estimated
    efficiency: Estimated
    component_ms: Mapping[str, float]
    tokens_by_category: Mapping[str, float]
    agent_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What became of a figure. ``effect``: the change as share of what the figure is a part of, before.

    A component is a part of the turn, a category a part of all tokens.
    """

    what: str
    name: str
    unit: str
    before: float
    now: float
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs side by side. ``comparison`` and ``differences`` are there for two: the first is what was before."""

    rows: tuple[RunRow, ...]
    comparison: Comparison | None
    differences: tuple[Difference, ...]


def runs_of(runs: Sequence[Run], table: ThresholdTable, factor: float = DEFAULT_FACTOR) -> Runs:
    """What each run was like, and for two what changed, the most first."""
    rows = tuple(_row(run, table) for run in runs)
    if len(runs) != 2:  # noqa: PLR2004 - one against the other
        return Runs(rows=rows, comparison=None, differences=())
    before, now = (list(columns_of(run.turns).observations()) for run in runs)
    return Runs(rows=rows, comparison=compare(before, now, factor=factor), differences=differences_of(rows[0], rows[1]))


def with_names(runs: Sequence[Run]) -> list[Run]:
    """Runs with names that differ: where two have one name, the later gets a number."""
    seen: dict[str, int] = {}
    found = []
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        number = seen[run.name]
        found.append(run if number == 1 else replace(run, name=f"{run.name} ({number})"))
    return found


def differences_of(before: RunRow, now: RunRow) -> tuple[Difference, ...]:
    """What changed most, as share of its whole; at most `MOST_CHANGES`. A run without turns tells of no change."""
    if not before.turns or not now.turns:
        return ()
    found = [
        *_latencies(before, now),
        *_parts("component", "ms", before.component_ms, now.component_ms, before.mean_ms.value),
        *_parts("agent", "ms", before.agent_ms, now.agent_ms, None, both=True),
        *_parts(
            "token category",
            "tokens",
            before.tokens_by_category,
            now.tokens_by_category,
            before.tokens_per_turn.value,
        ),
        *_single("tokens per turn", "tokens", before.tokens_per_turn, now.tokens_per_turn),
        *_single("cost per turn", "USD", before.cost_per_turn_usd, now.cost_per_turn_usd),
        *_single("token efficiency", "", before.efficiency, now.efficiency),
        *_rates(before.success_rate, now.success_rate),
    ]
    known = [one for one in found if math.isfinite(one.effect) and abs(one.effect) >= _SMALLEST_EFFECT]
    return tuple(sorted(known, key=lambda one: (-abs(one.effect), one.what, one.name))[:MOST_CHANGES])


def _row(run: Run, table: ThresholdTable) -> RunRow:
    turns = columns_of(run.turns)
    good, counted = turns.success()
    return RunRow(
        name=run.name,
        turns=len(turns),
        verdict=worst(judge_columns(turns, table)),
        success_rate=Estimated(
            value=good / counted if counted else None, interval=wilson_interval(good, counted), n=counted
        ),
        mean_ms=_mean(turns.latencies_ms, turns.sessions),
        quantiles=quantile_rows(turns.ordered_ms),
        tokens_per_turn=_mean(turns.spent.tokens.values, turns.sessions_of(turns.spent.tokens)),
        cost_per_turn_usd=_mean(turns.spent.cost_usd.values, turns.sessions_of(turns.spent.cost_usd)),
        efficiency=_mean(turns.spent.efficiency.values, turns.sessions_of(turns.spent.efficiency)),
        component_ms=component_means_ms(turns),
        tokens_by_category=_category_means(turns),
        agent_ms=_agent_means_ms(turns),
    )


def _mean(numbers: Sequence[float], sessions: Sequence[str | None]) -> Estimated:
    if not numbers:
        return Estimated(value=None, interval=None, n=0)
    return Estimated(value=math.fsum(numbers) / len(numbers), interval=mean_interval(numbers, sessions), n=len(numbers))


def _category_means(turns: TurnColumns) -> dict[str, float]:
    """Tokens of each category, mean of the turns that tell their tokens."""
    spent, told = turns.spent.by_category_where_known, len(turns.spent.tokens)
    return {category.value: spent[category] / told for category in TokenCategory if category in spent}


def _agent_means_ms(turns: TurnColumns) -> dict[str, float]:
    total: dict[str, list[int]] = {}
    for agent, duration_ns in zip(turns.agents, turns.durations_ns, strict=True):
        total.setdefault(agent, []).append(duration_ns)
    return {agent: sum(spent) / len(spent) / NANOS_PER_MS for agent, spent in sorted(total.items())}


def _latencies(before: RunRow, now: RunRow) -> list[Difference]:
    pairs = zip(before.quantiles, now.quantiles, strict=False)
    found = [
        _difference("latency", f"p{100 * old.q:g}", "ms", old.value_ms, new.value_ms, old.value_ms)
        for old, new in pairs
        if old.interval is not None and new.interval is not None
    ]
    return [*found, *_single("latency", "ms", before.mean_ms, now.mean_ms, name="mean")]


def _parts(
    what: str,
    unit: str,
    before: Mapping[str, float],
    now: Mapping[str, float],
    whole: float | None,
    *,
    both: bool = False,
) -> list[Difference]:
    """Parts of a whole (None: each is a whole of its own). ``both``: only what is on both sides can be compared."""
    names = [name for name in before if name in now] if both else list(dict.fromkeys([*before, *now]))
    return [
        _difference(what, name, unit, before.get(name, 0.0), now.get(name, 0.0), whole or before.get(name, 0.0))
        for name in names
    ]


def _single(what: str, unit: str, before: Estimated, now: Estimated, name: str = "") -> list[Difference]:
    if before.value is None or now.value is None:
        return []
    return [_difference(what, name or what, unit, before.value, now.value, before.value)]


def _rates(before: Estimated, now: Estimated) -> list[Difference]:
    """A change of the success rate counts as what it is: so many of all turns."""
    if before.value is None or now.value is None:
        return []
    return [_difference("success rate", "success rate", "%", 100 * before.value, 100 * now.value, 100.0)]


def _difference(what: str, name: str, unit: str, before: float, now: float, whole: float) -> Difference:
    effect = (now - before) / whole if whole else (math.inf if now != before else 0.0)
    return Difference(what=what, name=name, unit=unit, before=before, now=now, effect=effect)
