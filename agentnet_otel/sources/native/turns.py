"""Turns by the C way: the words, formulas and classes that it is told, out of the tables of the Python way."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects.dialect import FIRST_CHUNK_KEYS, PROVIDER_KEYS
from agentnet_otel.core.dialects.facts import NO_USAGE
from agentnet_otel.core.efficiency import ASSUMED_QUALITY
from agentnet_otel.core.plain_kinds import GENAI_KINDS, OWN_KINDS
from agentnet_otel.core.plain_span import Kind, PlainSpan
from agentnet_otel.core.plain_trace import Spans, turn_of
from agentnet_otel.core.plain_turns import (
    AGENTS,
    SESSIONS,
    SUBJECTS,
    PlainTold,
    efficiency_told,
    outcome_of,
    row_of_odd_turn,
    rows_of_trace,
)
from agentnet_otel.core.plain_usage import COST_RANKS, COSTS, SPENDING, TOKENS, TOLD_BY_SPAN, price_of
from agentnet_otel.core.plain_whole import turns_of_trace, whole_of_odd_turn
from agentnet_otel.core.reconstruction import first_token_ns
from agentnet_otel.core.turn_row import TurnRow
from agentnet_otel.core.usage import PURPOSEFUL
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    ModelCall,
    Outcome,
    QualitySource,
    SpanKind,
    Step,
    TokenCategory,
    TokenShare,
    TokenUsage,
    ToolCall,
    Turn,
)
from agentnet_otel.sources.native import extension
from agentnet_otel.sources.native.spans import NAMES, VOCABULARY

_COMPONENTS: Final = tuple(component for component in LatencyComponent if component is not LatencyComponent.TOTAL)
_CATEGORIES: Final = tuple(TokenCategory)
_TURN: Final = len(_COMPONENTS)
"""The numbers of what a span is: its component, or the turn itself, or neither."""
_OTHER: Final = _TURN + 1


def _number_of(kind: Kind) -> int:
    if kind.turn:
        return _TURN
    return _OTHER if kind.component is None else _COMPONENTS.index(LatencyComponent(kind.component))


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
    "prompt_length": semconv.TURN_PROMPT_LENGTH,
    "response_length": semconv.TURN_RESPONSE_LENGTH,
    "first_token": semconv.TURN_TIME_TO_FIRST_TOKEN,
    "attempts": semconv.INFERENCE_ATTEMPTS,
    "tool_outcome": semconv.TOOL_OUTCOME,
    "fallback": semconv.TURN_FALLBACK,
    "interrupted": semconv.TURN_INTERRUPTED,
    "recorded": semconv.METRICS_RECORDED,
    "sampling": semconv.SAMPLING_PROBABILITY,
}
_FACTS: Final = {
    "agent": _both(AGENTS),
    "session": _both(SESSIONS),
    "subject": _both(SUBJECTS),
    "cost": _both(COSTS),
    "provider": (PROVIDER_KEYS, PROVIDER_KEYS),
    "first_chunk": (FIRST_CHUNK_KEYS, FIRST_CHUNK_KEYS),
    **{
        name: _both({ours: getattr(keys, name) for ours, keys in TOKENS.items()})
        for name in ("input", "output", "cached", "reasoning")
    },
}
_THINGS: Final = {
    "row": TurnRow,
    "component_names": tuple(component.value for component in _COMPONENTS),
    "component_members": _COMPONENTS,
    "kinds_of_others": _numbers(GENAI_KINDS),
    "kinds_of_ours": _numbers(OWN_KINDS),
    "workflow": semconv.OP_INVOKE_WORKFLOW,
    "category_names": tuple(category.value for category in _CATEGORIES),
    "category_members": _CATEGORIES,
    "category_numbers": {category.value: number for number, category in enumerate(_CATEGORIES)},
    "outcomes": {outcome.value: outcome for outcome in Outcome},
    "cost_sources": tuple(COST_RANKS),
    "cost_members": tuple(map(CostSource, COST_RANKS)),
    "quality_sources": {source.value: source for source in QualitySource},
    "cost_ranks": COST_RANKS,
    "no_subject": semconv.ERROR_TYPE_OTHER,
    "price": price_of,
    "efficiency_of": efficiency_told,
    "outcome_of": outcome_of,
    "first_token_ns": first_token_ns,
    "sum": sum,
    "service_name": "service_name",
    "assumed_quality": ASSUMED_QUALITY,
    "no_usage": NO_USAGE,
    "went_well": Outcome.SUCCESS.value,
    "went_wrong": Outcome.ERROR.value,
    "row_of_odd": row_of_odd_turn,
    "whole_of_odd": whole_of_odd_turn,
}


def _told(of: Any) -> tuple[Any, tuple[str, ...], bool]:
    """A class, its fields, and whether an object of it may be made by filling its slots: nothing else is done there."""
    if is_dataclass(of):
        return of, tuple(field.name for field in fields(of)), not hasattr(of, "__post_init__")
    return of, of.__struct_fields__, False


_CLASSES: Final = {
    "turn": _told(Turn),
    "usage": _told(TokenUsage),
    "step": _told(Step),
    "model_call": _told(ModelCall),
    "share": _told(TokenShare),
    "tool_call": _told(ToolCall),
}


def _turns() -> Any:
    if extension is None:
        return None
    return extension.Turns(
        VOCABULARY,
        _SINGLE,
        _FACTS,
        tuple(key for key in SPENDING if key in _KEPT),
        tuple(semconv.TURN_TOKENS_PREFIX + category.value for category in _CATEGORIES),
        _THINGS,
        _CLASSES,
        inference=_COMPONENTS.index(LatencyComponent.INFERENCE),
        tool=_COMPONENTS.index(LatencyComponent.TOOL_EXECUTION),
        orchestration=_COMPONENTS.index(LatencyComponent.ORCHESTRATION),
        reasoning=_CATEGORIES.index(TokenCategory.REASONING),
        client=int(SpanKind.CLIENT),
        told_cost=COST_RANKS[TOLD_BY_SPAN],
        purposeful=sum(1 << at for at, component in enumerate(_COMPONENTS) if component.value in PURPOSEFUL),
    )


TURNS: Final = _turns()
"""What makes turns in C; None where there is none."""


def native_rows_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[TurnRow] | None:
    """What `rows_of_trace` gives, by the C way where that can."""
    found = None if TURNS is None else TURNS.rows(spans, prices)
    return rows_of_trace(spans, prices) if found is None else PlainTold(*found)


def native_turns_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[Turn] | None:
    """What `turns_of_trace` gives, by the C way where that can."""
    found = None if TURNS is None else TURNS.whole(spans, prices)
    return turns_of_trace(spans, prices) if found is None else PlainTold(*found)


def native_turn_of(spans: Spans, prices: PriceBook | None) -> Turn | None:
    """What `turn_of` gives, by the C way where that can: it is the one turn if it is a root, and has all spans."""
    found = None if TURNS is None else TURNS.whole(list(spans.values()), prices)
    if found is not None and len(found[0]) == 1:
        turn: Turn = found[0][0][1]
        if turn.spans == len(spans) and turn.parent_span_id is None:
            return turn
    return turn_of(spans, prices)
