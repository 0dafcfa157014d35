"""Cutting a stream into payloads, one a request: its shape is told by its first bytes, not by a name.

| shape | what writes it |
|---|---|
| a line each | the Collector's file exporter (JSON), our own |
| one document | an OTLP request saved as it is, Jaeger's API and UI |
| 4 bytes of length before each (big-endian) | the Collector's file exporter (protobuf; either format when compressed) |
| a varint of length before each | streams of delimited protobuf messages |
| one message | an OTLP protobuf request saved as it is |
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import BinaryIO, Final

from agentnet_otel.errors import InputError
from agentnet_otel.sources.compression import ZSTD_MAGIC, peeked, read_at_most
from agentnet_otel.sources.read_report import ReadReport

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""A longer line or message is skipped unread."""
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
"""A longer single document is refused."""

BOM: Final = b"\xef\xbb\xbf"
_UTF_16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_BEGINS_REQUEST: Final = re.compile(rb'\s*\{\s*"resource(?:Spans|Metrics|Logs|Profiles)"')
"""A line that begins so is a request of its own, so the one before it was cut off."""
_CHUNK: Final = 1024 * 1024
PREFIX_BYTES: Final = 4
_RESOURCE_SPANS_TAG: Final = 0x0A
"""First byte of an OTLP protobuf message: field 1, length-delimited."""
_INNER_TAGS: Final = frozenset({0x0A, 0x12})
"""What that field may begin with: a resource or scope spans."""
_INNERMOST_TAGS: Final = frozenset({0x0A, 0x10, 0x12, 0x1A})
"""What these may begin with: attributes, a number, entities; a scope, spans, a schema URL."""
_MAX_VARINT_BYTES: Final = 5
_VARINT_MORE: Final = 0x80
_VARINT_BITS: Final = 0x7F
_BITS_A_BYTE: Final = 7
_HEAD_BYTES: Final = 16
JSON_STARTS: Final = (b"{", b"[")
_DOCUMENT_STARTS: Final = (b'{"data"', b"[", b'{"traceID"', b'{"spans"', b'{"processes"')


class Form(Enum):
    """What a payload is written in."""

    JSON = auto()
    PROTOBUF = auto()
    UNKNOWN = auto()
    """One of them, perhaps compressed: its first bytes tell."""


class Shape(Enum):
    """How payloads follow each other."""

    TEXT = auto()
    PREFIXED = auto()
    DELIMITED = auto()
    MESSAGE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The bytes of one request.

    ``where`` is its place for people, as ``file:line`` or ``file, message 3, byte 99``.
    """

    data: bytes
    where: str
    form: Form


def payloads(stream: BinaryIO, name: str, report: ReadReport) -> Iterator[Payload]:
    """The payloads of a stream. What is too long is skipped unread, counted and told.

    Raises:
        InputError: a single document is too large, or text is in an encoding that is not read.
    """
    head, whole = peeked(stream, _HEAD_BYTES)
    shape = shape_of(head)
    if shape is Shape.TEXT:
        yield from _texts(whole, name, report)
    elif shape is Shape.MESSAGE:
        report.lines += 1
        yield Payload(data=_whole(b"", whole), where=name, form=Form.PROTOBUF)
    else:
        yield from _messages(whole, shape, name, report)


def shape_of(head: bytes) -> Shape:
    """The shape of a stream that begins so. What nothing else fits is text."""
    if not head.strip() or head.lstrip().startswith(JSON_STARTS):
        return Shape.TEXT  # no message begins so: what would be a length within would be larger than the one around
    if _is_prefixed(head):
        return Shape.PREFIXED
    if is_message(head, 0):
        return Shape.MESSAGE
    length = varint(head, 0)
    if length is not None and length[0] > 0 and is_message(head, length[1]):
        return Shape.DELIMITED
    return Shape.TEXT


def _is_prefixed(head: bytes) -> bool:
    body = head[PREFIX_BYTES:]
    length = int.from_bytes(head[:PREFIX_BYTES], "big")
    if not 0 < length <= MAX_DOCUMENT_BYTES or not body:
        return False
    return body.startswith((ZSTD_MAGIC, *JSON_STARTS)) or is_message(body, 0)


def is_message(head: bytes, at: int = 0) -> bool:
    """Whether an OTLP protobuf message can begin here: a newline, which is the same byte, is not followed so."""
    if head[at : at + 1] != bytes((_RESOURCE_SPANS_TAG,)):
        return False
    body = varint(head, at + 1)
    if body is None or body[1] >= len(head) or head[body[1]] not in _INNER_TAGS:
        return False
    inner = varint(head, body[1] + 1)
    return inner is None or inner[0] == 0 or inner[1] >= len(head) or head[inner[1]] in _INNERMOST_TAGS


def varint(data: bytes, at: int) -> tuple[int, int] | None:
    """A number and the place after it; None where none stands there."""
    number = 0
    for place, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        number |= (byte & _VARINT_BITS) << (_BITS_A_BYTE * place)
        if not byte & _VARINT_MORE:
            return number, at + place + 1
    return None


def _whole(begun: bytes, stream: BinaryIO) -> bytes:
    data = begun + read_at_most(stream, MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        message = f"a single document may have {MAX_DOCUMENT_BYTES:,} bytes; write one request a line instead"
        raise InputError(message)
    return data


# --- text ------------------------------------------------------------------------------------------------


def _texts(stream: BinaryIO, name: str, report: ReadReport) -> Iterator[Payload]:
    number, line = 1, checked_start(_read_line(stream)).removeprefix(BOM)
    while line and not line.strip():
        report.lines += 1
        number, line = number + 1, _read_line(stream)
    following = _read_line(stream) if may_go_on(line) else b""
    if begins_document(line) or (following and not begins_request(following)):
        report.lines += 1
        yield Payload(data=_whole(line + following, stream), where=name, form=Form.JSON)
        return
    while line:
        report.lines += 1
        if _is_too_long(line):
            skipped = len(line) + _skip_line(stream, line)
            what = f"{skipped:,} bytes are more than the {MAX_LINE_BYTES:,} that a line may have; it was skipped unread"
            report.skip(f"{name}:{number}", what)
        elif not line.isspace():
            yield Payload(data=line, where=f"{name}:{number}", form=Form.JSON)
        number, line, following = number + 1, following or _read_line(stream), b""


def _read_line(stream: BinaryIO) -> bytes:
    """The next line with its end, or, of one that is too long, enough to see that."""
    return stream.readline(MAX_LINE_BYTES + len(b"\r\n"))


def _is_too_long(line: bytes) -> bool:
    return len(line) > MAX_LINE_BYTES and len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES


def checked_start(line: bytes) -> bytes:
    """The first line.

    Raises:
        InputError: the text is in an encoding that is not read.
    """
    if line.startswith(_UTF_16_BOMS):
        message = "it is UTF-16 text; save it as UTF-8"
        raise InputError(message)
    return line


def begins_document(line: bytes) -> bool:
    """Whether a first line is the beginning of one document, or all of it."""
    text = line.strip()
    return text in JSON_STARTS or text.startswith(_DOCUMENT_STARTS)


def begins_request(line: bytes) -> bool:
    """Whether a line is the beginning of a request of its own."""
    return _BEGINS_REQUEST.match(line) is not None


def may_go_on(line: bytes) -> bool:
    """Whether a first line may be JSON that goes on in the next one: a document, unless it was cut off."""
    text = line.strip()
    return text.startswith(JSON_STARTS) and not text.endswith((b"}", b"]")) and not _is_too_long(line)


def _skip_line(stream: BinaryIO, begun: bytes) -> int:
    """Read on to the end of the line, keeping nothing."""
    skipped = 0
    part = begun
    while part and not part.endswith(b"\n"):
        part = stream.readline(_CHUNK)
        skipped += len(part)
    return skipped


# --- messages --------------------------------------------------------------------------------------------


def _messages(stream: BinaryIO, shape: Shape, name: str, report: ReadReport) -> Iterator[Payload]:
    form = Form.UNKNOWN if shape is Shape.PREFIXED else Form.PROTOBUF
    number, offset = 0, 0
    while True:
        number += 1
        where = f"{name}, message {number}, byte {offset}"
        prefix = _read_prefix(stream, shape)
        length = _length(prefix, shape)
        if length is None:
            if prefix:
                report.cut_off(where, "the length of a message is not whole")
            return
        report.lines += 1
        offset += len(prefix) + length
        if length > MAX_LINE_BYTES:
            report.skip(where, f"{length:,} bytes are more than a message may have; it was skipped unread")
            rest = length
            while rest > 0 and (part := stream.read(min(rest, _CHUNK))):
                rest -= len(part)
            continue
        data = read_at_most(stream, length)
        if len(data) < length:
            report.cut_off(where, f"the message ends after {len(data):,} of {length:,} bytes")
            return
        yield Payload(data=data, where=where, form=form)


def _read_prefix(stream: BinaryIO, shape: Shape) -> bytes:
    """The bytes that tell the length of the next message; none at the end."""
    if shape is Shape.PREFIXED:
        return stream.read(PREFIX_BYTES)
    prefix = b""
    while len(prefix) < _MAX_VARINT_BYTES and (byte := stream.read(1)):
        prefix += byte
        if not byte[0] & _VARINT_MORE:
            break
    return prefix


def _length(prefix: bytes, shape: Shape) -> int | None:
    if shape is Shape.PREFIXED:
        return prefixed_length(prefix)
    found = varint(prefix, 0)
    return None if found is None else found[0]


def prefixed_length(head: bytes) -> int | None:
    """The length that four bytes tell; None where there are fewer."""
    return int.from_bytes(head[:PREFIX_BYTES], "big") if len(head) >= PREFIX_BYTES else None
