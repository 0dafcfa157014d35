"""Which turn each span of a trace belongs to, as far as the spans came.

A span belongs to the nearest turn above it. Where the way up is broken (a span between was lost), the turn id that our
own spans carry still leads to the turn. Spans whose turn never showed its own span are kept together as a group, which
is told as an incomplete turn under the id of the missing span.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

import msgspec

from agentnet_otel.core.dialects import MAYBE_TURNS, Role, SpanFacts
from agentnet_otel.core.span_tree import SpanTree
from agentnet_otel.core.strays import Strays
from agentnet_otel.core.turn_parts import Member, TurnParts
from agentnet_otel.model import LatencyComponent, SpanKind, Turn

ROLES_OF_NOTE: Final = MAYBE_TURNS | {Role.TURN, Role.SESSION}
"""Roles of which a tree keeps lists."""


class Stage(Enum):
    """How far a trace of a stream is told."""

    FRESH = auto()
    """Something came."""
    QUIET = auto()
    """Its turns are told; spans are left whose turn may still show its own span."""
    SETTLED = auto()
    """All is told."""


class Told(msgspec.Struct, kw_only=True, gc=False):
    """What a turn was told with last."""

    revision: int = 0
    spans: int = 0
    clipped_spans: int = 0
    incomplete: bool = False
    session: str | None = None
    """The one that stood around it: spans around may be forgotten before it is."""


class TraceTree(SpanTree):
    """The spans of one trace, and its turns."""

    in_process: bool = False
    """Whether parents are known before their children; then one that is not known never comes."""
    pending: dict[str, None] = msgspec.field(default_factory=dict)
    """Turns that have something new to tell."""
    told: dict[str, Told] = msgspec.field(default_factory=dict)
    """Turns that were told and can still be revised."""
    closed: dict[str, None] = msgspec.field(default_factory=dict)
    """Turns that can be revised no more, and whose own span a turn around them needs or may need."""
    outside: dict[str, None] = msgspec.field(default_factory=dict)
    """Spans that were found to lie outside any turn, and are held because they hold one."""
    demoted: list[str] = msgspec.field(default_factory=list)
    """Spans that turned out to be calls of turns, not turns, since somebody looked."""
    arrived_ns: int = 0
    """The time of the stream when the newest span came."""
    newest_end_ns: int = 0
    stage: Stage = Stage.FRESH
    _candidates: dict[str, Role] = msgspec.field(default_factory=dict)
    """Members that may be turns, by what stands around and below them."""
    _promoted: set[str] = msgspec.field(default_factory=set)
    """Agents without a name that became turns."""
    _before: dict[str, SpanFacts] = msgspec.field(default_factory=dict)
    """What was read in spans that became turns, for as long as they are: more of the trace may decide otherwise."""
    _reopened: dict[str, bool] = msgspec.field(default_factory=dict)
    """Spans of which it is to be decided anew, and whether they had something new to tell."""
    _came_since: list[str] = msgspec.field(default_factory=list)
    """Spans that came since it is."""
    withdrawn: dict[str, None] = msgspec.field(default_factory=dict)
    """Turns that were told, and turned out to be none, since somebody looked."""
    _folded: set[str] = msgspec.field(default_factory=set)
    """Spans that repeat the turn above them."""
    _bodies_beside: dict[str, dict[str, None]] = msgspec.field(default_factory=dict)
    """Turns whose work may stand in a span beside them, by their parent."""
    _sessions: dict[str, None] = msgspec.field(default_factory=dict)
    _callers: dict[str, None] = msgspec.field(default_factory=dict)
    _strays: Strays = msgspec.field(default_factory=Strays)

    @classmethod
    def of(cls, members: Sequence[Member]) -> "TraceTree":
        """The tree of spans that came in a stream, in this order: what `add` of one after the other comes to."""
        tree = cls()
        if any(member.facts.role is Role.TURN and _looks_around(member) for member in members):
            for member in members:
                tree.add(member)
            return tree
        tree.attach_all(members)
        for member in members:
            if member.facts.role is Role.TURN:
                tree._fold_repeats(member)
        for span_id, member in tree.members.items():
            if span_id in tree.detached:
                tree._note_stray(member)
            if member.facts.role in ROLES_OF_NOTE:
                tree._note_role(member)
        tree.newest_end_ns = max((member.end_ns for member in members), default=0)
        return tree

    def add(self, member: Member) -> None:
        """Take an ended span in, and mark the turns that it changes."""
        span_id = member.span_id
        if self._before and not self.in_process:
            self._reopen_roles()
        if self._reopened:
            self._came_since.append(span_id)
        self.attach(member)
        member = self._fold_repeats(member)
        self.stage = Stage.FRESH
        self.newest_end_ns = max(self.newest_end_ns, member.end_ns)
        if member.parent_span_id not in self.members and member.parent_span_id not in self.open:
            self._note_stray(member)
        for child in self.children(span_id):
            self._strays.remove(child, self.members[child].facts.turn_id)
        self._note_role(member)
        self._find_body(member)
        if self._callers:
            self._demote_callers(span_id)
        if member.facts.session is not None or self._session_around(span_id) is not None:
            self._pass_session_down(span_id)
        around = self.enclosing_turn(span_id)
        if around is not None:
            self.pending[around] = None

    def remove(self, span_id: str) -> Member:
        """Forget a span."""
        self._strays.remove(span_id, self.members[span_id].facts.turn_id)
        self._candidates.pop(span_id, None)
        self._promoted.discard(span_id)
        self._before.pop(span_id, None)
        self._reopened.pop(span_id, None)
        self._folded.discard(span_id)
        self._forget_body_beside(span_id)
        self._sessions.pop(span_id, None)
        self._callers.pop(span_id, None)
        self.closed.pop(span_id, None)
        self.outside.pop(span_id, None)
        member = SpanTree.remove(self, span_id)  # a dataclass with slots is made anew, so super() does not know it
        self._strays.remove_turn(span_id, member.facts.turn_id)
        return member

    # --- what belongs to what ------------------------------------------------------------------------

    def is_turn(self, span_id: str) -> bool:
        """Whether a span that came is a turn."""
        member = self.members.get(span_id)
        return member is not None and member.facts.role is Role.TURN

    def knows_turn_id(self, turn_id: str) -> bool:
        """Whether the own span of the turn with this id is held."""
        return self._strays.knows_turn(turn_id)

    def enclosing_turn(self, span_id: str) -> str | None:
        """The turn around a span: nearest above it, else by turn id, else the incomplete turn that it was put to."""
        top = span_id
        for ancestor in self.ancestors(span_id):
            member = self.members.get(ancestor)
            if member is None:
                if ancestor in self.open:
                    return None
                break
            if member.facts.role is Role.TURN:
                return ancestor
            if self._strays.has_calls and self._strays.group_of(top) is not None:
                break
            top = ancestor
        turn_id = self._strays.turn_of(top, self.members[top].facts.turn_id) or self._strays.group_of(top)
        return None if turn_id == span_id else turn_id

    def belongs_to_turn(self, span_id: str) -> bool:
        """Whether it is a turn or lies in one."""
        return self.is_turn(span_id) or self.enclosing_turn(span_id) is not None

    def lies_in_turn(self, span_id: str) -> bool | None:
        """In process: whether a turn is around it, be it open, be spans between open; None: that may turn out."""
        undecided = False
        for ancestor in self.ancestors(span_id):
            found = self.open.get(ancestor)
            if self.is_turn(ancestor) or (found is not None and found.is_turn):
                return True
            undecided = undecided or ancestor in self._candidates or (found is not None and found.is_turn is None)
        return None if undecided else False

    def below(self, turn_id: str) -> tuple[list[Member], list[Member]]:
        """The spans below one, parents first and those in nested turns left out; and the own spans of these turns."""
        below: list[Member] = []
        nested: list[Member] = []
        waiting = self._directly_below(turn_id)
        seen = {turn_id}
        while waiting:
            span_id = waiting.pop()
            if span_id in seen:
                continue
            seen.add(span_id)
            member = self.members[span_id]
            if member.facts.role is Role.TURN:
                nested.append(member)
            else:
                below.append(member)
                waiting.extend(self.children(span_id))
        return below, nested

    def parts(self, turn_id: str) -> TurnParts:
        """The spans of a turn."""
        below, nested = self.below(turn_id)
        told = self.told.get(turn_id) or Told()
        return TurnParts(
            root=self.members.get(turn_id),
            root_id=turn_id,
            below=below,
            nested=nested,
            of_calls=self._strays.is_of_calls(turn_id),
            inherited_session=self._session_around(turn_id) or told.session,
            revision=told.revision + 1,
        )

    def unowned(self) -> tuple[list[Member], list[Member]]:
        """Spans that belong to no turn: those that stand above one, and those that nothing needs."""
        owned = self._owned()
        if len(owned) == len(self.members):
            return [], []
        above = {ancestor for span_id in owned for ancestor in self.ancestors(span_id)} - owned
        holding = [self.members[span_id] for span_id in above if span_id in self.members]
        return holding, [m for span_id, m in self.members.items() if span_id not in owned and span_id not in above]

    def _owned(self) -> set[str]:
        """Spans that are turns which can be revised, or lie in a turn."""
        owned: set[str] = set()
        for span_id, member in reversed(self.members.items()):  # parents end, and so come, behind what is below them
            if member.facts.role is Role.TURN:
                within = span_id not in self.closed or self.enclosing_turn(span_id) is not None
            else:
                parent = member.parent_span_id
                known = parent in owned and not self._strays.has_calls  # those of calls are found by their group
                within = known or self.enclosing_turn(span_id) is not None
            if within:
                owned.add(span_id)
        return owned

    def closed_below(self, span_id: str) -> list[Member]:
        """The own spans, below one, of turns that can be revised no more."""
        found: list[Member] = []
        waiting = [span_id]
        while waiting:
            nested = [m for m in self.below(waiting.pop())[1] if m.span_id in self.closed]
            found.extend(nested)
            waiting.extend(m.span_id for m in nested)
        return found

    @property
    def is_told(self) -> bool:
        """Whether all that is known of it was told."""
        return self.stage is Stage.SETTLED and not self.pending

    def as_tree(self) -> "TraceTree":
        """Itself, as of traces that are none yet."""
        return self

    def take_as_told(self, turn: Turn) -> None:
        """Learn that its one turn was told."""
        self.decide_roles()
        self.stage = Stage.SETTLED
        self.pending.clear()
        self.told[turn.span_id] = Told(revision=1, spans=turn.spans, clipped_spans=turn.clipped_spans)

    @property
    def waits(self) -> bool:
        """Whether the parent of a held span may still come, so that the span turns out to lie in a turn.

        A parent in another process may well never be exported; for it only calls wait. A session waits for turns.
        """
        return any(self._waits_for_parent(span_id) for span_id in self.detached) or any(
            not self.below(span_id)[1] for span_id in self._sessions
        )

    def _waits_for_parent(self, span_id: str) -> bool:
        member = self.members[span_id]
        if member.facts.role is not Role.TURN and self.enclosing_turn(span_id) is not None:
            return False
        if member.parent_is_remote is not True:
            return True
        below = [] if member.facts.role is Role.TURN else self.below(span_id)[0]
        return any(m.facts.role is Role.COMPONENT for m in (member, *below))

    # --- decisions -----------------------------------------------------------------------------------

    def reconsider_roles(self) -> None:
        """In a stream: decide with all that came since what is a turn, also of those that were taken for one."""
        self.decide_roles()
        for span_id, was_pending in self._reopened.items():
            if span_id not in self._before:
                self._withdraw(span_id)
                self._mark_around(span_id)
            elif not was_pending:
                del self.pending[span_id]
        for span_id in self._came_since:
            self._mark_around(span_id)
        self._reopened.clear()
        self._came_since.clear()

    def _reopen_roles(self) -> None:
        """Take back what was decided, for more came. So it is as if nobody had looked before."""
        for span_id, facts in self._before.items():
            self._reopened[span_id] = span_id in self.pending
            self.pending.pop(span_id, None)
            self._replace_facts(self.members[span_id], facts)
            self._candidates[span_id] = facts.role
            self._promoted.discard(span_id)
        self._before.clear()

    def _mark_around(self, span_id: str) -> None:
        around = self.enclosing_turn(span_id) if span_id in self.members else None
        if around is not None:
            self.pending[around] = None

    def _withdraw(self, span_id: str) -> None:
        self.pending.pop(span_id, None)
        if self.told.pop(span_id, None) is not None:
            self.withdrawn[span_id] = None

    def decide_roles(self) -> None:
        """Make turns of the spans that may be some, where what stands around and below them allows it."""
        if not self._candidates:
            return
        above_named = self._above_named_turns()
        for role in (Role.UNNAMED_TURN, Role.WORKFLOW, Role.ROOT):
            for span_id in [id_ for id_, found in self._candidates.items() if found is role]:
                if not self.has_open_below(span_id) and self._may_be_turn(span_id, role, above_named):
                    self._promote(span_id, role)

    def _may_be_turn(self, span_id: str, role: Role, above_named: set[str]) -> bool:
        if role is Role.UNNAMED_TURN:
            return span_id not in above_named
        below, nested = self.below(span_id)
        asks = role is not Role.ROOT or any(m.facts.component is LatencyComponent.INFERENCE for m in below)
        return asks and not nested and self._outermost(span_id, role)

    def _promote(self, span_id: str, role: Role) -> None:
        member = self.members[span_id]
        agent = member.facts.agent or member.facts.subject or member.name
        facts = msgspec.structs.replace(member.facts, role=Role.TURN, agent=agent)
        self._before[span_id] = member.facts
        self._replace_facts(member, facts)
        self.pending[span_id] = None
        del self._candidates[span_id]
        if role is Role.UNNAMED_TURN:
            self._promoted.add(span_id)

    def _above_named_turns(self) -> set[str]:
        """Spans with a turn below them whose agent has a name of its own."""
        above: set[str] = set()
        if Role.UNNAMED_TURN not in self._candidates.values():
            return above
        for span_id, member in self.members.items():
            if member.facts.role is Role.TURN and span_id not in self._promoted:
                above.update(self.ancestors(span_id))
        return above

    def decided_workflows(self) -> list[str]:
        """In process: workflows that are no turn, for good, because they hold one."""
        decided = [w for w in self._candidates if not self.has_open_below(w) and self.lies_in_turn(w) is False]
        for span_id in decided:
            del self._candidates[span_id]
        return decided

    def give_up_missing(self) -> None:
        """Make incomplete turns of the spans that name an agent and whose turn never showed its own span."""
        missing_of: dict[str, str] = {}
        groups: dict[str, list[str]] = {}
        for span_id in sorted(self.detached, key=lambda span_id: (self.members[span_id].start_ns, span_id)):
            member = self.members[span_id]
            missing = member.parent_span_id or ""
            if member.facts.role is Role.TURN or missing in self.open or self.enclosing_turn(span_id) is not None:
                continue
            if member.facts.turn_id is not None:
                missing = missing_of.setdefault(member.facts.turn_id, missing)
            groups.setdefault(missing, []).append(span_id)
        for missing, group in groups.items():
            if missing in self.told or self._names_an_agent(group):
                self._strays.group(missing, group)
                self.pending[missing] = None

    def group_calls(self, trace_id: str) -> None:
        """Take the calls of the trace that lie in no turn for one turn, whose id is that of the trace."""
        _, bare = self.unowned()
        called = [member for member in bare if member.facts.component not in {None, LatencyComponent.ORCHESTRATION}]
        if not called:
            return
        free = {member.span_id for member in bare}
        self._strays.group(trace_id, [self._top_in(free, member.span_id) for member in called], of_calls=True)
        self.pending[trace_id] = None

    def _top_in(self, span_ids: set[str], span_id: str) -> str:
        """The highest of these spans above one of them, without a gap between."""
        top = span_id
        for ancestor in self.ancestors(span_id):
            if ancestor not in span_ids:
                break
            top = ancestor
        return top

    def hosts_turns(self, span_id: str) -> None:
        """Learn that a turn stood below a span: as a workflow it is none itself."""
        if self._candidates.get(span_id) is not Role.UNNAMED_TURN:
            self._candidates.pop(span_id, None)

    def close_turn(self, turn_id: str) -> list[Member]:
        """Revise a turn no more; returns its spans that nothing else needs."""
        if self._reopened.pop(turn_id, None) is not None and turn_id in self._candidates:
            self._promote(turn_id, self._candidates[turn_id])  # too late to decide anew
        self._before.pop(turn_id, None)
        self.told.pop(turn_id, None)
        self.pending.pop(turn_id, None)
        gone = [*self.below(turn_id)[0], *self.closed_below(turn_id)]
        root = self.members.get(turn_id)
        if root is not None:
            self.closed[turn_id] = None
            if not self._may_be_nested(turn_id):
                gone.append(root)
        return gone

    # --- inside --------------------------------------------------------------------------------------

    def _note_role(self, member: Member) -> None:
        facts = member.facts
        if facts.role in MAYBE_TURNS:
            self._candidates[member.span_id] = facts.role
        if facts.role is Role.SESSION:
            self._sessions[member.span_id] = None
        if facts.role is not Role.TURN:
            return
        self.pending[member.span_id] = None
        if facts.turn_id is not None:
            self._strays.add_turn(member.span_id, facts.turn_id)
        if member.kind is SpanKind.CLIENT:
            self._callers[member.span_id] = None

    def _note_stray(self, member: Member) -> None:
        if member.facts.turn_id is not None and member.facts.role is not Role.TURN:
            self._strays.add(member.span_id, member.facts.turn_id)

    def _directly_below(self, span_id: str) -> list[str]:
        """Children and strays of a span; of one that is not here the group, and turns, for those know their parent."""
        if span_id in self.members:
            strays = self._strays.of_turn(span_id, self.members[span_id].facts.turn_id)
            return [*self.children(span_id), *strays]
        return [*self._strays.grouped(span_id), *filter(self.is_turn, self.children(span_id))]

    def _names_an_agent(self, group: list[str]) -> bool:
        """Whether there was a turn: calls, an agent, and, of our own spans, which all carry it, the turn's id."""
        tops = [self.members[span_id] for span_id in group]
        members = [m for top in tops for m in (top, *self.below(top.span_id)[0])]
        return (
            any(m.facts.agent for m in members)
            and any(m.facts.role is Role.COMPONENT for m in members)
            and any(m.facts.turn_id is not None or not m.facts.ours for m in tops)
        )

    def _may_be_nested(self, turn_id: str) -> bool:
        """Whether there is a turn around it, or one may still come."""
        if self.enclosing_turn(turn_id) is not None or self.lies_in_turn(turn_id) is not False:
            return True
        if self.in_process or self.stage is Stage.SETTLED:
            return False
        top = self.members[self.top_of(turn_id)]
        return top.span_id in self.detached and top.parent_is_remote is not True

    def _outermost(self, span_id: str, role: Role) -> bool:
        """Whether nothing around it is a turn, or more likely to be one."""
        around = {self.members[a].facts.role for a in self.ancestors(span_id) if a in self.members}
        likelier = {Role.TURN, Role.UNNAMED_TURN, Role.WORKFLOW, role}
        return around.isdisjoint(likelier) and not self.inside_open(span_id)

    def may_be_repetition(self, span_id: str) -> bool:
        """Whether it is a turn that a library wrote, just below an open span that may be the same agent's."""
        member = self.members[span_id]
        return not member.facts.ours and member.parent_span_id in self.open

    def _fold_repeats(self, member: Member) -> Member:
        """A turn just below one of the same agent is no turn: libraries nest spans of one run, and add steps."""
        parent = self.members.get(member.parent_span_id or "")
        if parent is not None and self._repeats(member, parent):
            member = self._fold(member)
        for child in self.children(member.span_id):
            if self._repeats(self.members[child], member):
                self._fold(self.members[child])
        return member

    def _repeats(self, member: Member, parent: Member) -> bool:
        """Whether two spans that libraries wrote, one just below the other, are of one agent's run."""
        facts, above = member.facts, parent.facts
        return (
            facts.role is Role.TURN
            and (above.role is Role.TURN or parent.span_id in self._folded)
            and above.agent == facts.agent
            and not facts.ours
            and not above.ours
            and parent.kind is not SpanKind.CLIENT
            and member.parent_is_remote is not True
            and member.service_name == parent.service_name
        )

    def _fold(self, member: Member) -> Member:
        self._folded.add(member.span_id)
        self._replace_facts(member, msgspec.structs.replace(member.facts, role=Role.OTHER))
        self._withdraw(member.span_id)
        return self.members[member.span_id]

    def _find_body(self, member: Member) -> None:
        """Put below a turn the span beside it that holds its work: it bears the agent's name, and ran within it."""
        parent, facts = member.parent_span_id, member.facts
        if parent is None:
            return
        if facts.body_beside and facts.role is Role.TURN:
            self._bodies_beside.setdefault(parent, {})[member.span_id] = None
            for sibling in self.children(parent):
                self._move_body(sibling, member.span_id)  # the turn itself is no orchestration
        elif parent in self._bodies_beside:
            for turn_id in list(self._bodies_beside[parent]):
                self._move_body(member.span_id, turn_id)

    def _forget_body_beside(self, span_id: str) -> None:
        parent = self.members[span_id].parent_span_id or ""
        turns = self._bodies_beside.get(parent)
        if turns is not None:
            turns.pop(span_id, None)
            if not turns:
                del self._bodies_beside[parent]

    def _move_body(self, span_id: str, turn_id: str) -> None:
        body, turn = self.members[span_id], self.members[turn_id]
        within = turn.start_ns <= body.start_ns <= body.end_ns <= turn.end_ns
        if within and body.facts.component is LatencyComponent.ORCHESTRATION and body.facts.subject == turn.facts.agent:
            self._find_parent_again(span_id, turn_id)

    def _find_parent_again(self, span_id: str, parent: str) -> None:
        around = self.enclosing_turn(span_id)
        self.detached.pop(span_id, None)
        self._strays.remove(span_id, self.members[span_id].facts.turn_id)
        self.move(span_id, parent)
        for changed in (around, parent):
            if changed is not None:
                self.pending[changed] = None

    def _replace_facts(self, member: Member, facts: SpanFacts) -> None:
        self.members[member.span_id] = msgspec.structs.replace(member, facts=facts)

    def _session_around(self, span_id: str) -> str | None:
        """The session that the nearest span around it names."""
        found = (self.members[a].facts.session for a in self.ancestors(span_id) if a in self.members)
        return next((session for session in found if session is not None), None)

    def _pass_session_down(self, span_id: str) -> None:
        """Turns below that were told without a session have something new to tell."""
        waiting = [member.span_id for member in self.below(span_id)[1]]
        while waiting:
            turn_id = waiting.pop()
            if self.members[turn_id].facts.session is None:
                if turn_id in self.told:
                    self.pending[turn_id] = None
                waiting.extend(member.span_id for member in self.below(turn_id)[1])

    def _demote_callers(self, span_id: str) -> None:
        """A call of a remote agent is the caller's orchestration as soon as the remote turn is known."""
        candidates = [span_id] if self.is_turn(span_id) else []
        candidates += [member.span_id for member in self.below(span_id)[1]]
        for turn_id in candidates:
            while (caller := self._remote_caller(turn_id)) is not None:
                member = self.members[caller]
                component = LatencyComponent.ORCHESTRATION
                self._replace_facts(
                    member, msgspec.structs.replace(member.facts, role=Role.COMPONENT, component=component)
                )
                self._withdraw(caller)
                self._callers.pop(caller, None)
                self.demoted.append(caller)

    def _remote_caller(self, turn_id: str) -> str | None:
        """The CLIENT turn around ``turn_id``, if the way down from it leaves the process."""
        below, remote = self.members[turn_id], False
        for ancestor in self.ancestors(turn_id):
            member = self.members.get(ancestor)
            if member is None:
                return None
            leaves = member.service_name != below.service_name
            remote = remote or below.parent_is_remote is True or leaves
            if member.facts.role is Role.TURN:
                return ancestor if remote and member.kind is SpanKind.CLIENT else None
            below = member
        return None


def _looks_around(turn: Member) -> bool:
    """Whether a turn changes what stands around or beside it."""
    return turn.kind is SpanKind.CLIENT or turn.facts.body_beside
