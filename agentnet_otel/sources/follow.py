"""Turns of sources that grow, as ``tail -F`` follows them.

A file is read to its end, then on whenever it is longer. Where another file has taken its place (rotation by renaming),
what is left of the old one is read first; where it is shorter than it was, or begins otherwise (copied and truncated),
it is read from its start. Of a directory every file is followed, those that come later too, whatever they are renamed
to. What is not whole (half a line, half a message) waits for its rest.

A turn is told when nothing of its trace came for the quiet period, and once more, as its next revision, when a span of
it comes late. Everything held has a bound: spans by the assembler, half lines by `MAX_LINE_BYTES`, open files by
`OPEN_FILES`.
"""

import errno
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentnet_otel.core.assembler import Assembler, Counts
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.errors import AgentNetOtelError, ConfigurationError
from agentnet_otel.model import Turn
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.files import STDIN, files_in_order, name_before_rotation, unpacked_name
from agentnet_otel.sources.growing import GrowingPayloads
from agentnet_otel.sources.jaeger_json import PREFIX
from agentnet_otel.sources.native.turns import native_turn_of
from agentnet_otel.sources.plain_payloads import PlainDecoder
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import is_store
from agentnet_otel.sources.shape import Payload

POLL_S: Final = 0.25
"""How often files are looked at where nothing comes."""
SETTLE_S: Final = 1.0
"""How long a document or a message that fills its file has to be unchanged before it is taken for whole."""
MAX_SPANS: Final = 200_000
"""Spans held at once; beyond it the trace that was quiet longest is told as it is."""
OPEN_FILES: Final = 128
"""Files that are kept open; of more, those that were quiet longest are opened again when they grow."""
READ_NAMES: Final = 10_000
"""Names in a directory that are remembered, so that a file that is compressed later is not read again."""
BEGIN_BYTES: Final = 4096
"""By so many it is told that a file was truncated and is as long again: they hold ids, so no two begin alike."""
_CHUNK: Final = 1 << 20
_NANOS: Final = 1_000_000_000
_NOTHING: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})

Identity = tuple[int, int]


class Follower:
    """Follows sources until all of them have ended, which only a pipe does, or somebody stops asking.

    ``quiet_s``: how long a trace has to be quiet before its turns are told. ``now_ns``: epoch nanoseconds; ``pause``
    waits for so many seconds.

    Raises:
        ConfigurationError: a source is none that grows.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        *,
        quiet_s: float,
        group_calls: bool = False,
        prices: PriceBook | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.read = ReadReport()
        self._now_ns = now_ns
        self._pause = pause
        self._flushed_ns = 0
        self._decoder = PayloadDecoder()
        self._plain = PlainDecoder()
        self._assembler = Assembler(
            quiet_ns=round(quiet_s * _NANOS),
            max_spans=MAX_SPANS,
            group_calls=group_calls,
            prices=prices,
            turn_of=native_turn_of,
        )
        self._sources = [_source_of(str(source), self.read) for source in sources]
        self.read.sources += len(self._sources)

    @property
    def out_of_order(self) -> int:
        """Always 0: turns come as they become complete, in no other order."""
        return 0

    @property
    def counts(self) -> Counts:
        """What the spans came to, and what could not be used."""
        return self._assembler.counts

    def turns(self) -> Iterator[list[Turn]]:
        """The turns as they become complete, often none: then the caller may look at other things."""
        while True:
            yield self._quiet_ones()
            grew = False
            for source in self._sources:
                for payload in source.poll(self._now_ns()):
                    grew = True
                    if told := self._taken(payload):
                        yield told
                    if self._now_ns() - self._flushed_ns >= POLL_S * _NANOS:  # a look goes through all that is held
                        yield self._quiet_ones()
            yield []
            if all(source.ended for source in self._sources):
                return
            if not grew:
                self._pause(POLL_S)

    def _quiet_ones(self) -> list[Turn]:
        self._flushed_ns = self._now_ns()
        return self._assembler.flush(self._flushed_ns)

    def rest(self) -> list[Turn]:
        """What is open when no more is asked for, as it is."""
        found: list[Turn] = []
        for source in self._sources:
            for payload in source.close():
                found += self._taken(payload)
        return [*found, *self._assembler.drain()]

    def _taken(self, payload: Payload) -> list[Turn]:
        batch = self._plain.decode(payload.data, payload.form)
        if batch is not None:
            self.read.spans += batch.passed
            return self._assembler.take_batch(batch.spans)
        turns: list[Turn] = []
        for span in self._decoder.records(payload, self.read):
            turns += self._assembler.feed(span)
        return turns


def _source_of(source: str, report: ReadReport) -> "_File | _Folder | _Pipe":
    """What follows a source.

    Raises:
        ConfigurationError: it is none that grows, or no path.
    """
    if source == STDIN:
        return _Pipe(report)
    if source.startswith(PREFIX) or is_store(source):
        message = (
            f"{source}: only files, directories and - are followed; `serve` answers /api/turns?cursor= with new turns"
        )
        raise ConfigurationError(message)
    if "\0" in source:
        message = "a path holds a zero byte"
        raise ConfigurationError(message)
    path = Path(source)
    return _Folder(path, report) if path.is_dir() else _File(path, report)


@dataclass(slots=True, eq=False)
class _Tail:
    """One file, whatever its name is by now: what was read of it, and what of that waits for its rest."""

    path: Path
    report: ReadReport
    identity: Identity
    descriptor: int | None
    offset: int = 0
    begin: bytes = b""
    """Its first bytes, up to `BEGIN_BYTES`."""
    grew_ns: int = 0
    changed_ns: int = 0
    """When it was last written to, as its file system tells."""
    settled: bool = True
    given_up: bool = False
    payloads: GrowingPayloads = field(init=False)

    def __post_init__(self) -> None:
        self.payloads = GrowingPayloads(str(self.path), self.report)

    @classmethod
    def open(cls, path: Path, report: ReadReport) -> "_Tail":
        """The file that has this name now.

        Raises:
            OSError: it cannot be opened.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return cls(path=path, report=report, identity=_identity(os.fstat(descriptor)), descriptor=descriptor)

    def read_on(self, now_ns: int) -> Iterator[Payload]:
        """What came since; what has no end of its own is taken when it is quiet."""
        while data := self._more():
            self.begin += data[: BEGIN_BYTES - len(self.begin)]
            self.offset += len(data)
            self.grew_ns, self.settled = now_ns, False
            yield from self._given(self.payloads.feed(data))
        if not self.settled and now_ns - self.grew_ns >= SETTLE_S * _NANOS:
            self.settled = True
            yield from self._given(self.payloads.settle())

    def _more(self) -> bytes:
        if self.given_up or self.descriptor is None:
            return b""
        try:
            return os.read(self.descriptor, _CHUNK)
        except OSError as error:
            if error.errno not in _NOTHING:
                self._give_up(f"cannot be read on: {error.strerror or error}")
            return b""

    def was_truncated(self) -> bool:
        """Whether it is shorter than what was read of it, or, as long as that or longer by now, begins otherwise."""
        if self.descriptor is None or self._is_pipe():
            return False
        seen = os.fstat(self.descriptor)
        changed, self.changed_ns = seen.st_mtime_ns != self.changed_ns, seen.st_mtime_ns
        if seen.st_size < self.offset or (seen.st_size == self.offset and not changed):
            return seen.st_size < self.offset
        try:
            return os.pread(self.descriptor, len(self.begin), 0) != self.begin
        except OSError:  # reading on tells what is wrong
            return False

    def _is_pipe(self) -> bool:
        return self.descriptor is not None and stat.S_ISFIFO(os.fstat(self.descriptor).st_mode)

    def start_anew(self) -> Iterator[Payload]:
        """Read it from its start, as it was truncated."""
        yield from self._given(self.payloads.finish())
        self.report.tell(str(self.path), "it was truncated; it is read from its start")
        self.payloads = GrowingPayloads(str(self.path), self.report)
        self.begin, self.offset, self.given_up = b"", 0, False
        if self.descriptor is not None:
            os.lseek(self.descriptor, 0, os.SEEK_SET)

    def end(self, now_ns: int) -> Iterator[Payload]:
        """What is left of it; then it is closed."""
        yield from self.read_on(now_ns)
        yield from self._given(self.payloads.finish())
        self.pause()

    def pause(self) -> None:
        """Close it, to be opened again when it grows."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def resume(self, path: Path, size: int) -> None:
        """Open it again under its name of now, if it is longer than what was read, or shorter."""
        self.path = path
        if self.descriptor is not None or size == self.offset:
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if _identity(os.fstat(descriptor)) != self.identity:  # another one by now: the next look finds it
            os.close(descriptor)
            return
        os.lseek(descriptor, self.offset, os.SEEK_SET)
        self.descriptor = descriptor

    def _given(self, payloads: Iterator[Payload]) -> Iterator[Payload]:
        if self.given_up:
            return
        try:
            yield from payloads
        except AgentNetOtelError as error:
            self._give_up(str(error))

    def _give_up(self, what: str) -> None:
        """Read no more of it, for what follows cannot be understood."""
        self.given_up = True
        self.report.unreadable_sources += 1
        self.report.tell(str(self.path), what)


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


class _File:
    """The file of a name, and the next one of that name; or the directory, where one comes to be there."""

    ended = False

    def __init__(self, path: Path, report: ReadReport) -> None:
        self._path = path
        self._report = report
        self._tail: _Tail | None = None
        self._folder: _Folder | None = None
        self._told_missing = False

    def poll(self, now_ns: int) -> Iterator[Payload]:
        """What came since."""
        if self._folder is not None:
            yield from self._folder.poll(now_ns)
            return
        tail = self._tail = self._tail or self._opened()
        if tail is None:
            return
        if tail.was_truncated():
            yield from tail.start_anew()
        yield from tail.read_on(now_ns)
        if self._was_replaced(tail):
            yield from tail.end(now_ns)
            self._tail = None

    def close(self) -> Iterator[Payload]:
        """What is left."""
        if self._tail is not None:
            yield from self._tail.end(0)
        if self._folder is not None:
            yield from self._folder.close()

    def _was_replaced(self, tail: _Tail) -> bool:
        try:
            return _identity(self._path.stat()) != tail.identity
        except OSError:  # renamed, and no other one is there yet
            return False

    def _opened(self) -> _Tail | None:
        if os.path.isdir(self._path):  # noqa: PTH112 - the method of Path raises for paths that cannot be
            self._folder = _Folder(self._path, self._report)
            return None
        try:
            return _Tail.open(self._path, self._report)
        except OSError as error:
            if not self._told_missing:
                self._told_missing = True
                self._report.tell(str(self._path), f"cannot be opened yet: {error.strerror}; it is waited for")
            return None


class _Folder:
    """All files below a directory, by what they are, not by name: a file that is renamed is not read again."""

    ended = False

    def __init__(self, path: Path, report: ReadReport) -> None:
        self._path = path
        self._report = report
        self._tails: dict[Identity, _Tail] = {}
        self._read_names: dict[str, None] = {}
        self._told: dict[str, None] = {}
        """What could not be read, which is looked for again each time."""

    def poll(self, now_ns: int) -> Iterator[Payload]:
        """What came since, the files in their order."""
        found = self._found()
        gone = set()
        for identity in [identity for identity in self._tails if identity not in found]:
            ended = self._tails.pop(identity)
            yield from ended.end(now_ns)
            gone.add(name_before_rotation(str(ended.path)))
        for identity, (path, size) in found.items():
            tail = self._tails.get(identity)
            try:
                if tail is None:
                    tail = self._new(path, gone)
                tail.resume(path, size)
            except OSError as error:
                self._tell(str(path), f"cannot be opened: {error.strerror}")
                continue
            self._tails[tail.identity] = tail
            self._remember(self._read_names, str(path))
            if tail.was_truncated():
                yield from tail.start_anew()
            yield from tail.read_on(now_ns)
            self._close_quiet_ones()

    def close(self) -> Iterator[Payload]:
        """What is left of each."""
        for tail in self._tails.values():
            yield from tail.end(0)

    def _new(self, path: Path, gone: set[str]) -> _Tail:
        """A file that was not there; one that only compresses what was read, be it renamed since, is not read."""
        tail = _Tail.open(path, self._report)
        name = unpacked_name(str(path))
        if name != str(path) and (name in self._read_names or name_before_rotation(name) in gone):
            tail.given_up = True
        return tail

    def _found(self) -> dict[Identity, tuple[Path, int]]:
        found: dict[Identity, tuple[Path, int]] = {}
        for path in map(Path, files_in_order(str(self._path), self._tell)):
            try:
                seen = path.stat()
            except FileNotFoundError:  # it went away meanwhile
                continue
            except OSError as error:
                self._tell(str(path), f"cannot be opened: {error.strerror}")
                continue
            found[_identity(seen)] = (path, seen.st_size)
        return found

    def _tell(self, path: str, what: str) -> None:
        """Tell once what is wrong with a path, however often it is looked at."""
        if path not in self._told:
            self._remember(self._told, path)
            self._report.unreadable_sources += 1
            self._report.tell(path, what)

    @staticmethod
    def _remember(names: dict[str, None], name: str) -> None:
        names[name] = None
        if len(names) > READ_NAMES:
            del names[next(iter(names))]

    def _close_quiet_ones(self) -> None:
        is_open = [tail for tail in self._tails.values() if tail.descriptor is not None]
        if len(is_open) > OPEN_FILES:
            min(is_open, key=lambda tail: tail.grew_ns).pause()


class _Pipe:
    """Standard input."""

    def __init__(self, report: ReadReport) -> None:
        if sys.stdin is None:
            message = "this process has no standard input"
            raise ConfigurationError(message)
        self._descriptor = sys.stdin.fileno()
        self._grows = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._payloads = GrowingPayloads("standard input", report)
        self._report = report
        self._given_up = False
        self.ended = False

    def poll(self, now_ns: int) -> Iterator[Payload]:
        """What has come; nothing is waited for."""
        del now_ns
        while not self.ended and select.select([self._descriptor], [], [], 0)[0]:
            data = os.read(self._descriptor, _CHUNK)
            if not data:
                self.ended = not self._grows
                if self.ended:
                    yield from self._given(self._payloads.finish())
                return
            yield from self._given(self._payloads.feed(data))

    def close(self) -> Iterator[Payload]:
        """What is left."""
        if not self.ended:
            yield from self._given(self._payloads.finish())

    def _given(self, payloads: Iterator[Payload]) -> Iterator[Payload]:
        if self._given_up:
            return
        try:
            yield from payloads
        except AgentNetOtelError as error:
            self._given_up = True
            self._report.unreadable_sources += 1
            self._report.tell("standard input", str(error))
