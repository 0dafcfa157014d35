"""The Markdown report: its order, its marks, and that no text of the data becomes markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import Outcome, PolicyViolation, TokenUsage, ToolCall
from agentnet_otel.outputs.reports.blocks import MAX_ROWS
from agentnet_otel.outputs.reports.content import DataQuality, report_on
from agentnet_otel.outputs.reports.markdown import escaped, render_markdown

HEADINGS = [
    "# AgentNet Performance Report",
    "## Executive Summary",
    "### Key Findings",
    "### What to Do First",
    "## Performance Metrics",
    "### Latency",
    "### Components",
    "### Tokens and Cost",
    "### Agents",
    "### Models",
    "### Slowest Turns",
    "### Tools",
    "### Policy Violations",
    "## Optimization Opportunities",
    "## Recommendations",
    "## Environment",
    "## Data Quality",
]

HOSTILE = [
    "a|b|c",
    "`code` ``more``",
    "line\nbreak\r\n# heading",
    "<script>alert(1)</script>",
    "<!-- comment",
    "&lt;b&gt; &amp; &#x41;",
    "[link](javascript:alert(1))",
    "https://example.invalid/x www.example.invalid HTTP://EXAMPLE.invalid",
    "![image](http://example.invalid/x.png)",
    "**bold** _it_ ~~gone~~",
    "\u202egnp.exe\u2066",
    "\\| \\",
    "| --- | --- |",
    "$$x$$",
    "\x1b[31mred\x1b[0m\x00",
    "# heading",
    "> quote",
    "1. item",
    "- item",
    "+ item",
    "=====",
    "\ud800",
]


def markdown(turns, **given):
    """The report on turns as Markdown."""
    facts = {"thresholds": ThresholdTable(), "generated_ns": 1_700_000_000_000_000_000, "version": "0.0"}
    return render_markdown(report_on(turns, **facts | given))


def cells(row):
    """The cells of a table row, as a reader of tables splits it: an escaped bar does not end one."""
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", row)[1:-1]]


def tables(text):
    """The tables of a document, each a list of rows of cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append(cells(line))
        elif rows:
            found.append(rows)
            rows = []
    return found


def test_sections_stand_in_their_order(make_turns):
    """The documented headings and those between them, each once, in the order of what matters first."""
    text = markdown(make_turns(3), environment={"Python": "3"})
    assert [line for line in text.splitlines() if line.startswith("#")] == HEADINGS


def test_an_empty_report_has_every_section_too():
    """Without turns nothing is invented: n/a, None, and what to do about it."""
    text = markdown([])
    assert [line for line in text.splitlines() if line.startswith("#")] == HEADINGS
    assert text.startswith("# AgentNet Performance Report\n\nGenerated 2023-11-14 22:13:20 UTC by agentnet-otel 0.0.\n")
    assert "0 turns of 0 agents in 0 sessions." in text
    assert text.count("| n/a | - |") == 4
    assert "1. No turn was found: nothing can be said." in text
    assert "**Record turns**: Call agentnet_otel.instrument()" in text
    assert "No turns." in text
    assert "Keep a baseline" not in text


def test_the_verdict_table_stands_first(make_turns):
    """Four metrics with value, interval, limits and verdict, right below the first heading of second level."""
    text = markdown(make_turns(100))
    first = tables(text)[0]
    assert first[0] == ["Metric", "Value", "95 % interval", "Recommended", "Critical", "Verdict"]
    assert [row[0] for row in first[2:]] == [
        "Turn latency (p95)",
        "Success rate",
        "Token efficiency (mean)",
        "Cost per turn (mean)",
    ]
    assert first[2] == ["Turn latency (p95)", "100 ms", "100 ms .. 100 ms", "< 2,000 ms", "< 5,000 ms", "PASS"]


def test_one_turn_is_marked_wherever_it_is_not_enough(make_turn):
    """With one turn each figure is shown, and marked: verdicts, mean, quantiles, components, agents."""
    text = markdown([make_turn()])
    assert "PASS, INSUFFICIENT (1 < 72)" in text
    assert "PASS, INSUFFICIENT (1 < 20)" in text
    assert "Mean 100.0 ms, INSUFFICIENT (1 < 20); standard deviation 0.0 ms" in text
    assert "| p99 | 100.0 | INSUFFICIENT (1 < 368) |" in text
    assert "| planner | 1 | 100.0 % | 100.0 | 100.0 | 100 | $0.002 | 0.800 | INSUFFICIENT |" in text
    assert "| inference | 75.0 % | 75.0 | 75.0 | 75.0 | 1 | 1 | INSUFFICIENT |" in text


def test_means_can_be_enough_where_the_p95_is_not(make_turns):
    """20 turns are enough for means and rates, 72 for a p95; the rows say which."""
    assert "| 0.800 | p95 INSUFFICIENT |" in markdown(make_turns(20))
    assert "| 0.800 | p95 INSUFFICIENT |" in markdown(make_turns(71))
    assert "| 0.800 | sufficient |" in markdown(make_turns(72))
    assert "| 0.800 | INSUFFICIENT |" in markdown(make_turns(19))


def test_only_failures(make_turns):
    """When no turn succeeded the success rate is 0, told as critical, with what failed."""
    text = markdown(make_turns(25, outcome=Outcome.ERROR, error_type="ConnectionError"))
    assert "| Success rate | 0.0 % | 0.0 % .. 13.3 % | > 95 % | > 90 % | FAIL |" in text
    assert "25 of 25 turns failed, most often with ConnectionError (25)." in text
    assert "Outcomes: 25 error." in text
    assert "Error types: ConnectionError (25)." in text


def test_unknown_is_not_zero(make_turns):
    """Without tokens, cost and efficiency the report says n/a, and judges nothing on them."""
    unknown = {
        "tokens": TokenUsage(),
        "tokens_by_category": {},
        "tokens_by_model": {},
        "models": (),
        "cost_usd": None,
        "efficiency": None,
        "quality": None,
        "quality_source": None,
    }
    text = markdown(make_turns(80, **unknown))
    assert "| Cost per turn (mean) | n/a | - | < $0.01 | < $0.05 | n/a |" in text
    assert "Input n/a, of these cached n/a; output n/a, of these reasoning n/a. 0 turns tell their tokens" in text
    assert "Cost n/a in 0 turns." in text
    assert "Mean token efficiency n/a." in text
    assert "| planner | 80 | 100.0 % | 100.0 | 100.0 | n/a | n/a | n/a | sufficient |" in text
    assert "$0" not in text.replace("$0.01", "").replace("$0.05", "")


def test_estimates_and_gaps_are_counted(make_turn):
    """Estimated tokens, turns without their own span, revisions and clipped spans stand under data quality."""
    quality = DataQuality(spans=9, incomplete_turns=2, revised_turns=3, estimated_turns=4, notes=("look | here",))
    text = markdown([make_turn(estimated=True)], quality=quality)
    assert "1 turns tell their tokens, 1 of them estimated." in text
    counts = dict(tables(text)[-1][2:])
    assert counts["Spans read"] == "9"
    assert counts["Turns without their own span"] == "2"
    assert counts["Turns revised"] == "3"
    assert counts["Turns with estimated tokens"] == "4"
    assert "- look \\| here" in text


def test_streams_and_concurrency_are_told(make_turn):
    """Time to first token where answers were streamed, and how many turns ran at the same time."""
    turns = [make_turn(n, start_ms=10 * n, time_to_first_token_ns=(n + 1) * 1_000_000) for n in range(5)]
    text = markdown(turns)
    assert "time to first token in 5 turns, median 3.0 ms, p95 5.0 ms (INSUFFICIENT)." in text
    assert "At most 5 turns ran at the same time." in text
    assert "Streamed" not in markdown([make_turn()])


@pytest.mark.parametrize(
    ("apart_ms", "shown"),
    [
        (1000.0, r"\d\d:\d\d:\d\d UTC"),
        (20.0, r"\d\d:\d\d:\d\d\.\d{3} UTC"),
        (0.01, r"\d\d:\d\d:\d\d\.\d{6} UTC"),
        (0.0, r"\d\d:\d\d:\d\d\.\d{9} UTC"),
    ],
)
def test_stretches_of_time_can_be_told_apart(make_turn, apart_ms, shown):
    """However short they are, each has a time of its own."""
    text = markdown([make_turn(n, start_ms=n * apart_ms) for n in range(80)])
    times = re.findall(r"^\| \d{4}-\d\d-\d\d (\S+ UTC) \|", text, re.MULTILINE)
    assert times
    assert len(set(times)) == len(times)
    assert all(re.fullmatch(shown, time) for time in times)


def test_a_sample_is_weighted(make_turns):
    """Turns that tell their sampling probability are also told as what they stand for."""
    text = markdown(make_turns(10, sampling_probability=0.25))
    assert "they stand for about 40 turns, 4,000 tokens and a cost of $0.08." in text


def test_links_need_a_template(make_turn):
    """With a template the trace id is a link, which no character can end; without one it is text."""
    row = f"[{1:032x}](<http://host/t/{1:032x}?s={1:016x}%20%3E%7C>)"
    assert row in markdown([make_turn()], trace_url="http://host/t/{trace_id}?s={span_id} >|")
    assert f"| {1:032x} |" in markdown([make_turn()])


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_harm_nothing(make_turn, name):
    """In every place for a text of others: tables keep their columns, lines stay lines, no tag, no link, no control."""
    turn = make_turn(
        agent=name,
        turn_id=name,
        outcome=Outcome.ERROR,
        error_type=name,
        models=(name,),
        tokens_by_model={name: TokenUsage(input=1, output=1)},
        tool_calls=(ToolCall(name=name, outcome="error"),) * 4,
        violations=(PolicyViolation(rule=name, severity=name),) * 3,
        policy_violations=3,
        time_to_first_token_ns=1,
    )
    plain_turn = make_turn(1, agent="other", error_type="other", outcome=Outcome.ERROR)
    text = markdown([turn, plain_turn], environment={name: name}, quality=DataQuality(notes=(name,)))
    text.encode()
    for table in tables(text):
        assert {len(row) for row in table} == {len(table[0])}
    assert [line for line in text.splitlines() if line.startswith("#")] == HEADINGS
    assert not re.search(r"<[A-Za-z/!?]", text)
    assert not re.search(r"https?://|www\.", text, re.IGNORECASE)
    assert not re.search(r"(?<!\\)\[", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert not re.search(r"(?<!\\)`", text)


def test_a_huge_name_is_cut(make_turn):
    """100 kB of a name fill no report: it is cut wherever it stands."""
    name = "n" * 100_000
    turn = make_turn(
        agent=name, outcome=Outcome.ERROR, error_type=name, tool_calls=(ToolCall(name=name, outcome="error"),)
    )
    assert len(markdown([turn, make_turn(1)])) < 15_000


def test_tables_that_grow_with_the_data_are_bounded(make_turn):
    """Of a thousand agents, models, tools and rules fifty rows are shown, and how many more there are."""
    turns = [
        make_turn(
            n,
            agent=f"agent-{n}",
            models=(f"model-{n}",),
            error_type=f"Error{n}",
            outcome=Outcome.ERROR,
            tool_calls=(ToolCall(name=f"tool-{n}"),),
            violations=(PolicyViolation(rule=f"rule-{n}"),),
        )
        for n in range(1000)
    ]
    text = markdown(turns)
    assert text.count(f"And {1000 - MAX_ROWS} more, which the JSON report has.") == 5
    assert f"and {1000 - MAX_ROWS} more." in text
    assert len(text) < 50_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, a-b c_d 3.5 (x) {y}!", "plain words, a-b c_d 3.5 (x) {y}!"),
        ("_x_ a_b", "\\_x\\_ a_b"),
        ("< 5 ms & more", "< 5 ms & more"),
        ("<b>&nbsp;", "&lt;b>&amp;nbsp;"),
        ("1. x", "1\\. x"),
        ("1) x", "1\\) x"),
        ("0.1.0", "0.1.0"),
        ("#1", "\\#1"),
        ("a #1", "a #1"),
        ("a|b", "a\\|b"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_only_what_could_be_markup_is_escaped(text, shown):
    """Ordinary names read in the source as they are."""
    assert escaped(text) == shown


@given(st.text(max_size=40))
def test_a_cell_stays_a_cell(text):
    """Whatever a name is, the row that holds it has one cell for it."""
    assert len(cells(f"| {escaped(text)} | x |")) == 2
