"""The HTML report as people see it: in Chromium, light and dark, on a phone, a tablet and a desk."""

import pytest

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)
from agentnet_otel.outputs.reports.content import DataQuality, report_on
from agentnet_otel.outputs.reports.formats import render

pytestmark = pytest.mark.e2e

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
HOSTILE = [
    "<script>window.taken = 1; alert(1)</script>",
    '"><img src="http://127.0.0.1:9/x.png" onerror="window.taken = 1">',
    "' onmouseover='window.taken = 1",
    "</title></desc></svg></style><script>window.taken = 1</script>",
    "\u202egnp.exe\u2066\u05e9\u05dc\u05d5\u05dd",
    "<svg onload=window.taken=1>",
    "javascript:window.taken=1",
    "x" * 100_000,
]


def turns_of(names, count=120):
    """Turns of agents, models, tools, rules and errors called so, with everything that charts show."""
    found = []
    for place in range(count):
        name = names[place % len(names)]
        ms = 60 * (1 + place % 50) * (3 if place % 40 == 0 else 1)
        inference = LatencyComponent.INFERENCE
        found.append(
            Turn(
                turn_id=f"turn {name}",
                trace_id=format(place + 1, "032x"),
                span_id=format(place + 1, "016x"),
                agent=name,
                start_ns=START_NS + place * 1000 * MS,
                end_ns=START_NS + (place * 1000 + ms) * MS,
                outcome=Outcome.ERROR if place % 9 == 0 else Outcome.SUCCESS,
                error_type=name if place % 9 == 0 else None,
                model=name,
                models=(name,),
                component_self_ns={inference: ms * MS // 2, LatencyComponent.TOOL_EXECUTION: ms * MS // 4},
                component_counts={inference: 1, LatencyComponent.TOOL_EXECUTION: 2},
                unattributed_ns=ms * MS // 4,
                tokens=TokenUsage(input=300, output=40),
                tokens_by_category={TokenCategory.REASONING: 300, TokenCategory.MEMORY: 40},
                tokens_by_model={name: TokenUsage(input=300, output=40)},
                cost_usd=0.004,
                cost_source=CostSource.ENGINE,
                tool_calls=(ToolCall(name=name, outcome="error" if place % 5 == 0 else "success"),),
                violations=(PolicyViolation(rule=name, severity="major"),) if place % 11 == 0 else (),
            )
        )
    return found


@pytest.fixture
def page_of(tmp_path):
    """Writes the report on turns, and tells its address."""

    def written(turns, **facts):
        given = {"thresholds": ThresholdTable(), "generated_ns": START_NS, "version": "0.0"}
        path = tmp_path / "report.html"
        path.write_text(render(report_on(turns, **given | facts), "html"), encoding="utf-8")
        return path.as_uri()

    return written


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 834, 1280])
def test_the_report_is_accessible_and_quiet(visit, page_of, width, mode):
    """No message, no request, nothing against the rules of axe, and nothing to scroll sideways at any width."""
    seen = visit(
        page_of(turns_of(["planner", "critic", "writer"]), trace_url="http://127.0.0.1/{trace_id}"),
        width=width,
        mode=mode,
    )
    for details in seen.page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    assert seen.violations() == []
    assert seen.said == []
    assert seen.asked_for == []
    assert seen.sideways() == 0


@pytest.mark.parametrize("turns", [[], turns_of(["alone"], count=1)], ids=["none", "one"])
def test_a_report_on_little_is_accessible_too(visit, page_of, turns):
    """Without turns, and with one, the page stands."""
    seen = visit(page_of(turns))
    assert seen.violations() == []
    assert seen.said == []


def test_hostile_names_do_nothing(visit, page_of):
    """Scripts, quotes, tags and marks of direction in names run nothing, load nothing and open nothing."""
    address = page_of(
        turns_of(HOSTILE), environment=dict.fromkeys(HOSTILE[:4], HOSTILE[0]), quality=DataQuality(notes=(HOSTILE[1],)),
        trace_url="javascript:window.taken=1//{trace_id}",
    )  # fmt: skip
    seen = visit(address, width=390)
    page = seen.page
    for cell in page.locator("tbody th").all()[:40]:
        cell.hover(force=True)
    assert page.evaluate("window.taken") is None
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("[...document.links].every(link => link.hash)")
    assert seen.said == []
    assert seen.asked_for == []
    assert seen.violations() == []
    assert seen.sideways() == 0
    assert "\u202e" not in page.content()


def test_it_works_without_script(visit, page_of):
    """All figures are there; what is folded opens; nothing is offered that does not work."""
    seen = visit(page_of(turns_of(["planner", "critic"])), script=False)
    page = seen.page
    assert page.locator("button, input").count() == 0
    assert page.locator("svg[role=img]").count() > 5
    folded = page.locator("details").first
    assert not folded.locator("table").is_visible()
    folded.locator("summary").click()
    assert folded.locator("table").is_visible()


def test_tables_are_sorted_by_keyboard(visit, page_of):
    """Enter on a heading sorts up, again down, again as it was; numbers as numbers, and readers are told."""
    page = visit(page_of(turns_of(["b", "a", "c", "d"]))).page
    table = page.locator("h3#agents + .wide table")
    heading = table.locator("th", has_text="Mean ms")
    figures = table.locator("tbody tr td:nth-child(4)")
    before = figures.all_inner_texts()
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    up = [float(text.replace(",", "")) for text in figures.all_inner_texts()]
    assert up == sorted(up)
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert [float(text.replace(",", "")) for text in figures.all_inner_texts()] == up[::-1]
    page.keyboard.press("Enter")
    assert figures.all_inner_texts() == before
    assert heading.get_attribute("aria-sort") is None


def test_tables_are_filtered(visit, page_of):
    """Rows without the words are hidden, and how many are left is told."""
    page = visit(page_of(turns_of([f"agent-{number}" for number in range(12)]))).page
    agents = page.locator("h3#agents + label + .wide")
    page.locator("h3#agents + label input").fill("agent-1")
    assert sorted(agents.locator("tbody tr:visible th").all_inner_texts()) == ["agent-1", "agent-10", "agent-11"]
    assert page.locator("h3#agents + label [role=status]").inner_text() == "3 of 12 rows"


def test_it_prints_light_and_whole(visit, page_of):
    """On paper: black on white though the window is dark, and every table is open."""
    page = visit(page_of(turns_of(["planner", "critic"])), mode="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(table.is_visible() for table in page.locator("table").all())


def test_colours_of_charts_stand_out(visit, page_of):
    """Each colour of a chart has a contrast of at least 3 to the page, in both modes."""
    for mode in ("light", "dark"):
        page = visit(page_of(turns_of(["planner"])), mode=mode).page
        names = ["--bar", "--warn-bar", "--bad-bar", *(f"--c{number}" for number in range(1, 8))]
        style = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
        backdrop = page.evaluate(style, "--page")
        for name in names:
            assert contrast(page.evaluate(style, name), backdrop) >= 3, (mode, name)


def contrast(one, other):
    """The contrast of two colours as WCAG defines it."""
    first, second = sorted((luminance(one), luminance(other)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def luminance(colour):
    """The relative luminance of #rrggbb."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
