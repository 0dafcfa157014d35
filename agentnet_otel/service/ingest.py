"""From requests on the disk to turns on the disk.

How far it came is kept with the turns, in the same transaction: the place of the oldest request that an unfinished
turn, or one of the newest that may be corrected, still needs. After a restart the requests from there on are read
again, and give the same turns.

Time is that of arrival, so that requests which waited, or are read again, give the turns that they would have given at
once.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.errors import AgentNetOtelError, InputError
from agentnet_otel.model import Turn
from agentnet_otel.service.turn_figures import TurnFigures
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.intake import RequestKind
from agentnet_otel.sources.plain_payloads import PlainDecoder
from agentnet_otel.sources.store.raw_log import BLANK, LogReader, LogRecord, segment_before
from agentnet_otel.sources.store.turn_store import TurnStore

BATCH: Final = 64
"""Requests that are understood before their turns are kept."""
ENDED_TURNS: Final = 5_000
"""Turns that can still be corrected by a late span."""
MAX_SPANS: Final = 50_000
"""Spans held at once; beyond it the trace that was quiet longest is told as it is."""
FLUSH_EVERY_NS: Final = 100_000_000
"""How often, in the time of arrival, it is looked at which turns are complete."""
CORRECTED_NS: Final = 3_600_000_000_000
"""For how long after its first span, and within two segments of requests, a turn can be corrected after a restart."""
PLACE_EVERY_S: Final = 1.0
"""How often it is looked at which requests are still needed."""
FIGURES_EVERY_S: Final = 10.0
"""How often what the metrics counted is kept; what came since is counted again from the turns."""
_TOLD_EACH: Final = 3


class Ingest:
    """Understands requests. One thread uses it; ``now_ns`` tells epoch nanoseconds and never goes back."""

    def __init__(
        self,
        log: LogReader,
        turns: TurnStore,
        assembler: Assembler,
        figures: TurnFigures,
        now_ns: Callable[[], int],
        tell: Callable[[str], None],
        at: Callable[[int | None], None] = lambda _: None,
    ) -> None:
        """``at`` hears of the place of each request before it is understood; None when no request is."""
        self._log = log
        self._turns = turns
        self._figures = figures
        self._now_ns = now_ns
        self._tell = tell
        self._at = at
        self._decoder = PayloadDecoder()
        self._plain = PlainDecoder()
        self.assembler = assembler
        self.place = self.kept_place = turns.place()
        self.arrived_ns = 0
        """When the last request arrived that was understood."""
        self._flushed_ns = 0
        self._first_place: dict[str, tuple[int, int]] = {}
        """Of traces that are held: where their first request is, and when it arrived."""
        self._untold: list[Turn] = []
        self._withdrawn: dict[tuple[str, str], None] = {}
        """Turns that are kept and are none, as came out since."""
        self._place_due_s = self._figures_due_s = 0.0
        self._forgotten_ns = 0
        """Turns that arrived before this may have been deleted."""
        self._figures_seq = 0
        self.bad_spans = 0
        self.bad_requests = 0
        self.bad_turns = 0
        """Turns that cannot be rebuilt, kept or counted, by a fault of ours."""
        self._take_up_figures()

    def advance(self, end: int, seconds: float) -> bool:
        """Understand requests up to a place, for about so long; whether more wait.

        Raises:
            BackendError: the turns cannot be kept now. They stay here, and are kept with the next ones.
        """
        end = max(end, self.place)
        due = time.monotonic() + seconds
        count = 0
        for record in islice(self._log.read(self.place, end), BATCH):
            self._understand(record)
            count += 1
            if time.monotonic() > due:
                break
        self._at(None)
        waiting = self.place < end and count > 0
        if not waiting:
            self.place = end  # what could not be read is gone
            self._untold.extend(self.assembler.flush(self._now_ns()))
        self._keep()
        return waiting

    def _understand(self, record: LogRecord) -> None:
        self.place = record.end
        if record.kind == BLANK:
            return
        self.arrived_ns = record.arrived_ns
        if record.arrived_ns > self._flushed_ns + FLUSH_EVERY_NS:
            self._at(None)
            self._flushed_ns = min(record.arrived_ns, self._now_ns())
            self._untold.extend(self.assembler.flush(self._flushed_ns))
        self._at(record.start)
        try:
            self._take(record)
        except (InputError, ValueError, RecursionError) as error:
            self._count_bad_request(str(error))
        except Exception as error:  # noqa: BLE001 - one request must not keep all others from being understood
            self._count_bad_request(f"{type(error).__name__} in this program: {error}")

    def _take(self, record: LogRecord) -> None:
        """Take the spans of a request."""
        form = RequestKind(record.kind).form
        first, last_id = (record.start, record.arrived_ns), ""
        batch = self._plain.decode(record.data, form)
        if batch is None:
            for found in self._decoder.decode(record.data, form, self._count_bad_span):
                self._first_place.setdefault(found.trace_id, first)
                self._untold.extend(self.assembler.feed(found))
            return
        for span in batch.spans:
            if span.trace_id != last_id:
                last_id = span.trace_id
                self._first_place.setdefault(last_id, first)
        self._untold.extend(self.assembler.take_batch(batch.spans))

    def first_place(self, trace_id: str) -> int | None:
        """Where the first request of a trace is that is held; None where nothing is known of it."""
        found = self._first_place.get(trace_id)
        return None if found is None else found[0]

    def _count_bad_request(self, why: str) -> None:
        self.bad_requests += 1
        if self.bad_requests <= _TOLD_EACH:
            self._tell(f"a request that was taken cannot be understood: {why}")

    def _count_bad_span(self, text: str) -> None:
        self.bad_spans += 1
        if self.bad_spans <= _TOLD_EACH:
            self._tell(text)

    def _keep(self) -> None:
        """Keep the turns that are complete."""
        now_s = time.monotonic()
        needed = self.kept_place
        if now_s >= self._place_due_s:
            needed = self._needed_place()
            self._place_due_s = now_s + PLACE_EVERY_S
        if self._untold or self._withdrawn or needed != self.kept_place:
            new = self._saved(newest_revisions(self._untold), needed)
            self._untold.clear()
            self._withdrawn.clear()
            self.kept_place = needed
            self._count(new)
        if now_s >= self._figures_due_s:
            self.keep_figures()

    def _saved(self, turns: Sequence[Turn], needed: int) -> list[Turn]:
        """Those of the turns that are new. One that cannot be kept at all must not keep all others from it.

        Raises:
            BackendError: they cannot be kept now.
        """
        try:
            return self._turns.save(turns, self._now_ns(), needed, self._withdrawn)
        except AgentNetOtelError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it would be so after each start
            if len(turns) == 1:
                self.leave_out(f"{_name_of(turns[0])} cannot be kept", error)
                return self._turns.save((), self._now_ns(), needed, self._withdrawn)
        half = len(turns) // 2
        return [*self._saved(turns[:half], self.kept_place), *self._saved(turns[half:], needed)]

    def withdraw(self, trace_id: str, span_id: str) -> None:
        """Take back a turn that is none, be it kept or not yet. If the metrics counted it, it stays counted."""
        self._untold[:] = [turn for turn in self._untold if (turn.trace_id, turn.span_id) != (trace_id, span_id)]
        self._withdrawn[(trace_id, span_id)] = None

    def leave_out(self, what: str, error: Exception) -> None:
        """Count and tell a turn that is lost, or not counted, by a fault of ours; ``what`` names both."""
        self.bad_turns += 1
        if self.bad_turns <= _TOLD_EACH:
            self._tell(f"{what}, and is left out: {type(error).__name__} in this program: {error}")

    def _needed_place(self) -> int:
        """The place of the oldest request that is needed: by a turn that was not told, or a recent one that was."""
        held, settled = self.assembler.held_traces, self.assembler.is_settled
        self._first_place = {trace: first for trace, first in self._first_place.items() if trace in held}
        recent, recent_ns = segment_before(self.place), max(self._now_ns() - CORRECTED_NS, self._forgotten_ns)
        needed = self.place
        for trace, (place, arrived_ns) in self._first_place.items():
            if place < needed and (arrived_ns >= recent_ns or not settled(trace)):
                needed = max(place, recent) if settled(trace) else place
        return needed

    def forget(self, before_ns: int, max_bytes: int) -> None:
        """Delete old turns, once they were counted for good.

        Their requests are not to be read again after a restart: the turns would come back, and be counted twice.

        Raises:
            BackendError: it cannot be written now.
        """
        self.keep_figures()
        self._turns.forget_before(before_ns, self._place_after_forgetting)
        self._turns.forget_beyond(max_bytes, self._place_after_forgetting)
        self.kept_place = self._turns.place()

    def _place_after_forgetting(self, arrived_ns: int) -> int:
        """The place that is needed where turns that arrived up to a time are no longer to be corrected."""
        self._forgotten_ns = max(self._forgotten_ns, arrived_ns + 1)
        return self.kept_place if self._untold else self._needed_place()

    # --- metrics -------------------------------------------------------------------------------------

    def _count(self, turns: Iterable[Turn]) -> None:
        """Have the metrics count turns, each by itself: one that fails would fail after each start, for it is kept."""
        for turn in turns:
            try:
                self._figures.take((turn,))
            except Exception as error:  # noqa: BLE001 - it must not keep all others from being understood
                self.leave_out(f"{_name_of(turn)} cannot be counted", error)

    def keep_figures(self) -> None:
        """Keep what the metrics counted.

        Raises:
            BackendError: it cannot be written now.
        """
        seq = self._turns.last_seq()
        if seq != self._figures_seq:
            self._turns.save_figures(seq, self._figures.keep())
            self._figures_seq = seq
        self._figures_due_s = time.monotonic() + FIGURES_EVERY_S

    def _take_up_figures(self) -> None:
        """Go on with the metrics where they were. What is wrong with that must not keep it from starting, for ever."""
        try:
            seq, body = self._turns.figures()
            self._figures_seq = seq
            self._restore(body)
            self._count(self._turns.new_after(seq))
        except AgentNetOtelError as error:
            self._tell(f"the metrics miss turns of before this start: {error}")

    def _restore(self, body: bytes) -> None:
        try:
            if body:
                self._figures.restore(body)
        except Exception as error:  # noqa: BLE001 - as above
            self._tell(f"what the metrics had counted cannot be read ({error}); they begin at 0")


def _name_of(turn: Turn) -> str:
    return f"turn {turn.turn_id} of trace {turn.trace_id}"
