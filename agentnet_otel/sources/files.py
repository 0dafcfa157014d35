"""Spans out of files and pipes, in any format that `framing` and `decoding` know.

What cannot be used costs only itself: it is counted and told with file and line, and reading goes on.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, Final, cast

from agentnet_otel.errors import AgentNetOtelError, InputError, TruncatedError
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.compression import DAMAGE, decompressed
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.framing import Payload, payloads
from agentnet_otel.sources.jaeger_api import PREFIX, parse_jaeger_source, read_jaeger
from agentnet_otel.sources.read_report import ReadReport

STDIN: Final = "-"


def read_spans(sources: Iterable[str | Path], report: ReadReport) -> Iterator[SpanRecord]:
    """The spans of files, directories (every file below, hidden ones left out) and ``-`` (standard input).

    What could not be used is noted in ``report``; nothing is raised for it.
    """
    decoder = PayloadDecoder()
    for source in sources:
        report.sources += 1
        if str(source).startswith(PREFIX):
            yield from _read_server(str(source), report)
            continue
        try:
            paths = list(_files_of(source))
        except InputError as error:
            report.unreadable_sources += 1
            report.missing_sources += 1
            report.tell(str(source), str(error))
            continue
        for path in paths:
            yield from _read_path(path, decoder, report, named=not Path(source).is_dir())


def _read_server(source: str, report: ReadReport) -> Iterator[SpanRecord]:
    try:
        yield from read_jaeger(parse_jaeger_source(source), report)
    except AgentNetOtelError as error:
        report.unreadable_sources += 1
        report.tell(source, str(error))


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


def _read_path(path: str | Path, decoder: PayloadDecoder, report: ReadReport, *, named: bool) -> Iterator[SpanRecord]:
    name = "standard input" if path == STDIN else str(path)
    opened = False
    try:
        with nullcontext(sys.stdin.buffer) if path == STDIN else Path(path).open("rb") as raw:
            opened = True
            for payload in payloads(decompressed(cast("BinaryIO", raw)), name, report):
                yield from _read_payload(payload, decoder, report)
    except AgentNetOtelError as error:
        report.unreadable_sources += 1
        report.tell(name, str(error))
    except DAMAGE as error:
        report.unreadable_sources += 1
        report.missing_sources += named and not opened
        what = "cannot be read to its end" if opened else "cannot be opened"
        report.tell(name, f"{what}: {getattr(error, 'strerror', None) or error}")


def _read_payload(payload: Payload, decoder: PayloadDecoder, report: ReadReport) -> Iterator[SpanRecord]:
    def tell_bad_span(what: str) -> None:
        report.bad_spans += 1
        report.tell(payload.where, what)

    try:
        for span in decoder.decode(payload.data, payload.form, tell_bad_span=tell_bad_span):
            report.spans += 1
            yield span
    except TruncatedError:
        report.cut_off(payload.where, "it is cut off")
    except InputError as error:
        report.bad_lines += 1
        report.tell(payload.where, str(error))
