"""The report as one table of figures: a line a figure, numbers bare, units beside them.

Columns: section; row of its table (from 1); name of the row; figure; number and unit, or text where it is none.
Spreadsheets run what begins like a formula, so a text that does gets an apostrophe in front: at its begin, and behind a
semicolon, where spreadsheets of some countries begin the next cell. Numbers are numbers, with their sign.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Final

from agentnet_otel.outputs.reports.blocks import Block, Chart, Figure, Listing, Paragraph, Section, Span, Table
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.document import document_of
from agentnet_otel.outputs.reports.wording import plain

HEAD: Final = ("section", "row", "name", "figure", "number", "unit", "text")
_FORMULA: Final = re.compile("(^[\\s\u200c\u200d]*|;)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Where one begins; the wide forms of the signs are formulas in spreadsheets of East Asia."""

_Line = tuple[str, int | None, str, str, float | None, str, str]


def render_csv(report: ReportContent) -> str:
    """The whole report."""
    document = document_of(report)
    lead = Section(title=document.title, level=1, blocks=document.lead)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for section in (lead, *document.sections):
        for block in section.blocks:
            writer.writerows(map(_safe, _lines(section.title, block)))
    return text.getvalue()


def _lines(section: str, block: Block) -> Iterator[_Line]:
    match block:
        case Table():
            for number, row in enumerate(block.rows, 1):
                name = _words(row[0].spans)
                for head, cell in zip(block.head[1:], row[1:], strict=True):
                    yield from ((section, number, name, *_figure(head, figure)) for figure in cell.figures)
        case Chart():
            yield from _lines(section, block.table)
        case Listing():
            for number, item in enumerate(block.items, 1):
                yield (section, number, "", "text", None, "", _words(item))
        case Paragraph():
            yield from ((section, None, "", *_figure("", figure)) for figure in block.figures)


def _figure(head: str, figure: Figure) -> tuple[str, float | None, str, str]:
    what = " ".join(filter(None, (head, figure.of)))
    if isinstance(figure.value, str):
        return what, None, "", figure.value
    return what, figure.value, figure.unit, ""


def _words(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def _safe(line: _Line) -> tuple[float | str | None, ...]:
    return tuple(_safe_text(value) if isinstance(value, str) else value for value in line)


def _safe_text(text: str) -> str:
    return _FORMULA.sub(lambda found: f"'{found[0]}" if found[0] != ";" else f"{found[0]}'", plain(text))
