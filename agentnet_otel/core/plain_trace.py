"""A trace of a stream as it nearly always is: plain spans, one turn, all else below it.

Until it is quiet nothing of it is looked at. If it is then such a trace, its turn is rebuilt straight from its spans,
and a tree (`trace_tree`) is not made of it, unless more comes. Whatever is not so simple becomes a tree.
"""

from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.plain_kinds import kind_of
from agentnet_otel.core.plain_span import PlainSpan, member_of_plain
from agentnet_otel.core.plain_turns import MAX_DEPTH, PlainTurn
from agentnet_otel.core.plain_whole import whole_turn
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import SpanKind, Turn

_SESSION: Final = semconv.OP_INVOKE_WORKFLOW


class PlainTrace(msgspec.Struct, kw_only=True, gc=False):
    """The spans of a trace by id, in the order in which they came.

    ``arrived_ns``: the time of the stream when the newest came; ``newest_end_ns``: the latest end among them;
    ``turn``: what was told of it, None before.
    """

    members: dict[str, PlainSpan] = {}
    arrived_ns: int = 0
    newest_end_ns: int = 0
    turn: Turn | None = None

    def add(self, span: PlainSpan) -> None:
        """Take a span in that did not come before."""
        self.members[span.span_id] = span
        self.newest_end_ns = max(self.newest_end_ns, span.end_ns)

    def as_members(self) -> list[Member]:
        """The spans as a tree takes them, in the order in which they came."""
        return [member_of_plain(span) for span in self.members.values()]

    def turn_ids(self) -> set[str]:
        """The ids of turns that its spans carry."""
        said = (span.attributes.get(semconv.TURN_ID) for span in self.members.values())
        return {turn_id for turn_id in said if isinstance(turn_id, str)}


def turn_of(trace: PlainTrace, prices: PriceBook | None) -> Turn | None:
    """The one turn of a trace, all other spans below it; None where there is anything to decide."""
    turn = _one_turn_of(trace)
    return None if turn is None else whole_turn(turn, trace.members, prices)


def is_simple(trace: PlainTrace) -> bool:
    """Whether `turn_of` would make a turn of it."""
    return _one_turn_of(trace) is not None


def _one_turn_of(trace: PlainTrace) -> PlainTurn | None:
    root = _root_of(trace)
    if root is None:
        return None
    members, root_id = trace.members, root.span_id
    for span in members.values():
        parent, depth = span.parent_span_id, 0
        while parent != root_id and span is not root:
            above = members.get(parent)
            depth += 1
            if above is None or depth > MAX_DEPTH:
                return None
            parent = above.parent_span_id
    return PlainTurn(root, [span for span in members.values() if span is not root], [])


def _root_of(trace: PlainTrace) -> PlainSpan | None:
    """The one turn, if nothing is around it and no span is what stands around turns; what each span is, is noted."""
    root = None
    for span in trace.members.values():
        kind = kind_of(span)
        if kind is None or (span.origin.ours and span.attributes.get(semconv.OPERATION_NAME) == _SESSION):
            return None
        span.what = kind
        if kind.turn:
            if root is not None or span.kind == SpanKind.CLIENT or span.parent_span_id:
                return None
            root = span
    return root
