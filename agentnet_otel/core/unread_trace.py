"""The spans of a trace of a stream, at which nobody looks before it is quiet.

Then the turn of a trace of plain spans that is simple is told straight from them; all else becomes a tree.
"""

from typing import cast

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.plain_span import PlainSpan, member_of_plain
from agentnet_otel.core.plain_trace import Spans, TurnOf, is_simple
from agentnet_otel.core.trace_tree import TraceTree
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import Turn


class UnreadTrace(msgspec.Struct, kw_only=True, gc=False):
    """Spans by id, in the order in which they came. ``arrived_ns`` and ``newest_end_ns``: as of a `TraceTree`."""

    spans: dict[str, PlainSpan | Member] = {}
    arrived_ns: int = 0
    newest_end_ns: int = 0
    plain: bool = True
    """Whether all spans are."""
    turn: Turn | None = None
    """The one turn, all of it, once it was told without a tree."""

    def add(self, span: PlainSpan | Member) -> None:
        """Take a span in that did not come before."""
        self.spans[span.span_id] = span
        if isinstance(span, Member):
            self.plain = False
        self.newest_end_ns = max(self.newest_end_ns, span.end_ns)

    @property
    def is_told(self) -> bool:
        """Whether all that is known of it was told."""
        return self.turn is not None

    @property
    def waits(self) -> bool:
        """As of a `TraceTree`."""
        plain = self._as_plain()
        return self.turn is None and (plain is None or not is_simple(plain)) and self.as_tree().waits

    def tell(self, turn_of: TurnOf, prices: PriceBook | None) -> Turn | None:
        """Its one turn, which is kept as told; None where a tree has to decide what is a turn.

        Raises:
            Exception: whatever is wrong with it; the tree that is made of it tells that better.
        """
        plain = self._as_plain()
        self.turn = None if plain is None else turn_of(plain, prices)
        return self.turn

    def as_tree(self) -> TraceTree:
        """The tree of its spans; where it was told, as if the tree had told it."""
        tree = TraceTree.of([s if isinstance(s, Member) else member_of_plain(s) for s in self.spans.values()])
        tree.arrived_ns, tree.newest_end_ns = self.arrived_ns, self.newest_end_ns
        if self.turn is not None:
            tree.take_as_told(self.turn)
        return tree

    def turn_ids(self) -> set[str]:
        """The ids of turns that its spans carry."""
        said = (
            span.facts.turn_id if isinstance(span, Member) else span.attributes.get(semconv.TURN_ID)
            for span in self.spans.values()
        )
        return {turn_id for turn_id in said if isinstance(turn_id, str)}

    def _as_plain(self) -> Spans | None:
        return cast("Spans", self.spans) if self.plain else None
