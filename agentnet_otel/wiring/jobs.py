"""Turns out of sources that several processes read together."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from functools import partial
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeVar, cast

from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.ending_order import EndingOrder
from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import is_store
from agentnet_otel.sources.share import MAX_JOBS
from agentnet_otel.wiring import sharer
from agentnet_otel.wiring.agreement import MAX_AGREEING, Line, lines_between
from agentnet_otel.wiring.sharing import Done, Failed, Inbox, Message, Told, ToldAs, Work, encode, judged_in

T = TypeVar("T")

_COMMAND: Final = (sys.executable, "-m", "agentnet_otel.wiring.sharer")
_PIPE_BYTES: Final = 1 << 20
"""Room in a pipe, where the system lets it be set: a process need not wait for each message to be read."""
_SET_PIPE_SIZE: Final = 1031


def can_share(sources: Sequence[str]) -> bool:
    """Whether each of several processes can read the sources: files and directories, that is."""
    return all(os.path.exists(source) and not is_store(source) and not _is_pipe(source) for source in sources)  # noqa: PTH110


def _is_pipe(source: str) -> bool:
    return not (Path(source).is_file() or Path(source).is_dir())


@dataclass(frozen=True, slots=True)
class Wanted(Generic[T]):
    """What is wanted of each turn, and how it is made of what processes tell."""

    form: ToldAs
    of_told: Callable[[bytes], T]


LINES: Final = Wanted(ToldAs.LINE, bytes)
JUDGED: Final = Wanted(ToldAs.JUDGED, judged_in)


class SharedTurns(Generic[T]):
    """What is ``wanted`` of turns, in order of ending, made by ``jobs`` processes; otherwise as `TurnStream`.

    Raises:
        ConfigurationError: there cannot be so many.
    """

    def __init__(
        self,
        sources: Sequence[str],
        jobs: int,
        wanted: Wanted[T],
        tick: Callable[[int], None] | None = None,
        *,
        group_calls: bool = False,
    ) -> None:
        if not 1 <= jobs <= MAX_JOBS:
            message = f"{jobs} jobs cannot share the work; give 1 to {MAX_JOBS}"
            raise ConfigurationError(message)
        self.read = ReadReport()
        self.counts = Counts()
        self.environment: Mapping[str, str] = {}
        self.out_of_order = 0
        self._tick = tick
        self._ticked = 0
        self._works = [
            Work(sources=list(sources), number=number, jobs=jobs, form=wanted.form, group_calls=group_calls)
            for number in range(jobs)
        ]
        self._of_told = wanted.of_told

    def in_order(self) -> Iterator[T]:
        """Each turn.

        Raises:
            BackendError: a process died.
        """
        order = EndingOrder[bytes]()
        with _running(self._works) as inbox:
            firsts = [(work.number, self._next(inbox, work.number)) for work in self._works]
            heap = [(told.batch, number, told) for number, told in firsts if told is not None]
            heapify(heap)
            while heap:
                batch = heap[0][0]
                while heap and heap[0][0] == batch:
                    _, number, told = heappop(heap)
                    order.push(told.turns)
                    following = self._next(inbox, number)
                    if following is not None:
                        heappush(heap, (following.batch, number, following))
                yield from map(self._of_told, order.ready())
        yield from map(self._of_told, order.rest())
        self.out_of_order = order.out_of_order

    def _next(self, inbox: Inbox, number: int) -> Told | None:
        """What a process tells next; None after its last turns, whose end is noted."""
        message: Message | None = inbox.next(number)
        if isinstance(message, Told):
            if number == 0 and self._tick is not None:
                self._tick(message.spans - self._ticked)
                self._ticked = message.spans
            return message
        if message is None:
            text = f"process {number + 1} of {len(self._works)} that read the sources ended early; try fewer --jobs"
            raise BackendError(text)
        if isinstance(message, Failed):
            raise (ConfigurationError if message.wrong_use else BackendError)(message.message)
        self._note_end(message, number)
        return None

    def _note_end(self, done: Done, number: int) -> None:
        for field in fields(Counts):
            setattr(self.counts, field.name, getattr(self.counts, field.name) + getattr(done.counts, field.name))
        if number == 0:  # all of them read the same
            self.read, self.environment = done.read, done.environment


@contextmanager
def _running(works: Sequence[Work]) -> Iterator[Inbox]:
    """Processes at work, and what they tell; whatever happens, none is left behind.

    Raises:
        BackendError: they cannot be started.
    """
    processes: list[_Process] = []
    try:
        agree = _start(works, processes)
        for process in processes:
            _widen(process.told)
        with closing(Inbox([process.told.fileno() for process in processes], together=agree)) as inbox:
            yield inbox
    finally:
        for process in processes:
            process.kill()  # it has told all, or nobody wants to know; it leaves nothing that it would have to end
        for process in processes:
            process.wait()
            process.told.close()


@dataclass(frozen=True, slots=True)
class _Process:
    """A process at work: what it tells, how it is ended, how its end is waited for."""

    told: BinaryIO
    kill: Callable[[], object]
    wait: Callable[[], object]


def _can_fork() -> bool:
    """Whether a copy of this process can do the work: a fork copies one thread, with the locks of all.

    It spares the work's imports, which cost as much as reading some hundred thousand spans.
    """
    return sys.platform == "linux" and threading.active_count() == 1


def _start(works: Sequence[Work], processes: list[_Process]) -> bool:
    """Start processes, which are put to the others one by one; whether they agree with each other."""
    try:
        if _can_fork():
            return _fork(works, processes)
        processes.extend(map(_spawned, works))
    except OSError as error:
        text = f"{len(works)} processes cannot be started: {error.strerror or error}; try fewer --jobs"
        raise BackendError(text) from None
    return False


def _fork(works: Sequence[Work], processes: list[_Process]) -> bool:
    """Start processes; they agree with each other, if they are not too many."""
    lines: list[Line] = []
    if len(works) <= MAX_AGREEING:
        with suppress(OSError):  # there cannot be so many pipes: then each of them looks at everything
            lines = lines_between(len(works))
    try:
        processes.extend(_forked(work, lines) for work in works)
    finally:
        for line in lines:
            line.close()
    return bool(lines)


def _forked(work: Work, lines: Sequence[Line]) -> _Process:
    """A copy of this process, which has imported all already."""
    reader, writer = os.pipe()
    with _without_ctrl_c():
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            sharer.work_and_exit(work, writer, lines)
    os.close(writer)
    return _Process(os.fdopen(reader, "rb"), partial(os.kill, pid, signal.SIGKILL), partial(os.waitpid, pid, 0))


def _spawned(work: Work) -> _Process:
    """A new process."""
    with _without_ctrl_c():
        process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - this package
    with suppress(BrokenPipeError), cast("BinaryIO", process.stdin) as stdin:  # it is missed where it should tell
        stdin.write(encode(work))
    return _Process(cast("BinaryIO", process.stdout), process.kill, process.wait)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Ctrl-C waits until after. A process that is started here never gets it, not even before its first line."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _widen(pipe: BinaryIO) -> None:
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - other systems have none

        try:
            fcntl.fcntl(pipe.fileno(), _SET_PIPE_SIZE, _PIPE_BYTES)
        except OSError:  # the user has used up what pipes may hold; it works as it is
            return
