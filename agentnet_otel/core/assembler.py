"""Spans in, turns out, whatever the order in which spans come.

Two ways of knowing that a turn is complete: in process, where `Assembler.started` tells of each span, as soon as
nothing below the turn is open; in a stream, when the quiet period passed since the newest span of its trace ended.

Policies, each bounded and counted in `Counts`:

* a span that comes twice counts once;
* a span that comes after its turn was told yields a revision of the turn, as long as the turn is among the last
  `ENDED_TURNS` that were told; later it is counted as late;
* beyond `MAX_SPANS` the trace that is oldest is told as it is, and forgotten.
"""

from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.dialects import Role, read_facts
from agentnet_otel.core.reconstruction import Member, TurnParts, reconstruct
from agentnet_otel.core.sampling import threshold_probability
from agentnet_otel.core.trace_tree import OpenSpan, TraceTree
from agentnet_otel.model import LatencyComponent, SpanRecord, Turn

QUIET_NS: Final = 5_000_000_000
"""How long a trace of a stream has to be quiet before its turns are told."""
ENDED_TURNS: Final = 1000
"""Turns that were told and can still be revised."""
MAX_SPANS: Final = 1_000_000
"""Spans held at once."""
FORGOTTEN_SPANS: Final = 20_000
"""Ids of forgotten spans that are remembered, to tell late spans from those of a lost turn."""

_ZERO_IDS: Final = frozenset({"", "0" * 16, "0" * 32})


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
    """Turns whose own span never came."""


class Assembler:
    """Rebuilds turns from spans. Not safe for threads: the caller serialises."""

    def __init__(
        self,
        *,
        quiet_ns: int = QUIET_NS,
        in_process: bool = False,
        max_spans: int = MAX_SPANS,
        ended_turns: int = ENDED_TURNS,
    ) -> None:
        self.counts = Counts()
        self._quiet_ns = quiet_ns
        self._in_process = in_process
        self._max_spans = max_spans
        self._max_ended = ended_turns
        self._traces: OrderedDict[str, TraceTree] = OrderedDict()
        self._held = 0
        self._ended: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._forgotten: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def held_spans(self) -> int:
        """Spans held now."""
        return self._held

    @property
    def held_traces(self) -> AbstractSet[str]:
        """Trace ids of which something is held."""
        return self._traces.keys()

    def started(self, trace_id: str, span_id: str, parent_span_id: str | None, *, is_turn: bool) -> list[Turn]:
        """Learn, in process, that a span began, and whether it is a turn's; returns turns told to make room."""
        self._tree(trace_id).open[span_id] = OpenSpan(parent_span_id=parent_span_id, is_turn=is_turn)
        self._held += 1
        return self._evict()

    def feed(self, span: SpanRecord) -> list[Turn]:
        """Take one ended span; returns the turns that are complete by it."""
        if span.trace_id in _ZERO_IDS or span.span_id in _ZERO_IDS:
            self.counts.without_ids += 1
            return []
        self.counts.spans += 1
        tree = self._tree(span.trace_id)
        if span.span_id in tree.members or (span.trace_id, span.span_id) in self._forgotten:
            self.counts.duplicates += 1
            return self._dropped(span, tree)
        facts = read_facts(span)
        parent = (span.trace_id, span.parent_span_id or "")
        if facts.role is not Role.TURN and parent in self._forgotten and span.parent_span_id not in tree.members:
            self.counts.late += 1
            return self._dropped(span, tree)
        self._held += 0 if span.span_id in tree.open else 1
        tree.add(span, facts)
        if self._in_process:
            return self._complete_in_process(span, tree)
        return self._evict()

    def flush(self, now_ns: int) -> list[Turn]:
        """The turns of the traces that have been quiet long enough at ``now_ns`` (epoch nanoseconds)."""
        turns: list[Turn] = []
        for trace_id, tree in list(self._traces.items()):
            if now_ns - tree.newest_ns < self._quiet_ns:
                continue
            if tree.open:  # something of ours leaks, or runs for long: do not wait for it
                turns.extend(self._tell(trace_id, tree, turn) for turn in list(tree.pending) if turn in tree.members)
            else:
                turns.extend(self._tell_all(trace_id, tree))
        return turns

    def drain(self) -> list[Turn]:
        """All turns that were not told yet, complete or not: the stream is at its end."""
        turns: list[Turn] = []
        for trace_id, tree in list(self._traces.items()):
            turns.extend(self._tell_all(trace_id, tree))
        return turns

    def _tree(self, trace_id: str) -> TraceTree:
        tree = self._traces.get(trace_id)
        if tree is None:
            tree = self._traces[trace_id] = TraceTree()
        return tree

    def _dropped(self, span: SpanRecord, tree: TraceTree) -> list[Turn]:
        """Let go of a span that is not used."""
        if tree.open.pop(span.span_id, None) is not None:
            self._held -= 1
        self._let_go(span.trace_id, tree)
        return []

    def _complete_in_process(self, span: SpanRecord, tree: TraceTree) -> list[Turn]:
        if span.span_id in tree.workflows and not tree.has_open_below(span.span_id):
            tree.promote_workflows()
        ready = [t for t in tree.pending if t in tree.members and not tree.has_open_below(t)]
        turns = [self._tell(span.trace_id, tree, turn_id) for turn_id in ready]
        if tree.enclosing_turn(span.span_id) is None and not tree.is_turn(span.span_id):
            self._drop_unowned(span, tree)
        self._trim()
        self._let_go(span.trace_id, tree)
        return [*turns, *self._evict()]

    def _drop_unowned(self, span: SpanRecord, tree: TraceTree) -> None:
        """In process the way up is known: a span outside any turn, open or ended, is never needed again."""
        if not tree.inside_open_turn(span.span_id) and span.span_id in tree.members:
            self._count_outside([tree.members[span.span_id]])
            tree.remove(span.span_id)
            self._held -= 1

    def _tell_all(self, trace_id: str, tree: TraceTree) -> list[Turn]:
        """Everything of a trace that was not told, be it incomplete."""
        tree.promote_workflows()
        turns = [self._tell(trace_id, tree, turn_id) for turn_id in list(tree.pending) if turn_id in tree.members]
        for missing, group in tree.orphan_groups().items():
            turns.append(self._tell_incomplete(trace_id, tree, missing, group))
        owned = {m.span.span_id for t in tree.emitted for m in self._owned(tree, t)}
        unowned = [m for id_, m in tree.members.items() if id_ not in owned and m.facts.role is Role.COMPONENT]
        self._count_outside([m for m in unowned if tree.enclosing_turn(m.span.span_id) is None])
        for member in unowned:
            self._remove(trace_id, tree, member.span.span_id)
        self._trim()
        self._let_go(trace_id, tree)
        return turns

    def _owned(self, tree: TraceTree, turn_id: str) -> list[Member]:
        below = tree.below(turn_id)[0]
        group = [span_id for span_id in tree.incomplete.get(turn_id, ()) if span_id in tree.members]
        return [*below, *tree.subtree(group)]

    def _tell(self, trace_id: str, tree: TraceTree, turn_id: str) -> Turn:
        root = tree.members[turn_id]
        below, nested = tree.below(turn_id)
        return self._told(
            trace_id,
            tree,
            TurnParts(
                root=root,
                root_id=turn_id,
                below=below,
                nested=nested,
                inherited_session=tree.session_around(turn_id),
                inherited_probability=_probability(root.span),
                revision=tree.emitted.get(turn_id, 0) + 1,
            ),
        )

    def _tell_incomplete(self, trace_id: str, tree: TraceTree, missing: str, group: list[str]) -> Turn:
        self.counts.incomplete += missing not in tree.emitted
        group = tree.incomplete.setdefault(missing, []) + group
        tree.incomplete[missing] = group
        members = tree.subtree([span_id for span_id in group if span_id in tree.members])
        parts = TurnParts(root=None, root_id=missing, below=members, revision=tree.emitted.get(missing, 0) + 1)
        return self._told(trace_id, tree, parts)

    def _told(self, trace_id: str, tree: TraceTree, parts: TurnParts) -> Turn:
        turn = reconstruct(parts)
        if parts.revision == 1:
            self.counts.clipped += turn.clipped_spans
        tree.emitted[parts.root_id] = parts.revision
        tree.pending.pop(parts.root_id, None)
        self._ended[(trace_id, parts.root_id)] = None
        self._ended.move_to_end((trace_id, parts.root_id))
        return turn

    def _count_outside(self, members: Iterable[Member]) -> None:
        for member in members:
            component = member.facts.component
            if component is not None and component is not LatencyComponent.ORCHESTRATION:
                self.counts.outside += 1

    def _trim(self) -> None:
        """Forget the turns that fell out of the window, and keep their ids for a while."""
        while len(self._ended) > self._max_ended:
            (trace_id, turn_id), _ = self._ended.popitem(last=False)
            tree = self._traces.get(trace_id)
            if tree is None:
                continue
            for member in self._owned(tree, turn_id):
                self._remove(trace_id, tree, member.span.span_id)
            self._remember(trace_id, turn_id)
            tree.emitted.pop(turn_id, None)
            tree.incomplete.pop(turn_id, None)
            if turn_id in tree.members and self._nothing_around(tree, turn_id):
                self._remove(trace_id, tree, turn_id)
            self._let_go(trace_id, tree)

    def _nothing_around(self, tree: TraceTree, turn_id: str) -> bool:
        """Whether no turn around it can need it."""
        return tree.enclosing_turn(turn_id) is None and not tree.inside_open_turn(turn_id)

    def _remove(self, trace_id: str, tree: TraceTree, span_id: str) -> None:
        if span_id in tree.members:
            tree.remove(span_id)
            self._held -= 1
            self._remember(trace_id, span_id)

    def _remember(self, trace_id: str, span_id: str) -> None:
        self._forgotten[(trace_id, span_id)] = None
        if len(self._forgotten) > FORGOTTEN_SPANS:
            self._forgotten.popitem(last=False)

    def _let_go(self, trace_id: str, tree: TraceTree) -> None:
        """Drop a trace in which nothing is left."""
        if not tree.emitted and not tree.pending and not tree.open and not tree.detached:
            self._held -= len(tree.members)
            self._traces.pop(trace_id, None)

    def _evict(self) -> list[Turn]:
        turns: list[Turn] = []
        while self._held > self._max_spans and self._traces:
            trace_id, tree = next(iter(self._traces.items()))
            turns.extend(self._tell_all(trace_id, tree))
            self.counts.evicted_traces += 1
            for span_id in list(tree.members):
                self._remove(trace_id, tree, span_id)
            self._held -= len(tree.open)
            self._traces.pop(trace_id, None)
        return turns


def _probability(span: SpanRecord) -> float | None:
    """The sampling probability that a span's trace state tells (``ot=th:``)."""
    for entry in span.trace_state.split(","):
        key, _, value = entry.strip().partition("=")
        if key == "ot":
            return threshold_probability(value)
    return None


def newest_revisions(turns: Iterable[Turn]) -> list[Turn]:
    """Each turn once, in its newest revision, in order of ending."""
    newest: dict[tuple[str, str], Turn] = {}
    for turn in turns:
        newest[(turn.trace_id, turn.span_id)] = turn
    return sorted(newest.values(), key=lambda turn: (turn.end_ns, turn.start_ns, turn.trace_id, turn.span_id))
