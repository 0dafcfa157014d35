"""Whether a request holds many more parts than its size lets expect: two bytes make an empty span.

In memory each span, event and attribute, and each value in a list, takes dozens of bytes, be it empty. So a message is
refused before it is parsed where its parts have fewer than `MIN_PART_BYTES` each; a span with proper ids alone has 30.
"""

import re
from typing import Final

from agentnet_otel.errors import InputError
from agentnet_otel.sources.native import extension

MIN_PART_BYTES: Final = 8
"""Bytes that resources, scopes, spans, events and attributes of a message have to have on average."""
MIN_ITEM_BYTES: Final = 4
"""The same of a value in a list within an attribute: so many has a small number."""
MIN_OBJECT_BYTES: Final = 12
"""The same of an object in JSON: a value alone has as many."""

MAX_DENSE_PARTS: Final = 100_000
"""So many more than that no beginning of a message may have: a crafted one is refused soon, not at its end."""

_MIN_PARTS: Final = 1000
"""Fewer are never too many."""
_TAGS: Final = b"\x0a\x12\x1a\x4a\x5a\x8a\x92\x9a\xca\xda\xc2"
"""What begins a part, in one byte and in more of them."""
_PART, _ITEM, _NOTHING = MIN_PART_BYTES // MIN_ITEM_BYTES, 1, 0
"""What a part counts."""
_REQUEST, _RESOURCE_SPANS, _SCOPE_SPANS, _SPAN, _EVENT, _RESOURCE, _ATTRIBUTE, _VALUE, _LIST, _MAP = range(10)
_PARTS: Final[tuple[dict[int, tuple[int, int]], ...]] = (
    {0x0A: (_PART, _RESOURCE_SPANS)},
    {0x0A: (_PART, _RESOURCE), 0x12: (_PART, _SCOPE_SPANS), 1000 << 3 | 2: (_PART, _SCOPE_SPANS)},
    {0x12: (_PART, _SPAN)},
    {0x4A: (_PART, _ATTRIBUTE), 0x5A: (_PART, _EVENT)},
    {0x1A: (_PART, _ATTRIBUTE)},
    {0x0A: (_PART, _ATTRIBUTE)},
    {0x12: (_NOTHING, _VALUE)},
    {0x2A: (_ITEM, _LIST), 0x32: (_ITEM, _MAP)},
    {0x0A: (_ITEM, _VALUE)},
    {0x0A: (_PART, _ATTRIBUTE)},
)
"""By what a message is: the tags that begin a part of it, what that counts, and what it is. Others are not read."""
_MAX_DEPTH: Final = 200
"""Parts within parts; deeper ones are not looked at: no parser goes as deep."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_GROUPS: Final = (3, 4)
_LAST: Final = 0x80
_FEW: Final = 3
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


def python_count_bytes(data: bytes, wanted: bytes, /) -> int:
    """How many bytes of ``data`` are one of those of ``wanted``."""
    if len(wanted) <= _FEW:  # going through them so often is quicker
        return sum([data.count(byte) for byte in wanted])
    return len(data) - len(data.translate(None, wanted))


count_bytes: Final = python_count_bytes if extension is None else extension.count_bytes


def check_density_of_json(data: bytes) -> None:
    """The same of JSON, whose parts are its objects.

    Raises:
        InputError: there are too many.
    """
    _check_json(data, b"{", "objects", MIN_OBJECT_BYTES)


def check_elements_of_json(data: bytes) -> None:
    """Refuse JSON whose lists have many more elements than their size lets expect, before each of them is held.

    Raises:
        InputError: there are too many.
    """
    _check_json(data, b",", "elements", MIN_PART_BYTES)


def _check_json(data: bytes, begins: bytes, what: str, min_bytes: int) -> None:
    most = max(len(data) // min_bytes, _MIN_PARTS)
    if count_bytes(data, begins) > most and _count_outside_texts(data, begins) > most:
        text = f"no JSON of spans that can be used: its {what} have fewer than {min_bytes} bytes each"
        raise InputError(text)


def _count_outside_texts(data: bytes, wanted: bytes) -> int:
    found = at = 0
    for text in _TEXT.finditer(data):
        found += sum([data.count(byte, at, text.start()) for byte in wanted])
        at = text.end()
    return found + sum([data.count(byte, at) for byte in wanted])


def check_density(data: bytes) -> None:
    """Refuse a message of too many parts. One that is no message is let through: parsing tells what is wrong.

    Raises:
        InputError: there are too many.
    """
    most = max(len(data) // MIN_PART_BYTES, _MIN_PARTS)
    if count_bytes(data, _TAGS) <= most:
        return
    try:
        enough = most * _PART
        is_dense = _count_parts(data, enough) > enough
    except IndexError:  # cut off
        return
    if is_dense:
        text = (
            f"not an OTLP protobuf message of spans that can be used: of its {len(data):,} bytes, spans, events and "
            f"attributes have fewer than {MIN_PART_BYTES} each, or values in lists fewer than {MIN_ITEM_BYTES}"
        )
        raise InputError(text)


def _count_parts(data: bytes, enough: int) -> int:
    """What the parts count; counting stops beyond ``enough``, or where too many stand in what was seen.

    Raises:
        IndexError: the message is cut off.
    """
    count, at, end, message = 0, 0, len(data), _REQUEST
    around: list[tuple[int, int, int]] = []
    while at < end or around:
        if at >= end:
            at, end, message = around.pop()
            continue
        tag, size = data[at], data[at + 1]
        if tag < _LAST and size < _LAST:  # nearly always, and much of the time
            after = at + 2
        else:
            tag, after = _varint(data, at)
            size, after = (0, after) if tag & 7 != _BYTES else _varint(data, after)
        kind = tag & 7
        if kind == _BYTES:
            part = _PARTS[message].get(tag)
            at = after + size
            if part is None:
                continue
            count += part[0]
            if count > enough or count > after // MIN_ITEM_BYTES + MAX_DENSE_PARTS * _PART:
                return enough + 1
            if size and len(around) < _MAX_DEPTH:
                around.append((at, end, message))
                at, end, message = after, min(at, end), part[1]
        elif kind == _VARINT:
            _, at = _varint(data, _varint(data, at)[1])
        elif kind in _SIZES:
            at = _varint(data, at)[1] + _SIZES[kind]
        else:  # groups are of another time, and what is in them is not read; anything else is no message
            at = after if kind in _GROUPS else end
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
