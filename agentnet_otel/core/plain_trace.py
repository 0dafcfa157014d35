"""A trace of a stream as it nearly always is: plain spans, one turn, all else below it.

Then its turn is rebuilt straight from its spans, and a tree (`trace_tree`) is not made of it, unless more comes.
"""

from collections.abc import Callable, Mapping
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.plain_kinds import kind_of
from agentnet_otel.core.plain_span import PlainSpan
from agentnet_otel.core.plain_turns import MAX_DEPTH, PlainTurn
from agentnet_otel.core.plain_whole import whole_turn
from agentnet_otel.model import SpanKind, Turn

_SESSION: Final = semconv.OP_INVOKE_WORKFLOW
Spans = Mapping[str, PlainSpan]
"""The spans of a trace by id, in the order in which they came."""
TurnOf = Callable[[Spans, PriceBook | None], Turn | None]
"""What tells the one turn of a trace, as `turn_of` does."""


def turn_of(spans: Spans, prices: PriceBook | None) -> Turn | None:
    """The one turn of a trace, all other spans below it; None where there is anything to decide."""
    turn = _one_turn_of(spans)
    return None if turn is None else whole_turn(turn, spans, prices)


def is_simple(spans: Spans) -> bool:
    """Whether `turn_of` would make a turn of it."""
    return _one_turn_of(spans) is not None


def _one_turn_of(spans: Spans) -> PlainTurn | None:
    root = _root_of(spans)
    if root is None:
        return None
    root_id = root.span_id
    for span in spans.values():
        parent, depth = span.parent_span_id, 0
        while parent != root_id and span is not root:
            above = spans.get(parent)
            depth += 1
            if above is None or depth > MAX_DEPTH:
                return None
            parent = above.parent_span_id
    return PlainTurn(root, [span for span in spans.values() if span is not root], [])


def _root_of(spans: Spans) -> PlainSpan | None:
    """The one turn, if nothing is around it and no span is what stands around turns; what each span is, is noted."""
    root = None
    for span in spans.values():
        kind = kind_of(span)
        if kind is None or (span.origin.ours and span.attributes.get(semconv.OPERATION_NAME) == _SESSION):
            return None
        span.what = kind
        if kind.turn:
            if root is not None or span.kind == SpanKind.CLIENT or span.parent_span_id:
                return None
            root = span
    return root
