"""The spans of one trace as far as they came, and which turn each belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from agentnet_otel.core.dialects import Role, SpanFacts
from agentnet_otel.core.reconstruction import Member
from agentnet_otel.model import LatencyComponent, SpanKind, SpanRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSpan:
    """A span that is known to have started and not to have ended."""

    parent_span_id: str | None
    is_turn: bool


@dataclass(slots=True)
class TraceTree:
    """Children may stand here before their parents. All methods take span ids of this trace."""

    members: dict[str, Member] = field(default_factory=dict)
    open: dict[str, OpenSpan] = field(default_factory=dict)
    pending: dict[str, None] = field(default_factory=dict)
    """Turns that have something new to tell."""
    emitted: dict[str, int] = field(default_factory=dict)
    """Turns that were told, with their newest revision."""
    detached: dict[str, None] = field(default_factory=dict)
    """Members whose parent is not here."""
    workflows: dict[str, None] = field(default_factory=dict)
    incomplete: dict[str, list[str]] = field(default_factory=dict)
    """Spans of turns that were told without their own span, by the id of that span."""
    newest_ns: int = 0
    _callers: set[str] = field(default_factory=set)
    _turn_by_id: dict[str, str] = field(default_factory=dict)
    _strays: dict[str, dict[str, None]] = field(default_factory=dict)
    _children: dict[str, list[str]] = field(default_factory=dict)

    def add(self, span: SpanRecord, facts: SpanFacts) -> None:
        """Take a span in, and mark the turns that it changes."""
        span_id, parent = span.span_id, span.parent_span_id
        self.members[span_id] = Member(span=span, facts=facts)
        self.open.pop(span_id, None)
        self.newest_ns = max(self.newest_ns, span.end_ns)
        if parent is not None:
            self._children.setdefault(parent, []).append(span_id)
            if parent not in self.members:
                self._detach(span_id, facts)
        for child in self._children.get(span_id, ()):
            self._reattach(child)
        self._note_role(span, facts)
        if self._callers:
            self._demote_callers(span_id)
        if facts.session is not None:
            self._pass_session_down(span_id)
        around = self.enclosing_turn(span_id)
        if around is not None:
            self.pending[around] = None

    def _note_role(self, span: SpanRecord, facts: SpanFacts) -> None:
        if facts.role is Role.WORKFLOW:
            self.workflows[span.span_id] = None
        if facts.role is not Role.TURN:
            return
        self.pending[span.span_id] = None
        if facts.turn_id is not None:
            self._turn_by_id[facts.turn_id] = span.span_id
        if span.kind is SpanKind.CLIENT:
            self._callers.add(span.span_id)

    def remove(self, span_id: str) -> None:
        """Forget a span."""
        member = self.members.get(span_id)
        if member is None:
            return
        self._reattach(span_id)
        del self.members[span_id]
        self.workflows.pop(span_id, None)
        self._callers.discard(span_id)
        if self._turn_by_id.get(member.facts.turn_id or "") == span_id:
            del self._turn_by_id[member.facts.turn_id or ""]
        if member.span.parent_span_id is not None:
            siblings = self._children.get(member.span.parent_span_id)
            if siblings is not None:
                siblings.remove(span_id)
                if not siblings:
                    del self._children[member.span.parent_span_id]

    def is_turn(self, span_id: str) -> bool:
        """Whether a span that came is a turn."""
        member = self.members.get(span_id)
        return member is not None and member.facts.role is Role.TURN

    def enclosing_turn(self, span_id: str) -> str | None:
        """The turn around a span, where it came; by the turn id on the span where the chain of parents broke."""
        top = span_id
        for ancestor in self.ancestors(span_id):
            if self.is_turn(ancestor):
                return ancestor
            top = ancestor
        member = self.members.get(top)
        if member is None or member.facts.turn_id is None or member.facts.role is Role.TURN:
            return None
        return self._turn_by_id.get(member.facts.turn_id)

    def inside_open_turn(self, span_id: str) -> bool:
        """Whether a turn around the span is still open."""
        return any((found := self.open.get(ancestor)) and found.is_turn for ancestor in self.ancestors(span_id))

    def ancestors(self, span_id: str) -> Iterator[str]:
        """Ids above a span, nearest first, as far as spans are known."""
        seen = {span_id}
        here = self._parent_of(span_id)
        while here is not None and here not in seen:
            seen.add(here)
            yield here
            here = self._parent_of(here)

    def has_open_below(self, turn_id: str) -> bool:
        """Whether something of the turn is still open."""
        return any(turn_id in self.ancestors(span_id) for span_id in self.open)

    def below(self, turn_id: str) -> tuple[list[Member], list[Member]]:
        """The spans of a turn without its own: those outside nested turns, and the own spans of nested turns."""
        below: list[Member] = []
        nested: list[Member] = []
        waiting = [*self._children.get(turn_id, ()), *self._strays_of(turn_id)]
        seen = {turn_id}
        while waiting:
            span_id = waiting.pop()
            member = self.members.get(span_id)
            if member is None or span_id in seen:
                continue
            seen.add(span_id)
            if member.facts.role is Role.TURN:
                nested.append(member)
            else:
                below.append(member)
                waiting.extend(self._children.get(span_id, ()))
        return below, nested

    def orphan_groups(self) -> dict[str, list[str]]:
        """Spans of turns whose own span is not here: top-most spans by the id of the turn's missing span."""
        by_turn_id: dict[str, str] = {}
        groups: dict[str, list[str]] = {}
        told = {span_id for group in self.incomplete.values() for span_id in group}
        detached = sorted(self.detached.keys() - told, key=lambda span_id: self.members[span_id].span.start_ns)
        for span_id in detached:
            member = self.members[span_id]
            missing = member.span.parent_span_id or ""
            if member.facts.role is Role.TURN or missing in self.open or self.enclosing_turn(span_id) is not None:
                continue
            if member.facts.turn_id is not None:
                missing = by_turn_id.setdefault(member.facts.turn_id, missing)
            elif member.facts.ours:
                continue
            groups.setdefault(missing, []).append(span_id)
        return {missing: group for missing, group in groups.items() if self._names_an_agent(group)}

    def subtree(self, span_ids: list[str]) -> list[Member]:
        """The given spans and all below them, nested turns left out."""
        found: list[Member] = []
        for span_id in span_ids:
            found.append(self.members[span_id])
            found.extend(self.below(span_id)[0])
        return found

    def promote_workflows(self) -> None:
        """Make turns of the workflows that hold none and lie in none."""
        for span_id in list(self.workflows):
            if span_id in self.members and not self._turn_below(span_id) and self._outermost(span_id):
                member = self.members[span_id]
                agent = member.facts.agent or member.facts.subject or member.span.name
                facts = msgspec.structs.replace(member.facts, role=Role.TURN, agent=agent)
                self.members[span_id] = Member(span=member.span, facts=facts)
                self.pending[span_id] = None
                del self.workflows[span_id]

    def session_around(self, span_id: str) -> str | None:
        """The session that the nearest span around it names."""
        found = (self.members[a].facts.session for a in self.ancestors(span_id) if a in self.members)
        return next((session for session in found if session is not None), None)

    def _pass_session_down(self, span_id: str) -> None:
        """Turns below that were told without a session have something new to tell."""
        waiting = [member.span.span_id for member in self.below(span_id)[1]]
        while waiting:
            turn_id = waiting.pop()
            if self.members[turn_id].facts.session is None:
                self.pending[turn_id] = None
                waiting.extend(member.span.span_id for member in self.below(turn_id)[1])

    def _outermost(self, span_id: str) -> bool:
        around = [self.members[a].facts.role for a in self.ancestors(span_id) if a in self.members]
        return Role.TURN not in around and Role.WORKFLOW not in around and not self.inside_open_turn(span_id)

    def _parent_of(self, span_id: str) -> str | None:
        member = self.members.get(span_id)
        if member is not None:
            return member.span.parent_span_id
        found = self.open.get(span_id)
        return None if found is None else found.parent_span_id

    def _strays_of(self, span_id: str) -> list[str]:
        """Top-most spans whose parent was lost, but which name the turn."""
        member = self.members.get(span_id)
        if member is None or member.facts.role is not Role.TURN or member.facts.turn_id is None:
            return []
        return list(self._strays.get(member.facts.turn_id, ()))

    def _detach(self, span_id: str, facts: SpanFacts) -> None:
        self.detached[span_id] = None
        if facts.turn_id is not None and facts.role is not Role.TURN:
            self._strays.setdefault(facts.turn_id, {})[span_id] = None

    def _reattach(self, span_id: str) -> None:
        """Its parent came, or it goes."""
        self.detached.pop(span_id, None)
        turn_id = self.members[span_id].facts.turn_id
        strays = self._strays.get(turn_id or "")
        if turn_id is not None and strays is not None:
            strays.pop(span_id, None)
            if not strays:
                del self._strays[turn_id]

    def _names_an_agent(self, group: list[str]) -> bool:
        members = self.subtree(group)
        return any(m.facts.agent for m in members) and any(m.facts.role is Role.COMPONENT for m in members)

    def _turn_below(self, span_id: str) -> bool:
        return bool(self.below(span_id)[1])

    def _demote_callers(self, span_id: str) -> None:
        """A call of a remote agent is the caller's orchestration as soon as the remote turn is known."""
        candidates = [span_id] if self.is_turn(span_id) else []
        candidates += [m.span.span_id for m in self.below(span_id)[1]]
        for turn_id in candidates:
            caller = self._remote_caller(turn_id)
            if caller is not None:
                member = self.members[caller]
                facts = msgspec.structs.replace(
                    member.facts, role=Role.COMPONENT, component=LatencyComponent.ORCHESTRATION
                )
                self.members[caller] = Member(span=member.span, facts=facts)
                self.pending.pop(caller, None)
                self._callers.discard(caller)

    def _remote_caller(self, turn_id: str) -> str | None:
        """The CLIENT turn around ``turn_id``, if the way down from it leaves the process."""
        below, remote = self.members[turn_id], False
        for ancestor in self.ancestors(turn_id):
            member = self.members.get(ancestor)
            if member is None:
                return None
            leaves = member.span.service_name != below.span.service_name
            remote = remote or below.span.parent_is_remote is True or leaves
            if member.facts.role is Role.TURN:
                return ancestor if remote and member.span.kind is SpanKind.CLIENT else None
            below = member
        return None
