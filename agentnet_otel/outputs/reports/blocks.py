"""What a document is made of, before any format: headings, paragraphs, lists, tables.

Texts say whether they came with the data: a format has to escape those, and can trust the others. Cells and
paragraphs hold their figures as numbers too, so that all formats carry the same ones.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, TypeVar

from agentnet_otel.core.statistics import Interval
from agentnet_otel.outputs.reports import wording
from agentnet_otel.outputs.reports.charts import Drawing

T = TypeVar("T")

MAX_ROWS: Final = 50
"""Rows shown of a table that grows with the data; the JSON report has them all."""
_PERCENT_DIGITS: Final = 10


class Tone(Enum):
    """How good the news is that a cell tells."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    MUTED = "muted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of text. ``foreign``: it came with the data. ``url``: what it links to."""

    text: str
    foreign: bool = False
    strong: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A bare number (or a word in place of one), its unit, and what it is of, where its place does not tell."""

    value: float | str | None
    unit: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell. ``bar``: a share from 0 to 1 that is drawn. ``tone``: how good the news is."""

    spans: tuple[Span, ...] = ()
    figures: tuple[Figure, ...] = ()
    bar: float | None = None
    tone: Tone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; the first cell of a row names it. ``left_out``: rows that only the JSON report has."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Text."""

    spans: tuple[Span, ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list."""

    items: tuple[tuple[Span, ...], ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture and the table of what it shows, which is all there is where nothing can be drawn.

    ``told``: what can be seen in it, for those who do not see it. ``folded``: where it is drawn, the table is opened
    only on demand.
    """

    title: str
    told: str
    drawing: Drawing
    table: Table
    folded: bool = True


Block = Table | Paragraph | Listing | Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading of level 2 or 3, and what stands below it."""

    title: str
    level: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report. ``lead``: what stands below the title."""

    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]


def section(level: int, title: str, found: Iterable[Block]) -> Section:
    """A heading, and what stands below it."""
    return Section(title=title, level=level, blocks=tuple(found))


# --- texts -----------------------------------------------------------------------------------------------


def own(text: str) -> Span:
    """Text that is made here."""
    return Span(text=text)


def name_of(text: str) -> Span:
    """A name that came with the data; not too long."""
    return Span(text=wording.shortened(text), foreign=True)


def sentence(text: str, *, strong: bool = False) -> Span:
    """A sentence in which names of the data may stand."""
    return Span(text=wording.plain(text), foreign=True, strong=strong)


def paragraph(*spans: Span | str, figures: Sequence[Figure] = ()) -> Paragraph:
    """A paragraph of pieces; texts are our own."""
    return Paragraph(
        spans=tuple(own(span) if isinstance(span, str) else span for span in spans), figures=tuple(figures)
    )


def remarks(texts: Iterable[str]) -> Iterator[Listing]:
    """What figures have to be read with, beside them; nothing where there is nothing to say."""
    items = tuple((own(text),) for text in texts)
    if items:
        yield Listing(items=items)


def joined(spans: Sequence[Sequence[Span]], separator: str = ", ") -> tuple[Span, ...]:
    """Groups of pieces with a separator between them."""
    found: list[Span] = []
    for group in spans:
        found += [own(separator), *group] if found else group
    return tuple(found)


# --- tables ----------------------------------------------------------------------------------------------


def growing_table(head: tuple[str, ...], items: Collection[T], row: Callable[[T], tuple[Cell, ...]]) -> Table:
    """A table that grows with the data: at most `MAX_ROWS` rows, and how many more there are."""
    shown = islice(items, MAX_ROWS)
    return Table(head=head, rows=tuple(map(row, shown)), left_out=max(0, len(items) - MAX_ROWS))


# --- cells -----------------------------------------------------------------------------------------------


MakeCell = Callable[[float | None], Cell]


def words(text: str, tone: Tone | None = None) -> Cell:
    """A cell of our own words, which are a figure too."""
    return Cell(spans=(own(text),), figures=(Figure(value=text),), tone=tone)


def named(text: str) -> Cell:
    """A cell that is a name of the data."""
    span = name_of(text)
    return Cell(spans=(span,), figures=(Figure(value=span.text),))


def traced(trace_id: str | None, url: str | None) -> Cell:
    """A cell that names a trace, with a link to it where there is one."""
    if trace_id is None:
        return Cell(spans=(own("-"),))
    shown = wording.shortened(trace_id)
    return Cell(spans=(Span(text=shown, foreign=True, url=url),), figures=(Figure(value=shown),))


def figure(text: str, value: float | None, unit: str = "") -> Cell:
    """A cell that shows a number as ``text``."""
    return Cell(spans=(own(text),), figures=(Figure(value=value, unit=unit),))


def count(value: float | None) -> Cell:
    """A count."""
    return figure(wording.number(value), value)


def milliseconds(value: float | None) -> Cell:
    """A duration."""
    return figure(wording.milliseconds(value), value, "ms")


def usd(value: float | None) -> Cell:
    """An amount of money."""
    return figure(wording.usd(value), value, "USD")


def percent(share: float | None) -> Cell:
    """A share, 0 to 1, as percentage."""
    return figure(wording.percent(share), percentage(share), "%")


def decimals(value: float | None) -> Cell:
    """A figure between 0 and 1 that is no share."""
    return figure(wording.decimals(value), value)


def bounds(text: str, interval: Interval | None, unit: str = "") -> Cell:
    """An interval; where there is none, what is said in its place."""
    if interval is None:
        return Cell(spans=(own(text),))
    figures = (Figure(value=interval.low, unit=unit, of="low"), Figure(value=interval.high, unit=unit, of="high"))
    return Cell(spans=(own(text),), figures=figures)


def percentage(share: float | None) -> float | None:
    """A share in per cent, without the dust of binary fractions."""
    return None if share is None else round(100 * share, _PERCENT_DIGITS)
