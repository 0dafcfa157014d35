"""Opening a file whatever it is compressed with: told apart by its first bytes, not by its name."""

import gzip
import importlib
import io
import zlib
from typing import BinaryIO, Final, cast

from agentnet_otel.errors import InputError, MissingExtraError

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


def decompressed(stream: BinaryIO) -> BinaryIO:
    """The stream's content.

    Raises:
        MissingExtraError: it is zstd and no decoder is installed.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", stream)) if not hasattr(stream, "peek") else stream
    head = buffered.peek(len(_ZSTD))
    if head.startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=buffered))
    if head.startswith(_ZSTD):
        return cast("BinaryIO", _zstd_reader(buffered))
    return buffered


class _ZstdStream(io.RawIOBase):
    """A zstd stream whose damage is an `InputError` like that of any other input."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError:
            package = "zstandard"
            raise MissingExtraError(package, "zstd") from None
        self._damage: type[Exception] = zstandard.ZstdError
        self._reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer; returns the number of bytes."""
        try:
            return int(self._reader.readinto(buffer))
        except self._damage as error:
            message = f"damaged zstd data: {error}"
            raise InputError(message) from None


def _zstd_reader(stream: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(_ZstdStream(stream), 1 << 20)


DAMAGE: Final = (EOFError, zlib.error, OSError)
"""What reading a damaged or truncated gzip stream, or a failing device, raises."""
