"""All formats: the same figures, and hostile texts do nothing in any of them."""

import base64
import csv
import hashlib
import io
import json
import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)
from agentnet_otel.outputs.reports.blocks import Chart, Listing, Paragraph, Table
from agentnet_otel.outputs.reports.content import DataQuality, report_on
from agentnet_otel.outputs.reports.document import document_of
from agentnet_otel.outputs.reports.formats import RENDERERS, known_format, render
from agentnet_otel.outputs.reports.html_report import render_html

MS = 1_000_000
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "a|b|c\n| --- |",
    "\u202egnp.exe\u2066",
    '=HYPERLINK("http://example.invalid")',
    "@SUM(1)",
    "line\nbreak\r\n# heading",
    "&lt;b&gt; &amp;",
    "</title></style><style>*{display:none}",
    "x" * 100_000,
    "\x00\x1b[31m",
    "\ud800",
]

names = st.one_of(st.sampled_from(HOSTILE[:-3]), st.text(min_size=1, max_size=12))


def report(turns, **facts):
    """A report on turns."""
    given_facts = {"thresholds": ThresholdTable(), "generated_ns": 1_700_000_000_000_000_000, "version": "0.0"}
    return report_on(turns, **given_facts | facts)


@st.composite
def turn_lists(draw):
    """Turns with some of everything that a report tells."""
    found = []
    for number in range(draw(st.integers(0, 25))):
        ms = draw(st.integers(1, 20_000) | st.sampled_from([0, 10**9]))
        used, asked = draw(st.booleans()), draw(st.integers(1, 5000) | st.just(2**53))
        found.append(
            Turn(
                turn_id=f"t{number}",
                trace_id=format(number + 1, "032x"),
                span_id=format(number + 1, "016x"),
                agent=draw(names | st.just("")),
                start_ns=number * MS,
                end_ns=(number + ms) * MS,
                outcome=draw(st.sampled_from(Outcome)),
                error_type=draw(st.none() | names),
                session=draw(st.none() | st.sampled_from("ab")),
                models=tuple(draw(st.lists(names, max_size=2, unique=True))),
                component_self_ns={LatencyComponent.INFERENCE: ms * MS // 2},
                component_counts={LatencyComponent.INFERENCE: 1},
                unattributed_ns=ms * MS - ms * MS // 2,
                tokens=TokenUsage(input=asked, output=7) if used else TokenUsage(),
                tokens_by_category={TokenCategory.MEMORY: 9} if used else {},
                cost_usd=draw(st.none() | st.floats(0, 1) | st.sampled_from([0.0, 1e12])),
                cost_source=CostSource.ENGINE,
                efficiency=draw(st.floats(0, 1)) if used else None,
                quality=0.8 if used else None,
                quality_source=QualitySource.ASSUMED if used else None,
                tool_calls=tuple(ToolCall(name=name, outcome="error") for name in draw(st.lists(names, max_size=2))),
                violations=tuple(PolicyViolation(rule=name) for name in draw(st.lists(names, max_size=1))),
            )
        )
    return found


class Page(HTMLParser):
    """What a browser makes of a report: text of cells, and every tag and attribute."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tags, self.attributes, self.words = [], set(), [], []
        self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self._cell = []

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("".join(self._cell))
            self._cell = None

    def handle_data(self, data):
        self.words.append(data)
        if self._cell is not None:
            self._cell.append(data)


TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "div",
        "ul",
        "ol",
        "li",
        "table",
    ),
    *("thead", "tbody", "tr", "th", "td", "span", "bdi", "strong", "a", "nav", "script"),
    *("figure", "figcaption", "details", "summary"),
    *("svg", "desc", "rect", "line", "text", "circle", "polyline"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "role", "aria-label", "tabindex", "scope"),
    *("style", "data-head", "data-value", "href", "rel", "id", "aria-labelledby"),
    *("width", "height", "viewbox", "preserveaspectratio", "points", "text-anchor"),
    *("x", "y", "x1", "x2", "y1", "y2", "dx", "cx", "cy", "r"),
}


def text_of(spans):
    """The text that pieces show."""
    return "".join(span.text for span in spans)


def document_tables(content):
    """The tables that a report has."""
    found = document_of(content)
    blocks = [block for section in found.sections for block in section.blocks]
    tables = [block.table if isinstance(block, Chart) else block for block in blocks]
    return [table for table in tables if isinstance(table, Table) and table.rows]


def unescaped(cell):
    """The text that a cell of Markdown shows."""
    text = re.sub(r"\\(.)", r"\1", cell).replace("&lt;", "<").replace("&amp;", "&")
    return re.sub(r"^\[([0-9a-f]{32})\]\(<.*>\)$", r"\1", text)


def markdown_tables(text):
    """The tables of a Markdown text, head first."""
    found, rows = [], []
    for line in [*text.split("\n"), ""]:
        if line.startswith("| "):
            rows.append([unescaped(cell.strip()) for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]])
        elif not line.startswith("|---") and rows:
            found.append(rows)
            rows = []
    return found


def csv_rows(text):
    """The lines of a CSV text."""
    return list(csv.DictReader(io.StringIO(text)))


@settings(max_examples=30)
@given(turn_lists())
def test_the_four_formats_carry_the_same_figures(turns):
    """Each cell of each table stands in Markdown and in HTML, its number in CSV, and the verdicts in JSON."""
    content = report(turns)
    rendered = {form: render(content, form) for form in RENDERERS}
    tables = document_tables(content)
    page = Page(rendered["html"])
    lines = csv_rows(rendered["csv"])
    in_csv = [(line["figure"], float(line["number"])) for line in lines if line["number"]]
    of_markdown = markdown_tables(rendered["md"])
    assert len(page.tables) == len(of_markdown) == len(tables)
    for table, shown, written in zip(tables, page.tables, of_markdown, strict=True):
        for row, html_row, markdown_row in zip(table.rows, shown[1:], written[1:], strict=True):
            for cell, html_cell, markdown_cell in zip(row, html_row, markdown_row, strict=True):
                if cell.bar is None:
                    assert html_cell == text_of(cell.spans)
                    assert "".join(markdown_cell.split()) == "".join(text_of(cell.spans).split())
            for head, cell in zip(table.head[1:], row[1:], strict=True):
                for figure in cell.figures:
                    if isinstance(figure.value, int | float):
                        assert (" ".join(filter(None, (head, figure.of))), float(figure.value)) in in_csv
    verdicts = json.loads(rendered["json"])["verdicts"]
    values = [line["number"] for line in lines if line["section"] == "Executive Summary" and line["figure"] == "Value"]
    assert [float(value) if value else None for value in values] == [row["value"] for row in verdicts]


def numbers_in(value):
    """All numbers of a JSON document."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


@settings(max_examples=30)
@given(turn_lists())
def test_the_figures_of_all_tables_stand_in_json(turns):
    """Each number of each table is one of the JSON report, a percentage as it is or as a share."""
    content = report(turns)
    found = set(numbers_in(json.loads(render(content, "json"))))
    found |= {round(100 * number, 10) for number in found if 0 <= number <= 1}
    missing = [
        (table.head[0], head, figure)
        for table in document_tables(content)
        for row in table.rows
        for head, cell in zip(table.head[1:], row[1:], strict=True)
        for figure in cell.figures
        if isinstance(figure.value, int | float) and float(figure.value) not in found
    ]
    assert missing == []


@settings(max_examples=30)
@given(turn_lists())
def test_no_text_becomes_a_tag_or_an_attribute(turns):
    """Whatever agents, models, tools, rules and errors are called: the tags are ours, and no event handler is there."""
    page = Page(render_html(report(turns, environment={"<b>": "<i>"}, quality=DataQuality(notes=("<u>note</u>",)))))
    assert page.tags <= TAGS
    assert {name for _, name, _ in page.attributes} <= ATTRIBUTES


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_do_nothing_anywhere(text):
    """In each format a hostile name stays text: no tag, no new row, no formula, no hidden control, and not 100 kB."""
    turns = [
        Turn(
            turn_id=text,
            trace_id=text,
            span_id=format(place + 1, "016x"),
            agent=text,
            start_ns=0,
            end_ns=3_000 * MS,
            outcome=Outcome.ERROR,
            error_type=text,
            models=(text,),
            tool_calls=(ToolCall(name=text, outcome="error"),),
            violations=(PolicyViolation(rule=text, severity=text),),
        )
        for place in range(25)
    ]
    content = report(turns, environment={text: text})
    harmless = report([*turns[:-1]], environment={"a": "b"})
    rendered = {form: render(content, form) for form in RENDERERS}
    assert Page(rendered["html"]).tags <= TAGS
    assert rendered["md"].count("\n") == render(harmless, "md").count("\n")
    for line in csv_rows(rendered["csv"]):
        assert not line["name"].startswith(("=", "+", "-", "@"))
        assert not line["text"].startswith(("=", "+", "@"))
        assert None not in line
    json.loads(rendered["json"], parse_constant=pytest.fail)
    for form in ("md", "html", "csv"):
        assert not set(rendered[form]) & set("\x00\x1b\u202e\u2066\ud800\r")
        assert len(rendered[form]) < 400_000
        rendered[form].encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("\t@SUM(1)", "' @SUM(1)"),
        ("\r\n+1", "'  +1"),
        ("-2+3", "'-2+3"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\u200d=1", "'\u200d=1"),
        ("a;=1+1;b", "a;'=1+1;b"),
        (";=1", ";'=1"),
        ("gpt-4; a=b", "gpt-4; a=b"),
    ],
)
def test_no_text_of_csv_is_a_formula(text, shown):
    """An apostrophe stands before whatever a spreadsheet would run, wherever it begins a cell; nothing else changes."""
    turn = Turn(
        turn_id="t", trace_id="1", span_id="1", agent=text, start_ns=0, end_ns=MS, outcome=Outcome.SUCCESS, models=()
    )
    lines = csv_rows(render(report([turn]), "csv"))
    assert {line["name"] for line in lines if line["section"] == "Agents"} == {shown}


@pytest.mark.parametrize("scheme", ["javascript:alert(1)//", "data:text/html,", "JaVaScRiPt:x//"])
def test_only_addresses_of_the_web_become_links(scheme):
    """A template that is no http address is shown as text in HTML."""
    turn = Turn(
        turn_id="t", trace_id="1" * 32, span_id="1" * 16, agent="a", start_ns=0, end_ns=MS, outcome=Outcome.SUCCESS
    )
    page = Page(render_html(report([turn], trace_url=scheme + "{trace_id}")))
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    linked = Page(render_html(report([turn], trace_url="https://host/t/{trace_id}?a=1&b='\"<>")))
    assert ("a", "href", f"https://host/t/{'1' * 32}?a=1&b='\"<>") in linked.attributes
    assert ("a", "rel", "noopener noreferrer") in linked.attributes


def test_html_is_one_small_file_without_network():
    """200 agents with long names: below 1 MB, nothing is loaded, and the policy in it allows only its own script."""
    turns = [
        Turn(
            turn_id=f"t{place}",
            trace_id=format(place + 1, "032x"),
            span_id=format(place + 1, "016x"),
            agent=f"{place}" + "n" * 100_000,
            start_ns=0,
            end_ns=(place + 1) * MS,
            outcome=Outcome.SUCCESS,
        )
        for place in range(200)
    ]
    text = render_html(report(turns))
    page = Page(text)
    assert len(text.encode()) < 1_000_000
    assert not {tag for tag, name, _ in page.attributes if name in {"src", "action", "data"}}
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith(f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}';")
    assert text.count("<script") == 1
    assert "And 150 more, which the JSON report has." in "".join(page.words)


def test_html_is_structured_for_all_readers():
    """Language, title and one h1 as documented; each table is scrollable by keyboard, has a name and heads in scope."""
    turn = Turn(
        turn_id="t", trace_id="1" * 32, span_id="1" * 16, agent="a", start_ns=0, end_ns=MS, outcome=Outcome.SUCCESS
    )
    text = render_html(report([turn]))
    page = Page(text)
    assert ("html", "lang", "en") in page.attributes
    assert "<title>AgentNet Performance Report</title>" in text
    assert text.count("<h1>AgentNet Performance Report</h1>") == 1
    regions = [attribute for attribute in page.attributes if attribute[1:] == ("role", "region")]
    assert len(regions) == len(page.tables) == text.count('tabindex="0"')
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("div", "aria-label")]
    assert len(set(labels)) == len(labels) == len(regions)
    idents = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(idents)) == len(idents)
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-labelledby")]
    assert {ident for value in pictures for ident in value.split()} <= set(idents)
    assert len(pictures) == text.count('role="img"') > 3
    assert text.count('scope="row"') == sum(len(table) - 1 for table in page.tables)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_a_verdict_has_a_tone():
    """A failing verdict looks bad, a passing one good; a table with verdicts is stacked on a phone."""
    turn = Turn(
        turn_id="t", trace_id="1" * 32, span_id="1" * 16, agent="a", start_ns=0, end_ns=MS, outcome=Outcome.ERROR
    )
    text = render_html(report([turn]))
    assert '<span class="bad">FAIL, INSUFFICIENT (1 &lt; 20)' in text
    assert '<span class="good">PASS, INSUFFICIENT (1 &lt; 72)</span>' in text
    assert '<span class="muted">n/a</span>' in text
    assert text.count('<table class="stacked">') == 1


def test_csv_is_one_table_with_bare_numbers():
    """Unique headings; a number is a number or missing, never with a unit, a comma or a sign of money."""
    turns = [
        Turn(
            turn_id=f"t{place}",
            trace_id=format(place + 1, "032x"),
            span_id=format(place + 1, "016x"),
            agent="a",
            start_ns=0,
            end_ns=(1000 + place) * MS,
            outcome=Outcome.SUCCESS,
            cost_usd=0.00000012,
            tokens=TokenUsage(input=1_234_567, output=1),
        )
        for place in range(80)
    ]
    text = render(report(turns), "csv")
    head = text.split("\n", 1)[0].split(",")
    assert head == ["section", "row", "name", "figure", "number", "unit", "text"]
    for line in csv_rows(text):
        assert line["number"] == "" or math.isfinite(float(line["number"]))
        assert not (line["number"] and line["text"])
    found = {(line["section"], line["name"], line["figure"]): line for line in csv_rows(text)}
    latency = found["Executive Summary", "Turn latency (p95)", "Value"]
    assert (latency["number"], latency["unit"]) == ("1076.0", "ms")
    assert found["Executive Summary", "Turn latency (p95)", "95 % interval low"]["unit"] == "ms"
    assert found["Tokens and Cost", "", "input"]["number"] == str(80 * 1_234_567)
    assert found["Executive Summary", "Success rate", "Verdict"]["text"] == "PASS"


def test_unknown_is_empty_in_csv_and_not_zero():
    """What nobody told is an empty number."""
    turn = Turn(
        turn_id="t", trace_id="1" * 32, span_id="1" * 16, agent="a", start_ns=0, end_ns=MS, outcome=Outcome.SUCCESS
    )
    rows = {(line["section"], line["figure"]): line for line in csv_rows(render(report([turn]), "csv"))}
    assert rows["Agents", "Cost"]["number"] == ""
    assert rows["Tokens and Cost", "cost"]["number"] == ""


def test_lists_and_paragraphs_are_in_every_format():
    """Findings, recommendations and notes stand in all texts."""
    content = report([], quality=DataQuality(notes=("a note of ours",)))
    blocks = [block for section in document_of(content).sections for block in section.blocks]
    texts = [text_of(item) for block in blocks if isinstance(block, Listing) for item in block.items]
    texts += [text_of(block.spans) for block in blocks if isinstance(block, Paragraph) and not block.figures]
    page = Page(render(content, "html"))
    for text in texts:
        assert text in "".join(page.words)
    assert "a note of ours" in render(content, "md")
    assert "a note of ours" in render(content, "csv")


def test_formats_have_names():
    """The documented name of Markdown is known too; another is refused with those that there are."""
    assert known_format("markdown") == "md"
    with pytest.raises(ConfigurationError, match="'pdf' is unknown; allowed are: md, html, json, csv"):
        render(report([]), "pdf")
