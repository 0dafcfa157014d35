"""Spans out of files and pipes, in any format that `framing` and `decoding` know.

What cannot be used costs only itself: it is counted and told with file and line, and reading goes on.
"""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from agentnet_otel.core.dialects import read_facts
from agentnet_otel.core.plain_span import Origin, PlainSpan, origin_of
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.errors import AgentNetOtelError, InputError
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.compression import decompressed
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.framing import payloads
from agentnet_otel.sources.jaeger_json import PREFIX
from agentnet_otel.sources.plain_payloads import PlainDecoder, decoded
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import Payload
from agentnet_otel.sources.share import Batch, Share

T = TypeVar("T")

STDIN: Final = "-"
_BUFFER_BYTES: Final = 1 << 22
"""Of files: lines of half a megabyte are common, and are copied once less where a buffer holds some of them."""
_PACKED_ENDINGS: Final = (".gz", ".zst", ".zstd")
_LEADS_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_NONE: Final = Batch([], 0)
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_ROTATED: Final = re.compile(
    r"(?P<name>.+?)(?:[.-](?P<date>\d{8}(?:-\d{1,10})?|\d{4}-\d\d-\d\d(?:[_T-]\d\d(?:[:-]\d\d){0,2}(?:\.\d{1,9})?)?)|\.(?P<number>\d{1,6}))",
    re.DOTALL,
)
"""Names that logrotate and Python's handlers give: with a number, the larger the older, or with a date."""


def read_spans(sources: Iterable[str | Path], report: ReadReport) -> Iterator[SpanRecord]:
    """The spans of files, directories (every file below, hidden ones left out) and ``-`` (standard input).

    What could not be used is noted in ``report``; nothing is raised for it.

    Raises:
        ConfigurationError: an address of Jaeger is none.
    """
    decoder = PayloadDecoder()

    def records(found: Iterator[Payload]) -> Iterator[SpanRecord]:
        for payload in found:
            yield from decoder.records(payload, report)

    yield from _read(sources, report, records, iter)


def read_batches(
    sources: Iterable[str | Path], report: ReadReport, note: Callable[[Origin], None], share: Share
) -> Iterator[Batch]:
    """The same spans, those of a line or message together, cut down to what turns need; only those of a share.

    ``note`` is called with the resources and scopes of spans.

    Raises:
        ConfigurationError: an address of Jaeger is none.
    """
    decoder = PayloadDecoder()
    plain = PlainDecoder(note, share)

    def batches(found: Iterator[Payload]) -> Iterator[Batch]:
        for payload, quick in decoded(found, plain, share.agreement, report):
            if quick is None:
                spans = decoder.records(payload, report)
                batch = _members(spans, note, share) if spans else _NONE
            else:
                report.spans += quick.passed
                batch = quick
            if batch.passed:
                yield batch

    def single(spans: Iterator[SpanRecord]) -> Iterator[Batch]:
        for span in spans:
            yield _members([span], note, share)

    yield from _read(sources, report, batches, single)


def _members(spans: Sequence[SpanRecord], note: Callable[[Origin], None], share: Share) -> Batch:
    members: list[PlainSpan | Member] = [member_of(span, read_facts(span)) for span in share.records(spans)]
    for span in spans:
        note(origin_of(span))
    return Batch(members, len(spans))


def _read(
    sources: Iterable[str | Path],
    report: ReadReport,
    read_file: Callable[[Iterator[Payload]], Iterator[T]],
    take_spans: Callable[[Iterator[SpanRecord]], Iterator[T]],
) -> Iterator[T]:
    """What ``read_file`` makes of the payloads of each file, and ``take_spans`` of the spans that servers tell."""
    for source in map(str, sources):
        report.sources += 1
        if source.startswith(PREFIX):
            yield from take_spans(_read_server(source, report))
        elif os.path.isdir(source):  # noqa: PTH112 - the method of Path raises for paths that cannot be
            for path in files_below(source, report):
                before = report.place()
                yield from read_file(_read_path(path, report, named=False))
                report.put_together(before, path)
        else:
            yield from read_file(_read_path(source, report, named=True))


def _read_server(source: str, report: ReadReport) -> Iterator[SpanRecord]:
    from agentnet_otel.sources.jaeger_api import parse_jaeger_source, read_jaeger  # noqa: PLC0415 - files need no client

    query = parse_jaeger_source(source)
    before = report.spans
    try:
        yield from read_jaeger(query, report)
    except AgentNetOtelError as error:
        report.unreadable_sources += 1
        report.missing_sources += report.spans == before
        report.tell(source, str(error))


def files_below(folder: str, report: ReadReport) -> list[str]:
    """The files of a directory and of those in it, in order; that there are none is told."""

    def tell(path: str, what: str) -> None:
        report.unreadable_sources += 1
        report.tell(path, what)

    told = report.unreadable_sources
    found = files_in_order(folder, tell)
    if not found and report.unreadable_sources == told:
        report.missing_sources += 1
        tell(folder, "the directory holds no files; give it a file of spans, or another directory")
    return found


def files_in_order(folder: str, tell: Callable[[str, str], None]) -> list[str]:
    """The files of a directory and of those in it, rotated ones before those that took their place, else by name.

    ``tell`` gets the path of a directory that cannot be read, and why.
    """

    def tell_error(error: OSError) -> None:
        tell(str(error.filename), f"the directory cannot be read: {error.strerror}")

    found: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=tell_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found.extend(str(path) for path in paths if _is_file(path))
    return sorted(found, key=_rotation_order)


def _is_file(path: Path) -> bool:
    """Whether it is a file, or hides what it is: opening it tells why. Links that lead nowhere are none."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return error.errno not in _LEADS_NOWHERE


def _rotation_order(path: str) -> tuple[str, bool, str, int]:
    """Where a file stands among those of its folder: ``x.2`` before ``x.1`` before ``x``, ``x-20261231`` before ``x``.

    The Collector's file exporter puts the time into the name before its ending (``x-2026-12-31T....json``), which sorts
    by itself.
    """
    name = unpacked_name(path)
    rotated = _ROTATED.fullmatch(name)
    if rotated is None:
        return name, True, "", 0
    return rotated["name"], False, rotated["date"] or "", -int(rotated["number"] or 0)


def unpacked_name(path: str) -> str:
    """The name of a file without the endings of what is compressed."""
    for ending in _PACKED_ENDINGS:
        path = path.removesuffix(ending)
    return path


def name_before_rotation(path: str) -> str:
    """The name that a file had before it was rotated and compressed."""
    return _rotation_order(path)[0]


def _read_path(path: str, report: ReadReport, *, named: bool) -> Iterator[Payload]:
    name = "standard input" if path == STDIN else path or "''"
    opened = False
    try:
        with _open(path) as raw:
            opened = True
            yield from payloads(decompressed(raw, name, report), name, report)
    except AgentNetOtelError as error:
        report.unreadable_sources += 1
        report.missing_sources += named and not opened
        report.tell(name, str(error))
    except OSError as error:
        report.unreadable_sources += 1
        report.missing_sources += named and not opened
        what = "cannot be read to its end" if opened else "cannot be opened"
        report.tell(name, f"{what}: {getattr(error, 'strerror', None) or error}")


def _open(path: str) -> AbstractContextManager[BinaryIO]:
    """A file, or standard input, which stays open.

    Raises:
        OSError: it cannot be opened.
        InputError: there is no such thing.
    """
    if path == STDIN:
        if sys.stdin is None:  # as in a process without a console
            message = "this process has none"
            raise InputError(message)
        return nullcontext(sys.stdin.buffer)
    if not path:  # a variable that was not set, most likely; to Python it is the current folder
        message = "the empty text names no file; the current folder is ."
        raise InputError(message)
    try:
        return Path(path).open("rb", buffering=_BUFFER_BYTES)
    except FileNotFoundError:
        if _ADDRESS.match(path) is None:
            raise
        message = (
            "there is no such file, and no such address is read; Jaeger's are jaeger+http://host:port?service=NAME"
        )
        raise InputError(message) from None
    except ValueError as error:
        message = f"is no path: {error}"
        raise InputError(message) from None
