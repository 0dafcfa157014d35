"""Figures and names are written the same way everywhere, and no name can hide or move text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.statistics import Interval, wilson_interval
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, Verdict
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports import wording

LATENCY = DOCUMENTED[Metric.TURN_LATENCY]


def judgement(**given):
    """A row of the verdict table."""
    facts = {
        "threshold": LATENCY,
        "agent": None,
        "value": 1200.0,
        "interval": Interval(low=1100.0, high=1300.0),
        "n": 100,
        "needed": 72,
        "verdict": Verdict.PASS,
    }
    return Judgement(**facts | given)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (Metric.TURN_LATENCY, 12345.6, "12,346 ms"),
        (Metric.TURN_LATENCY, 9.96, "10.0 ms"),
        (Metric.TURN_LATENCY, 0.25, "0.250 ms"),
        (Metric.SUCCESS_RATE, 99.9, "99.9 %"),
        (Metric.SUCCESS_RATE, 99.95, "99.95 %"),
        (Metric.SUCCESS_RATE, 100 * 999_999 / 1_000_000, "99.9999 %"),
        (Metric.SUCCESS_RATE, 100.0, "100.0 %"),
        (Metric.SUCCESS_RATE, 0.04, "0.04 %"),
        (Metric.SUCCESS_RATE, 0.0, "0.0 %"),
        (Metric.TOKEN_EFFICIENCY, 0.70049, "0.700"),
        (Metric.COST_PER_TURN, 0.00012, "$0.00012"),
        (Metric.COST_PER_TURN, 1234.5, "$1,234.50"),
        (Metric.COST_PER_TURN, 0.0, "$0"),
        (Metric.TURN_LATENCY, None, "n/a"),
    ],
)
def test_values_carry_their_unit(metric, value, text):
    """Each metric has its unit and its digits; what is unknown is n/a, not 0."""
    assert wording.value_text(value, DOCUMENTED[metric]) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_234_567.89, "1,234,568"),
        (1000.4, "1,000"),
        (999.94, "999.9"),
        (1.0, "1.0"),
        (0.0433, "0.043"),
        (0.0, "0.0"),
        (-2345.6, "-2,346"),
        (None, "n/a"),
    ],
)
def test_durations_have_digits_that_mean_something(value, text):
    """Long ones no parts of a millisecond, short ones enough not to be nothing."""
    assert wording.milliseconds(value) == text


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric.TURN_LATENCY, "< 2,000 ms"),
        (Metric.SUCCESS_RATE, "> 95 %"),
        (Metric.TOKEN_EFFICIENCY, "> 0.7"),
        (Metric.COST_PER_TURN, "< $0.01"),
    ],
)
def test_limits_tell_their_good_side(metric, text):
    """A limit has its unit and the side on which a value is fine."""
    threshold = DOCUMENTED[metric]
    assert wording.limit_text(threshold.recommended, threshold) == text


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (judgement(), "PASS"),
        (judgement(n=71), "PASS, INSUFFICIENT (71 < 72)"),
        (judgement(interval=Interval(low=1900.0, high=2100.0)), "PASS, limit within interval"),
        (judgement(value=None, interval=None, n=0, verdict=Verdict.NO_DATA), "n/a"),
        (
            judgement(n=1_071, needed=2_000, interval=Interval(low=1.0, high=9e9), verdict=Verdict.FAIL),
            "FAIL, INSUFFICIENT (1,071 < 2,000), limit within interval",
        ),
    ],
)
def test_the_verdict_says_how_sure_it_is(row, text):
    """Beside the verdict stand INSUFFICIENT with its numbers, and that an interval holds a limit; n/a stands alone."""
    assert wording.verdict_text(row) == text


def test_intervals_and_labels():
    """An interval has both ends with their unit, a missing one is a dash; an agent's row names the agent."""
    assert wording.interval_text(Interval(low=1.0, high=2500.0), LATENCY) == "1.0 ms .. 2,500 ms"
    assert wording.interval_text(None, LATENCY) == "-"
    assert wording.label_text(judgement()) == "Turn latency (p95)"
    assert wording.label_text(judgement(agent="planner")) == "Turn latency (p95): planner"


def test_shares_counts_and_durations():
    """Percentages, counts, milliseconds and decimals have one form each, and n/a for what is unknown."""
    assert (wording.percent(0.123456), wording.percent(None)) == ("12.3 %", "n/a")
    assert (wording.number(1234567), wording.number(None)) == ("1,234,567", "n/a")
    assert (wording.milliseconds(1234.56), wording.milliseconds(None)) == ("1,235", "n/a")
    assert (wording.decimals(0.12345), wording.decimals(None)) == ("0.123", "n/a")
    assert wording.usd(None) == "n/a"


@given(st.integers(1, 10_000_000), st.data())
def test_a_share_is_whole_only_where_all_are(n, data):
    """100 % and 0 % are said only of all and of none, whatever was counted; calculated ends of intervals are whole."""
    some = data.draw(st.integers(0, n))
    share = float(wording.percent(some / n).removesuffix(" %"))
    assert (share == 100, share == 0) == (some == n, some == 0)
    ends = [wilson_interval(n, n).high, wilson_interval(0, n).low]
    assert [wording.percent(end) for end in ends] == ["100.0 %", "0.0 %"]


def test_plain_shows_what_would_hide():
    """Ends of lines are blanks; escapes of terminals, marks of direction and broken surrogates become visible."""
    assert wording.plain("a\r\nb\u2028c\td") == "a  b c d"
    assert wording.plain("\x1b[2J\x07\u202egnp.exe\ud800\ufeff\x00") == "\\x1b[2J\\x07\\u202egnp.exe\\ud800\\ufeff\\x00"


def test_plain_keeps_writing_of_all_kinds():
    """Letters of other scripts, combining marks and joined emoji stay as they are."""
    text = "Ärger שלום سلام 計画 é 👩\u200d💻 a_b-c"
    assert wording.plain(text) == text


@given(st.text(st.characters(), max_size=60))
def test_plain_leaves_nothing_hidden(text):
    """Whatever comes in, what goes out is one line without controls, and encodes as UTF-8."""
    shown = wording.plain(text)
    shown.encode()
    assert {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


def test_long_names_are_cut():
    """A name of 100 kB is cut to 200 characters with a mark; one of 200 is not."""
    assert wording.shortened("x" * 100_000) == "x" * 199 + "…"
    assert wording.shortened("x" * 200) == "x" * 200
