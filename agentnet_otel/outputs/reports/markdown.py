"""The report as Markdown, with the documented headings, for any reader of CommonMark with tables.

Texts that came with the data (names of agents, models, tools, rules, error types) are escaped: they can neither become
markup nor break out of a cell. Texts that are made here are written as they are.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

from agentnet_otel.outputs.reports.blocks import Block, Cell, Chart, Listing, Paragraph, Span, Table
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.document import document_of
from agentnet_otel.outputs.reports.wording import plain

_BAR_WIDTH: Final = 30
_ACTIVE: Final = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[#>+=:-]|(?<=^\d)[.)](?=\s|$)")
"""What may be markup somewhere; an underscore inside a word and a digit's dot elsewhere is none."""
_TAG_OR_ENTITY: Final = re.compile(r"<(?=[A-Za-z/!?])|&(?=[A-Za-z#])")
_AUTOLINK: Final = re.compile(r"(https?|ftp)(?=://)|www(?=\.)", re.IGNORECASE)
"""What makes a link of a bare address where GitHub shows Markdown; the sign behind it is escaped."""
_ENTITIES: Final = {"<": "&lt;", "&": "&amp;"}
_URL_SAFE: Final = "%:/?#[]@!$&'()*+,;=~"
"""Characters of a URL that stay; what else is there would end the link or the cell."""


def render_markdown(report: ReportContent) -> str:
    """The whole report."""
    document = document_of(report)
    lines = [f"# {document.title}", ""]
    for block in document.lead:
        lines += _block(block)
    for section in document.sections:
        lines += [f"{'#' * section.level} {section.title}", ""]
        for block in section.blocks:
            lines += _block(block)
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> Iterator[str]:
    """Lines, with an empty one at the end."""
    match block:
        case Table():
            yield from _table(block)
        case Chart():
            yield from (f"**{block.title}**", "", *_table(block.table))
        case Listing():
            yield from _list(block)
        case Paragraph():
            yield from (_text(block.spans), "")


def _table(table: Table) -> Iterator[str]:
    """Without rows it is a word."""
    if not table.rows:
        yield from ("None.", "")
        return
    yield f"| {' | '.join(table.head)} |"
    yield f"|{'|'.join('---' for _ in table.head)}|"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in table.rows)
    yield ""
    if table.left_out:
        yield from (f"And {table.left_out:,} more, which the JSON report has.", "")


def _list(listing: Listing) -> Iterator[str]:
    for place, item in enumerate(listing.items, 1):
        yield f"{f'{place}.' if listing.numbered else '-'} {_text(item)}"
    yield ""


def _cell(cell: Cell) -> str:
    return _text(cell.spans) if cell.bar is None else "█" * round(_BAR_WIDTH * cell.bar)


def _text(spans: Sequence[Span]) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    text = escaped(span.text) if span.foreign else span.text
    if span.strong:
        text = f"**{text}**"
    return text if span.url is None else f"[{text}](<{quote(span.url, safe=_URL_SAFE)}>)"


def escaped(text: str) -> str:
    """Text as Markdown that shows it, on one line."""
    shown = _ACTIVE.sub(lambda found: f"\\{found[0]}", plain(text).strip())
    shown = _AUTOLINK.sub(lambda found: f"{found[0]}\\", shown)
    return _TAG_OR_ENTITY.sub(lambda found: _ENTITIES[found[0]], shown)
