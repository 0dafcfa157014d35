"""Cutting a stream into payloads, one a request: its shape is told by its first bytes, not by a name.

| shape | what writes it |
|---|---|
| a line each | the Collector's file exporter (JSON), our own |
| one document | an OTLP request saved as it is, Jaeger's API and UI |
| 4 bytes of length before each (big-endian) | the Collector's file exporter (protobuf; either format when compressed) |
| a varint of length before each | streams of delimited protobuf messages |
| one message | an OTLP protobuf request saved as it is |
"""

import codecs
import re
from collections import deque
from collections.abc import Iterator
from enum import Enum, auto
from itertools import chain, pairwise
from typing import BinaryIO, Final

import msgspec

from agentnet_otel.errors import InputError
from agentnet_otel.sources.compression import peeked, read_at_most
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.unpacking import ZSTD_MAGIC, is_zstd

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""A longer line or message is skipped unread."""
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
"""A longer single document is refused."""

TRUNCATED: Final = "Input data was truncated"
"""What msgspec says where the end is missing; it has no class for it."""

BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = re.compile(rb"\xff\xfe|\xfe\xff|[{\[]\0|\0[{\[]\0")
"""How text in UTF-16 begins: with its mark, or with JSON; no JSON in UTF-8 holds a zero byte."""
_BEGINS_REQUEST: Final = re.compile(rb'\s*\{\s*"resource(?:Spans|Metrics|Logs|Profiles)"')
"""A line that begins so is a request of its own, so the one before it was cut off. No text within JSON holds it so."""
_REQUEST: Final = re.compile(rb'\{\s*"resource(?:Spans|Metrics|Logs|Profiles)"')
_BETWEEN: Final = b" \t\r\n,[]"
"""What stands between requests: no request ends or begins with it."""
_raw_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_CLOSING: Final = bytes.maketrans(b"{[", b"}]")
_SHORT_PART: Final = 4096
_SHORT_LINE: Final = 1000
"""Longer lines are no single bracket, be it among spaces."""
_LINES_AHEAD: Final = 16
"""So many lines are looked at to tell a first line that is wrong from the beginning of a document."""
_FOREIGN: Final = {
    b"\x1f\x8b": "gzip within what was unpacked",
    ZSTD_MAGIC: "zstd within what was unpacked",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "a zip archive",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\0\0sNaPpY": "snappy",
}
"""How what is compressed begins that is not unpacked here."""
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
LONG_HEAD_BYTES: Final = 1024 * 1024
"""What is looked at where the first bytes tell nothing, and are no text: the first message may be damaged."""
_MESSAGES_AHEAD: Final = 16
_IS_PLAIN: Final = re.compile(rb"[!-~]{2}").match
"""Tells lines that are not empty, no single bracket and without a mark of their encoding."""
JSON_STARTS: Final = (b"{", b"[")
SHORT_MESSAGES: Final = (b"[\nY", b"{\ny")
"""How messages of 91 and of 123 bytes begin, with their length before them: not as JSON goes on."""
_DOCUMENT_STARTS: Final = (b'{"data"', b"[", b'{"traceID"', b'{"spans"', b'{"processes"')

MAX_LOOKS: Final = 200_000
"""Places of a stream at which the beginning of a message is looked for behind damage."""
_LOOKS_AHEAD: Final = 20
"""And what holding a part of a stream costs, to see what comes next."""
_MAX_PARTS_SEEN: Final = 100
_BYTES_A_LOOK: Final = 256
"""Holding, and going through, so many bytes costs as much."""


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


_STARTS: Final = {
    Shape.PREFIXED: re.compile(rb"(?=[\0-\x02][\0-\xff]{3}[\x0a{\[\x28\x50-\x5f])", re.DOTALL),
    Shape.DELIMITED: re.compile(rb"(?=[\x80-\xff]{0,4}[\0-\x7f]\x0a)", re.DOTALL),
}
"""Where a length may begin, with the first byte of what it is of."""


def payloads(stream: BinaryIO, name: str, report: ReadReport) -> Iterator[Payload]:
    """The payloads of a stream. What is too long is skipped unread, counted and told.

    Raises:
        InputError: a single document is too large, or text is in an encoding that is not read.
    """
    head, whole = peeked(stream, _HEAD_BYTES)
    if tells_nothing(head) and not head.startswith(tuple(_FOREIGN)):
        head, whole = peeked(whole, LONG_HEAD_BYTES)
    shape = shape_of_start(head)
    if shape is Shape.TEXT:
        yield from _texts(whole, name, report)
    elif shape is Shape.MESSAGE:
        report.lines += 1
        yield Payload(data=_whole(b"", whole), where=name, form=Form.PROTOBUF)
    else:
        yield from _messages(whole, shape, name, report)


def shape_of_start(head: bytes) -> Shape:
    """The shape of a stream, told by its first bytes, or, where these tell nothing, by all that are given.

    Raises:
        InputError: it is compressed, and was not unpacked.
    """
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            message = f"it is compressed ({what}); unpack it, or compress it once, by gzip or zstd"
            raise InputError(message)
    return shape_of(head[: LONG_HEAD_BYTES if tells_nothing(head) else _HEAD_BYTES])


def tells_nothing(head: bytes) -> bool:
    """Whether the first bytes fit no shape, and are no text: the first message may be damaged."""
    head = head[:_HEAD_BYTES]
    return shape_of(head) is Shape.TEXT and not _UTF_16.match(head) and not _is_text(head)


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
    return Shape.TEXT if _UTF_16.match(head) or _is_text(head) else _shape_behind_damage(head)


def _shape_behind_damage(head: bytes) -> Shape:
    """The shape where first messages are empty or wrong, told by the next ones, or by lengths that begin with 0."""
    for shape, fits in ((Shape.PREFIXED, _is_prefixed), (Shape.DELIMITED, _is_delimited)):
        at = 0
        for _ in range(_MESSAGES_AHEAD):
            found = length_at(head, at, shape)
            if found is None or sum(found) >= len(head):
                break
            at = sum(found)
            if fits(head[at : at + _HEAD_BYTES]):
                return shape
    return Shape.PREFIXED if head[:1] == b"\0" and any(head[:PREFIX_BYTES]) else Shape.TEXT


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
    return _is_other_body(body) or is_message(body)


def _is_delimited(head: bytes) -> bool:
    length = varint(head, 0)
    return length is not None and length[0] > 0 and is_message(head, length[1])


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
    ahead, is_document = _look_ahead(line, stream)
    if is_document:
        report.lines += 1
        yield Payload(data=_whole(b"\n" * (number - 1) + b"".join(ahead), stream), where=name, form=Form.JSON)
        return
    documents = DocumentsAmongLines()
    line = ahead.popleft()
    while line:
        report.lines += 1
        if _IS_PLAIN(line) and not documents.held_bytes and len(line) <= MAX_LINE_BYTES:  # nearly always
            yield Payload(data=line, where=f"{name}:{number}", form=Form.JSON)
        elif _is_too_long(line):
            skipped = len(line) + _skip_line(stream, line)
            what = f"{skipped:,} bytes are more than the {MAX_LINE_BYTES:,} that a line may have; it was skipped unread"
            report.skip(f"{name}:{number}", what)
        else:
            for begun, data in documents.whole(number, line.removeprefix(BOM)):
                yield Payload(data=data, where=f"{name}:{begun}", form=Form.JSON)
        number, line = number + 1, ahead.popleft() if ahead else _read_line(stream)
    for begun, data in documents.rest():
        yield Payload(data=data, where=f"{name}:{begun}", form=Form.JSON)


class DocumentsAmongLines:
    """Puts indented documents that stand among lines together: one begins with a bracket that is alone in its line."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._begun = 0
        self._end = b""

    @property
    def held_bytes(self) -> int:
        """Bytes of a document whose end did not come yet."""
        return len(self._held)

    def whole(self, number: int, line: bytes) -> Iterator[tuple[int, bytes]]:
        """What is whole with a line, with the number of its first line: the line itself, nearly always."""
        if self._held and begins_request(line):
            yield from self.rest()
        text = line.strip() if len(line) < _SHORT_LINE else b"" if line.isspace() else line  # copies none that is long
        if not self._held and text in JSON_STARTS:
            self._begun, self._end = number, line.rstrip().translate(_CLOSING)
        elif not self._held:
            if text:
                yield number, line
            return
        self._held += line
        if line.rstrip(b" \t\r\n,") == self._end or self.held_bytes > MAX_LINE_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """What is held, though its end did not come."""
        if self._held:
            document = bytes(self._held)
            self._held.clear()
            yield self._begun, document


def _look_ahead(line: bytes, stream: BinaryIO) -> tuple[deque[bytes], bool]:
    """The first lines, and whether they begin a document: not where one of them begins a request of its own."""
    ahead = deque([line])
    if not may_go_on(line):
        return ahead, False
    size = len(line)
    while len(ahead) < _LINES_AHEAD and size <= MAX_LINE_BYTES and (following := _read_line(stream)):
        ahead.append(following)
        size += len(following)
        if begins_request(following):
            return ahead, False
    return ahead, begins_document(line) or len(ahead) > 1


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
    if _UTF_16.match(line):
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
    if not text.startswith(JSON_STARTS):
        return False
    if _is_too_long(line):
        return begins_document(line)
    return _is_cut_off(text)


def is_json(text: bytes) -> bool:
    """Whether it is one value in JSON; what its texts hold is not looked at."""
    try:
        _raw_decoder.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def _is_cut_off(text: bytes) -> bool:
    """Whether it is JSON of which only the end is missing; a line of a log that begins with a bracket is none."""
    try:
        _raw_decoder.decode(text)
    except msgspec.DecodeError as error:
        return str(error) == TRUNCATED
    except (ValueError, RecursionError):
        return True
    return False


def requests_within(payload: Payload) -> Iterator[Payload]:
    """What a payload of JSON that is wrong as a whole may hold: requests, one behind the other; nothing if it is one.

    So it is where a writer was killed within a line and, started anew, wrote on in it; where a damaged first line makes
    those after it look like a document; of documents behind each other, and of a list of requests.
    """
    data = payload.data
    first = _REQUEST.search(data) if payload.form is Form.JSON else None
    if first is None or _is_one(data, first):
        return
    has_lines = b"\n" in data.rstrip()
    line = 1
    begins = (found.start() for found in _REQUEST.finditer(data))
    for begin, end in pairwise(chain((0,), begins, (len(data),))):
        part = data[begin:end].lstrip(_BETWEEN)
        line += data.count(b"\n", begin, end - len(part))
        if part:
            where = f"{payload.where}:{line}" if has_lines else payload.where
            yield Payload(data=part.rstrip(_BETWEEN), where=where, form=Form.JSON)
        line += part.count(b"\n")


def _is_one(data: bytes, first: re.Match[bytes]) -> bool:
    """Whether it is one request, or one object that holds such: then nothing is behind or before another."""
    if data.strip() == data[first.start() :].strip(_BETWEEN) and not _REQUEST.search(data, first.end()):
        return True
    return data.lstrip().startswith(b"{") and is_json(data)


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
    reader = _Messages(stream, shape)
    number, offset = 0, 0
    while prefix := reader.read_prefix():
        number += 1
        where = f"{name}, message {number}, byte {offset}"
        report.lines += 1
        found = length_at(prefix, 0, shape)
        length = MAX_DOCUMENT_BYTES if found is None else found[0]
        if not length:  # an empty request
            zeros = reader.skip_zeros()
            number += zeros
            report.lines += zeros
            offset += len(prefix) + zeros * reader.zero_bytes
            continue
        data = reader.read(length if length <= MAX_LINE_BYTES else 0)
        if (damaged := reader.skip_damage(prefix, length, data)) is not None:
            offset += damaged
            report.bad_lines += 1
            report.tell(
                where, f"its length does not fit what follows; read on at byte {offset}, where a message begins"
            )
            continue
        offset += len(prefix) + length
        if found is None:
            report.lines -= 1
            report.cut_off(where, "the length of a message is not whole")
            return
        if length > MAX_LINE_BYTES:
            report.skip(where, f"{length:,} bytes are more than a message may have; it was skipped unread")
            reader.skip(length)
        elif len(data) < length:
            report.cut_off(where, f"the message ends after {len(data):,} of {length:,} bytes")
            return
        else:
            yield Payload(data=data, where=where, form=form)


class _Messages:
    """A stream of messages, of which bytes can be given back."""

    def __init__(self, stream: BinaryIO, shape: Shape) -> None:
        self._stream = stream
        self._shape = shape
        self._back = b""
        self._at = 0
        self._behind = b""
        """The last bytes of the message before: its length may have been too large by so many."""
        self._looks = MAX_LOOKS
        self.zero_bytes = PREFIX_BYTES if shape is Shape.PREFIXED else 1
        """Of a length that is 0."""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end only."""
        given = self._back[self._at : self._at + size]
        self._at += len(given)
        return given if len(given) == size else given + read_at_most(self._stream, size - len(given))

    def read_prefix(self) -> bytes:
        """The bytes that tell the length of the next message; none at the end."""
        if self._shape is Shape.PREFIXED:
            return self.read(PREFIX_BYTES)
        prefix = b""
        while len(prefix) < _MAX_VARINT_BYTES and (byte := self.read(1)):
            prefix += byte
            if not byte[0] & _VARINT_MORE:
                break
        return prefix

    def skip_zeros(self) -> int:
        """Pass over empty messages; how many: a disk that failed leaves millions."""
        part = self.read(_SHORT_PART)
        zeros = (len(part) - len(part.lstrip(b"\0"))) // self.zero_bytes
        self._give_back(part[zeros * self.zero_bytes :])
        return zeros

    def skip(self, size: int) -> None:
        """Pass over so many bytes, keeping nothing."""
        while size > 0 and (part := self.read(min(size, _CHUNK))):
            size -= len(part)

    def skip_damage(self, prefix: bytes, length: int, data: bytes) -> int | None:
        """Where a length is damaged, go to where the next message begins; how far that is from where this one does.

        None where nothing speaks against the length, or no message is found: then all is as it was.
        """
        is_whole = len(data) == length
        behind, self._behind = self._behind, data[1 - PREFIX_BYTES :]
        if self._looks < 0 or (is_whole and self._is_body(data)):
            return None
        self._looks -= _LOOKS_AHEAD
        rest = self.read(_CHUNK)
        held = behind + prefix + data + rest
        next_at = len(behind) + len(prefix) + length
        start = None
        if not self._fits(held[next_at : next_at + 2 * _HEAD_BYTES]) and len(held) != next_at:
            self._looks -= len(held) // _BYTES_A_LOOK
            start = self._next_start(held[:_CHUNK], is_end=len(held) < _CHUNK)
        if start is None:
            self._give_back(rest)
            return None
        self._behind = b""
        self._give_back(held[start:])
        return start - len(behind)

    def _give_back(self, data: bytes) -> None:
        self._back = data + self._back[self._at :]
        self._at = 0

    def _next_start(self, held: bytes, *, is_end: bool) -> int | None:
        """Where a message begins behind which another one does, or the end is; the first bytes are not looked at."""
        for found in _STARTS[self._shape].finditer(held, 1):
            self._looks -= 1
            if self._looks < 0:  # not endlessly, whatever is in a file
                return None
            end = self._end_of(held, found.start())
            if (is_end and end == len(held)) or self._fits(held[end : end + 2 * _HEAD_BYTES]):
                return found.start()
        return None

    def _end_of(self, held: bytes, at: int) -> int:
        """Where the message ends that begins at a place, with its length; beyond what is held if none does."""
        beyond = len(held) + 1
        found = length_at(held, at, self._shape) if self._fits(held[at : at + 2 * _HEAD_BYTES]) else None
        if found is None or sum(found) > len(held):
            return beyond
        length, begin = found
        is_whole = _is_other_body(held[begin : begin + _HEAD_BYTES]) or _is_whole(held, begin, begin + length)
        return begin + length if is_whole else beyond

    def _fits(self, head: bytes) -> bool:
        return _is_prefixed(head) if self._shape is Shape.PREFIXED else _is_delimited(head)

    def _is_body(self, data: bytes) -> bool:
        return is_message(data) or (self._shape is Shape.PREFIXED and _is_other_body(data))


def _is_whole(data: bytes, at: int, end: int) -> bool:
    """Whether a message, which is a list of resources with their spans, ends with one of them."""
    for _ in range(_MAX_PARTS_SEEN):
        inner = varint(data, at + 1) if data[at] == _RESOURCE_SPANS_TAG else None
        if inner is None or sum(inner) > end:
            return False
        at = sum(inner)
        if at == end:
            return True
    return True


def _is_other_body(body: bytes) -> bool:
    """Whether what has a length before it is JSON, or compressed."""
    return body.startswith(JSON_STARTS) or is_zstd(body[:_HEAD_BYTES])


def length_at(data: bytes | bytearray, at: int, shape: Shape) -> tuple[int, int] | None:
    """The length of the message at a place, and where it begins; None where that is not whole."""
    head = bytes(data[at : at + _MAX_VARINT_BYTES])
    if shape is Shape.PREFIXED:
        whole = len(head) >= PREFIX_BYTES
        return (int.from_bytes(head[:PREFIX_BYTES], "big"), at + PREFIX_BYTES) if whole else None
    found = varint(head, 0)
    return None if found is None else (found[0], at + found[1])
