"""Spans out of files: OTLP JSON lines as the Collector's file exporter writes them, or one OTLP JSON document.

What cannot be used costs only itself: it is counted and told with file and line, and reading goes on.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from agentnet_otel.errors import AgentNetOtelError, InputError
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.compression import DAMAGE, decompressed
from agentnet_otel.sources.otlp_json import decode_request
from agentnet_otel.sources.read_report import ReadReport

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""A longer line is skipped unread."""
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
"""A longer single document is refused."""
STDIN: Final = "-"

_BOM: Final = b"\xef\xbb\xbf"
_CHUNK: Final = 1024 * 1024


def read_spans(sources: Iterable[str | Path], report: ReadReport) -> Iterator[SpanRecord]:
    """The spans of files, directories (every file below, hidden ones left out) and ``-`` (standard input).

    What could not be used is noted in ``report``; nothing is raised for it.
    """
    for source in sources:
        report.sources += 1
        try:
            paths = list(_files_of(source))
        except InputError as error:
            report.unreadable_sources += 1
            report.tell(str(source), str(error))
            continue
        for path in paths:
            yield from _read_path(path, report)


def _files_of(source: str | Path) -> Iterator[str | Path]:
    if str(source) == STDIN:
        yield STDIN
        return
    path = Path(source)
    if not path.is_dir():
        yield path
        return
    found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not found:
        message = "the directory holds no files; give it a file of spans, or another directory"
        raise InputError(message)
    yield from found


def _read_path(path: str | Path, report: ReadReport) -> Iterator[SpanRecord]:
    name = "standard input" if path == STDIN else str(path)
    opened = False
    try:
        with sys.stdin.buffer if path == STDIN else Path(path).open("rb") as raw:
            opened = True
            yield from _read_stream(decompressed(cast("BinaryIO", raw)), name, report)
    except AgentNetOtelError as error:
        report.unreadable_sources += 1
        report.tell(name, str(error))
    except DAMAGE as error:
        report.unreadable_sources += 1
        what = "cannot be read to its end" if opened else "cannot be opened"
        report.tell(name, f"{what}: {getattr(error, 'strerror', None) or error}")


def _read_stream(stream: BinaryIO, name: str, report: ReadReport) -> Iterator[SpanRecord]:
    first = stream.readline(MAX_LINE_BYTES + 1)
    if first.removeprefix(_BOM).strip() in {b"{", b"["}:
        yield from _read_document(first, stream, name, report)
        return
    number, line = 1, first.removeprefix(_BOM)
    while line:
        report.lines += 1
        if len(line) > MAX_LINE_BYTES:
            skipped = len(line) + _skip_line(stream, line)
            report.skipped_lines += 1
            report.tell(f"{name}:{number}", f"{skipped:,} bytes are more than a line may have; it was skipped unread")
        elif line.strip():
            yield from _read_line(line, f"{name}:{number}", report)
        number, line = number + 1, stream.readline(MAX_LINE_BYTES + 1)


def _skip_line(stream: BinaryIO, begun: bytes) -> int:
    """Read on to the end of the line, keeping nothing."""
    skipped = 0
    part = begun
    while part and not part.endswith(b"\n"):
        part = stream.readline(_CHUNK)
        skipped += len(part)
    return skipped


def _read_line(line: bytes, where: str, report: ReadReport) -> Iterator[SpanRecord]:
    def tell_bad_span(what: str) -> None:
        report.bad_spans += 1
        report.tell(where, what)

    try:
        for span in decode_request(line, tell_bad_span):
            report.spans += 1
            yield span
    except InputError as error:
        report.bad_lines += 1
        report.tell(where, str(error))


def _read_document(first: bytes, stream: BinaryIO, name: str, report: ReadReport) -> Iterator[SpanRecord]:
    data = first + stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        message = f"a single document may have {MAX_DOCUMENT_BYTES:,} bytes; write one request a line instead"
        raise InputError(message)
    report.lines += 1
    yield from _read_line(data.removeprefix(_BOM), name, report)
