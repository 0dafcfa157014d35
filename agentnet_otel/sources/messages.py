"""Cutting messages, each behind its length, out of what comes bit by bit; behind damage the next one is looked for.

A length is doubted where what it spans does not begin as a message does, or is not whole at the end; in a file that
grows, where what is there already speaks against it. Then the next message is looked for behind which another one
stands.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from agentnet_otel.errors import InputError
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import (
    HEAD_BYTES,
    JSON_STARTS,
    MAX_LINE_BYTES,
    PREFIX_BYTES,
    RESOURCE_SPANS_TAG,
    Form,
    Payload,
    Shape,
    fits,
    is_other_body,
    length_at,
    varint,
)
from agentnet_otel.sources.unpacking import is_zstd

MAX_LOOKS: Final = 200_000
"""Places of a stream at which the beginning of a message is looked for behind damage."""
_LOOKS_AHEAD: Final = 20
"""And what looking at a part of a stream costs, to see what comes next."""
_BYTES_A_LOOK: Final = 256
"""Going through so many bytes costs as much."""
_AHEAD_BYTES: Final = 1024 * 1024
"""So far the next message is looked for."""
_MAX_PARTS_SEEN: Final = 100
_MAX_VARINT_BYTES: Final = 5
_ZEROS: Final = 4096
_GROWTH: Final = 1.5
"""So many times as much has to be there before a message that is not whole is looked at again."""
_UNKNOWN_BYTES: Final = 1 << 62

_V: Final = rb"[\x80-\xff]{0,4}[\0-\x7f]"
_MESSAGE: Final = (
    rb"\x0a"
    + _V
    + rb"[\x0a\x12](?:\x80{0,4}\0|"
    + _V
    + rb"(?:[\x0a\x10\x12\x1a]|\Z)|[\x80-\xff]{0,4}\Z|[\x80-\xff]{5})"
)
"""How a message begins, as `is_message` has it: quicker, for each message is asked for it."""
_BODIES: Final = {
    Shape.PREFIXED: re.compile(_MESSAGE + rb"|[{\[]|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL),
    Shape.DELIMITED: re.compile(_MESSAGE, re.DOTALL),
}
_STARTS: Final = {
    Shape.PREFIXED: re.compile(rb"(?=[\0-\x02][\0-\xff]{3}[\x0a{\[\x28\x50-\x5f])", re.DOTALL),
    Shape.DELIMITED: re.compile(rb"(?=[\x80-\xff]{0,4}[\0-\x7f]\x0a)", re.DOTALL),
}
"""Where a length may begin, with the first byte of what it is of."""


class _Step(NamedTuple):
    """What to do at a place: where to go on, None where more is needed first, and what was found there."""

    at: int | None
    payload: Payload | None = None
    needed: int = 0
    """How many bytes have to be there."""


class MessageCutter:
    """Cuts the messages of one stream. ``grows``: what is not whole yet may be still to come for long."""

    def __init__(self, shape: Shape, name: str, report: ReadReport, *, grows: bool) -> None:
        self._shape = shape
        self._name = name
        self._report = report
        self._grows = grows
        self._form = Form.UNKNOWN if shape is Shape.PREFIXED else Form.PROTOBUF
        self._is_body = _BODIES[shape].match
        self._parts: list[bytes] = []
        """What is not cut yet, behind the last bytes of the message before: its length may have been that too large."""
        self._held = 0
        self._before = 0
        """How many these are."""
        self._needed = 0
        """Below so many nothing new can be told."""
        self._number = 0
        self._offset = 0
        self._to_skip = 0
        self._looks = MAX_LOOKS
        self._floor = 0
        """Of what is looked at, the first byte that belongs to no message that was read."""
        self._has_ended = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for their rest."""
        return self._held - self._before

    def feed(self, data: bytes) -> Iterator[Payload]:
        """The messages that are whole by these bytes.

        Raises:
            InputError: a length is none, and no message is found behind it.
        """
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._parts.append(data)
        self._held += len(data)
        if self._held >= self._needed:
            yield from self._cut(rests=False, ends=False)

    def settle(self) -> Iterator[Payload]:
        """The same, as nothing came for a while: what waits for its rest perhaps waits for ever.

        Raises:
            InputError: a length is none, and no message is found behind it.
        """
        if self.waiting_bytes:
            yield from self._cut(rests=True, ends=False)

    def finish(self) -> Iterator[Payload]:
        """The same at the end; what is not whole is told.

        Raises:
            InputError: a length is none, and no message is found behind it.
        """
        yield from self._cut(rests=True, ends=True)
        if self._to_skip:
            self._cut_off("the message is not whole")
            self._to_skip = 0

    @property
    def _where(self) -> str:
        return f"{self._name}, message {self._number + 1}, byte {self._offset}"

    def _cut(self, *, rests: bool, ends: bool) -> Iterator[Payload]:
        data, at = b"".join(self._parts), self._before
        size, shape, form, is_body, name, report = (
            len(data),
            self._shape,
            self._form,
            self._is_body,
            self._name,
            self._report,
        )
        self._floor = needed = 0
        while at < size and not self._has_ended:
            found = length_at(data, at, shape)
            length, begin = found or (_UNKNOWN_BYTES, at)
            end = begin + length
            if end <= size and length <= MAX_LINE_BYTES and is_body(data, begin, end):  # nearly always
                self._number += 1
                report.lines += 1
                where = f"{name}, message {self._number}, byte {self._offset}"
                self._offset += end - at
                at = end
                yield Payload(data=data[begin:end], where=where, form=form)
                continue
            step = self._odd(data, at, found, rests=rests, ends=ends)
            if step.payload is not None:
                yield step.payload
            if step.at is None:
                needed = step.needed
                break
            at = step.at
        if self._has_ended:
            at = self._floor = size
        begin = max(at - PREFIX_BYTES + 1, self._floor)
        self._parts = [data[begin:]]
        self._held, self._before = size - begin, at - begin
        self._needed = self._before + needed

    def _pass(self, size: int) -> None:
        """Go on behind a message of so many bytes."""
        self._report.lines += 1
        self._number += 1
        self._offset += size

    def _odd(self, data: bytes, at: int, found: tuple[int, int] | None, *, rests: bool, ends: bool) -> _Step:
        """What to do with what is no whole message that begins as one does.

        Raises:
            InputError: a length is none, and no message is found behind it.
        """
        there = len(data) - at
        if found is not None and not found[0]:
            return self._pass_zeros(data, at)
        if found is None and there < _MAX_VARINT_BYTES and not ends:
            return _Step(None, needed=there + 1)
        length, begin = found or (_UNKNOWN_BYTES, at)
        end = begin + length
        is_next = fits(data[end : end + 2 * HEAD_BYTES], self._shape) or (rests and end == len(data))
        if self._looks < 0 or is_next:
            return self._as_it_is(data, at, found, ends=ends)
        needed = 0
        if end <= len(data):
            needed = 0 if rests else end - at + 2 * HEAD_BYTES
        elif not ends and length <= MAX_LINE_BYTES:
            is_doubtful = self._grows and self._is_doubtful(data, begin, end, rests=rests)
            needed = 0 if is_doubtful else self._enough(there, end - at)
        if needed > there:
            return _Step(None, needed=needed)
        return self._look(data, at, found, rests=rests, ends=ends)

    def _enough(self, there: int, whole: int) -> int:
        """How much has to be there to look at a message again of which not all is there."""
        return min(int(there * _GROWTH) + 1, whole) if self._grows else whole

    def _look(self, data: bytes, at: int, found: tuple[int, int] | None, *, rests: bool, ends: bool) -> _Step:
        """Look for the next message that fits; where there is none so far, more is waited for, or it stays as it is."""
        back = max(at - PREFIX_BYTES + 1, self._floor)
        held = data[back : back + _AHEAD_BYTES]
        self._looks -= _LOOKS_AHEAD + len(held) // _BYTES_A_LOOK
        start = self._next_start(held, is_end=rests and back + _AHEAD_BYTES >= len(data))
        if start is not None:
            damaged = back + start - at
            self._report.bad_lines += 1
            place = self._offset + damaged
            self._report.tell(
                self._where, f"its length does not fit what follows; read on at byte {place}, where a message begins"
            )
            self._pass(damaged)
            self._floor = at + damaged
            return _Step(self._floor)
        if not ends and len(data) - at < _AHEAD_BYTES:
            return _Step(None, needed=int((len(data) - at) * _GROWTH) + 1)
        return self._as_it_is(data, at, found, ends=ends)

    def _as_it_is(self, data: bytes, at: int, found: tuple[int, int] | None, *, ends: bool) -> _Step:
        """Take a length for what it says."""
        if found is None:
            if ends and len(data) - at < _MAX_VARINT_BYTES:
                return self._cut_off("the length of a message is not whole")
            message = f"{self._where}: no length of a message stands there"
            raise InputError(message)
        length, begin = found
        where, there = self._where, len(data) - begin
        if length > MAX_LINE_BYTES:
            self._report.skip(where, f"{length:,} bytes are more than a message may have; it was skipped unread")
            self._pass(begin - at + length)
            self._to_skip = max(length - there, 0)
            self._floor = min(begin + length, len(data))
            return _Step(self._floor)
        if there < length:
            if not ends:
                return _Step(None, needed=begin - at + length)
            self._report.lines += 1
            return self._cut_off(f"the message ends after {there:,} of {length:,} bytes")
        self._pass(begin - at + length)
        return _Step(begin + length, Payload(data=data[begin : begin + length], where=where, form=self._form))

    def _cut_off(self, what: str) -> _Step:
        if self._report.cut_source != self._name:  # else that is told
            self._report.cut_off(self._where, what)
        self._has_ended = True
        return _Step(None)

    def _pass_zeros(self, data: bytes, at: int) -> _Step:
        """Pass over empty messages: a disk that failed leaves millions."""
        size = PREFIX_BYTES if self._shape is Shape.PREFIXED else 1
        part = data[at : at + _ZEROS]
        zeros = max((len(part) - len(part.lstrip(b"\0"))) // size, 1)
        self._report.lines += zeros
        self._number += zeros
        empty = zeros * size if part[:1] == b"\0" else len(part) - len(part.lstrip(b"\x80")) + 1  # a 0 in more bytes
        self._offset += empty
        return _Step(at + empty)

    def _is_doubtful(self, data: bytes, begin: int, end: int, *, rests: bool) -> bool:
        """Whether what is there of a message speaks against its length, so that no more of it is to come."""
        head = data[begin : begin + HEAD_BYTES]
        if len(head) < HEAD_BYTES:
            return False
        if head[:1] == bytes((RESOURCE_SPANS_TAG,)):
            return not self._is_body(data, begin) or _breaks(data, begin, end)
        if self._shape is Shape.PREFIXED and head.startswith(JSON_STARTS):
            return b"\0" in data[begin:]
        return rests or not is_zstd(head)

    def _next_start(self, held: bytes, *, is_end: bool) -> int | None:
        """Where a message begins behind which another one does, or the end is; the first bytes are not looked at."""
        for found in _STARTS[self._shape].finditer(held, 1):
            self._looks -= 1
            if self._looks < 0:  # not endlessly, whatever is in a file
                return None
            end = self._end_of(held, found.start())
            if (is_end and end == len(held)) or fits(held[end : end + 2 * HEAD_BYTES], self._shape):
                return found.start()
        return None

    def _end_of(self, held: bytes, at: int) -> int:
        """Where the message ends that begins at a place, with its length; beyond what is held if none does."""
        beyond = len(held) + 1
        found = length_at(held, at, self._shape) if fits(held[at : at + 2 * HEAD_BYTES], self._shape) else None
        if found is None or sum(found) > len(held):
            return beyond
        length, begin = found
        is_whole = is_other_body(held[begin : begin + HEAD_BYTES]) or _is_whole(held, begin, begin + length)
        return begin + length if is_whole else beyond


def _parts_of(data: bytes, at: int, end: int) -> Iterator[int]:
    """Where the parts end of a message, which is a list of resources with their spans; -1 for what is none."""
    for _ in range(_MAX_PARTS_SEEN):
        if at >= min(end, len(data)):
            return
        inner = varint(data, at + 1) if data[at] == RESOURCE_SPANS_TAG else (-1, 0)
        if inner is None and len(data) - at <= _MAX_VARINT_BYTES:
            return
        at = -1 if inner is None or inner[0] < 0 or sum(inner) > end else sum(inner)
        yield at
        if at < 0:
            return


def _is_whole(data: bytes, at: int, end: int) -> bool:
    """Whether a message ends with one of its parts; one of very many is believed."""
    ends = [*_parts_of(data, at, end)]
    return bool(ends) and ends[-1] > 0 and (ends[-1] == end or len(ends) == _MAX_PARTS_SEEN)


def _breaks(data: bytes, at: int, end: int) -> bool:
    """Whether a part of a message that is not whole yet is none, or leads out of it."""
    return -1 in _parts_of(data, at, end)
