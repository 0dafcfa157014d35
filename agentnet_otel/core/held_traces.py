"""The traces of which anything is held, and what is let go of them.

A trace of a stream is unread (`UnreadTrace`) until something is to be decided; then, and in process from the first span
on, it is a tree (`TraceTree`). What both have is `HeldTrace`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from agentnet_otel.core.dialects import Role
from agentnet_otel.core.forgotten import Fate, Forgotten
from agentnet_otel.core.trace_tree import Stage, TraceTree
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.core.unread_trace import UnreadTrace
from agentnet_otel.model import LatencyComponent

EVICTION_LOOK: Final = 16
"""Traces that are looked at, those that were quiet longest, for one to which nothing is missing."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What the assembler saw, and what it could not use."""

    spans: int = 0
    duplicates: int = 0
    without_ids: int = 0
    late: int = 0
    outside: int = 0
    """Calls (inference, tools, memory, policy) outside any turn."""
    evicted_traces: int = 0
    clipped: int = 0
    """Spans whose times ran backwards or left their turn."""
    incomplete: int = 0
    """Turns whose own span did not come."""
    twins: int = 0
    """Spans that only repeat another one, as Logfire's pending spans do."""


class HeldTrace(Protocol):
    """What is held of a trace, read or unread."""

    arrived_ns: int
    """The time of the stream when the newest span came."""
    newest_end_ns: int

    @property
    def is_told(self) -> bool:
        """Whether all that is known of it was told."""

    @property
    def waits(self) -> bool:
        """Whether the parent of a held span may still come, so that the span turns out to lie in a turn."""

    def as_tree(self) -> TraceTree:
        """Its spans in a tree."""


class HeldTraces:
    """The traces of an assembler, the one that was quiet longest first, and a memory of what was let go."""

    def __init__(self, counts: Counts, *, in_process: bool, max_unowned: int) -> None:
        self.spans = 0
        """Spans held now."""
        self.forgotten = Forgotten()
        self._counts = counts
        self._in_process = in_process
        self._max_unowned = max_unowned
        self._traces: OrderedDict[str, HeldTrace] = OrderedDict()
        self._unowned: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def ids(self) -> AbstractSet[str]:
        """Trace ids of which something is held."""
        return self._traces.keys()

    def __bool__(self) -> bool:
        return bool(self._traces)

    def items(self) -> Iterator[tuple[str, HeldTrace]]:
        """Traces by id; they may be let go meanwhile."""
        return iter(list(self._traces.items()))

    def get(self, trace_id: str) -> HeldTrace | None:
        """What is held of a trace."""
        return self._traces.get(trace_id)

    def unread(self, trace_id: str) -> UnreadTrace | None:
        """A trace that nobody looked at, for another span of it; None where a tree has to take that."""
        found = self._traces.get(trace_id)
        if found is None:
            if self._in_process or self.forgotten.knows(trace_id):
                return None
            new = self._traces[trace_id] = UnreadTrace()
            return new
        self._traces.move_to_end(trace_id)
        return found if isinstance(found, UnreadTrace) else None

    def tree(self, trace_id: str) -> TraceTree:
        """The tree of a trace, for another span of it."""
        found = self.tree_of(trace_id)
        if found is None:
            found = self._traces[trace_id] = TraceTree(in_process=self._in_process)
        else:
            self._traces.move_to_end(trace_id)
        return found

    def tree_of(self, trace_id: str) -> TraceTree | None:
        """The tree of a trace if anything of it is held, in its place."""
        found = self._traces.get(trace_id)
        if found is None or isinstance(found, TraceTree):
            return found
        tree = self._traces[trace_id] = found.as_tree()
        return tree

    def next_to_evict(self) -> str:
        """The trace that was quiet longest; one that lacks nothing, if there is such among the first."""
        quiet = list(islice(self._traces.items(), EVICTION_LOOK))
        return next((trace_id for trace_id, trace in quiet if not trace.waits), quiet[0][0])

    def let_go_whole(self, trace_id: str) -> None:
        """Forget a trace, whatever stage it is in."""
        tree = self.tree(trace_id)
        for turn_id in list(tree.told):
            self.forget_turn(trace_id, turn_id)
        self._drop_rest(trace_id, tree)
        self.spans -= len(tree.open)
        self._traces.pop(trace_id, None)

    def let_go(self, trace_id: str) -> None:
        """Drop a trace that has nothing to tell any more."""
        tree = self._traces.get(trace_id)
        if not isinstance(tree, TraceTree) or tree.told or tree.pending or tree.open:
            return
        if not tree.members or tree.stage is Stage.SETTLED:
            self._drop_rest(trace_id, tree)
            self._traces.pop(trace_id, None)

    def let_go_empty(self, trace_id: str, trace: UnreadTrace) -> bool:
        """Drop a trace of which nothing came that counts; whether that was so."""
        if trace.spans:
            return False
        del self._traces[trace_id]
        return True

    def forget_turn(self, trace_id: str, turn_id: str) -> None:
        """Forget a turn that was told: it can be revised no more."""
        trace = self._traces.get(trace_id)
        if isinstance(trace, UnreadTrace) and trace.turn is not None and trace.turn.span_id == turn_id:
            self._forget_unread(trace_id, trace)
        elif isinstance(trace, TraceTree) and turn_id in trace.told:
            self._forget_in_tree(trace_id, trace, turn_id)

    def _forget_unread(self, trace_id: str, trace: UnreadTrace) -> None:
        for span_id in trace.spans:
            self.forgotten.remember(trace_id, span_id, Fate.IN_TURN)
        for turn_id in trace.turn_ids():
            self.forgotten.remember_turn_id(trace_id, turn_id)
        self.spans -= len(trace.spans)
        del self._traces[trace_id]

    def _forget_in_tree(self, trace_id: str, tree: TraceTree, turn_id: str) -> None:
        root = tree.members.get(turn_id)
        around = list(tree.ancestors(turn_id))
        turn_ids = {member.facts.turn_id for member in (*tree.below(turn_id)[0], *([root] if root else []))}
        self.drop(trace_id, tree, tree.close_turn(turn_id), Fate.IN_TURN)
        self.forgotten.remember(trace_id, turn_id, Fate.MISSING if root is None else Fate.IN_TURN)
        for named in turn_ids - {None}:
            self.forgotten.remember_turn_id(trace_id, named or "")
        if self._in_process:
            self._drop_bare(trace_id, around, tree)

    # --- spans in no turn ----------------------------------------------------------------------------

    def drop_bare(self, trace_id: str, tree: TraceTree) -> None:
        """Let go of all that lies in no turn and holds none."""
        holding, bare = tree.unowned()
        self._count_outside(tree, holding)
        self.drop(trace_id, tree, bare, Fate.OUTSIDE)

    def drop_unowned(self, trace_id: str, span_id: str, tree: TraceTree) -> None:
        """In process the way up is known: outside any turn, open or ended, nothing is needed again."""
        if span_id not in tree.members or tree.belongs_to_turn(span_id):
            return
        inside = tree.lies_in_turn(span_id)
        if inside is None:
            self._hold_unowned(trace_id, span_id)
        if inside is not False:
            return
        self.drop(trace_id, tree, tree.closed_below(span_id), Fate.IN_TURN)
        ids = [member.span_id for member in reversed(tree.below(span_id)[0])]
        self._drop_bare(trace_id, [*ids, span_id, *tree.ancestors(span_id)], tree)

    def found_owner(self, trace_id: str, members: Iterable[Member]) -> None:
        """Learn that spans lie in a turn."""
        for member in members if self._unowned else ():
            self._unowned.pop((trace_id, member.span_id), None)

    def drop(self, trace_id: str, tree: TraceTree, gone: Sequence[Member], fate: Fate) -> None:
        """Let go of spans; calls among them that lie in no turn are counted."""
        if fate is Fate.OUTSIDE:
            self._count_outside(tree, gone)
        for member in gone:
            if member.facts.role is Role.TURN:
                for around in tree.ancestors(member.span_id):
                    tree.hosts_turns(around)
                    self.forgotten.remember_host(trace_id, around)
        for member in gone:
            tree.remove(member.span_id)
            self.forgotten.remember(trace_id, member.span_id, fate)
        self.spans -= len(gone)

    def _drop_bare(self, trace_id: str, span_ids: Iterable[str], tree: TraceTree) -> None:
        """Let go of those that lie in no turn and hold nothing; children come before their parents."""
        for span_id in span_ids:
            member = tree.members.get(span_id)
            if member is None or tree.belongs_to_turn(span_id) or tree.lies_in_turn(span_id) is not False:
                continue
            if tree.has_below(span_id):
                self._count_outside(tree, [member])
            else:
                self.drop(trace_id, tree, [member], Fate.OUTSIDE)

    def _drop_rest(self, trace_id: str, tree: TraceTree) -> None:
        turns = [member for member in tree.members.values() if member.facts.role is Role.TURN]
        self.drop(trace_id, tree, turns, Fate.IN_TURN)
        self.drop(trace_id, tree, list(tree.members.values()), Fate.OUTSIDE)

    def _hold_unowned(self, trace_id: str, span_id: str) -> None:
        self._unowned[(trace_id, span_id)] = None
        while len(self._unowned) > self._max_unowned:
            (oldest_trace, oldest), _ = self._unowned.popitem(last=False)
            tree = self.tree_of(oldest_trace)
            member = None if tree is None else tree.members.get(oldest)
            if tree is not None and member is not None and not tree.belongs_to_turn(oldest):
                self.drop(oldest_trace, tree, [member], Fate.OUTSIDE)

    def _count_outside(self, tree: TraceTree, members: Iterable[Member]) -> None:
        """Count calls outside any turn, each once."""
        for member in members:
            component = member.facts.component
            if component not in {None, LatencyComponent.ORCHESTRATION} and member.span_id not in tree.outside:
                tree.outside[member.span_id] = None
                self._counts.outside += 1
