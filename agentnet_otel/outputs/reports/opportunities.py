"""Turns that stand out, by the documented kinds: where latency, tokens or money could be saved.

A kind without any turn gives no row. Limits are those of the documented API; what is on a limit does not stand out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from operator import itemgetter
from typing import Final

from agentnet_otel.core import documented_limits as limits
from agentnet_otel.core.columns import Told, TurnColumns
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.model import LatencyComponent
from agentnet_otel.outputs.reports.evidence import NamedTurn, named
from agentnet_otel.outputs.reports.wording import decimals, milliseconds, number, percent, usd

EXAMPLES: Final = 3
"""Turns named for each kind, those that stand out most."""
_VALUE: Final = itemgetter(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """One kind. ``turns`` of ``of`` turns (those where it is known) pass ``limit``."""

    kind: str
    title: str
    limit: str
    turns: int
    of: int
    examples: tuple[NamedTurn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a kind is told: the values of the turns, and the limit that they must not pass."""

    kind: str
    title: str
    told: Callable[[TurnColumns], "_Values"]
    limit: float
    text: Callable[[float], str]
    low_is_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """Values, each with the place of its turn, and of how many turns one is known. What is not among them is 0."""

    pairs: Iterable[tuple[int, float]]
    known: int


def _latencies(turns: TurnColumns) -> _Values:
    return _Values(pairs=enumerate(turns.latencies_ms), known=len(turns))


def _memory_ms(turns: TurnColumns) -> _Values:
    told = turns.own_ns.get(LatencyComponent.MEMORY_ACCESS, Told())
    return _Values(pairs=((place, own_ns / NANOS_PER_MS) for place, own_ns in told.pairs()), known=len(told))


def _of(told: Told, known: int | None = None) -> _Values:
    return _Values(pairs=told.pairs(), known=len(told) if known is None else known)


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms"


_KINDS: Final = (
    _Kind(
        kind="high_latency_turns",
        title="Slow turns",
        told=_latencies,
        limit=limits.SLOW_TURN_MS,
        text=_ms,
    ),
    _Kind(
        kind="memory_intensive_turns",
        title="Much time in memory access",
        told=_memory_ms,
        limit=limits.MEMORY_SHARE * limits.SLOW_TURN_MS,
        text=_ms,
    ),
    _Kind(
        kind="tool_heavy_turns",
        title="Many tool calls",
        told=lambda turns: _of(turns.incidents.tool_calls, len(turns)),
        limit=limits.TOOL_USES,
        text=number,
    ),
    _Kind(
        kind="policy_heavy_turns",
        title="Many policy violations",
        told=lambda turns: _of(turns.incidents.policy_violations, len(turns)),
        limit=limits.POLICY_VIOLATIONS,
        text=number,
    ),
    _Kind(
        kind="high_redundancy",
        title="Tokens that are neither output nor of quality",
        told=lambda turns: _of(turns.spent.redundant_share),
        limit=limits.REDUNDANT_SHARE,
        text=percent,
    ),
    _Kind(
        kind="low_efficiency",
        title="Low token efficiency",
        told=lambda turns: _of(turns.spent.efficiency),
        limit=limits.LOW_EFFICIENCY,
        text=decimals,
        low_is_bad=True,
    ),
    _Kind(
        kind="expensive_turns",
        title="Expensive turns",
        told=lambda turns: _of(turns.spent.cost_usd),
        limit=limits.EXPENSIVE_TURN_USD,
        text=usd,
    ),
    _Kind(
        kind="context_bloat",
        title="Long contexts",
        told=lambda turns: _of(turns.spent.context_tokens),
        limit=limits.CONTEXT_TOKENS,
        text=lambda value: f"{number(value)} tokens",
    ),
)


def opportunities_of(turns: TurnColumns, trace_url: str | None = None) -> tuple[Opportunity, ...]:
    """The kinds that some turn belongs to, and a category of tokens that is out of balance."""
    rows = [row for kind in _KINDS if (row := _row(kind, turns, trace_url)) is not None]
    return (*rows, *_imbalance(turns))


def _row(kind: _Kind, turns: TurnColumns, trace_url: str | None) -> Opportunity | None:
    told, limit = kind.told(turns), kind.limit
    if kind.low_is_bad:
        found = [(place, value) for place, value in told.pairs if value < limit]
        most = nsmallest(EXAMPLES, found, key=_VALUE)  # equal ones in order of the turns
    else:
        found = [(place, value) for place, value in told.pairs if value > limit]
        most = nlargest(EXAMPLES, found, key=_VALUE)
    if not found:
        return None
    side = "<" if kind.low_is_bad else ">"
    return Opportunity(
        kind=kind.kind,
        title=kind.title,
        limit=f"{side} {kind.text(kind.limit)}",
        turns=len(found),
        of=told.known,
        examples=tuple(named(turns, place, kind.text(value), trace_url) for place, value in most),
    )


def _imbalance(turns: TurnColumns) -> list[Opportunity]:
    """The documented kind that is told of all turns together: one category has most of the tokens."""
    total = turns.spent.by_category.total()
    return [
        Opportunity(
            kind="category_imbalance",
            title=f"Most tokens go to {category.value}: {percent(count / total)}",
            limit=f"> {percent(limits.CATEGORY_SHARE)}",
            turns=turns.spent.turns_with_category[category],
            of=turns.spent.turns_with_categories,
            examples=(),
        )
        for category, count in turns.spent.by_category.items()
        if total and count / total > limits.CATEGORY_SHARE
    ]
