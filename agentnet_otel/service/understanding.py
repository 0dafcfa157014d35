"""The process that understands requests: a child of `serve`, so that understanding never keeps a sender waiting.

It reads the log that its parent writes, and is the one writer of the turns. Its standard input brings orders, its
standard output tells how far it came. When the parent is gone, its standard input ends, and so does it, at once: what
was not kept yet is read again after the next start.
"""

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

import msgspec

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.plain_trace import Spans
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.model import Turn
from agentnet_otel.prices import installed
from agentnet_otel.service.ingest import ENDED_TURNS, MAX_SPANS, Ingest
from agentnet_otel.service.messages import (
    ORDERS,
    AskFigures,
    Begin,
    Figures,
    Finish,
    Forget,
    Forgotten,
    Grown,
    Order,
    Progress,
    Remark,
    Told,
    line_of,
)
from agentnet_otel.service.turn_figures import TurnFigures
from agentnet_otel.sources.native.turns import native_turn_of
from agentnet_otel.sources.store.raw_log import LogReader
from agentnet_otel.sources.store.store import LOG
from agentnet_otel.sources.store.turn_store import TurnStore
from agentnet_otel.sources.store.whereabouts import Whereabouts

IDLE_S: Final = 0.25
"""How often the quiet period is looked at where nothing comes."""
ROUND_S: Final = 0.1
"""How long it works before it tells how far it came."""
RETRY_S: Final = 1.0
NICENESS: Final = 5
"""Receiving goes first: what waits to be understood is on the disk."""
NEW_OBJECTS: Final = 20_000
"""Objects between two looks for cycles that nobody needs: spans and turns have none, and at the usual 700 the look
takes 5 to 10 % of the time. What is held is bounded by spans, so that memory is the same.
"""
FAILURE: Final = 1
_PIECE_BYTES: Final = 65_536


class Understander:
    """Works on what ``begin`` says until it is told to finish. ``told`` gets its messages."""

    def __init__(self, begin: Begin, output: IO[bytes]) -> None:
        self._output = output
        self._output_lock = threading.Lock()
        self._offset_ns = begin.clock_offset_ns
        self._figures = TurnFigures(begin.metrics, self._now_ns)
        folder = Path(begin.folder)
        self._turns = TurnStore(folder, create=False, unreadable=self._tell_damage)
        assembler = Assembler(
            quiet_ns=begin.quiet_ns,
            max_spans=MAX_SPANS,
            ended_turns=ENDED_TURNS,
            prices=installed(),
            group_calls=begin.group_calls,
            left_out=self._tell_left_out,
            withdrawn=self._withdraw,
            turn_of=self._noted_turn_of if begin.careful else native_turn_of,
        )
        self._whereabouts = Whereabouts(folder)
        self._at: int | None = None
        self._ingest = Ingest(
            LogReader(folder / LOG), self._turns, assembler, self._figures, self._now_ns, self._remark, self._note
        )
        self._end = 0
        self._finish: Finish | None = None
        self._orders: queue.SimpleQueue[Forget | Finish | None] = queue.SimpleQueue()
        self._troubled = False
        self._told: Progress | None = None

    def take_order(self, order: Order) -> None:
        """Take an order, in another thread than that which works; figures are told at once."""
        if isinstance(order, Grown):
            self._end = max(self._end, order.end)
            self._orders.put(None)
        elif isinstance(order, AskFigures):
            self._tell_figures()
        elif isinstance(order, Forget | Finish):
            self._orders.put(order)

    def run(self) -> None:
        """Until it is told to finish."""
        deadline = None
        waiting = False
        while True:
            self._obey(0 if waiting else IDLE_S)
            if self._finish is not None and deadline is None:
                deadline = time.monotonic() + self._finish.within_s
            waiting = self._work()
            self._tell_progress()
            if deadline is not None and (not waiting or time.monotonic() > deadline):
                break
        with contextlib.suppress(AgentNetOtelError):
            self._ingest.keep_figures()
        self._turns.close()

    def _work(self) -> bool:
        """One round; whether more waits."""
        try:
            waiting = self._ingest.advance(self._end, ROUND_S)
        except (AgentNetOtelError, OSError) as error:
            self._send(Remark(text=str(error), trouble=str(error)))
            self._troubled = True
            time.sleep(RETRY_S)
            return self._finish is None
        if self._troubled:
            self._troubled = False
            self._send(Remark(text="turns are kept again", trouble=""))
        return waiting

    def _obey(self, wait_s: float) -> None:
        """Do what was ordered meanwhile; wait so long for something to do."""
        try:
            order = self._orders.get(timeout=wait_s) if wait_s else self._orders.get_nowait()
            while True:
                if isinstance(order, Finish):
                    self._finish = order
                elif isinstance(order, Forget):
                    self._forget(order)
                order = self._orders.get_nowait()
        except queue.Empty:
            return

    def _forget(self, order: Forget) -> None:
        try:
            self._ingest.forget(order.before_ns, order.max_bytes)
            self._turns.sync()
            self._send(Forgotten(place=self._turns.place(), stored_turns=self._turns.count()))
        except AgentNetOtelError as error:
            self._remark(str(error))

    def end_at_once(self) -> None:
        """End where it is, be it in another thread than that which works: no request is to blame for this death."""
        self._whereabouts.note_nowhere()
        os._exit(FAILURE)

    def _note(self, place: int | None) -> None:
        self._at = place
        if place is None:
            self._whereabouts.note_nowhere()
        else:
            self._whereabouts.note(place)

    def _noted_turn_of(self, spans: Spans, prices: PriceBook | None) -> Turn | None:
        """The turn of a trace, with a note of the request that it began with."""
        at = self._at
        self._note(self._ingest.first_place(next(iter(spans.values())).trace_id))
        try:
            return native_turn_of(spans, prices)
        finally:
            self._note(at)

    def _now_ns(self) -> int:
        """Epoch time as it was at the start of `serve`, and what went by since: setting the clock changes nothing."""
        return self._offset_ns + time.monotonic_ns()

    def _tell_progress(self) -> None:
        ingest = self._ingest
        progress = Progress(
            place=ingest.place,
            arrived_ns=ingest.arrived_ns,
            counts=replace(ingest.assembler.counts),
            bad_spans=ingest.bad_spans,
            bad_requests=ingest.bad_requests,
            bad_turns=ingest.bad_turns,
            held_spans=ingest.assembler.held_spans,
            held_traces=len(ingest.assembler.held_traces),
        )
        if progress != self._told:
            self._told = progress
            self._send(progress)

    def _tell_figures(self) -> None:
        figures = self._figures
        self._send(
            Figures(
                body=msgspec.Raw(figures.keep()),
                counted=figures.counted,
                left_out=figures.left_out,
                folded=figures.folded,
            )
        )

    def _tell_left_out(self, turn: str, error: Exception) -> None:
        self._ingest.leave_out(f"{turn} cannot be rebuilt", error)

    def _withdraw(self, trace_id: str, span_id: str) -> None:
        self._ingest.withdraw(trace_id, span_id)

    def _tell_damage(self, what: str) -> None:
        self._send(Remark(text=what, once=True))

    def _remark(self, text: str) -> None:
        self._send(Remark(text=text))

    def _send(self, message: Told) -> None:
        with self._output_lock:
            try:
                self._output.write(line_of(message))
                self._output.flush()
            except BrokenPipeError:
                self.end_at_once()


def main() -> int:
    """What the child runs."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent says when to end
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    orders = _lines(sys.stdin.fileno())
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no message
    begin = ORDERS.decode(next(orders, b"null"))
    if not isinstance(begin, Begin):
        return FAILURE
    try:
        understander = Understander(begin, output)
    except AgentNetOtelError as error:
        output.write(line_of(Remark(text=str(error), trouble=str(error))))
        output.flush()
        return FAILURE
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    threading.Thread(target=_listen, args=(orders, understander), daemon=True).start()
    understander.run()
    return 0


def _listen(orders: Iterator[bytes], understander: Understander) -> None:
    """Pass orders on; where the parent is gone, end: the next one waits for the lock that this process holds too."""
    for line in orders:
        understander.take_order(ORDERS.decode(line))
    understander.end_at_once()


def _lines(descriptor: int) -> Iterator[bytes]:
    """Lines without a lock of a buffer, which a thread that waits for one would hold while the interpreter ends."""
    rest = b""
    while piece := os.read(descriptor, _PIECE_BYTES):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


if __name__ == "__main__":
    sys.exit(main())
