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

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, Generic, TypeVar

import msgspec

from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.plain_span import PlainSpan, member_of_plain
from agentnet_otel.core.plain_turns import PlainTold
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.core.turn_row import EndingKey, ending_key
from agentnet_otel.model import Turn

T = TypeVar("T")
HeldSpan = PlainSpan | Member

WINDOW_SPANS: Final = 30_000
"""Spans of other traces that go by before a trace is taken for complete."""
HELD_SPANS: Final = 60_000
"""Spans held at once; beyond it the trace that waited longest for its root is told without it."""
TOLD_TRACES: Final = 50_000
"""Traces that are remembered after they were told, at least."""
_TICK_SPANS: Final = 1000
"""How exactly positions are kept."""


Run = tuple[str, list[HeldSpan], bool, bool]
"""Spans of one trace that came one after the other: its id, the spans, whether a root is among them, whether all are
plain."""


def runs_of(spans: list[HeldSpan]) -> list[Run]:
    """Spans cut where another trace begins: nearly always the spans of a trace stand together."""
    runs: list[Run] = []
    for trace_id, some in groupby(spans, _TRACE_ID):
        together = list(some)
        rooted = any(not span.parent_span_id for span in together)
        runs.append((trace_id, together, rooted, not any(isinstance(span, Member) for span in together)))
    return runs


_TRACE_ID: Final = attrgetter("trace_id")


class _Held(msgspec.Struct, gc=False):
    """The spans of one trace. ``touched``: the tick in which the last one came."""

    trace_id: str
    spans: list[HeldSpan]
    touched: int
    plain: bool = True
    rooted: bool = False
    waits: bool = False
    """Whether it was quiet, and is held on only because its root did not come."""
    gone: bool = False
    told_before: bool = False


class TraceWindow(Generic[T]):
    """Holds spans until their trace is complete. What is told of a turn is what `make` makes of it.

    ``short`` makes the same straight of plain spans, or gives None where it cannot. Not safe for threads.
    """

    def __init__(
        self,
        make: Callable[[Turn], T],
        short: Callable[[Sequence[PlainSpan], PriceBook | None], PlainTold[T] | None] | None = None,
        *,
        runs: Callable[[list[HeldSpan]], list[Run]] = runs_of,
        group_calls: bool = False,
        prices: PriceBook | None = None,
        window_spans: int = WINDOW_SPANS,
        held_spans: int = HELD_SPANS,
    ) -> None:
        self.counts = Counts()
        self.make = make
        self._short = short
        self._runs = runs
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

    def feed(self, spans: list[HeldSpan], passed: int | None = None) -> list[tuple[EndingKey, T]]:
        """Take the spans of one batch; returns the turns of traces that are complete by it.

        ``passed``: how many spans the batch had, where others of them are another window's.
        """
        for trace_id, some, rooted, plain in self._runs(spans):
            held = self._traces.get(trace_id)
            if held is None:
                held = self._begin(trace_id, some)
            else:
                held.touched = self._tick
                held.spans += some
            held.plain = held.plain and plain
            if rooted and not held.rooted:
                self._found_root(held)
        self.counts.spans += len(spans)
        self._held += len(spans)
        return self._advance(len(spans) if passed is None else passed)

    def _advance(self, spans: int) -> list[tuple[EndingKey, T]]:
        self._position += spans
        turns: list[tuple[EndingKey, T]] = []
        while self._tick < self._position // _TICK_SPANS:
            self._tick += 1
            turns.extend(self._tell_quiet(self._tick - self._window_ticks))
        while self._held > self._max_held:
            turns.extend(self._tell_longest_waiting())
        return turns

    def finish(self) -> list[tuple[EndingKey, T]]:
        """The turns of all that is held: the stream is at its end."""
        turns = [turn for held in list(self._traces.values()) for turn in self._tell(held)]
        self._due.clear()
        self._rootless.clear()
        return turns

    # --- when a trace is told ------------------------------------------------------------------------

    def _begin(self, trace_id: str, spans: list[HeldSpan]) -> _Held:
        held = _Held(trace_id, spans, self._tick, told_before=self._told.knows(trace_id))
        self._traces[trace_id] = held
        self._due.setdefault(self._tick, []).append(held)
        return held

    def _found_root(self, held: _Held) -> None:
        held.rooted = True
        if held.waits:
            held.waits = False
            self._due.setdefault(self._tick, []).append(held)

    def _tell_quiet(self, tick: int) -> list[tuple[EndingKey, T]]:
        """Tell what was quiet since a tick; what was not comes up again."""
        turns: list[tuple[EndingKey, T]] = []
        for held in self._due.pop(tick, ()):
            if held.gone:
                continue
            if held.touched > tick:
                self._due.setdefault(held.touched, []).append(held)
            elif held.rooted or any(span.parent_is_remote for span in held.spans):
                turns.extend(self._tell(held))
            else:
                held.waits = True
                self._rootless.setdefault(tick, []).append(held)
        return turns

    def _tell_longest_waiting(self) -> list[tuple[EndingKey, T]]:
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

    def _tell(self, held: _Held) -> list[tuple[EndingKey, T]]:
        del self._traces[held.trace_id]
        held.gone = True
        self._held -= len(held.spans)
        told = None
        if held.plain and self._short is not None and not held.told_before:
            told = self._tell_plain(held.spans)  # type: ignore[arg-type] # all of them are plain
        if told is None:
            told = self._tell_any(held)
        self._told.remember(held.trace_id, [key for key, _ in told])
        return told

    def _tell_plain(self, spans: Sequence[PlainSpan]) -> list[tuple[EndingKey, T]] | None:
        found = None if self._short is None else self._short(spans, self._prices)
        if found is None or (found.outside and self._groups_calls):
            return None
        self.counts.outside += found.outside
        self.counts.clipped += found.clipped
        return found.turns

    def _tell_any(self, held: _Held) -> list[tuple[EndingKey, T]]:
        assembler = Assembler(max_spans=len(held.spans), group_calls=self._groups_calls, prices=self._prices)
        for span in held.spans:
            assembler.take(span if isinstance(span, Member) else member_of_plain(span))
        turns = newest_revisions(assembler.drain())
        if held.told_before:
            turns = self._not_told_before(turns, assembler.counts)
        self._add(assembler.counts)
        return [(ending_key(turn), self.make(turn)) for turn in turns]

    def _not_told_before(self, turns: Iterable[Turn], counts: Counts) -> list[Turn]:
        """The turns that are new; of the others the spans are counted."""
        counts.late += counts.outside
        counts.outside = counts.incomplete = 0
        new = []
        for turn in turns:
            if turn.incomplete:
                counts.late += turn.spans
            elif self._told.knows_turn(turn.trace_id, turn.span_id):
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

    def knows_turn(self, trace_id: str, span_id: str) -> bool:
        mark = hash((trace_id, span_id))
        return mark in self._new or mark in self._old

    def remember(self, trace_id: str, turns: Iterable[EndingKey]) -> None:
        self._new.add(hash(trace_id))
        self._new.update([hash(key[2:]) for key in turns])
        self._traces += 1
        if self._traces > self._limit:
            self._traces = 0
            self._old, self._new = self._new, set()
