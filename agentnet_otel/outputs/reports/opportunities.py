"""Turns that stand out, by the documented kinds: where latency, tokens or money could be saved.

A kind without any turn gives no row. Limits are those of the documented API; what is on a limit does not stand out.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from agentnet_otel.core import documented_limits as limits
from agentnet_otel.core.efficiency import effective_tokens
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.model import LatencyComponent, TokenCategory, Turn
from agentnet_otel.outputs.reports.evidence import NamedTurn, named
from agentnet_otel.outputs.reports.wording import decimals, milliseconds, number, percent, usd

EXAMPLES: Final = 3
"""Turns named for each kind, those that stand out most."""


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
    """How a kind is told: the value of a turn (None: not known), and the limit that it must not pass."""

    kind: str
    title: str
    value: Callable[[Turn], float | None]
    limit: float
    text: Callable[[float], str]
    low_is_bad: bool = False


def _redundant_share(turn: Turn) -> float | None:
    """The documented redundancy: all tokens but output x quality, as share of all."""
    total = turn.tokens.total
    if not total or turn.quality is None:
        return None
    return (total - effective_tokens(turn.tokens.output or 0, turn.quality)) / total


def _memory_ms(turn: Turn) -> float | None:
    own_ns = turn.component_self_ns.get(LatencyComponent.MEMORY_ACCESS)
    return None if own_ns is None else own_ns / NANOS_PER_MS


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms"


_KINDS: Final = (
    _Kind(
        kind="high_latency_turns",
        title="Slow turns",
        value=lambda turn: turn.duration_ns / NANOS_PER_MS,
        limit=limits.SLOW_TURN_MS,
        text=_ms,
    ),
    _Kind(
        kind="memory_intensive_turns",
        title="Much time in memory access",
        value=_memory_ms,
        limit=limits.MEMORY_SHARE * limits.SLOW_TURN_MS,
        text=_ms,
    ),
    _Kind(
        kind="tool_heavy_turns",
        title="Many tool calls",
        value=lambda turn: len(turn.tool_calls),
        limit=limits.TOOL_USES,
        text=number,
    ),
    _Kind(
        kind="policy_heavy_turns",
        title="Many policy violations",
        value=lambda turn: turn.policy_violations,
        limit=limits.POLICY_VIOLATIONS,
        text=number,
    ),
    _Kind(
        kind="high_redundancy",
        title="Tokens that are neither output nor of quality",
        value=_redundant_share,
        limit=limits.REDUNDANT_SHARE,
        text=percent,
    ),
    _Kind(
        kind="low_efficiency",
        title="Low token efficiency",
        value=lambda turn: turn.efficiency,
        limit=limits.LOW_EFFICIENCY,
        text=decimals,
        low_is_bad=True,
    ),
    _Kind(
        kind="expensive_turns",
        title="Expensive turns",
        value=lambda turn: turn.cost_usd,
        limit=limits.EXPENSIVE_TURN_USD,
        text=usd,
    ),
    _Kind(
        kind="context_bloat",
        title="Long contexts",
        value=lambda turn: turn.context_tokens,
        limit=limits.CONTEXT_TOKENS,
        text=lambda value: f"{number(value)} tokens",
    ),
)


def opportunities_of(turns: Sequence[Turn], trace_url: str | None = None) -> tuple[Opportunity, ...]:
    """The kinds that some turn belongs to, and a category of tokens that is out of balance."""
    rows = [row for kind in _KINDS if (row := _row(kind, turns, trace_url)) is not None]
    return (*rows, *_imbalance(turns))


def _row(kind: _Kind, turns: Sequence[Turn], trace_url: str | None) -> Opportunity | None:
    sign = 1 if kind.low_is_bad else -1
    limit = sign * kind.limit
    known = 0
    found: list[tuple[float, int]] = []  # the smaller, the more it stands out; equal ones in order of the turns
    for place, turn in enumerate(turns):
        value = kind.value(turn)
        if value is not None:
            known += 1
            if sign * value < limit:
                found.append((sign * value, place))
    if not found:
        return None
    most = [(sign * signed, turns[place]) for signed, place in nsmallest(EXAMPLES, found)]
    side = "<" if kind.low_is_bad else ">"
    return Opportunity(
        kind=kind.kind,
        title=kind.title,
        limit=f"{side} {kind.text(kind.limit)}",
        turns=len(found),
        of=known,
        examples=tuple(named(turn, kind.text(value), trace_url) for value, turn in most),
    )


def _imbalance(turns: Sequence[Turn]) -> list[Opportunity]:
    """The documented kind that is told of all turns together: one category has most of the tokens."""
    spent: defaultdict[TokenCategory, int] = defaultdict(int)
    for turn in turns:
        for category, count in turn.tokens_by_category.items():
            spent[category] += count
    total = sum(spent.values())
    known = [turn.tokens_by_category for turn in turns if turn.tokens_by_category]
    return [
        Opportunity(
            kind="category_imbalance",
            title=f"Most tokens go to {category.value}: {percent(count / total)}",
            limit=f"> {percent(limits.CATEGORY_SHARE)}",
            turns=sum(category in by_category for by_category in known),
            of=len(known),
            examples=(),
        )
        for category, count in spent.items()
        if total and count / total > limits.CATEGORY_SHARE
    ]
