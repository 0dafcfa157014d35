"""Opening what is compressed: told apart by its first bytes, not by a name."""

import gzip
import importlib
import io
import re
import zlib
from typing import Any, BinaryIO, Final, cast

from agentnet_otel.errors import InputError, MissingExtraError

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""How a frame begins that holds no content; some writers put one before each that does."""
DAMAGE: Final = (EOFError, zlib.error, OSError)
"""What reading a damaged or truncated gzip stream, or a failing device, raises."""

_BUFFER_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 20
_PACKED_BYTES: Final = 2048
"""Compressed bytes that are unpacked at once: at worst they become 64 MB."""


def decompressed(stream: BinaryIO) -> BinaryIO:
    """The stream's content.

    Raises:
        MissingExtraError: it is zstd and no decoder is installed.
    """
    head, whole = peeked(stream, len(ZSTD_MAGIC))
    if head.startswith(GZIP_MAGIC):
        return cast("BinaryIO", gzip.GzipFile(fileobj=whole))
    if is_zstd(head):
        return cast("BinaryIO", io.BufferedReader(_ZstdStream(whole), _BUFFER_BYTES))
    return whole


def is_zstd(head: bytes) -> bool:
    """Whether what begins so is zstd."""
    return head.startswith(ZSTD_MAGIC) or _SKIPPABLE.match(head) is not None


def unpacked(data: bytes, max_bytes: int) -> bytes:
    """The content of one zstd frame.

    Raises:
        MissingExtraError: no decoder is installed.
        InputError: it is damaged, or its content has more than ``max_bytes``.
    """
    zstd = cast("BinaryIO", io.BufferedReader(_ZstdStream(io.BytesIO(data)), _BUFFER_BYTES))
    content = read_at_most(zstd, max_bytes + 1)
    if len(content) > max_bytes:
        message = f"compressed data that unpacks to more than {max_bytes:,} bytes is not read"
        raise InputError(message)
    return content


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


def zstd_library() -> Any:
    """The library that knows zstd.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("zstandard")
    except ImportError:
        package = "zstandard"
        raise MissingExtraError(package, "zstd") from None


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


class _ZstdStream(io.RawIOBase):
    """The content of zstd frames; damage and a missing end are an `InputError`, like those of any other input."""

    def __init__(self, stream: BinaryIO) -> None:
        self._zstandard = zstd_library()
        self._stream = stream
        self._packed = b""
        self._content = memoryview(b"")
        self._frame: Any = None

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as bytes are there; returns their number."""
        while not self._content:
            packed = self._packed or self._stream.read(_PACKED_BYTES)
            if not packed:
                self._require_end()
                return 0
            self._unpack(packed)
        some = self._content[: len(buffer)]
        self._content = self._content[len(some) :]
        buffer[: len(some)] = some
        return len(some)

    def _unpack(self, packed: bytes) -> None:
        if self._frame is None:
            self._frame = self._zstandard.ZstdDecompressor().decompressobj()
        try:
            self._content = memoryview(self._frame.decompress(packed))
        except self._zstandard.ZstdError as error:
            message = f"damaged zstd data: {error}"
            raise InputError(message) from None
        self._packed = self._frame.unused_data
        if self._frame.eof:
            self._frame = None

    def _require_end(self) -> None:
        if self._frame is not None:
            message = "zstd data is cut off: the last frame has no end"
            raise InputError(message)
