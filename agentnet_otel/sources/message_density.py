"""Whether a request holds many more parts than its size lets expect: two bytes make an empty span.

In memory each span, event and link takes more than a hundred bytes, be it empty. So a message is refused before it is
parsed where its parts have fewer than `MIN_PART_BYTES` each; a span with proper ids alone has 30.
"""

import re
from typing import Final

from agentnet_otel.errors import InputError
from agentnet_otel.sources.native import extension

MIN_PART_BYTES: Final = 8
"""Bytes that resources, scopes, their attributes, spans, events and links of a message have to have on average."""

MAX_DENSE_PARTS: Final = 100_000
"""So many more than that no beginning of a message may have: a crafted one is refused soon, not at its end."""

_TAGS: Final = b"\x0a\x12\x1a\x5a\x6a"
_LEAF, _RESOURCE, _SCOPE = 4, 5, 6
_PARTS: Final[tuple[dict[int, int], ...]] = (
    {0x0A: 1},
    {0x12: 2, 0x0A: _RESOURCE},
    {0x12: 3, 0x0A: _SCOPE},
    {0x5A: _LEAF, 0x6A: _LEAF},
    {},
    {0x0A: _LEAF, 0x1A: _LEAF},
    {0x1A: _LEAF},
)
"""By depth, or kind: the tags that begin a part, and its depth. Attributes of resources and scopes are parts too."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_LAST: Final = 0x80
_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)


def python_count_bytes(data: bytes, wanted: bytes, /) -> int:
    """How many bytes of ``data`` are one of those of ``wanted``."""
    return sum([data.count(byte) for byte in wanted])


count_bytes: Final = python_count_bytes if extension is None else extension.count_bytes


def check_density_of_json(data: bytes) -> None:
    """The same of JSON, whose parts are its objects.

    Raises:
        InputError: there are too many.
    """
    most = max(len(data) // MIN_PART_BYTES, 1000)
    if count_bytes(data, b"{") > most and count_bytes(_TEXT.sub(b"", data), b"{") > most:
        text = f"no JSON of spans that can be used: its objects have fewer than {MIN_PART_BYTES} bytes each"
        raise InputError(text)


def check_elements_of_json(data: bytes) -> None:
    """Refuse JSON whose lists have many more elements than their size lets expect, before each of them is held.

    Raises:
        InputError: there are too many.
    """
    most = max(len(data) // MIN_PART_BYTES, 1000)
    if data.count(b",") > most and _TEXT.sub(b"", data).count(b",") > most:
        text = f"no JSON of spans that can be used: its elements have fewer than {MIN_PART_BYTES} bytes each"
        raise InputError(text)


def check_density(data: bytes) -> None:
    """Refuse a message of too many parts. One that is no message is let through: parsing tells what is wrong.

    Raises:
        InputError: there are too many.
    """
    most = max(len(data) // MIN_PART_BYTES, 1000)
    if count_bytes(data, _TAGS) <= most:
        return
    try:
        parts = _count_parts(data, most)
    except IndexError:  # cut off
        return
    if parts > most:
        text = (
            f"not an OTLP protobuf message of spans that can be used: of its {len(data):,} bytes, spans, events and "
            f"links have fewer than {MIN_PART_BYTES} each"
        )
        raise InputError(text)


def _count_parts(data: bytes, enough: int) -> int:
    """How many parts there are; counting stops beyond ``enough``, or where too many stand in what was seen.

    Raises:
        IndexError: the message is cut off.
    """
    count, at, end, depth = 0, 0, len(data), 0
    around: list[tuple[int, int, int]] = []
    while at < end or around:
        if at >= end:
            at, end, depth = around.pop()
            continue
        tag, size = data[at], data[at + 1]
        if tag < _LAST and size < _LAST:  # nearly always, and much of the time
            after = at + 2
        else:
            tag, after = _varint(data, at)
            size, after = (0, after) if tag & 7 != _BYTES else _varint(data, after)
        kind = tag & 7
        if kind == _BYTES:
            inner = _PARTS[depth].get(tag)
            at = after + size
            if inner is None:
                continue
            count += 1
            if count > enough or count > after // MIN_PART_BYTES + MAX_DENSE_PARTS:
                return enough + 1
            if size:
                around.append((at, end, depth))
                at, end, depth = after, min(at, end), inner
        elif kind == _VARINT:
            _, at = _varint(data, _varint(data, at)[1])
        elif kind in _SIZES:
            at = _varint(data, at)[1] + _SIZES[kind]
        else:
            return 0  # no message: parsing refuses it
    return count


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value, shift = data[at], 7
    if value < _LAST:
        return value, at + 1
    value &= _LAST - 1
    while True:
        at += 1
        byte = data[at]
        value |= (byte & (_LAST - 1)) << shift
        shift += 7
        if byte < _LAST or shift > 63:  # noqa: PLR2004 - ten bytes make a 64-bit number
            return value, at + 1
