"""Cutting into payloads what comes bit by bit: the same as `framing` does with streams that have an end.

Bytes go in as a file grows, payloads come out when they are whole. What is not whole waits for its rest. A shape that
has no end of its own, one document or one message, is taken when its file has been quiet for long enough.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from agentnet_otel.errors import InputError
from agentnet_otel.sources.compression import unpacker_of
from agentnet_otel.sources.lines import (
    BOM,
    DocumentsAmongLines,
    begins_document,
    begins_request,
    checked_start,
    is_cut_off,
    is_json,
    may_go_on,
)
from agentnet_otel.sources.messages import MessageCutter
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import (
    HEAD_BYTES,
    JSON_STARTS,
    LONG_HEAD_BYTES,
    MAX_LINE_BYTES,
    SHORT_MESSAGES,
    Form,
    Payload,
    Shape,
    shape_of_start,
    tells_nothing,
)
from agentnet_otel.sources.unpacking import ZSTD_MAGIC, Unpacker

_MAY_BE_SHORT: Final = frozenset(short[:size] for short in SHORT_MESSAGES for size in (1, 2, 3))
_CLOSING: Final = (b"}", b"]")


class GrowingPayloads:
    """The payloads of one file from its first byte on. ``name`` is its place for people."""

    def __init__(self, name: str, report: ReadReport) -> None:
        self._name = name
        self._report = report
        self._packed = b""
        self._unpacker: Unpacker | None = None
        self._is_opened = False
        self._cutter: _Lines | MessageCutter | _Whole | None = None
        self._head = b""

    def feed(self, data: bytes) -> Iterator[Payload]:
        """The payloads that are whole by these bytes.

        Raises:
            InputError: it is no such file, or damaged.
            MissingExtraError: it is zstd and no decoder is installed.
        """
        if not self._is_opened:
            self._packed += data
            if len(self._packed) < len(ZSTD_MAGIC):
                return
            self._unpacker = unpacker_of(self._packed, self._name, self._report)
            self._is_opened = True
            data, self._packed = self._packed, b""
        for content in [data] if self._unpacker is None else self._unpacker.unpack(data):
            yield from self._cut(content)

    def _cut(self, content: bytes) -> Iterator[Payload]:
        if self._cutter is None:
            self._head += content
            if _is_too_little(self._head):
                return
            self._cutter = _cutter_of(self._head, self._name, self._report)
            content, self._head = self._head, b""
        yield from self._cutter.feed(content)

    def settle(self) -> Iterator[Payload]:
        """The payload that has no end of its own, as the file has been quiet; then it begins anew."""
        if isinstance(self._cutter, _Whole):
            yield from self._cutter.finish()
        elif self._cutter is not None:
            yield from self._cutter.settle()

    def finish(self) -> Iterator[Payload]:
        """What is left at the end of the file, as far as it may be whole; that it is not is told.

        Raises:
            InputError: it is damaged, and nothing could be unpacked.
        """
        if self._unpacker is not None:
            self._unpacker.finish()
        if self._cutter is None and (rest := self._packed or self._head):
            self._cutter = _cutter_of(rest, self._name, self._report)
            yield from self._cutter.feed(rest)
        if self._cutter is not None:
            for payload in self._cutter.finish():
                is_rest = self._report.cut_source == self._name
                yield msgspec.structs.replace(payload, is_rest=True) if is_rest else payload

    @property
    def waiting_bytes(self) -> int:
        """Unpacked bytes that wait for their rest."""
        return len(self._packed) + len(self._head) + (0 if self._cutter is None else self._cutter.waiting_bytes)


def _is_too_little(head: bytes) -> bool:
    """Whether more is needed to tell what a stream is: where its first message is damaged, the next one tells."""
    if head.lstrip().startswith(JSON_STARTS):
        return len(head) < HEAD_BYTES and head[:3] in _MAY_BE_SHORT
    if len(head) < HEAD_BYTES:
        return True
    return len(head) < LONG_HEAD_BYTES and tells_nothing(head) and shape_of_start(head) is Shape.TEXT


def _cutter_of(head: bytes, name: str, report: ReadReport) -> "_Lines | MessageCutter | _Whole":
    """What cuts a stream that begins so."""
    shape = shape_of_start(head)
    if shape is Shape.TEXT:
        return _Lines(name, report)
    return _Whole(name, report) if shape is Shape.MESSAGE else MessageCutter(shape, name, report, grows=True)


# --- what cuts -------------------------------------------------------------------------------------------


class _Lines:
    """A payload a line; or, told by the first line, one document."""

    def __init__(self, name: str, report: ReadReport) -> None:
        self._name = name
        self._report = report
        self._parts: list[bytes] = []
        """Of the line that is not whole yet."""
        self._line_bytes = 0
        self._document = bytearray()
        self._among_lines = DocumentsAmongLines()
        self._number = 0
        self._skipped = 0
        """Bytes of a line that is too long."""
        self._is_given = False
        """Whether what stands in the line so far was given already, for it is whole though the line has no end."""
        self._lost = 0
        """Bytes of a document that is; what comes behind it is looked at line by line."""
        self.is_document = False
        self._begun = False
        self._first: Payload | None = None
        """The first line, as long as the second is not there that tells what it is."""

    @property
    def waiting_bytes(self) -> int:
        return self._line_bytes + len(self._document) + self._among_lines.held_bytes

    def feed(self, data: bytes) -> Iterator[Payload]:
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield from self._end_line(line + b"\n")
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        """Keep the beginning of a line; of one that is too long, and of such a document before it, only the length."""
        line_bytes = self._line_bytes + len(part)
        if self._document and line_bytes + len(self._document) > MAX_LINE_BYTES + 1:
            self._lost += len(self._document)
            self._document.clear()
        if self._skipped or line_bytes > MAX_LINE_BYTES + 1:
            self._skipped += line_bytes
            self._taken()
        elif part:
            self._parts.append(part)
            self._line_bytes += len(part)

    def _end_line(self, end: bytes) -> Iterator[Payload]:
        self._hold(end)
        self._number += 1
        if self.is_document:
            yield from self._go_on()
            return
        self._report.lines += not self._is_given
        self._is_given = False
        where = f"{self._name}:{self._number}"
        if self._skipped:
            what = f"{self._skipped:,} bytes are more than the {MAX_LINE_BYTES:,} that a line may have"
            self._report.skip(where, f"{what}; it was skipped unread")
            self._skipped = 0
            return
        line = self._taken()
        if self._begun and self._first is None:
            yield from self._among(self._among_lines.whole(self._number, line.removeprefix(BOM)))
        elif not line.strip():
            return
        elif self._first is not None:
            yield from self._after_first(line, where)
        elif not self._begin(line, where):
            yield Payload(data=line.removeprefix(BOM), where=where, form=Form.JSON)

    def _among(self, found: Iterator[tuple[int, bytes]]) -> Iterator[Payload]:
        for number, data in found:
            yield Payload(data=data, where=f"{self._name}:{number}", form=Form.JSON)

    def _begin(self, line: bytes, where: str) -> bool:
        """Whether the first line is not yet a payload."""
        self._begun = True
        line = checked_start(line).removeprefix(BOM)
        if not may_go_on(line):
            return False
        if begins_document(line):
            self.is_document = True
            self._document += line
        else:
            self._first = Payload(data=line, where=where, form=Form.JSON)
        return True

    def _after_first(self, line: bytes, where: str) -> Iterator[Payload]:
        """The second line tells whether the first was the beginning of a document, or cut off."""
        first, self._first = self._first, None
        if first is None or begins_request(line):
            yield from (payload for payload in (first, Payload(data=line, where=where, form=Form.JSON)) if payload)
            return
        self.is_document = True
        self._document += first.data + line

    def _go_on(self) -> Iterator[Payload]:
        """The next line of a document, unless it begins a request of its own: then what came before was none."""
        line = self._taken()
        if not begins_request(line):
            yield from self._add_to_document(line)
            return
        yield from self.take_document()
        self._report.lines += 1
        where = f"{self._name}:{self._number}"
        if not self._begin(line, where):
            yield Payload(data=line, where=where, form=Form.JSON)

    def _add_to_document(self, line: bytes) -> Iterator[Payload]:
        """Of one that is too long nothing is kept, and its end is looked for: a bracket with which a line begins."""
        if self._skipped:
            self._lost += self._skipped + len(self._document)
            self._skipped = 0
            self._document.clear()
        elif not self._lost:
            self._document += line
        else:
            self._lost += len(line)
            if line.startswith(_CLOSING):
                yield from self.take_document()

    def settle(self) -> Iterator[Payload]:
        """What is whole, though its end is missing: a document, or a line without a newline."""
        if self.is_document:
            if self._lost or self._skipped or not is_cut_off(bytes(self._document) + b"".join(self._parts)):
                yield from self.take_document()
        elif self._line_bytes and self._first is None and not self._among_lines.held_bytes:
            line = b"".join(self._parts).removeprefix(BOM)
            if line.lstrip().startswith(JSON_STARTS) and is_json(line):
                self._report.lines += not self._is_given
                self._is_given = self._begun = True
                self._taken()
                yield Payload(data=line, where=f"{self._name}:{self._number + 1}", form=Form.JSON)

    def take_document(self) -> Iterator[Payload]:
        """The document, as it is whole now; what comes behind it is a next one."""
        document = bytes(self._document) + self._taken()
        self._document.clear()
        if self._lost or self._skipped:
            lost = self._lost + self._skipped + len(document)
            self._report.skip(self._name, f"{lost:,} bytes are more than a document that grows may have")
            self._lost = self._skipped = 0
            self.is_document = self._begun = False
        elif document.strip():
            self.is_document = self._begun = False
            yield Payload(data=document, where=self._name, form=Form.JSON)

    def finish(self) -> Iterator[Payload]:
        if not self.is_document and (self.waiting_bytes or self._skipped):
            yield from self._end_line(b"")
        yield from self._among(self._among_lines.rest())
        yield from self._last()

    def _last(self) -> Iterator[Payload]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        elif self.is_document:
            yield from self.take_document()

    def _taken(self) -> bytes:
        line = b"".join(self._parts)
        self._parts.clear()
        self._line_bytes = 0
        return line


class _Whole:
    """One message that fills its file."""

    def __init__(self, name: str, report: ReadReport) -> None:
        self._name = name
        self._report = report
        self._data = bytearray()

    @property
    def waiting_bytes(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> Iterator[Payload]:
        self._data += data
        if len(self._data) > MAX_LINE_BYTES:
            message = f"{self._name}: a message that grows may have {MAX_LINE_BYTES:,} bytes"
            raise InputError(message)
        yield from ()

    def finish(self) -> Iterator[Payload]:
        if self._data:
            self._report.lines += 1
            data = bytes(self._data)
            self._data.clear()
            yield Payload(data=data, where=self._name, form=Form.PROTOBUF)
