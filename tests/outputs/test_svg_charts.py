"""Scales, ticks and drawings of charts."""

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.outputs.reports import charts
from agentnet_otel.outputs.reports.svg_charts import LONGEST_NAME, draw, short
from agentnet_otel.outputs.reports.svg_scales import duration_text, log_scale, rounded_up, time_ticks

SECOND = 1_000_000_000
LIMITS = (
    charts.Limit(text="recommended < 2,000 ms", value=2000.0, critical=False),
    charts.Limit(text="critical < 5,000 ms", value=5000.0, critical=True),
)
positive = st.floats(1e-3, 1e8)


@given(st.lists(positive, max_size=9))
def test_a_logarithmic_axis_holds_its_values(values):
    """Places lie in order between 0 and 1, ticks too; there are at least two ticks, and never a crowd."""
    scale = log_scale(values)
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    ticks = [tick.place for tick in scale.ticks()]
    assert ticks == sorted(ticks)
    assert all(0 <= place <= 1 for place in ticks)
    assert 1 <= len(ticks) <= 7


@given(positive)
def test_an_axis_ends_at_a_round_value(value):
    """The end is one digit and zeros, not below the value and less than twice it."""
    end = rounded_up(value)
    assert value * 0.999 <= end <= value * 2.01
    assert math.isclose(float(f"{end:.0e}"), end)


@pytest.mark.parametrize("seconds", [0, 1, 9, 59, 3600, 86_400, 30 * 86_400, 3 * 365 * 86_400])
def test_times_are_told_at_round_places(seconds):
    """At most five times, none beyond the axis, whatever it spans."""
    first = 1_700_000_003 * SECOND
    ticks = time_ticks(first, first + seconds * SECOND)
    assert len(ticks) <= 5
    assert all(0 <= tick.place <= 1 for tick in ticks)
    assert len({tick.text for tick in ticks}) == len(ticks)


def test_durations_are_short():
    """A unit that fits."""
    texts = [duration_text(ms) for ms in (0.5, 250.0, 1000.0, 2500.0, 60_000.0, 5_400_000.0)]
    assert texts == ["0.5 ms", "250 ms", "1 s", "2.5 s", "1 min", "1.5 h"]


def test_a_histogram_tells_its_limits_in_words():
    """Bars are as wide as their bins on a logarithmic axis, and what is beyond a limit looks different."""
    found = svg(
        charts.Histogram(
            bins=(
                charts.Bin(low=100.0, high=125.0, count=4),
                charts.Bin(low=2000.0, high=2500.0, count=2),
                charts.Bin(low=5000.0, high=6300.0, count=1),
            ),
            limits=LIMITS,
        )
    )
    bars = found.findall(".//rect")
    assert [bar.get("class") for bar in bars] == ["bin fine", "bin warn", "bin bad"]
    assert [round(float(bar.get("height"))) for bar in bars] == [190, 95, 48]
    widths = [float(bar.get("width")[:-1]) for bar in bars[:2]]
    assert widths[0] == pytest.approx(widths[1], abs=0.02)
    assert {"recommended < 2,000 ms", "critical < 5,000 ms"} <= texts(found)


def test_turns_below_the_first_edge_are_drawn():
    """A logarithmic axis has no 0: the bin that begins there, where quick agents have most turns, has a width."""
    bins = (charts.Bin(low=0.0, high=1.0, count=90), charts.Bin(low=1.0, high=2.0, count=10))
    found = svg(charts.Histogram(bins=bins, limits=LIMITS))
    widths = [float(bar.get("width")[:-1]) for bar in found.findall(".//rect")]
    assert widths[0] == pytest.approx(widths[1], abs=0.02)
    assert widths[0] > 1


def test_an_estimate_without_interval_is_hollow():
    """It has a dot, no whisker, and its value beside it."""
    rows = (
        charts.Estimate(name="p50", value=100.0, low=80.0, high=140.0),
        charts.Estimate(name="p99", value=900.0, low=None, high=None),
    )
    found = svg(charts.Estimates(rows=rows, limits=LIMITS))
    assert [dot.get("class") for dot in found.findall(".//circle")] == ["dot", "dot hollow"]
    assert len([line for line in found.findall(".//line") if line.get("class") == "whisker"]) == 3
    assert {"p50", "100 ms", "p99", "900 ms"} <= texts(found)


def test_words_at_the_ends_of_lines_do_not_cover_each_other():
    """Two lines that end at one place have their names one above the other, within the chart."""
    lines = tuple(charts.Line(name=name, points=((0, 3.0), (SECOND, 1.0))) for name in ("p95", "median"))
    found = svg(charts.Lines(lines=lines, first_ns=0, last_ns=SECOND))
    places = [float(t.get("y")) for t in found.iter("text") if t.text in {"p95", "median"}]
    assert abs(places[0] - places[1]) >= 14
    assert max(places) <= 200


def test_parts_of_a_stack_are_as_long_as_what_they_are_of():
    """Two agents on one axis: the longest fills it, a part of half that length is half as long."""
    parts = (charts.Part(component="inference", value=100.0), charts.Part(component="tool_execution", value=100.0))
    rows = (
        charts.Stack(name="slow", text="200 ms", parts=parts),
        charts.Stack(name="quick", text="50 ms", parts=(charts.Part(component="what", value=50.0),)),
    )
    found = svg(charts.Stacks(rows=rows))
    drawn = [(bar.get("class"), bar.get("x"), bar.get("width")) for bar in found.findall(".//rect")]
    assert drawn == [
        ("part c-inference", "0.00%", "50.00%"),
        ("part c-tool_execution", "50.00%", "50.00%"),
        ("part c-unattributed", "0.00%", "25.00%"),
    ]


def test_a_waterfall_goes_from_step_to_step():
    """Each step begins where it began, and its words stand where there is room."""
    steps = (
        charts.Step(name="chat m-large", component="inference", start_ms=0.0, duration_ms=75.0),
        charts.Step(name="search", component="tool_execution", start_ms=75.0, duration_ms=25.0),
        charts.Step(name="a moment", component="memory_access", start_ms=100.0, duration_ms=0.0),
    )
    drawing = charts.Waterfalls(rows=(charts.Waterfall(name="planner", text="100 ms", duration_ms=100.0, steps=steps),))
    found = svg(drawing)
    bars = [(float(bar.get("x")[:-1]), float(bar.get("width")[:-1])) for bar in found.findall(".//rect")]
    assert bars[0] == (0.0, 75.0)
    assert bars[1] == (75.0, 25.0)
    assert all(x + width <= 100.0 for x, width in bars)
    assert {"chat m-large 75 ms", "search 25 ms"} <= texts(found)


@pytest.mark.parametrize(
    "drawing",
    [charts.Bars(rows=()), charts.Stacks(rows=()), charts.Waterfalls(rows=())],
    ids=["bars", "stacks", "falls"],
)
def test_nothing_is_drawn_of_nothing(drawing):
    """An empty chart is no picture."""
    assert list(draw(drawing, "Title", "Told", "id")) == []


def test_a_picture_tells_what_it_shows():
    """It has a role, a title and a description, and hostile words in them stay words."""
    bar = charts.Bar(name="<b>&", value=1.0, text="1 <i>")
    lines = draw(charts.Bars(rows=(bar,)), "A <title>", "\u202etold & shown", "id")
    found = parsed("".join(lines))
    assert found.get("role") == "img"
    title, told = found.get("aria-labelledby").split()
    by_id = {one.get("id"): one.text for one in found.iter() if one.get("id")}
    assert (by_id[title], by_id[told]) == ("A <title>", "\\u202etold & shown")
    assert {"<b>&", "1 <i>"} <= texts(found)


@given(st.text(max_size=60))
def test_names_are_short(name):
    """A name in a chart has a bounded length and no control character."""
    shown = short(name)
    assert len(shown) <= 10 * LONGEST_NAME
    assert not re.search(r"[\x00-\x1f\u202a-\u202e\u2066-\u2069]", shown)


def svg(drawing):
    """A drawing, parsed."""
    return parsed(f"<div>{''.join(draw(drawing, 'Title', 'Told', 'id'))}</div>")


def parsed(text):
    """Our own text as a tree."""
    return ET.fromstring(text)  # noqa: S314 - nobody else's


def texts(found):
    """All texts that are shown."""
    return {one.text for one in found.iter("text")}
