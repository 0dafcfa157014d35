"""Turns out of a stream of spans that has no clock: files, pipes, anything read as fast as it comes.

Time cannot tell when a trace is complete there, so the stream itself does: a trace is told once `WINDOW_SPANS` spans
of others have gone by since its last one. What is held is bounded, so memory is the same for a million spans and for
ten. Positions are counted in whole batches, and what happens to a trace depends on its own spans and on positions
alone: readers that share the traces of one stream among them tell each trace at the same place as one reader does.

What happens to a trace:

    * its root came (a span without a parent, or with a remote one), and it was quiet for a window: it is told;
    * its root did not come: it is held on; the one that waited longest is told when there are more than `HELD_SPANS`;
    * spans come after it was told: they are looked at on their own. Turns among them that were not told yet are; the
      rest is late, or, where the turn's own span came again, a duplicate. `TOLD_TRACES` traces are remembered for this.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import Turn

WINDOW_SPANS: Final = 50_000
"""Spans of other traces that go by before a trace is taken for complete."""
HELD_SPANS: Final = 100_000
"""Spans held at once; beyond it the trace that waited longest for its root is told without it."""
TOLD_TRACES: Final = 100_000
"""Traces that are remembered after they were told, at least."""
_TICK_SPANS: Final = 1000
"""How exactly positions are kept."""


class _Held(msgspec.Struct, gc=False):
    """The spans of one trace. ``touched``: the tick in which the last one came."""

    trace_id: str
    spans: list[Member]
    touched: int
    rooted: bool = False
    waits: bool = False
    """Whether it was quiet, and is held on only because its root did not come."""
    gone: bool = False
    told_before: bool = False


class TraceWindow:
    """Holds spans until their trace is complete. Not safe for threads."""

    def __init__(
        self,
        *,
        group_calls: bool = False,
        prices: PriceBook | None = None,
        window_spans: int = WINDOW_SPANS,
        held_spans: int = HELD_SPANS,
    ) -> None:
        self.counts = Counts()
        self._groups_calls = group_calls
        self._prices = prices
        self._window_ticks = max(1, window_spans // _TICK_SPANS)
        self._max_held = held_spans
        self._position = 0
        self._tick = 0
        self._held = 0
        self._traces: dict[str, _Held] = {}
        self._due: dict[int, list[_Held]] = {}
        """Traces by the tick in which, when they were looked at last, their newest span had come."""
        self._rootless: dict[int, list[_Held]] = {}
        """The same of those that wait for their root."""
        self._told = _Told(TOLD_TRACES)

    @property
    def held_spans(self) -> int:
        """Spans held now."""
        return self._held

    def feed(self, spans: Sequence[Member]) -> list[Turn]:
        """Take the spans of one batch; returns the turns of traces that are complete by it."""
        self.counts.spans += len(spans)
        for span in spans:
            held = self._traces.get(span.trace_id)
            if held is None:
                held = self._begin(span.trace_id)
            held.spans.append(span)
            held.touched = self._tick
            if not held.rooted and (span.parent_span_id is None or span.parent_is_remote is True):
                self._found_root(held)
        self._held += len(spans)
        return self.passed(len(spans))

    def passed(self, spans: int) -> list[Turn]:
        """Learn that so many spans went by in the stream; returns the turns that are complete by it."""
        self._position += spans
        turns: list[Turn] = []
        while self._tick < self._position // _TICK_SPANS:
            self._tick += 1
            turns.extend(self._tell_quiet(self._tick - self._window_ticks))
        while self._held > self._max_held:
            turns.extend(self._tell_longest_waiting())
        return turns

    def finish(self) -> list[Turn]:
        """The turns of all that is held: the stream is at its end."""
        turns = [turn for held in list(self._traces.values()) for turn in self._tell(held)]
        self._due.clear()
        self._rootless.clear()
        return turns

    # --- when a trace is told ------------------------------------------------------------------------

    def _begin(self, trace_id: str) -> _Held:
        held = _Held(trace_id, [], self._tick, told_before=self._told.knows(trace_id))
        self._traces[trace_id] = held
        self._due.setdefault(self._tick, []).append(held)
        return held

    def _found_root(self, held: _Held) -> None:
        held.rooted = True
        if held.waits:
            held.waits = False
            self._due.setdefault(self._tick, []).append(held)

    def _tell_quiet(self, tick: int) -> list[Turn]:
        """Tell what was quiet since a tick; what was not comes up again."""
        turns: list[Turn] = []
        for held in self._due.pop(tick, ()):
            if held.gone:
                continue
            if held.touched > tick:
                self._due.setdefault(held.touched, []).append(held)
            elif held.rooted:
                turns.extend(self._tell(held))
            else:
                held.waits = True
                self._rootless.setdefault(tick, []).append(held)
        return turns

    def _tell_longest_waiting(self) -> list[Turn]:
        """Make room: a trace without its root, else the one that is quiet longest."""
        traces = self._rootless or self._due
        tick = min(traces)
        held = traces[tick].pop()
        if not traces[tick]:
            del traces[tick]
        if held.gone or held.waits is not (traces is self._rootless):
            return []  # it stands somewhere else by now
        if held.touched > tick:
            traces.setdefault(held.touched, []).append(held)
            return []
        before = self.counts.incomplete + self.counts.outside
        turns = self._tell(held)
        self.counts.evicted_traces += self.counts.incomplete + self.counts.outside > before
        return turns

    # --- what is told --------------------------------------------------------------------------------

    def _tell(self, held: _Held) -> list[Turn]:
        del self._traces[held.trace_id]
        held.gone = True
        self._held -= len(held.spans)
        assembler = Assembler(max_spans=len(held.spans), group_calls=self._groups_calls, prices=self._prices)
        for member in held.spans:
            assembler.take(member)
        turns = newest_revisions(assembler.drain())
        if held.told_before:
            turns = self._not_told_before(turns, assembler.counts)
        self._add(assembler.counts)
        self._told.remember(held.trace_id, turns)
        return turns

    def _not_told_before(self, turns: Iterable[Turn], counts: Counts) -> list[Turn]:
        """The turns that are new; of the others the spans are counted."""
        counts.late += counts.outside
        counts.outside = counts.incomplete = 0
        new = []
        for turn in turns:
            if turn.incomplete:
                counts.late += turn.spans
            elif self._told.knows_turn(turn):
                counts.duplicates += turn.spans
            else:
                new.append(turn)
        return new

    def _add(self, counts: Counts) -> None:
        own = self.counts
        own.duplicates += counts.duplicates
        own.late += counts.late
        own.outside += counts.outside
        own.clipped += counts.clipped
        own.incomplete += counts.incomplete
        own.twins += counts.twins


class _Told:
    """Traces and turns that were told, the newest ones. Kept are 64 bits of each: ids are random."""

    def __init__(self, traces: int) -> None:
        self._limit = traces
        self._traces = 0
        self._new: set[int] = set()
        self._old: set[int] = set()

    def knows(self, trace_id: str) -> bool:
        mark = hash(trace_id)
        return mark in self._new or mark in self._old

    def knows_turn(self, turn: Turn) -> bool:
        mark = hash((turn.trace_id, turn.span_id))
        return mark in self._new or mark in self._old

    def remember(self, trace_id: str, turns: Iterable[Turn]) -> None:
        self._new.add(hash(trace_id))
        self._new.update([hash((turn.trace_id, turn.span_id)) for turn in turns])
        self._traces += 1
        if self._traces > self._limit:
            self._traces = 0
            self._old, self._new = self._new, set()
