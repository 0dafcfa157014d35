"""Tables and progress on a terminal. The only module that knows the terminal library."""

import os
import select
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING, Final, Literal, TextIO

from agentnet_otel.core.regression import Change, Comparison
from agentnet_otel.core.thresholds import Verdict
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.errors import MissingExtraError
from agentnet_otel.outputs.reports.comparisons import LABELS, p_text, ratio_text, side_text
from agentnet_otel.outputs.reports.wording import (
    interval_text,
    label_text,
    limit_text,
    shortened,
    terminal_line,
    value_text,
    verdict_text,
)

try:
    from rich.console import Console
    from rich.measure import Measurement
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Table
    from rich.text import Text
except ImportError as _error:
    _package = "rich"
    raise MissingExtraError(_package, "cli") from _error

if TYPE_CHECKING:  # commands that print no report start without it
    from agentnet_otel.outputs.reports.blocks import Block, Document, Span
    from agentnet_otel.outputs.reports.blocks import Table as BlockTable
    from agentnet_otel.outputs.reports.content import ReportContent

_GONE: Final = select.POLLERR | select.POLLHUP
_WIDE: Final = 60
"""Columns from which on there is room for the time that is left, beside the bar and the numbers."""

_UNFOLDED: Final = 10_000
"""Columns where the output is no terminal: nothing is folded there."""

_HANGING: Final = 2
"""Columns by which the further lines of a wrapped one stand further in."""

_STYLES: Final = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red", Verdict.NO_DATA: "dim"}
_CHANGE_STYLES: Final = {Change.REGRESSION: "bold red", Change.IMPROVED: "green"}


class Tick:
    """What long work tells of its progress."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, steps: int = 1) -> None:
        """Some steps further."""
        self._progress.update(self._task, advance=steps)  # type: ignore[arg-type]

    def now(self, what: str, ended: int, of: int) -> None:
        """How far something is; something new begins from the start."""
        if self._progress.tasks[0].description != what:
            self._progress.reset(self._task, total=of, description=what)  # type: ignore[arg-type]
        self._progress.update(self._task, completed=ended, total=of)  # type: ignore[arg-type]


def print_verdicts(verdicts: Sequence[Judgement], stream: TextIO | None = None) -> None:
    """The verdict table; on a narrow terminal a list, so that no figure is cut."""
    console = _console(stream or sys.stdout)
    table = _verdict_table(verdicts)
    if _fits(console, table):
        console.print(table)
    else:
        _print_list(console, verdicts)


def _fits(console: Console, table: Table) -> bool:
    return Measurement.get(console, console.options.update(width=_UNFOLDED), table).maximum <= console.width


def _verdict_table(verdicts: Sequence[Judgement]) -> Table:
    table = Table("Metric", "Value", "95 % interval", "Recommended", "Critical", "Verdict")
    for row in verdicts:
        table.add_row(
            Text(shortened(label_text(row))),
            value_text(row.value, row.threshold),
            interval_text(row.interval, row.threshold),
            limit_text(row.threshold.recommended, row.threshold),
            limit_text(row.threshold.critical, row.threshold),
            Text(verdict_text(row), style=_STYLES[row.verdict]),
        )
    return table


def _print_list(console: Console, verdicts: Sequence[Judgement]) -> None:
    for row in verdicts:
        threshold = row.threshold
        head = Text(f"{shortened(label_text(row))}: {value_text(row.value, threshold)}  ")
        console.print(head.append(verdict_text(row), style=_STYLES[row.verdict]))
        console.print(Text(f"  95 % interval {interval_text(row.interval, threshold)}"))
        recommended, critical = (limit_text(v, threshold) for v in (threshold.recommended, threshold.critical))
        console.print(Text(f"  recommended {recommended}, critical {critical}"))


def print_comparison(comparison: Comparison, stream: TextIO | None = None) -> None:
    """The table of what became of each metric; on a narrow terminal a list."""
    console = _console(stream or sys.stdout)
    table = Table("Metric", "Baseline", "Now", "Ratio", "p", "Change")
    lines = []
    for row in comparison.metrics:
        label, change = LABELS[row.metric], Text(row.change.value, style=_CHANGE_STYLES.get(row.change, ""))
        before, now = (side_text(row.metric, side) for side in (row.baseline, row.current))
        ratio, p_value = ratio_text(row.ratio), p_text(row.p_value)
        table.add_row(label, before, now, ratio, p_value, change)
        lines += [Text(f"{label}: {before} -> {now}  ").append(change), Text(f"  ratio {ratio}, p {p_value}")]
    for part in [table] if _fits(console, table) else lines:
        console.print(part)


def print_document(document: "Document", stream: TextIO | None = None) -> None:
    """A document as text: tables where they fit, else a line a figure."""
    console = _console(stream or sys.stdout)
    console.print(Text(document.title, style="bold"))
    for block in document.lead:
        _print_block(console, block)
    for section in document.sections:
        console.print(Text(f"\n{section.title}", style="bold"))
        for block in section.blocks:
            _print_block(console, block)


def _print_block(console: Console, block: "Block") -> None:
    from agentnet_otel.outputs.reports import blocks  # noqa: PLC0415 - only who prints a document needs it

    match block:
        case blocks.Table():
            _print_rows(console, block)
        case blocks.Chart():
            console.print(Text(block.title))
            _print_rows(console, block.table)
        case blocks.Listing():
            for number, item in enumerate(block.items, 1):
                mark = f"{number}." if block.numbered else "-"
                console.print(Text(f"{mark} {_words(item)}"), soft_wrap=True)
        case blocks.Paragraph():
            console.print(Text(_words(block.spans)), soft_wrap=True)


def _print_rows(console: Console, rows: "BlockTable") -> None:
    if not rows.rows:
        console.print(Text("None."))
        return
    table = Table(*rows.head)
    for row in rows.rows:
        table.add_row(*(Text(_words(cell.spans)) for cell in row))
    if _fits(console, table):
        console.print(table)
        return
    for first, *others in rows.rows:
        console.print(Text(_words(first.spans), style="bold"))
        for head, cell in zip(rows.head[1:], others, strict=True):
            console.print(Text(f"  {head}: {_words(cell.spans)}"), soft_wrap=True)


def _words(spans: "Sequence[Span]") -> str:
    return terminal_line("".join(span.text for span in spans))


def print_lines(lines: Sequence[str], stream: TextIO | None = None) -> None:
    """Lines as they are, to be copied from; nothing in them is markup."""
    console = _console(stream or sys.stdout)
    for line in lines:
        console.print(Text(terminal_line(line)), soft_wrap=True)


def print_prose(lines: Iterable[str], stream: TextIO | None = None) -> None:
    """Lines to be read: on a terminal they are wrapped between words, what follows stands further in."""
    console = _console(stream or sys.stdout)
    for line in lines:
        text = terminal_line(line)
        indent = " " * (len(text) - len(text.lstrip()) + _HANGING)
        folded = textwrap.wrap(text, console.width, subsequent_indent=indent, break_on_hyphens=False) or [""]
        console.print(Text("\n".join(folded)), soft_wrap=True)


@contextmanager
def progress(what: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Tick]:
    """A progress bar on standard error while the body runs; silent where that is no terminal, or one that only types.

    Asked is the stream itself: ``FORCE_COLOR`` makes colours, not a terminal.
    """
    console = Console(stderr=True, color_system=_color_system())
    silent = quiet or not sys.stderr.isatty() or console.is_dumb_terminal
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *([] if total is None or console.width < _WIDE else [TextColumn("left"), TimeRemainingColumn()]),
    )
    bar = Progress(*columns, console=console, transient=True, disable=silent, expand=True)
    with bar:
        yield Tick(bar, bar.add_task(what, total=total))


@contextmanager
def progress_of_several(number: int, *, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """As `progress`, for several things one after the other, each called by its name; with the time that is left."""
    with progress("starting", 1, quiet=quiet) as tick:
        seen: list[str] = []

        def told(name: str, ended: int, of: int) -> None:
            if name not in seen:
                seen.append(name)
            place = f"{len(seen)}/{number} " if number > 1 else ""
            tick.now(f"{place}{shortened(name)}", ended, of)

        yield told


def print_benchmarks(report: "ReportContent", stream: TextIO | None = None) -> None:
    """The table of benchmarks that a report is on."""
    from agentnet_otel.outputs.reports import blocks  # noqa: PLC0415 - only who prints a report needs it
    from agentnet_otel.outputs.reports.analysis_blocks import benchmark_blocks  # noqa: PLC0415

    console = _console(stream or sys.stdout)
    found = None if report.analysis is None else report.analysis.benchmarks
    if found is not None:
        tables = [block for block in benchmark_blocks(found) if isinstance(block, blocks.Table)]
        for table in tables if len(found.rows) > 1 else tables[:1]:  # of one there is nothing to sum up
            _print_rows(console, table)


def _console(stream: TextIO) -> Console:
    """What the stream cannot encode is written as an escape, not raised about."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return Console(
        file=stream, highlight=False, width=None if stream.isatty() else _UNFOLDED, color_system=_color_system()
    )


def _color_system() -> Literal["auto"] | None:
    """``NO_COLOR`` takes bold type too: nothing is left that a simple reader of the output would stumble over."""
    return None if os.environ.get("NO_COLOR") else "auto"


@contextmanager
def interruption() -> Iterator[threading.Event]:
    """Ctrl-C sets the event instead of raising, so that what runs ends where it may; a second one raises.

    Signals go to the main thread; in another one nothing is changed, and the event is never set.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set() and callable(before):
            before(number, frame)
        interrupted.set()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def reader_is_gone(stream: TextIO) -> bool:
    """Whether nobody reads the pipe any more that is written to."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # it is no file
        return False
    watched = select.poll()
    watched.register(descriptor, 0)
    return any(events & _GONE for _, events in watched.poll(0))
