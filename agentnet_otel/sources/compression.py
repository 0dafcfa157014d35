"""Opening what is compressed: told apart by its first bytes, not by a name."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NoReturn, cast

from agentnet_otel.errors import InputError
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.unpacking import GZIP_MAGIC, ZSTD_MAGIC, Gunzip, Unpacker, Unzstd, is_zstd

_BUFFER_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 20
_PACKED_BYTES: Final = 1 << 16


def decompressed(stream: BinaryIO, name: str, report: ReadReport) -> BinaryIO:
    """The stream's content. What is damaged in what is packed costs itself, and is noted with ``name``.

    Raises:
        MissingExtraError: it is zstd and no decoder is installed.
    """
    head, whole = peeked(stream, len(ZSTD_MAGIC))
    unpacker = unpacker_of(head, name, report)
    return whole if unpacker is None else cast("BinaryIO", io.BufferedReader(_Unpacked(whole, unpacker), _BUFFER_BYTES))


def unpacker_of(head: bytes, name: str, report: ReadReport) -> Unpacker | None:
    """What unpacks a stream that begins so; None where it is not compressed.

    Raises:
        MissingExtraError: it is zstd and no decoder is installed.
    """

    def tell(what: str, /, *, is_end: bool) -> None:
        if is_end:
            report.cut_off(name, what)
            report.cut_source = name
        else:
            report.bad_lines += 1
            report.tell(name, what)

    if report.cut_source == name:  # a former file of that name
        report.cut_source = ""
    if head.startswith(GZIP_MAGIC):
        return Gunzip(tell)
    return Unzstd(tell) if is_zstd(head) else None


def unpacked(data: bytes, max_bytes: int) -> bytes:
    """The content of zstd frames.

    Raises:
        MissingExtraError: no decoder is installed.
        InputError: it is damaged, or its content has more than ``max_bytes``.
    """
    unpacker = Unzstd(_refuse)
    content = bytearray()
    for part in unpacker.unpack(data):
        content += part
        if len(content) > max_bytes:
            message = f"compressed data that unpacks to more than {max_bytes:,} bytes is not read"
            raise InputError(message)
    unpacker.finish()
    return bytes(content)


def _refuse(what: str, /, *, is_end: bool) -> NoReturn:  # noqa: ARG001 - as it is called
    raise InputError(what)


def read_at_most(stream: BinaryIO, size: int) -> bytes:
    """Up to ``size`` bytes, fewer at the end only; in parts, for a reader makes room for all that it is asked for."""
    if size <= _CHUNK:
        return stream.read(size)
    found = io.BytesIO()
    while size > 0 and (part := stream.read(min(size, _CHUNK))):
        size -= found.write(part)
    return found.getvalue()


def peeked(stream: BinaryIO, size: int) -> tuple[bytes, BinaryIO]:
    """The first ``size`` bytes (fewer at the end only, however slowly a pipe brings them), and the whole stream."""
    head = b""
    while len(head) < size and (more := stream.read(size - len(head))):
        head += more
    if stream.seekable():  # a file: what wraps it would copy all of it once more
        stream.seek(-len(head), io.SEEK_CUR)
        return head, stream
    return head, cast("BinaryIO", io.BufferedReader(_Whole(head, stream), _BUFFER_BYTES))


class _Whole(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = memoryview(head)
        self._stream = stream
        self._read_some = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as bytes are there; returns their number."""
        some = bytes(self._head[: len(buffer)]) or self._read_some(len(buffer))
        self._head = self._head[len(some) :]
        buffer[: len(some)] = some
        return len(some)


class _Unpacked(io.RawIOBase):
    """The content of a stream that is compressed."""

    def __init__(self, stream: BinaryIO, unpacker: Unpacker) -> None:
        self._stream = stream
        self._unpacker = unpacker
        self._parts: Iterator[bytes] = iter(())
        self._content = memoryview(b"")

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as bytes are there; returns their number.

        Raises:
            InputError: it is at its end, and nothing could be unpacked.
        """
        while not self._content:
            part = next(self._parts, None)
            if part is not None:
                self._content = memoryview(part)
            elif packed := self._stream.read(_PACKED_BYTES):
                self._parts = self._unpacker.unpack(packed)
            else:
                self._unpacker.finish()
                return 0
        some = self._content[: len(buffer)]
        self._content = self._content[len(some) :]
        buffer[: len(some)] = some
        return len(some)
