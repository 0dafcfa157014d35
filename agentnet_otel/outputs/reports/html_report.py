"""The report as one HTML file: no script, no network, light and dark, and made to be printed.

All text is escaped, also our own. A policy in the file forbids whatever might get past that.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

from agentnet_otel.outputs.reports.blocks import Block, Cell, Listing, Paragraph, Section, Span, Table
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.document import document_of
from agentnet_otel.outputs.reports.wording import plain

_LINKED: Final = frozenset({"http", "https"})
"""Schemes that a link may have; other addresses are shown as text."""

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6470; --line: #d5dae1; --page: #ffffff; --band: #f3f5f8;
  --link: #0b57c2; --bar: #4c7fd0; --good: #12652f; --warn: #7a4b00; --bad: #a8161b;
  --good-band: #e0f3e6; --warn-band: #fdeecd; --bad-band: #fce1e1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --soft: #a5aebb; --line: #39414d; --page: #14171b;
  --band: #1d2127; --link: #8ab6ff; --bar: #5b8fe0; --good: #7fdc9d; --warn: #f3c566; --bad: #ff9a9a;
  --good-band: #143322; --warn-band: #3b2e0d; --bad-band: #431a1c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p, ul, ol { margin: .5rem 0; max-width: 60rem; }
li { margin: .25rem 0; }
.lead { color: var(--soft); }
a { color: var(--link); }
.wide { width: fit-content; max-width: 100%; overflow-x: auto; margin: .75rem 0; border: 1px solid var(--line);
  border-radius: 6px; }
.wide:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; width: max-content; min-width: 18rem; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
thead { background: var(--band); }
th { font-weight: 600; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 500; white-space: normal; max-width: 22rem; overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; }
td.text { max-width: 30rem; overflow-wrap: anywhere; }
.bar { display: block; height: .8rem; margin-top: .3rem; border-radius: 2px; background: var(--bar); }
td.bars { width: 24rem; }
.good, .warn, .bad, .muted { display: inline-block; padding: 0 .45rem; border-radius: 4px; font-weight: 600; }
.good { color: var(--good); background: var(--good-band); }
.warn { color: var(--warn); background: var(--warn-band); }
.bad { color: var(--bad); background: var(--bad-band); }
.muted { color: var(--soft); background: var(--band); }
@media (max-width: 40rem) { main { padding: 1rem .75rem 3rem; } h1 { font-size: 1.4rem; }
  th, td { padding: .35rem .5rem; } td.bars { width: 8rem; }
  .stacked, .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block; width: auto; border: 0; }
  .stacked thead { display: none; } .stacked tr + tr { border-top: 1px solid var(--line); }
  .stacked tbody th { font-weight: 600; padding-bottom: 0; max-width: none; }
  .stacked td, .stacked td.number { display: flex; justify-content: space-between; gap: 1rem; text-align: right;
    padding: .1rem .5rem; max-width: none; white-space: normal; }
  .stacked td::before { content: attr(data-head); color: var(--soft); } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #333; --line: #999; --page: #fff; --band: #eee;
  --link: #000; --good: #12652f; --warn: #7a4b00; --bad: #a8161b; --bar: #777; }
  main { max-width: none; padding: 0; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
  .wide { overflow: visible; border: 0; } table { font-size: .75rem; } thead { display: table-header-group; }
  .bar, .good, .warn, .bad, .muted { print-color-adjust: exact; } }
"""


def render_html(report: ReportContent) -> str:
    """The whole report."""
    document = document_of(report)
    title = escape(document.title)
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{title}</h1>",
        '<div class="lead">',
        *(line for block in document.lead for line in _block(block, title)),
        "</div>",
        *(line for section in document.sections for line in _section(section)),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    title = escape(section.title)
    yield f"<h{section.level}>{title}</h{section.level}>"
    for block in section.blocks:
        yield from _block(block, title)


def _block(block: Block, title: str) -> Iterator[str]:
    match block:
        case Table():
            yield from _table(block, title)
        case Listing() if block.items:
            tag = "ol" if block.numbered else "ul"
            yield f"<{tag}>"
            yield from (f"<li>{_text(item)}</li>" for item in block.items)
            yield f"</{tag}>"
        case Paragraph():
            yield f"<p>{_text(block.spans)}</p>"


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
    return f'<td class="{"number" if right else "text"}" data-head="{escape(head)}">{text}</td>'


def _text(spans: Sequence[Span]) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    """Names are set apart, so that their direction of writing is their own."""
    text = escape(plain(span.text))
    if span.foreign:
        text = f"<bdi>{text}</bdi>"
    if span.strong:
        text = f"<strong>{text}</strong>"
    if span.url is None or urlsplit(span.url).scheme not in _LINKED:
        return text
    return f'<a href="{escape(span.url)}" rel="noopener noreferrer">{text}</a>'
