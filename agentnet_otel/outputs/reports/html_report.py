"""The report as one HTML file: no network, light and dark, made to be printed; a script only sorts and filters tables.

All text is escaped, also our own. A policy in the file forbids whatever might get past that: only the script whose
hash it names runs.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

from agentnet_otel.outputs.reports.blocks import Block, Cell, Chart, Document, Listing, Paragraph, Section, Span, Table
from agentnet_otel.outputs.reports.charts import Waterfalls
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.document import document_of
from agentnet_otel.outputs.reports.html_style import SCRIPT, STYLE
from agentnet_otel.outputs.reports.svg_charts import draw
from agentnet_otel.outputs.reports.wording import plain

_LINKED: Final = frozenset({"http", "https"})
"""Schemes that a link may have; other addresses are shown as text."""


def policy_of(script: str, *, asks: bool = False) -> str:
    """The policy of a page: the script of its own, and no other. ``asks``: it may ask the server that it came from."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    itself = "'self'" if asks else "'none'"
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; connect-src {itself}; "
        f"base-uri 'none'; form-action {itself}"
    )


POLICY: Final = policy_of(SCRIPT)


def render_html(report: ReportContent) -> str:
    """The whole report."""
    return html_of(document_of(report))


def html_of(document: Document) -> str:
    """A document as a page."""
    title = escape(document.title)
    body = (
        f"<h1>{title}</h1>",
        '<div class="lead">',
        *blocks_html(document.lead, document.title, "lead"),
        "</div>",
        *_contents(document.sections),
        *sections_html(document.sections),
    )
    return page_of(document.title, body)


def page_of(
    title: str,
    body: Iterable[str],
    *,
    before: Iterable[str] = (),
    style: str = STYLE,
    script: str = SCRIPT,
    policy: str = POLICY,
) -> str:
    """A whole page around lines of HTML. ``before``: lines before its main part."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        '<a class="skip" href="#content">To the content</a>',
        *before,
        '<main id="content">',
        *body,
        "</main>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def sections_html(sections: Sequence[Section]) -> Iterator[str]:
    """Sections as lines of HTML."""
    for section in sections:
        yield from _section(section)


def blocks_html(blocks: Sequence[Block], title: str, ident: str) -> Iterator[str]:
    """Blocks below a title as lines of HTML; ``ident`` tells their parts from those of others."""
    for block in blocks:
        yield from _block(block, escape(title), ident)


def _contents(sections: Sequence[Section]) -> Iterator[str]:
    yield '<nav aria-label="Sections"><ul>'
    yield from (f'<li><a href="#{_ident(s.title)}">{escape(s.title)}</a></li>' for s in sections if s.blocks)
    yield "</ul></nav>"


def _section(section: Section) -> Iterator[str]:
    title, ident = escape(section.title), _ident(section.title)
    yield f'<h{section.level} id="{ident}">{title}</h{section.level}>'
    for number, block in enumerate(section.blocks, 1):
        yield from _block(block, title, f"{ident}-{number}")


def _ident(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower())


def _block(block: Block, title: str, ident: str) -> Iterator[str]:
    match block:
        case Table():
            yield from _table(block, title)
        case Chart():
            yield from _chart(block, ident)
        case Listing() if block.items:
            tag = "ol" if block.numbered else "ul"
            yield f"<{tag}>"
            yield from (f"<li>{_text(item)}</li>" for item in block.items)
            yield f"</{tag}>"
        case Paragraph():
            yield f"<p>{_text(block.spans)}</p>"


def _chart(chart: Chart, ident: str) -> Iterator[str]:
    """The drawing, and its figures: below it or, where they are many, behind a summary."""
    title = escape(chart.title)
    broad = ' class="broad"' if isinstance(chart.drawing, Waterfalls) else ""
    yield f"<figure{broad}>"
    yield f"<figcaption>{title}</figcaption>"
    if broad:
        # what the place of a bar means depends on the turns; other charts have it on their axes
        yield f"<p>{escape(plain(chart.told))}</p>"
    yield from draw(chart.drawing, chart.title, chart.told, ident)
    yield "</figure>"
    if chart.folded:
        yield f"<details><summary>Figures: {title[0].lower()}{title[1:]}</summary>"
    yield from _table(chart.table, title)
    if chart.folded:
        yield "</details>"


def _table(table: Table, title: str) -> Iterator[str]:
    """A table that scrolls by itself where it is too wide, by keyboard too. Without rows it is a word.

    One with verdicts is stacked on a phone, so that nothing has to be scrolled to see them.
    """
    if not table.rows:
        yield "<p>None.</p>"
        return
    stacked = any(cell.tone is not None for row in table.rows for cell in row)
    numeric = [all(_is_number(row[place]) for row in table.rows) for place in range(len(table.head))]
    yield f'<div class="wide" role="region" aria-label="{title}: {escape(table.head[0])}" tabindex="0">'
    yield '<table class="stacked">' if stacked else "<table>"
    yield "<thead><tr>"
    for head, right in zip(table.head, numeric, strict=True):
        kind = ' class="number"' if right else ""
        yield f'<th scope="col"{kind}>{escape(head)}</th>' if head else "<td></td>"
    yield "</tr></thead>"
    yield "<tbody>"
    for first, *others in table.rows:
        columns = zip(others, numeric[1:], table.head[1:], strict=True)
        cells = "".join(_cell(cell, head, right=right) for cell, right, head in columns)
        yield f'<tr><th scope="row">{_text(first.spans)}</th>{cells}</tr>'
    yield "</tbody>"
    yield "</table>"
    yield "</div>"
    if table.left_out:
        yield f"<p>And {table.left_out:,} more, which the JSON report has.</p>"


def _is_number(cell: Cell) -> bool:
    """Whether a column of such cells is set flush right."""
    return len(cell.figures) == 1 and not cell.figures[0].of and not isinstance(cell.figures[0].value, str)


def _cell(cell: Cell, head: str, *, right: bool) -> str:
    if cell.bar is not None:
        return f'<td class="bars"><span class="bar" style="width:{100 * cell.bar:.1f}%"></span></td>'
    text = _text(cell.spans)
    if cell.tone is not None:
        text = f'<span class="{cell.tone.value}">{text}</span>'
    number = cell.figures[0].value if cell.figures else None
    value = f' data-value="{number!r}"' if isinstance(number, int | float) else ""
    return f'<td class="{"number" if right else "text"}" data-head="{escape(head)}"{value}>{text}</td>'


def _text(spans: Sequence[Span]) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    """Names are set apart, so that their direction of writing is their own."""
    text = escape(plain(span.text))
    if span.foreign:
        text = f"<bdi>{text}</bdi>"
    if span.strong:
        text = f"<strong>{text}</strong>"
    if span.url is None or not _may_be_linked(span.url):
        return text
    return f'<a href="{escape(span.url)}" rel="noopener noreferrer">{text}</a>'


def _may_be_linked(url: str) -> bool:
    """Whether it leads to a page, here or elsewhere, and cannot be a script."""
    parts = urlsplit(url)
    here = not parts.scheme and not parts.netloc and url.startswith("/")
    return here or parts.scheme in _LINKED
