"""Cutting text into payloads: one a line, or one document."""

import re
from collections import deque
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import BinaryIO, Final

import msgspec

from agentnet_otel.errors import InputError
from agentnet_otel.sources.compression import read_at_most
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import JSON_STARTS, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES, Form, Payload, is_utf_16

TRUNCATED: Final = "Input data was truncated"
"""What msgspec says where the end is missing; it has no class for it."""

BOM: Final = b"\xef\xbb\xbf"
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
_CHUNK: Final = 1024 * 1024
_IS_PLAIN: Final = re.compile(rb"[!-~]{2}").match
"""Tells lines that are not empty, no single bracket and without a mark of their encoding."""
_DOCUMENT_STARTS: Final = (b'{"data"', b"[", b'{"traceID"', b'{"spans"', b'{"processes"')


def whole(begun: bytes, stream: BinaryIO) -> bytes:
    """All of a stream that is one payload.

    Raises:
        InputError: it is too large.
    """
    data = begun + read_at_most(stream, MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        message = f"a single document may have {MAX_DOCUMENT_BYTES:,} bytes; write one request a line instead"
        raise InputError(message)
    return data


def texts(stream: BinaryIO, name: str, report: ReadReport) -> Iterator[Payload]:
    """The payloads of a stream of text: its lines, or the document that its first lines are the beginning of.

    Raises:
        InputError: a document is too large, or the encoding is not read.
    """
    number, line = 1, checked_start(_read_line(stream)).removeprefix(BOM)
    while line and not line.strip():
        report.lines += 1
        number, line = number + 1, _read_line(stream)
    ahead, is_document = _look_ahead(line, stream)
    if is_document:
        report.lines += 1
        data = whole(b"\n" * (number - 1) + b"".join(ahead), stream)
        yield Payload(data=data, where=name, form=Form.JSON, is_rest=report.cut_source == name)
        return
    documents = DocumentsAmongLines()
    line = ahead.popleft()
    while line:
        report.lines += 1
        if not line.endswith(b"\n") and report.cut_source == name:
            yield Payload(data=line, where=f"{name}:{number}", form=Form.JSON, is_rest=True)
        elif _IS_PLAIN(line) and not documents.held_bytes and len(line) <= MAX_LINE_BYTES:  # nearly always
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
    if is_utf_16(line):
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
    return is_cut_off(text)


def is_json(text: bytes) -> bool:
    """Whether it is one value in JSON; what its texts hold is not looked at."""
    try:
        _raw_decoder.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def is_cut_off(text: bytes) -> bool:
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
            is_rest = payload.is_rest and end == len(data)
            yield Payload(data=part.rstrip(_BETWEEN), where=where, form=Form.JSON, is_rest=is_rest)
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
