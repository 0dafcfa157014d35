"""Requests on disk, as they came, before anybody understood them: what was acknowledged is here.

The log is a folder of segments, each a run of records: length, checksum, kind and time of arrival, then the bytes of
the request. One thread writes. It takes whatever waits, writes it at once and syncs once for all of it (group
commit); then the callers are told.

What can go wrong: a process that is killed leaves a torn record at the end, which nobody was told was kept: it is cut
off. A full disk fails those that wait, the file is cut back to its last whole record, and the next ones are tried
again. The same where the file was removed or moved away under the process. A record with a wrong checksum elsewhere is
damage: the segment as it was is put into quarantine, in its copy the damaged record is blank, and it is told. Where the
damage hides how long the record is, what follows it in the segment is lost too. Places in the log stay what they were.
"""

import errno
import os
import queue
import shutil
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from agentnet_otel.errors import BackendError
from agentnet_otel.sources.compression import read_at_most

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Where a segment ends and the next begins."""
SEGMENT_S: Final = 3600.0
"""The same by age: what is not needed any more is deleted by segments."""
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Bytes that may wait for the disk; beyond it senders are asked to come back."""
MAX_RECORD_BYTES: Final = 64 * 1024 * 1024

_HEADER: Final = struct.Struct("<IIIQ")
"""Length, CRC-32 of what follows the first eight bytes, kind and check, arrival in epoch nanoseconds.

The check is the upper 24 bits beside the kind: those of a CRC-32 of length, kind and arrival. So a length that is
damaged is not taken for that of a record which was never finished. 0: written by a version without it.
"""
MIN_ROOM: Final = _HEADER.size
"""Bytes that a request in the place of another has to be shorter, if it is shorter."""
_UNCHECKED_BYTES: Final = 8
_KIND_BITS: Final = 0xFF
_OFFSET_BITS: Final = 40
MAX_SEGMENT: Final = 2**22
"""The highest number of a segment: beyond it places would not fit into a database."""
_DIGITS: Final = 10
_NEW: Final = ".new"
_SUFFIX: Final = ".log"
_QUARANTINE: Final = "quarantine"
_MODE: Final = 0o600
_MAX_BATCH: Final = 512
_TRIAL: Final = bytes(4096)
"""More than what is left of a block that has room."""
BLANK: Final = 0
"""The kind of a record in the place of a damaged one."""


class OverloadedError(BackendError):
    """More is waiting than there is room for; the sender may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One request. ``end``: the position after it, as `RawLog.read` takes it."""

    kind: int
    arrived_ns: int
    data: bytes
    end: int

    @property
    def start(self) -> int:
        """The position where it begins."""
        return self.end - _HEADER.size - len(self.data)


@dataclass(frozen=True, slots=True)
class _Waiting:
    encoded: bytes
    future: "Future[None]"


class LogReader:
    """Reads a log, be it another process that writes it. Segments that are gone are passed over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, start: int, end: int) -> Iterator[LogRecord]:
        """The records from a position on, up to another one; from the oldest one where that is gone."""
        number, offset = divmod(start, 1 << _OFFSET_BITS)
        end_number, end_offset = divmod(end, 1 << _OFFSET_BITS)
        for segment in _numbers_in(self._folder):
            if number <= segment <= end_number:
                limit = end_offset if segment == end_number else None
                yield from self._read_segment(segment, offset if segment == number else 0, limit)

    def _read_segment(self, number: int, offset: int, limit: int | None) -> Iterator[LogRecord]:
        try:
            file = _path(self._folder, number).open("rb")
        except FileNotFoundError:  # forgotten meanwhile
            return
        with file:
            file.seek(offset)
            while limit is None or offset < limit:
                record = _read_record(file)
                if record is None:
                    return
                kind, arrived_ns, data = record
                offset += _HEADER.size + len(data)
                yield LogRecord(kind=kind, arrived_ns=arrived_ns, data=data, end=position(number, offset))


class RawLog:
    """The log in ``folder``, for its one writer. `append` may be called from any thread.

    ``told_end`` is called with the new end of what is durable, from the thread that writes.

    Raises:
        BackendError: the folder cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_S,
        told_end: Callable[[int], None] | None = None,
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self.told_end = told_end
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._torn = False
        self._rotating = False
        self._begun_s = time.monotonic()
        self.failure: str | None = None
        """Why the last write failed; None after one that did not."""
        self._lock = threading.Lock()
        self._closed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._numbers = self._recover()
            self._descriptor = self._create(self._numbers[-1])
            self._size = os.fstat(self._descriptor).st_size
            self._sizes = {number: self._path(number).stat().st_size for number in self._numbers[:-1]}
            """Of the segments before the newest."""
        except OSError as error:
            message = f"the store {folder} cannot be used: {error.strerror or error}"
            raise BackendError(message) from None
        self.end = position(self._numbers[-1], self._size)
        self._thread = threading.Thread(target=self._write_all, name="agentnet-otel-log", daemon=True)
        self._thread.start()

    # --- writing -------------------------------------------------------------------------------------

    def append(self, kind: int, arrived_ns: int, data: bytes) -> "Future[None]":
        """Have a request written; the future is done when it is on the disk.

        Raises:
            OverloadedError: too much is waiting.
            BackendError: the log is closed.
        """
        encoded = _encode(kind, arrived_ns, data)
        waiting = _Waiting(encoded, Future())
        with self._lock:
            if self._closed:
                message = "the store is closing"
                raise BackendError(message)
            if self._waiting_bytes + len(encoded) > MAX_WAITING_BYTES:
                message = f"{self._waiting_bytes:,} bytes wait for the disk"
                raise OverloadedError(message)
            self._waiting_bytes += len(encoded)
            self._waiting.put(waiting)
        return waiting.future

    def close(self) -> None:
        """Write what waits, and close."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._size)  # nothing but what was acknowledged
        os.close(self._descriptor)

    def drain(self) -> None:
        """Return when all that waits now was written, or could not be."""
        with self._lock:
            if self._closed:
                return
            mark = _Waiting(b"", Future())
            self._waiting.put(mark)
        with suppress(BackendError):
            mark.future.result()

    def try_again(self) -> None:
        """Where the last write failed, look whether one would go well now, by a blank record.

        Whoever is told that it is not ready sends nothing more, so that it would never be found out otherwise.
        """
        if self.failure is not None:
            with suppress(BackendError):
                self.append(BLANK, 0, _TRIAL)

    def _write_all(self) -> None:
        while True:
            batch, last = self._take_batch()
            if batch:
                self._write_batch(batch)
            if last:
                return

    def _take_batch(self) -> tuple[list[_Waiting], bool]:
        """All that waits, at least one; and whether the log is to be closed."""
        batch: list[_Waiting] = []
        item = self._waiting.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _MAX_BATCH:
                return batch, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        size = sum(len(waiting.encoded) for waiting in batch)
        try:
            self._write(b"".join(waiting.encoded for waiting in batch))
        except OSError as error:
            failure: Exception | None = BackendError(f"the store {self._folder}: {error.strerror or error}")
        else:
            failure = None
            self.end = position(self._numbers[-1], self._size)
            if self.told_end is not None:
                self.told_end(self.end)
        self._note_failure(None if failure is None else str(failure))
        with self._lock:
            self._waiting_bytes -= size
        for waiting in batch:
            if failure is None:
                waiting.future.set_result(None)
            else:
                waiting.future.set_exception(failure)

    def _note_failure(self, failure: str | None) -> None:
        """Tell when requests cannot be kept any more, and when they are again; not with each one."""
        if failure != self.failure:
            self._tell(failure or f"the store {self._folder}: requests are kept again")
        self.failure = failure

    def _write(self, data: bytes) -> None:
        """Write and sync; what was written in part is cut off again, now or before the next write."""
        if self._torn:
            os.ftruncate(self._descriptor, self._size)
            self._torn = False
        if self._size >= self._segment_bytes or (self._rotating and self._size):
            self._begin_segment()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
            self.check_place()
        except OSError as error:
            self._torn = True
            if error.errno == errno.EFBIG and self._size:  # no room in this file, perhaps in the next
                self._segment_bytes = self._size
            raise
        self._size += len(data)

    def check_place(self) -> None:
        """Raise where nobody will find again what is written: somebody removed the folder, or put another one there.

        Raises:
            FileNotFoundError: the file that is written to is not in the folder.
        """
        written = os.fstat(self._descriptor)
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(written, self._path(self._numbers[-1]).stat()):
                return
        reason = "its newest file was removed or moved while this runs; put it back, or stop this and start it again"
        raise FileNotFoundError(errno.ENOENT, reason)

    def _begin_segment(self) -> None:
        number = self._numbers[-1] + 1
        descriptor = self._create(number)
        os.close(self._descriptor)
        self._sizes = {**self._sizes, self._numbers[-1]: self._size}
        self._descriptor, self._size = descriptor, 0
        self._begun_s, self._rotating = time.monotonic(), False
        self._numbers = [*self._numbers, number]

    # --- reading and forgetting ----------------------------------------------------------------------

    def begin_behind(self, place: int) -> None:
        """Go on in a segment that lies behind a place, which a log had that is gone.

        Nothing may be appended meanwhile.

        Raises:
            BackendError: it cannot be made.
        """
        number = (place >> _OFFSET_BITS) + 1
        try:
            descriptor = self._create(number)
        except OSError as error:
            message = f"the store {self._folder} cannot be used: {error.strerror or error}"
            raise BackendError(message) from None
        os.close(self._descriptor)
        self._sizes = {**self._sizes, self._numbers[-1]: self._size}
        self._descriptor, self._size = descriptor, 0
        self._numbers = [*self._numbers, number]
        self.end = position(number, 0)

    def read(self, start: int) -> Iterator[LogRecord]:
        """The durable records from a position on; from the oldest one where that is gone."""
        return LogReader(self._folder).read(start, self.end)

    def at(self, place: int) -> LogRecord | None:
        """The durable record that begins at a position, None where none does."""
        record = next(self.read(place), None)
        return record if record is not None and record.start == place else None

    def blank(self, place: int) -> None:
        """Have the record that begins at a position passed over from now on. Only its head is written.

        Raises:
            OSError: it cannot be written.
        """
        record = self.at(place)
        if record is None:
            return
        number, offset = divmod(place, 1 << _OFFSET_BITS)
        with self._path(number).open("r+b") as file:
            file.seek(offset)
            file.write(_encode(BLANK, record.arrived_ns, record.data)[: _HEADER.size])
            file.flush()
            os.fsync(file.fileno())

    def rewrite(self, changed: Callable[[LogRecord], tuple[bytes, int]]) -> int:
        """Put other requests in the place of those that are there; returns the sum of what ``changed`` counted.

        It is asked for the bytes of each, which may not be more than they were, and not just a few less (`MIN_ROOM`):
        such a record goes whole, as does one of no bytes. What they have less is blank after that, so that places stay
        what they were: whoever is killed in between reads on where it was. Nothing may be appended meanwhile.

        Raises:
            BackendError: the disk is full; each segment is as it was, or done.
        """
        count = 0
        reader = LogReader(self._folder)
        try:
            for number in self._numbers:
                with _new_version_of(self._path(number)) as copy, copy.open("wb") as file:
                    for record in reader.read(position(number, 0), position(number, (1 << _OFFSET_BITS) - 1)):
                        data, counted = changed(record)
                        count += counted
                        file.write(_in_the_place_of(record, data))
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            message = f"the store {self._folder}: {error.strerror or error}"
            raise BackendError(message) from None
        os.close(self._descriptor)
        self._descriptor = self._create(self._numbers[-1])
        return count

    def forget_before(self, place: int) -> None:
        """Delete the segments that end before a position. The newest is never deleted, but gives way to a new one."""
        if self._size and time.monotonic() - self._begun_s > self._segment_s:
            self._rotating = True
            with self._lock:
                if not self._closed:
                    self._waiting.put(_Waiting(b"", Future()))
        number = place >> _OFFSET_BITS
        gone = [n for n in self._numbers[:-1] if n < number]
        for segment in gone:
            self._path(segment).unlink(missing_ok=True)
        self._numbers = [n for n in self._numbers if n not in gone]
        self._sizes = {n: size for n, size in self._sizes.items() if n not in gone}

    def bytes_from(self, place: int) -> int:
        """How many bytes of the log lie after a position."""
        number, offset = divmod(place, 1 << _OFFSET_BITS)
        end_number, end_offset = divmod(self.end, 1 << _OFFSET_BITS)
        sizes = dict(self._sizes)
        behind = sum(size for n, size in sizes.items() if number <= n < end_number)
        return max(0, behind + end_offset - (offset if number in sizes or number == end_number else 0))

    # --- opening -------------------------------------------------------------------------------------

    def _path(self, number: int) -> Path:
        return _path(self._folder, number)

    def _create(self, number: int) -> int:
        descriptor = os.open(self._path(number), os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name of a new file is to last as its content does
        finally:
            os.close(folder)
        return descriptor

    def _recover(self) -> list[int]:
        """Numbers of the segments, after cutting off a torn end and putting damaged ones into quarantine.

        A new version that was left half-written by a process that was killed goes first.
        """
        for left in self._folder.glob(f"*{_NEW}"):
            left.unlink()
        numbers = _numbers_in(self._folder)
        for number in numbers:
            path = self._path(number)
            whole = _sound_bytes(path, 0)
            rest = path.stat().st_size - whole
            if not rest:
                continue
            if number == numbers[-1] and _is_torn(path, whole):
                os.truncate(path, whole)
            else:
                self._quarantine(path, whole)
        return numbers or [1]

    def _quarantine(self, path: Path, damaged: int) -> None:
        """Keep the file aside; in its place stands a copy in which damaged records are blank."""
        folder = self._folder / _QUARANTINE
        folder.mkdir(exist_ok=True)
        place = 1
        while (kept := folder / f"{path.name}.{place}").exists():
            place += 1
        first, lost = damaged, 0
        with _new_version_of(path) as copy:
            shutil.copyfile(path, copy)
            while damaged < copy.stat().st_size:
                lost += _blank(copy, damaged)
                damaged = _sound_bytes(copy, damaged)
            shutil.copyfile(path, kept)
        self._tell(f"{path} is damaged at byte {first:,}: {lost:,} bytes could not be read; it was kept as {kept}")


@contextmanager
def _new_version_of(path: Path) -> Iterator[Path]:
    """Where to write what stands in the place of a file once the body is done; it is gone if that fails."""
    new = path.with_suffix(_NEW)
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def position(number: int, offset: int) -> int:
    """A place in the log as one number; later places are greater."""
    return number << _OFFSET_BITS | offset


def name_of(place: int) -> str:
    """A name for what was at a position, in order of arrival."""
    number, offset = divmod(place, 1 << _OFFSET_BITS)
    return f"{number:0{_DIGITS}d}-{offset:0{_DIGITS}d}"


def segment_before(place: int) -> int:
    """Where the segment before that of a position begins."""
    return position(max(0, (place >> _OFFSET_BITS) - 1), 0)


def _encode(kind: int, arrived_ns: int, data: bytes) -> bytes:
    if len(data) > MAX_RECORD_BYTES:
        message = f"a request of {len(data):,} bytes is more than the store takes ({MAX_RECORD_BYTES:,})"
        raise BackendError(message)
    checked = _HEADER.pack(0, 0, kind | _check(len(data), kind, arrived_ns), arrived_ns)[_UNCHECKED_BYTES:] + data
    return struct.pack("<II", len(data), zlib.crc32(checked)) + checked


def _in_the_place_of(record: LogRecord, data: bytes) -> bytes:
    """A record with these bytes, and as much room after it as it lacks; all of it is blank where that cannot be."""
    room = len(record.data) - len(data)
    if not room:
        return _encode(record.kind, record.arrived_ns, data)
    if room < _HEADER.size or not data:
        return _encode(BLANK, record.arrived_ns, bytes(len(record.data)))
    return _encode(record.kind, record.arrived_ns, data) + _encode(BLANK, record.arrived_ns, bytes(room - _HEADER.size))


def _check(length: int, kind: int, arrived_ns: int) -> int:
    return zlib.crc32(_HEADER.pack(length, 0, kind, arrived_ns)) & ~_KIND_BITS


def _has_sound_header(header: bytes) -> bool:
    length, _, marked_kind, arrived_ns = _HEADER.unpack(header)
    check: int = marked_kind & ~_KIND_BITS
    return check == 0 or check == _check(length, marked_kind & _KIND_BITS, arrived_ns)


def _read_record(file: BinaryIO) -> tuple[int, int, bytes] | None:
    """Kind, arrival and bytes of the next record; None where no whole and sound one stands."""
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, checksum, marked_kind, arrived_ns = _HEADER.unpack(header)
    if length > MAX_RECORD_BYTES or not _has_sound_header(header):
        return None
    kind = marked_kind & _KIND_BITS
    data = read_at_most(file, length)  # where less is there, no room is made for all
    sound = len(data) == length and zlib.crc32(data, zlib.crc32(header[_UNCHECKED_BYTES:])) == checksum
    return (kind, arrived_ns, data) if sound else None


def _numbers_in(folder: Path) -> list[int]:
    stems = [path.stem for path in folder.glob(f"*{_SUFFIX}")]
    numbers = [int(stem) for stem in stems if len(stem) == _DIGITS and stem.isascii() and stem.isdecimal()]
    return sorted(number for number in numbers if number <= MAX_SEGMENT)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:0{_DIGITS}d}{_SUFFIX}"


def _sound_bytes(path: Path, start: int) -> int:
    """Where the first record from ``start`` on stands that is not whole and sound; the size where there is none."""
    with path.open("rb") as file:
        file.seek(start)
        while (record := _read_record(file)) is not None:
            start += _HEADER.size + len(record[2])
    return start


def _blank(path: Path, start: int) -> int:
    """Blank the damaged record at ``start``, or cut the file there if its length is lost; returns the bytes lost."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(start)
        header = file.read(_HEADER.size)
        whole = len(header) == _HEADER.size
        length = _HEADER.unpack(header)[0] if whole else MAX_RECORD_BYTES
        end = start + _HEADER.size + length
        file.seek(end)
        trusted = whole and _has_sound_header(header)
        if end > size or (not trusted and end < size and _read_record(file) is None):
            file.truncate(start)
            return size - start
        file.seek(start)
        file.write(_encode(BLANK, 0, bytes(length)))
        return end - start


def _is_torn(path: Path, whole: int) -> bool:
    """Whether what follows the last whole record is the beginning of one that was never finished.

    A killed process leaves its beginning; a machine that lost power may leave zeros in place of what was not written.
    """
    with path.open("rb") as file:
        file.seek(whole)
        rest = read_at_most(file, _HEADER.size + MAX_RECORD_BYTES)
    if len(rest) < _HEADER.size or not rest.strip(b"\0"):
        return True
    header = rest[: _HEADER.size]
    length: int = _HEADER.unpack(header)[0]
    return _has_sound_header(header) and len(rest) < _HEADER.size + length
