"""Spans in, turns out, whatever the order in which spans come.

Theory of operation. Spans of one trace stand in a `TraceTree`, which knows what belongs to which turn; here it is
decided *when* a turn is told and how long it is remembered. `HeldTraces` has the traces, and lets go of them. Two ways
of knowing that a turn is complete:

* in process, where `Assembler.started` tells of each span that begins: as soon as the turn's own span ended and
  nothing below it is open, at the latest `QUIET_NS` after it ended (something leaks, or runs for long);
* in a stream: when nothing of its trace came, or ended, for `QUIET_NS`.

What happens to a turn:

    ============  ================  ==================  ===================  ===================  ==================
    a turn is     its own span      another span of it  nothing is open, or  nothing came for     newer turns push
                  comes             comes               quiet for QUIET_NS   MISSING_NS           it out of the window
    ============  ================  ==================  ===================  ===================  ==================
    unseen        becomes pending   stays unseen        stays unseen         is told incomplete   -
    pending       is a duplicate    stays pending       is told              is told              -
    told          is a duplicate*   becomes pending     stays told           stays told           is forgotten
    forgotten     is a duplicate*   is late             -                    -                    -
    ============  ================  ==================  ===================  ===================  ==================

    * unless the turn was told incomplete: then its own span makes it pending, or, once it is forgotten, is late.

A turn that is told again is the same turn in its next revision. In a stream what was told as a turn, because nothing
around it had come, may turn out to be none (a workflow, an agent without a name, the step of a library): with all that
came since it is decided anew, and the turn is withdrawn. Policies, each bounded and counted in `Counts`:

* a span that comes twice counts once;
* a span that names itself as its parent has none;
* the last `ENDED_TURNS` turns that were told can be revised, each by as many spans as `TURN_SPANS` allow; a span
  that comes for an older one is late, and left out;
* calls outside any turn are counted; with ``group_calls`` those of a trace are told as if they were one turn;
* calls whose turn did not come within `MISSING_NS` are told as an incomplete turn if they name an agent, else they are
  outside any turn;
* beyond `MAX_SPANS` the trace that was quiet longest is told as it is, and forgotten; of the `EVICTION_LOOK` that were
  quiet longest, one to which nothing is missing goes first;
* in process, what lies in no turn is let go as soon as no span around it is open; of what may still turn out to lie in
  one, `UNOWNED_SPANS` are held, and the oldest goes first.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects import Role, read_facts
from agentnet_otel.core.forgotten import Fate
from agentnet_otel.core.held_traces import EVICTION_LOOK, Counts, HeldTrace, HeldTraces
from agentnet_otel.core.plain_span import PlainSpan, member_of_plain
from agentnet_otel.core.plain_trace import TurnOf, turn_of
from agentnet_otel.core.reconstruction import reconstruct
from agentnet_otel.core.trace_tree import Stage, Told, TraceTree
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.core.unread_trace import UnreadTrace
from agentnet_otel.model import SpanRecord, Turn

__all__ = [
    "ENDED_TURNS",
    "EVICTION_LOOK",
    "MAX_SPANS",
    "MISSING_NS",
    "QUIET_NS",
    "REVISIONS_AT_ONCE",
    "TURN_SPANS",
    "UNOWNED_SPANS",
    "Assembler",
    "Counts",
    "newest_revisions",
]

QUIET_NS: Final = 5_000_000_000
"""How long a trace of a stream has to be quiet before its turns are told."""
MISSING_NS: Final = 300_000_000_000
"""How long a trace has to be quiet before a turn whose own span did not come is given up: it may still run."""
ENDED_TURNS: Final = 1000
"""Turns that were told and can still be revised."""
TURN_SPANS: Final = 10_000
"""Spans that a turn may have and still be revised."""
MAX_SPANS: Final = 1_000_000
"""Spans held at once."""
UNOWNED_SPANS: Final = 5_000
"""Spans held in process because a span around them, which is open, may turn out to be a turn."""
REVISIONS_AT_ONCE: Final = 10
"""Revisions of a turn that are told in process without waiting for quiet."""

_ZERO_IDS: Final = frozenset({"", "0" * 16, "0" * 32})


class Assembler:
    """Rebuilds turns from spans. Not safe for threads: the caller serialises."""

    def __init__(
        self,
        *,
        quiet_ns: int = QUIET_NS,
        missing_ns: int = MISSING_NS,
        in_process: bool = False,
        max_spans: int = MAX_SPANS,
        ended_turns: int = ENDED_TURNS,
        turn_spans: int = TURN_SPANS,
        unowned_spans: int = UNOWNED_SPANS,
        group_calls: bool = False,
        prices: PriceBook | None = None,
        left_out: Callable[[str, Exception], None] | None = None,
        withdrawn: Callable[[str, str], None] | None = None,
        turn_of: TurnOf = turn_of,
    ) -> None:
        """``turn_of`` tells the turn of a simple trace, in another way than the usual if that is quicker.

        ``withdrawn`` hears, by trace and span id, of a turn that was told, and is none, as came out since.
        ``left_out`` hears of a turn that cannot be rebuilt, by a fault of ours; without it the fault is raised.
        """
        self.counts = Counts()
        self._left_out = left_out
        self._withdrawn = withdrawn
        self._turn_of = turn_of
        self._prices = prices
        self._quiet_ns = quiet_ns
        self._missing_ns = missing_ns
        self._in_process = in_process
        self._max_spans = max_spans
        self._max_ended = ended_turns
        self._turn_spans = turn_spans
        self._groups_calls = group_calls
        self._now_ns = 0
        self._ended: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, str], int] = OrderedDict()
        """In process: turns that ended while something below them is open, and when that was seen."""
        self._traces = HeldTraces(self.counts, in_process=in_process, max_unowned=unowned_spans)

    @property
    def held_spans(self) -> int:
        """Spans held now."""
        return self._traces.spans

    @property
    def held_traces(self) -> AbstractSet[str]:
        """Trace ids of which something is held."""
        return self._traces.ids

    def is_settled(self, trace_id: str) -> bool:
        """Whether all that is known of a trace was told."""
        trace = self._traces.get(trace_id)
        return trace is None or trace.is_told

    # --- what comes ----------------------------------------------------------------------------------

    def started(self, trace_id: str, span_id: str, parent_span_id: str | None, *, is_turn: bool | None) -> list[Turn]:
        """Learn, in process, that a span began; returns turns that were told to make room.

        ``is_turn``: whether it is a turn's own span; None where only its end will tell.
        """
        self._traces.tree(trace_id).start(span_id, parent_span_id, is_turn=is_turn)
        self._traces.spans += 1
        return self._evict()

    def feed(self, span: SpanRecord) -> list[Turn]:
        """Take one ended span; returns the turns that are complete by it."""
        if span.trace_id in _ZERO_IDS or span.span_id in _ZERO_IDS:
            self.counts.without_ids += 1
            return []
        return self.take(member_of(span, read_facts(span)))

    def take(self, member: Member) -> list[Turn]:
        """Take one ended span of which the facts were read, and which has ids; returns as `feed`."""
        return self.take_batch([member])

    def take_batch(self, spans: Sequence[PlainSpan | Member]) -> list[Turn]:
        """Take spans that came together, as their readers give them; returns as `feed`.

        In a stream nothing is made of them before their trace is quiet.
        """
        turns: list[Turn] = []
        trace: UnreadTrace | None = None
        last_id = ""
        for span in spans:
            if span.trace_id != last_id:
                last_id = span.trace_id
                trace = self._traces.unread(last_id)
            if trace is not None and (trace.turn is None or span.span_id in trace.spans):
                held = self._hold(span, trace)
                if held and self._traces.spans <= self._max_spans:
                    continue
            else:
                turns += self._read(span if isinstance(span, Member) else member_of_plain(span))
            turns += self._evict()
            last_id = ""  # its trace may be a tree by now, or gone
        return turns

    def _hold(self, span: PlainSpan | Member, trace: UnreadTrace) -> bool:
        """Keep a span for later, unless it is of no use; then it is counted. Whether the trace is still held."""
        self.counts.spans += 1
        if span.span_id in trace.spans:
            self.counts.duplicates += 1
        elif isinstance(span, Member) and span.facts.role is Role.TWIN:
            self.counts.twins += 1
            return not self._traces.let_go_empty(span.trace_id, trace)
        else:
            trace.add(span)
            trace.arrived_ns = self._now_ns
            self._traces.spans += 1
        return True

    def _read(self, member: Member) -> list[Turn]:
        self.counts.spans += 1
        tree = self._traces.tree(member.trace_id)
        if not self._take(member, tree):
            self.lost(member.trace_id, member.span_id)
            return []
        return self._advance(member, tree) if self._in_process else []

    def lost(self, trace_id: str, span_id: str) -> None:
        """Learn that a span which began has ended, without what it says."""
        tree = self._traces.tree_of(trace_id)
        if tree is not None:
            self._traces.spans -= span_id in tree.open
            tree.stop(span_id)
            self._traces.let_go(trace_id)

    def _take(self, member: Member, tree: TraceTree) -> bool:
        """Put a span where it belongs, unless it is of no use; then it is counted."""
        trace_id, facts, forgotten = member.trace_id, member.facts, self._traces.forgotten
        fate = forgotten.fate(trace_id, member.span_id)
        if member.span_id in tree.members or fate in {Fate.IN_TURN, Fate.OUTSIDE}:
            self.counts.duplicates += 1
            return False
        if facts.role is Role.TWIN:
            self.counts.twins += 1
            return False
        if fate is Fate.MISSING or self._is_late(member, tree):
            self.counts.late += 1
            forgotten.remember(trace_id, member.span_id, Fate.IN_TURN)
            return False
        if facts.role in {Role.WORKFLOW, Role.ROOT} and forgotten.held_turns(trace_id, member.span_id):
            member = msgspec.structs.replace(member, facts=msgspec.structs.replace(facts, role=Role.SESSION))
        self._traces.spans += member.span_id not in tree.open
        tree.arrived_ns = self._now_ns
        if facts.role is not Role.TURN and forgotten.fate(trace_id, member.parent_span_id) is Fate.OUTSIDE:
            member = msgspec.structs.replace(member, parent_span_id=None)  # the way up is known to lead to no turn
        tree.add(member)
        return True

    def _is_late(self, member: Member, tree: TraceTree) -> bool:
        """Whether it belongs to a turn that can be revised no more; a turn in a turn is one of its own."""
        facts, parent = member.facts, member.parent_span_id
        if facts.role is Role.TURN:
            return False
        if parent in tree.members:
            turn = parent if tree.is_turn(parent) else tree.enclosing_turn(parent)
            told = tree.told.get(turn) if turn is not None else None
            return turn in tree.closed or (told is not None and told.spans >= self._turn_spans)
        if parent in tree.open:
            return False
        if self._traces.forgotten.fate(member.trace_id, parent) in {Fate.IN_TURN, Fate.MISSING}:
            return True
        return (
            facts.turn_id is not None
            and not tree.knows_turn_id(facts.turn_id)
            and self._traces.forgotten.knows_turn_id(member.trace_id, facts.turn_id)
        )

    # --- when turns are told -------------------------------------------------------------------------

    def flush(self, now_ns: int) -> list[Turn]:
        """The turns that are complete at ``now_ns`` (epoch nanoseconds) because it has been quiet for long enough."""
        self._now_ns = max(self._now_ns, now_ns)
        if self._in_process:
            return self._flush_waiting()
        turns: list[Turn] = []
        for trace_id, trace in self._traces.items():
            if self._now_ns - trace.arrived_ns < self._quiet_ns:
                break  # those behind it came later
            if not trace.is_told:
                turns.extend(self._flush_trace(trace_id, trace))
        return turns

    def drain(self) -> list[Turn]:
        """All turns that were not told yet, complete or not: the stream is at its end."""
        turns: list[Turn] = []
        for trace_id, trace in self._traces.items():
            if self._in_process or not trace.is_told:
                turns.extend(self._tell_unread(trace_id, trace) or self._settle(trace_id))
        return turns

    def _flush_trace(self, trace_id: str, trace: HeldTrace) -> list[Turn]:
        trace.newest_end_ns = min(trace.newest_end_ns, self._now_ns)  # a clock that runs ahead must not hold its trace
        quiet_ns = self._now_ns - max(trace.newest_end_ns, trace.arrived_ns)
        if quiet_ns < self._quiet_ns:
            return []
        turns = self._tell_unread(trace_id, trace)
        tree = None if turns else self._traces.tree_of(trace_id)
        if tree is None or (tree.stage is Stage.QUIET and quiet_ns < self._missing_ns):
            return turns
        if quiet_ns >= self._missing_ns or not tree.waits:
            return self._settle(trace_id)
        self._decide(trace_id, tree)
        tree.stage = Stage.QUIET
        turns = self._tell_pending(trace_id, tree)
        self._trim()
        return turns

    def _tell_unread(self, trace_id: str, trace: HeldTrace) -> list[Turn]:
        """Tell the turn of a trace that needs no tree; none where it does, or where the turn cannot be rebuilt."""
        if not isinstance(trace, UnreadTrace):
            return []
        try:
            turn = trace.tell(self._turn_of, self._prices)
        except Exception:  # noqa: BLE001 - the tree that is made of it tells what is wrong
            return []
        if turn is None:
            return []
        self.counts.clipped += turn.clipped_spans
        self._ended[(trace_id, turn.span_id)] = None
        self._trim()
        return [turn]

    def _settle(self, trace_id: str) -> list[Turn]:
        """Tell all of a trace, be it incomplete, and let go of what lies in no turn."""
        tree = self._traces.tree(trace_id)
        self._decide(trace_id, tree)
        tree.give_up_missing()
        if self._groups_calls:
            tree.group_calls(trace_id)
        tree.demoted.clear()
        tree.stage = Stage.SETTLED
        turns = self._tell_pending(trace_id, tree)
        self._traces.drop_bare(trace_id, tree)
        self._trim()
        self._traces.let_go(trace_id)
        return turns

    def _decide(self, trace_id: str, tree: TraceTree) -> None:
        """Decide what is a turn, with all that came; what was told as one, and is none, is withdrawn."""
        if self._in_process:
            tree.decide_roles()
            return
        tree.reconsider_roles()
        for span_id in tree.withdrawn:
            self._ended.pop((trace_id, span_id), None)
            if self._withdrawn is not None:
                self._withdrawn(trace_id, span_id)
        tree.withdrawn.clear()

    def _tell_pending(self, trace_id: str, tree: TraceTree) -> list[Turn]:
        turns = []
        for turn_id in list(tree.pending):
            try:
                turns.append(self._tell(trace_id, tree, turn_id))
            except Exception as error:
                if self._left_out is None:
                    raise
                del tree.pending[turn_id]
                self._left_out(f"turn {turn_id} of trace {trace_id}", error)
        return turns

    def _advance(self, span: Member, tree: TraceTree) -> list[Turn]:
        """What the end of a span completes in process."""
        trace_id = span.trace_id
        if not tree.inside_open(span.span_id):
            tree.decide_roles()
            while decided := tree.decided_workflows():  # first outer ones, then those inside them
                for workflow in decided:
                    self._traces.drop_unowned(trace_id, workflow, tree)
        turns = []
        for turn_id in list(tree.pending):
            told = tree.told.get(turn_id)
            revised_often = told is not None and told.revision > REVISIONS_AT_ONCE
            if tree.has_open_below(turn_id) or tree.may_be_repetition(turn_id) or revised_often:
                self._waiting.setdefault((trace_id, turn_id), self._now_ns)
            else:
                turns.append(self._tell(trace_id, tree, turn_id))
        while tree.demoted:
            self._traces.drop_unowned(trace_id, tree.demoted.pop(), tree)
        self._traces.drop_unowned(trace_id, span.span_id, tree)
        self._trim()
        self._traces.let_go(trace_id)
        return turns

    def _flush_waiting(self) -> list[Turn]:
        turns = []
        while self._waiting:
            (trace_id, turn_id), since_ns = next(iter(self._waiting.items()))
            if self._now_ns - since_ns < self._quiet_ns:
                break
            del self._waiting[(trace_id, turn_id)]
            tree = self._traces.tree_of(trace_id)
            if tree is not None and turn_id in tree.pending:
                turns.append(self._tell(trace_id, tree, turn_id))
        self._trim()
        return turns

    def _tell(self, trace_id: str, tree: TraceTree, turn_id: str) -> Turn:
        parts = tree.parts(turn_id)
        turn = reconstruct(parts, self._prices)
        del tree.pending[turn_id]
        told = tree.told.setdefault(turn_id, Told())
        self.counts.clipped += turn.clipped_spans - told.clipped_spans
        self.counts.incomplete += turn.incomplete - told.incomplete
        told.revision, told.session, told.spans = parts.revision, parts.inherited_session, turn.spans
        told.clipped_spans, told.incomplete = turn.clipped_spans, turn.incomplete
        self._ended.setdefault((trace_id, turn_id))
        self._traces.found_owner(trace_id, parts.below)
        return turn

    # --- what is let go ------------------------------------------------------------------------------

    def _trim(self) -> None:
        """Forget the turns that fell out of the window."""
        while len(self._ended) > self._max_ended:
            (trace_id, turn_id), _ = self._ended.popitem(last=False)
            self._traces.forget_turn(trace_id, turn_id)
            self._traces.let_go(trace_id)

    def _evict(self) -> list[Turn]:
        turns: list[Turn] = []
        while self._traces.spans > self._max_spans and self._traces:
            trace_id = self._traces.next_to_evict()
            turns.extend(self._settle(trace_id))
            self.counts.evicted_traces += 1
            self._traces.let_go_whole(trace_id)
        return turns


def newest_revisions(turns: Iterable[Turn]) -> list[Turn]:
    """Each turn once, in its newest revision, in order of ending.

    An incomplete turn gives way to the whole one of the same turn id: with several spans lost, the id of its own span
    could only be guessed.
    """
    newest: dict[tuple[str, str], Turn] = {}
    for turn in turns:
        newest[(turn.trace_id, turn.span_id)] = turn
    whole = {(turn.trace_id, turn.turn_id) for turn in newest.values() if not turn.incomplete}
    kept = (turn for turn in newest.values() if not turn.incomplete or (turn.trace_id, turn.turn_id) not in whole)
    return sorted(kept, key=lambda turn: (turn.end_ns, turn.start_ns, turn.trace_id, turn.span_id))
