"""Rows by the C way: the words and formulas that it is told, out of the tables that `plain_turns` has them from."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects.dialect import PROVIDER_KEYS
from agentnet_otel.core.plain_kinds import GENAI_KINDS, OWN_KINDS
from agentnet_otel.core.plain_span import Kind, PlainSpan
from agentnet_otel.core.plain_turns import (
    AGENTS,
    OUTCOMES,
    SESSIONS,
    SUBJECTS,
    PlainTold,
    efficiency_told,
    outcome_of,
    rows_of_trace,
)
from agentnet_otel.core.plain_usage import COST_RANKS, COSTS, SPENDING, TOKENS, TOLD_BY_SPAN, price_of
from agentnet_otel.core.plain_whole import FIRST_CHUNK
from agentnet_otel.core.turn_figures import TurnFigures, figures_of_trace
from agentnet_otel.core.turn_row import TurnRow
from agentnet_otel.model import LatencyComponent, Outcome, SpanKind, TokenCategory
from agentnet_otel.sources.native import extension
from agentnet_otel.sources.native.spans import NAMES, VOCABULARY

_COMPONENTS: Final = tuple(component.value for component in LatencyComponent if component is not LatencyComponent.TOTAL)
_CATEGORIES: Final = tuple(category.value for category in TokenCategory)
_TURN: Final = len(_COMPONENTS)
"""The numbers of what a span is: its component, or the turn itself, or neither."""
_OTHER: Final = _TURN + 1


def _number_of(kind: Kind) -> int:
    if kind.turn:
        return _TURN
    return _OTHER if kind.component is None else _COMPONENTS.index(kind.component)


def _numbers(kinds: Mapping[str, Kind]) -> dict[str, int]:
    return {word: _number_of(kind) for word, kind in kinds.items()}


def _both(facts: Mapping[bool, tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of a fact in spans of others and in ours, as far as a plain span keeps them."""
    others, ours = (tuple(key for key in facts[place] if key in _KEPT) for place in (False, True))
    return others, ours


_KEPT: Final = frozenset(NAMES)
_SINGLE: Final = {
    "turn_id": semconv.TURN_ID,
    "agent_name": semconv.AGENT_NAME,
    "operation": semconv.OPERATION_NAME,
    "component": semconv.LATENCY_COMPONENT,
    "request_model": semconv.REQUEST_MODEL,
    "response_model": semconv.RESPONSE_MODEL,
    "outcome": semconv.TURN_OUTCOME,
    "violations": semconv.TURN_POLICY_VIOLATIONS,
    "estimated": semconv.TOKENS_ESTIMATED,
    "category": semconv.TOKEN_CATEGORY,
    "cost_source": semconv.COST_SOURCE,
    "turn_cost": semconv.TURN_COST_USD,
    "turn_cost_source": semconv.TURN_COST_SOURCE,
    "batch": semconv.INFERENCE_BATCH,
    "efficiency": semconv.TURN_TOKEN_EFFICIENCY,
    "quality_source": semconv.QUALITY_SOURCE,
    "quality": semconv.TURN_QUALITY,
    "confidence": semconv.TURN_CONFIDENCE,
    "error_type": semconv.ERROR_TYPE,
    "sampling": semconv.SAMPLING_PROBABILITY,
    "first_token": semconv.TURN_TIME_TO_FIRST_TOKEN,
    "tool_outcome": semconv.TOOL_OUTCOME,
}
_FACTS: Final = {
    "agent": _both(AGENTS),
    "session": _both(SESSIONS),
    "subject": _both(SUBJECTS),
    "cost": _both(COSTS),
    "provider": (PROVIDER_KEYS, PROVIDER_KEYS),
    "first_chunk": (FIRST_CHUNK, FIRST_CHUNK),
    **{
        name: _both({ours: getattr(keys, name) for ours, keys in TOKENS.items()})
        for name in ("input", "output", "cached", "reasoning")
    },
}
_THINGS: Final = {
    "component_names": _COMPONENTS,
    "kinds_of_others": _numbers(GENAI_KINDS),
    "kinds_of_ours": _numbers(OWN_KINDS),
    "workflow": semconv.OP_INVOKE_WORKFLOW,
    "category_names": _CATEGORIES,
    "category_numbers": {name: number for number, name in enumerate(_CATEGORIES)},
    "outcomes": OUTCOMES,
    "cost_sources": tuple(COST_RANKS),
    "cost_ranks": COST_RANKS,
    "no_subject": semconv.ERROR_TYPE_OTHER,
    "price": price_of,
    "efficiency_of": efficiency_told,
    "outcome_of": outcome_of,
    "sum": sum,
    "success": Outcome.SUCCESS.value,
}


def _rows(row: type[TurnRow | TurnFigures], *, figures: bool) -> Any:
    if extension is None:
        return None
    return extension.Rows(
        VOCABULARY,
        _SINGLE,
        _FACTS,
        tuple(key for key in SPENDING if key in _KEPT),
        tuple(semconv.TURN_TOKENS_PREFIX + name for name in _CATEGORIES),
        {**_THINGS, "row": row},
        inference=_COMPONENTS.index(LatencyComponent.INFERENCE),
        tool=_COMPONENTS.index(LatencyComponent.TOOL_EXECUTION),
        orchestration=_COMPONENTS.index(LatencyComponent.ORCHESTRATION),
        reasoning=_CATEGORIES.index(TokenCategory.REASONING),
        client=int(SpanKind.CLIENT),
        told_cost=COST_RANKS[TOLD_BY_SPAN],
        figures=figures,
    )


ROWS: Final = _rows(TurnRow, figures=False)
FIGURES: Final = _rows(TurnFigures, figures=True)


def native_rows_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[TurnRow] | None:
    """What `rows_of_trace` gives, by the C way where that can."""
    found = None if ROWS is None else ROWS.of(spans, prices)
    return rows_of_trace(spans, prices) if found is None else PlainTold(*found)


def native_figures_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[TurnFigures] | None:
    """What `figures_of_trace` gives, by the C way where that can."""
    found = None if FIGURES is None else FIGURES.of(spans, prices)
    if found is None:
        return figures_of_trace(spans, prices)
    for _, figures in found[0]:
        figures.complete(spans)
    return PlainTold(*found)
