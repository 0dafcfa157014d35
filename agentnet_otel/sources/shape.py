"""What a stream looks like: how payloads follow each other in it, told by its first bytes, not by a name."""

import codecs
import re
from enum import Enum, auto
from typing import Final

import msgspec

from agentnet_otel.errors import InputError
from agentnet_otel.sources.unpacking import ZSTD_MAGIC, is_zstd

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""A longer line or message is skipped unread."""
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
"""A longer single document is refused."""

_UTF_16: Final = re.compile(rb"\xff\xfe|\xfe\xff|[{\[]\0|\0[{\[]\0")
"""How text in UTF-16 begins: with its mark, or with JSON; no JSON in UTF-8 holds a zero byte."""
_FOREIGN_STARTS: Final = {
    b"\x1f\x8b": "gzip within what was unpacked",
    ZSTD_MAGIC: "zstd within what was unpacked",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "a zip archive",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\0\0sNaPpY": "snappy",
}
"""How what is compressed begins that is not unpacked here."""
FOREIGN: Final = tuple(_FOREIGN_STARTS)
PREFIX_BYTES: Final = 4
RESOURCE_SPANS_TAG: Final = 0x0A
"""First byte of an OTLP protobuf message: field 1, length-delimited."""
_INNER_TAGS: Final = frozenset({0x0A, 0x12})
"""What that field may begin with: a resource or scope spans."""
_INNERMOST_TAGS: Final = frozenset({0x0A, 0x10, 0x12, 0x1A})
"""What these may begin with: attributes, a number, entities; a scope, spans, a schema URL."""
_MAX_VARINT_BYTES: Final = 5
_VARINT_MORE: Final = 0x80
_VARINT_BITS: Final = 0x7F
_BITS_A_BYTE: Final = 7
HEAD_BYTES: Final = 16
LONG_HEAD_BYTES: Final = 1024 * 1024
"""What is looked at where the first bytes tell nothing, and are no text: the first message may be damaged."""
_MESSAGES_AHEAD: Final = 16
JSON_STARTS: Final = (b"{", b"[")
SHORT_MESSAGES: Final = (b"[\nY", b"{\ny")
"""How messages of 91 and of 123 bytes begin, with their length before them: not as JSON goes on."""


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


class Payload(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The bytes of one request.

    ``where`` is its place for people, as ``file:line`` or ``file, message 3, byte 99``.
    """

    data: bytes
    where: str
    form: Form
    is_rest: bool = False
    """Whether it is what is left of a stream of which was told that it is cut off."""


def shape_of_start(head: bytes) -> Shape:
    """The shape of a stream, told by its first bytes, or, where these tell nothing, by all that are given.

    Raises:
        InputError: it is compressed, and was not unpacked.
    """
    for magic, what in _FOREIGN_STARTS.items():
        if head.startswith(magic):
            message = f"it is compressed ({what}); unpack it, or compress it once, by gzip or zstd"
            raise InputError(message)
    return shape_of(head[: LONG_HEAD_BYTES if tells_nothing(head) else HEAD_BYTES])


def tells_nothing(head: bytes) -> bool:
    """Whether the first bytes fit no shape, and are no text: the first message may be damaged."""
    head = head[:HEAD_BYTES]
    return shape_of(head) is Shape.TEXT and not is_utf_16(head) and not _is_text(head)


def shape_of(head: bytes) -> Shape:
    """The shape of a stream that begins so. What nothing else fits is text."""
    if not head.strip() or (head.lstrip().startswith(JSON_STARTS) and not head.startswith(SHORT_MESSAGES)):
        return Shape.TEXT
    if is_message(head):  # before what has lengths, of which the first would be more than 160 MB
        return Shape.MESSAGE
    if _is_prefixed(head):
        return Shape.PREFIXED
    if _is_delimited(head):
        return Shape.DELIMITED
    return Shape.TEXT if is_utf_16(head) or _is_text(head) else _shape_behind_damage(head)


def _shape_behind_damage(head: bytes) -> Shape:
    """The shape where first messages are empty or wrong, told by the next ones, or by lengths that begin with 0."""
    for shape, fits in ((Shape.PREFIXED, _is_prefixed), (Shape.DELIMITED, _is_delimited)):
        at = 0
        for _ in range(_MESSAGES_AHEAD):
            found = length_at(head, at, shape)
            if found is None or sum(found) >= len(head):
                break
            at = sum(found)
            if fits(head[at : at + HEAD_BYTES]):
                return shape
    return Shape.PREFIXED if head[:1] == b"\0" and any(head[:PREFIX_BYTES]) else Shape.TEXT


def is_utf_16(head: bytes) -> bool:
    """Whether text begins so in an encoding that is not read."""
    return _UTF_16.match(head) is not None


def _is_text(head: bytes) -> bool:
    """Whether bytes may be the beginning of a text; its last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(character < " " and not character.isspace() for character in text)


def _is_prefixed(head: bytes) -> bool:
    body = head[PREFIX_BYTES:]
    length = int.from_bytes(head[:PREFIX_BYTES], "big")
    if not 0 < length <= MAX_DOCUMENT_BYTES or not body:
        return False
    return is_other_body(body) or is_message(body)


def _is_delimited(head: bytes) -> bool:
    length = varint(head, 0)
    return length is not None and length[0] > 0 and is_message(head, length[1])


def is_message(head: bytes, at: int = 0) -> bool:
    """Whether an OTLP protobuf message can begin here: a newline, which is the same byte, is not followed so."""
    if head[at : at + 1] != bytes((RESOURCE_SPANS_TAG,)):
        return False
    body = varint(head, at + 1)
    if body is None or body[1] >= len(head) or head[body[1]] not in _INNER_TAGS:
        return False
    inner = varint(head, body[1] + 1)
    return inner is None or inner[0] == 0 or inner[1] >= len(head) or head[inner[1]] in _INNERMOST_TAGS


def varint(data: bytes, at: int) -> tuple[int, int] | None:
    """A number and the place after it; None where none stands there."""
    number = shift = 0
    for byte in data[at : at + _MAX_VARINT_BYTES]:
        at += 1
        if byte < _VARINT_MORE:
            return number | byte << shift, at
        number |= (byte & _VARINT_BITS) << shift
        shift += _BITS_A_BYTE
    return None


def fits(head: bytes, shape: Shape) -> bool:
    """Whether a message can begin here, with its length before it."""
    return _is_prefixed(head) if shape is Shape.PREFIXED else _is_delimited(head)


def is_other_body(body: bytes) -> bool:
    """Whether what has a length before it is JSON, or compressed."""
    return body.startswith(JSON_STARTS) or is_zstd(body[:HEAD_BYTES])


def length_at(data: bytes, at: int, shape: Shape) -> tuple[int, int] | None:
    """The length of the message at a place, and where it begins; None where that is not whole."""
    if shape is Shape.DELIMITED:
        return varint(data, at)
    begin = at + PREFIX_BYTES
    return (int.from_bytes(data[at:begin], "big"), begin) if begin <= len(data) else None
