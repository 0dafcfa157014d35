"""The spans of one trace as a tree: who is below whom, and what is still open. What a turn is, is not known here."""

from collections.abc import Iterable, Iterator

import msgspec

from agentnet_otel.core.turn_parts import Member


class OpenSpan(msgspec.Struct, frozen=True, gc=False):
    """A span that is known to have started and not to have ended. ``is_turn`` None: it may yet turn out to be one."""

    parent_span_id: str | None
    is_turn: bool | None


class SpanTree(msgspec.Struct):
    """Children may stand here before their parents. All methods take span ids of this trace."""

    members: dict[str, Member] = msgspec.field(default_factory=dict)
    """Spans that ended and are held."""
    open: dict[str, OpenSpan] = msgspec.field(default_factory=dict)
    """Spans that are known to run; in a stream none."""
    detached: dict[str, None] = msgspec.field(default_factory=dict)
    """Members whose parent is no member."""
    _children: dict[str, dict[str, None]] = msgspec.field(default_factory=dict)
    _open_below: dict[str, int] = msgspec.field(default_factory=dict)

    def start(self, span_id: str, parent_span_id: str | None, *, is_turn: bool | None) -> None:
        """Learn that a span began."""
        self.open[span_id] = OpenSpan(parent_span_id, is_turn)
        self._add_open(span_id, 1)

    def stop(self, span_id: str) -> None:
        """Learn that a span is open no more."""
        if span_id in self.open:
            self._add_open(span_id, -1)
            del self.open[span_id]

    def attach(self, member: Member) -> None:
        """Take an ended span in."""
        span_id, parent = member.span_id, member.parent_span_id
        announced = span_id in self.open
        self.stop(span_id)
        self.members[span_id] = member
        if parent is not None:
            self._children.setdefault(parent, {})[span_id] = None
            if parent not in self.members:
                self.detached[span_id] = None
        for child in self._children.get(span_id, ()):
            self.detached.pop(child, None)
        if not announced:
            self._add_open(span_id, self._open_below.get(span_id, 0))

    def attach_all(self, members: Iterable[Member]) -> None:
        """Take ended spans into a tree that is empty: what `attach` of one after the other comes to."""
        self.members = held = {member.span_id: member for member in members}
        below = self._children
        for span_id, member in held.items():
            parent = member.parent_span_id
            if parent is None:
                continue
            if parent in below:
                below[parent][span_id] = None
            else:
                below[parent] = {span_id: None}
            if parent not in held:
                self.detached[span_id] = None

    def remove(self, span_id: str) -> Member:
        """Forget a span."""
        member = self.members.pop(span_id)
        self.detached.pop(span_id, None)
        self._leave_parent(member)
        return member

    def move(self, span_id: str, parent: str) -> None:
        """Put a held span below another one."""
        member = self.members[span_id]
        self._leave_parent(member)
        self.members[span_id] = msgspec.structs.replace(member, parent_span_id=parent)
        self._children.setdefault(parent, {})[span_id] = None

    def _leave_parent(self, member: Member) -> None:
        if member.parent_span_id is not None:
            siblings = self._children[member.parent_span_id]
            del siblings[member.span_id]
            if not siblings:
                del self._children[member.parent_span_id]

    def children(self, span_id: str) -> list[str]:
        """Members directly below a span, be that here or not."""
        return list(self._children.get(span_id, ()))

    def ancestors(self, span_id: str) -> Iterator[str]:
        """Ids above a span, nearest first, as far as spans are known; the last one need not be here."""
        here = self._parent_of(span_id)
        if here is None:
            return
        seen = {span_id}
        while here is not None and here not in seen:
            seen.add(here)
            yield here
            here = self._parent_of(here)

    def top_of(self, span_id: str) -> str:
        """The highest member above a span without a gap between, or the span itself."""
        top = span_id
        for ancestor in self.ancestors(span_id):
            if ancestor not in self.members:
                break
            top = ancestor
        return top

    def inside_open(self, span_id: str) -> bool:
        """Whether an open span around this one is a turn, or may yet turn out to be one."""
        return any(
            found is not None and found.is_turn is not False for found in map(self.open.get, self.ancestors(span_id))
        )

    def has_open_below(self, span_id: str) -> bool:
        """Whether something below is still open."""
        return span_id in self._open_below

    def has_below(self, span_id: str) -> bool:
        """Whether something below is held, or open."""
        return span_id in self._children or span_id in self._open_below

    def _add_open(self, span_id: str, count: int) -> None:
        """Count open spans in all that stand above."""
        if count:
            for ancestor in self.ancestors(span_id):
                left = self._open_below.get(ancestor, 0) + count
                if left > 0:
                    self._open_below[ancestor] = left
                else:
                    self._open_below.pop(ancestor, None)

    def _parent_of(self, span_id: str) -> str | None:
        member = self.members.get(span_id)
        if member is not None:
            return member.parent_span_id
        found = self.open.get(span_id)
        return None if found is None else found.parent_span_id
