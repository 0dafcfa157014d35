"""The process that understands, as the one that receives sees it: started, fed, asked, and started again if it dies."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import IO, Final

import msgspec

from agentnet_otel.core.assembler import Counts
from agentnet_otel.errors import BackendError
from agentnet_otel.service.messages import (
    TOLD,
    AskFigures,
    Begin,
    Figures,
    Finish,
    Forget,
    Forgotten,
    Grown,
    Order,
    Progress,
    Told,
    line_of,
)
from agentnet_otel.sources.store.whereabouts import Deaths

ANSWER_S: Final = 2.0
"""How long its figures may take; then those that it told last are shown."""
FINISH_S: Final = 10.0
"""How long it may understand at the end; what is left is understood after the next start."""
KILL_S: Final = 10.0
MAX_ORDERS: Final = 1_000
"""Orders that may wait to be taken."""
RESTART_S: Final = 1.0
MAX_RESTART_S: Final = 30.0
"""Between starts of a process that dies: longer each time, up to this."""
DEATHS: Final = 3
"""Times in a row that it may die at a request before that is set aside."""
DEATHS_TOGETHER: Final = 10
"""And times that it was found dead after a start: then all of `serve` was killed, most likely from outside."""

_COMMAND: Final = (sys.executable, "-m", "agentnet_otel.service.understanding")


class Child:
    """Runs the process. ``locks``: the descriptors that it has to hold; ``forgotten`` gets what it told of `Forget`.

    ``tell_once`` gets sentences that others tell as well. ``died`` tells at which request the last process died, and
    ``set_aside`` takes that out of the way, and says so in a sentence (None: it was not there).
    """

    def __init__(
        self,
        begin: Begin,
        locks: tuple[int, ...],
        tell: Callable[[str], None],
        forgotten: Callable[[Forgotten], None],
        tell_once: Callable[[str], None],
        died: Callable[[], Deaths | None],
        set_aside: Callable[[int], str | None],
    ) -> None:
        self._begin = begin
        self._locks = locks
        self._tell = tell
        self._forgotten = forgotten
        self._tell_once = tell_once
        self._died = died
        self._set_aside = set_aside
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._answer: Future[Figures] | None = None
        self._answer_lock = threading.Lock()
        self._finishing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._end = 0
        self._figures = Figures(body=msgspec.Raw(b"{}"), counted=0, left_out=0, folded=0)
        self.restarts = 0
        self.aside = 0
        """Requests that were, since the start."""
        self._down: str | None = None
        self._cannot_keep: str | None = None
        self.progress = _nothing_done(0)
        self._threads = [
            threading.Thread(target=self._feed, name="agentnet-otel-orders", daemon=True),
            threading.Thread(target=self._keep_running, name="agentnet-otel-understanding", daemon=True),
        ]

    @property
    def trouble(self) -> str | None:
        """Why turns cannot be kept now."""
        return self._down or self._cannot_keep

    def start(self, place: int, end: int) -> None:
        """Begin; ``place``: up to where requests were understood, ``end``: where they end now."""
        self.progress = _nothing_done(place)
        self._end = end
        for thread in self._threads:
            thread.start()

    def grown(self, end: int) -> None:
        """Requests are durable up to here. Never waits; of ends that find no room only the newest is kept."""
        self._end = max(self._end, end)
        if self._orders.qsize() < MAX_ORDERS:
            self._orders.put(Grown(end=end))

    def forget(self, before_ns: int, max_bytes: int) -> None:
        """Have old turns deleted."""
        self._orders.put(Forget(before_ns=before_ns, max_bytes=max_bytes))

    def figures(self) -> Figures:
        """What the metrics counted; what they had counted when it answered last, where it does not."""
        with self._answer_lock:
            self._answer = answer = Future[Figures]()
            self._orders.put(AskFigures())
            with suppress(FutureTimeoutError):
                self._figures = answer.result(ANSWER_S)
            return self._figures

    def stop(self) -> None:
        """Have it understand what is there, as far as time allows, and end."""
        if not self._threads[0].is_alive():
            return
        self._finishing.set()
        self._orders.put(Finish(within_s=FINISH_S))
        self._threads[1].join(FINISH_S + KILL_S)
        if self._threads[1].is_alive() and self._process is not None:
            self._process.kill()
            self._threads[1].join()
        self._orders.put(None)
        self._threads[0].join()

    # --- its life ------------------------------------------------------------------------------------

    def _keep_running(self) -> None:
        pause_s = RESTART_S
        self._look_for_culprit(DEATHS_TOGETHER)  # the last one may have died with the process that started it
        while True:
            began = time.monotonic()
            try:
                ended = f"ended with {self._run_once()}"
            except OSError as error:
                ended = f"could not be started: {error.strerror or error}"
            if self._finishing.is_set():
                return
            self.restarts += 1
            self._down = f"the process that understands {ended}"
            if self._look_for_culprit(DEATHS) or time.monotonic() - began > MAX_RESTART_S:
                pause_s = RESTART_S
            self._tell(f"{self._down}; it is started again in {pause_s:g} s. Nothing is lost: it is on the disk")
            if self._finishing.wait(pause_s):
                return
            pause_s = min(2 * pause_s, MAX_RESTART_S)

    def _look_for_culprit(self, enough: int) -> bool:
        """Have the request set aside at which it died so often in a row; whether that was done."""
        deaths = self._died()
        if deaths is None or deaths.times < enough:
            return False
        try:
            where = self._set_aside(deaths.place)
        except BackendError as error:
            self._tell(str(error))
            return False
        if where is None:
            return False
        self.aside += 1
        self._tell(f"a request was set aside, at which the process that understands died {deaths.times} times: {where}")
        return True

    def _run_once(self) -> int:
        with subprocess.Popen(  # noqa: S603 - this program itself
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=self._locks
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise AssertionError
            with suppress(BrokenPipeError):
                begin = msgspec.structs.replace(self._begin, careful=self.restarts > 0)
                process.stdin.write(line_of(begin) + line_of(Grown(end=self._end)))
                process.stdin.flush()
            self._process = process
            if self._finishing.is_set():
                self._orders.put(Finish(within_s=FINISH_S))
            self._hear(process.stdout)
            self._process = None
            with suppress(BrokenPipeError):
                process.stdin.close()
            return process.wait()

    def _hear(self, output: IO[bytes]) -> None:
        for line in output:
            try:
                told = TOLD.decode(line)
            except msgspec.DecodeError as error:
                self._tell(f"the process that understands cannot be understood: {error}")
                return
            self._take(told)

    def _take(self, told: Told) -> None:
        if isinstance(told, Progress):
            self.progress = told
            self._down = None
        elif isinstance(told, Figures):
            answer = self._answer
            if answer is not None and not answer.done():
                answer.set_result(told)
        elif isinstance(told, Forgotten):
            self._forgotten(told)
        elif told.once:
            self._tell_once(told.text)
        elif told.trouble is None:
            self._tell(told.text)
        elif (trouble := told.trouble or None) != self._cannot_keep:  # it tries again and again
            self._cannot_keep = trouble
            self._tell(told.text)

    def _feed(self) -> None:
        """Pass orders on. Only the newest end matters; what a process that is gone did not take is of no use."""
        while (order := self._orders.get()) is not None:
            if isinstance(order, Grown):
                if not self._orders.empty():
                    continue
                order = Grown(end=self._end)
            else:
                self._write(Grown(end=self._end))
            self._write(order)

    def _write(self, order: Order) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(BrokenPipeError, ValueError):
                process.stdin.write(line_of(order))
                process.stdin.flush()


def _nothing_done(place: int) -> Progress:
    """How far it came where all before ``place`` was done earlier."""
    return Progress(
        place=place,
        arrived_ns=0,
        counts=Counts(),
        bad_spans=0,
        bad_requests=0,
        bad_turns=0,
        held_spans=0,
        held_traces=0,
    )
