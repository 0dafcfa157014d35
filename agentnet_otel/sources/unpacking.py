"""Unpacking gzip and zstd bit by bit, so that damage costs only what it spans.

What was unpacked before a place that is damaged is given, and where a member or a frame begins behind it, that is
unpacked too. Damage is told with the place in the packed data; an end that is missing is told as that.
"""

import importlib
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final, Protocol

from agentnet_otel.errors import InputError, MissingExtraError

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
MAX_DAMAGES: Final = 1000
"""Places of a stream that are damaged, or look like a beginning and are none; behind them nothing is looked for."""
UNPACKED_BYTES: Final = 1 << 20
"""So much is given at once of gzip, at most; of zstd it is a block, of 128 KB."""
_PIECE_BYTES: Final = 1 << 15
"""So much of the packed data is looked at in one go, for what is left of it is copied for each block."""

_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""How a frame begins that holds no content; some writers put one before each that does."""
_SKIPPABLE_END: Final = b"\x50\x2a\x4d\x18\0"
_MEMBER: Final = GZIP_MAGIC + b"\x08"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_SKIPPABLE_HEAD_BYTES: Final = 8
_BLOCK_HEAD_BYTES: Final = 3
_MAX_BLOCK_BYTES: Final = 1 << 17
_CHECKSUM_BYTES: Final = 4
_REPEATED, _RESERVED = 1, 3
_DICTIONARY_BYTES: Final = (0, 1, 2, 4)
_SIZE_BYTES: Final = (0, 2, 4, 8)


class TellDamage(Protocol):
    """Told of damage, and whether it is that the end is missing."""

    def __call__(self, what: str, /, *, is_end: bool) -> None:
        """Note it."""


def is_zstd(head: bytes) -> bool:
    """Whether what begins so is zstd."""
    return head.startswith(ZSTD_MAGIC) or _SKIPPABLE.match(head) is not None


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


class Unpacker(ABC):
    """What members of gzip and frames of zstd have in common: where they begin, and what is told of damage."""

    kind: str
    magic: bytes
    """How each begins."""

    def __init__(self, tell: TellDamage) -> None:
        self._tell = tell
        self._given = False
        self._damages = 0
        self._data = b""
        """What was not unpacked yet."""
        self._at = 0
        """Where that stands in the packed data."""
        self._is_lost = False
        """Whether the next beginning is looked for."""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The content of what is there by these bytes, as far as its writer flushed it."""
        for start in range(0, len(data), _PIECE_BYTES):
            self._data += data[start : start + _PIECE_BYTES]
            while self._damages < MAX_DAMAGES and (content := self._next()) is not None:
                if content:
                    self._given = True
                    yield content
            if self._damages >= MAX_DAMAGES:
                self._skip(len(self._data))

    def finish(self) -> None:
        """The end of the packed data; that something is missing is told.

        Raises:
            InputError: nothing could be unpacked.
        """
        cut_off = f"the {self.kind} data are cut off at byte {self._at + len(self._data):,}"
        is_cut_off = not self._is_lost and (self._is_open() or bool(self._data))
        if not self._given and (is_cut_off or self._damages):
            message = f"{cut_off if is_cut_off else f'the {self.kind} data are damaged'}, and nothing could be unpacked"
            raise InputError(message)
        if is_cut_off:
            self._tell(cut_off, is_end=True)
            self._is_lost = True  # so it is not told again

    @abstractmethod
    def _next(self) -> bytes | None:
        """Content, perhaps none, of what is there; None where more is needed."""

    @abstractmethod
    def _is_open(self) -> bool:
        """Whether a member or frame has no end yet."""

    def _skip(self, size: int) -> None:
        self._data = self._data[size:]
        self._at += size

    def _damaged(self, at: int, what: object) -> None:
        """Tell of damage so far into what is there, unless it is only that what was looked for is not there."""
        if not self._is_lost:
            self._tell(f"the {self.kind} data are damaged at byte {self._at + at:,}: {what}", is_end=False)
        self._is_lost = True
        self._damages += 1
        if self._damages == MAX_DAMAGES:
            self._tell(f"the rest of the {self.kind} data is left out, for too much of them is damaged", is_end=False)

    def _find(self) -> bool:
        """Go to where the next one may begin; False where none is there yet."""
        found = self._data.find(self.magic)
        begun = len(self.magic) - 1
        self._skip(found if found >= 0 else max(len(self._data) - begun, 0))
        return found >= 0


class Gunzip(Unpacker):
    """Members of gzip, one behind the other."""

    kind = "gzip"
    magic = _MEMBER

    def __init__(self, tell: TellDamage) -> None:
        super().__init__(tell)
        self._member: Any = None
        self._has_more = False
        """Whether it may give more without more data."""

    def _is_open(self) -> bool:
        return self._member is not None

    def _next(self) -> bytes | None:
        if self._member is None and not self._begin():
            return None
        if not self._data and not self._has_more:
            return None
        before = self._member.copy()
        try:
            content: bytes = self._member.decompress(self._data, UNPACKED_BYTES)
        except zlib.error as error:
            content, at = _before_damage(before, self._data)
            if content:  # it was one, though found by looking for it
                self._is_lost = False
            self._damaged(at, error)
            self._member, self._has_more = None, False
            self._skip(at + 1 if content else 1)
            return content
        if content:
            self._is_lost = False
        self._has_more = len(content) == UNPACKED_BYTES and not self._member.eof
        self._skip(len(self._data) - len(self._member.unconsumed_tail or self._member.unused_data))
        if self._member.eof:
            self._member = None
            self._is_lost = False
        return content

    def _begin(self) -> bool:
        """Begin a member; False where more is needed."""
        if not self._is_lost:
            self._skip(len(self._data) - len(self._data.lstrip(b"\0")))  # as `gzip` pads
            head = self._data[: len(_MEMBER)]
            if not _MEMBER.startswith(head):
                self._damaged(0, "no member begins there")
            elif head != _MEMBER:
                return False
        if self._is_lost and not self._find():
            return False
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        return True


def _before_damage(member: Any, data: bytes) -> tuple[bytes, int]:
    """What a member gives of the bytes before those that it refuses, and how many these are."""
    good, bad = 0, len(data)
    content = b""
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            content = member.copy().decompress(data[:middle])
            good = middle
        except zlib.error:
            bad = middle
    return content, good


class Unzstd(Unpacker):
    """Frames of zstd, one behind the other, block by block: what stands before a block that is damaged is given."""

    kind = "zstd"
    magic = ZSTD_MAGIC

    def __init__(self, tell: TellDamage) -> None:
        super().__init__(tell)
        self._zstandard = zstd_library()
        self._decompressor = self._zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._has_checksum = False
        self._is_last = False
        """Whether the last block of the frame was seen."""
        self._to_skip = 0

    def _is_open(self) -> bool:
        return self._frame is not None or self._to_skip > 0

    def _next(self) -> bytes | None:
        if self._to_skip:
            passed = min(self._to_skip, len(self._data))
            self._to_skip -= passed
            self._skip(passed)
            return b"" if passed else None
        if self._frame is None:
            return self._begin()
        if self._is_last:
            return self._end()
        return self._block()

    def _begin(self) -> bytes | None:
        if (self._is_lost and not self._find()) or not self._data or _may_begin_frame(self._data):
            return None
        if _SKIPPABLE.match(self._data):
            return self._pass_over()
        if not self._data.startswith(ZSTD_MAGIC):
            self._damaged(0, "no frame begins there")
            return b""
        size, self._has_checksum = _frame_head(self._data[len(ZSTD_MAGIC)])
        if len(self._data) < size:
            return None
        self._frame = self._decompressor.decompressobj()
        self._is_last = False
        return self._given_to_frame(size)

    def _pass_over(self) -> bytes | None:
        if len(self._data) < _SKIPPABLE_HEAD_BYTES:
            return None
        self._to_skip = int.from_bytes(self._data[4:_SKIPPABLE_HEAD_BYTES], "little")
        self._skip(_SKIPPABLE_HEAD_BYTES)
        return b""

    def _block(self) -> bytes | None:
        if len(self._data) < _BLOCK_HEAD_BYTES:
            return None
        head = int.from_bytes(self._data[:_BLOCK_HEAD_BYTES], "little")
        kind, size = head >> 1 & 3, head >> 3
        if kind == _RESERVED or size > _MAX_BLOCK_BYTES:
            self._frame = None
            self._damaged(0, "no block begins there")
            self._skip(1)
            return b""
        size = _BLOCK_HEAD_BYTES + (1 if kind == _REPEATED else size)
        if len(self._data) < size:
            return None
        self._is_last = bool(head & 1)
        return self._given_to_frame(size)

    def _end(self) -> bytes | None:
        """Behind the last block: the checksum, of which the content is known."""
        if not self._has_checksum:
            self._frame = None
            return b""
        if len(self._data) < _CHECKSUM_BYTES:
            return None
        content = self._given_to_frame(_CHECKSUM_BYTES)
        self._frame = None
        return content

    def _given_to_frame(self, size: int) -> bytes:
        """What comes of the next bytes, which are one part of the frame: its head, a block, its checksum."""
        try:
            content: bytes = self._frame.decompress(self._data[:size])
        except self._zstandard.ZstdError as error:
            self._frame = None
            self._damaged(0, error)
            self._skip(1)
            return b""
        self._is_lost = self._is_lost and not content
        self._skip(size)
        return content


def _may_begin_frame(data: bytes) -> bool:
    """Whether more is needed to tell what begins so: a frame, one without content, or nothing."""
    size = len(data)
    return size <= len(ZSTD_MAGIC) and (
        ZSTD_MAGIC.startswith(data) or _SKIPPABLE.match(data + _SKIPPABLE_END[size:]) is not None
    )


def _frame_head(descriptor: int) -> tuple[int, bool]:
    """How many bytes the head of a frame has, and whether a checksum stands at its end (RFC 8878, 3.1.1.1)."""
    is_single = descriptor >> 5 & 1
    size_flag = descriptor >> 6
    size = _SIZE_BYTES[size_flag] if size_flag else is_single
    has_window = not is_single
    return len(ZSTD_MAGIC) + 1 + has_window + _DICTIONARY_BYTES[descriptor & 3] + size, bool(descriptor >> 2 & 1)
