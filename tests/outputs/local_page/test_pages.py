"""The pages as texts: what they say, and that nothing of the data can do anything in them."""

import re
from html import unescape

import pytest

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.verdicts import judge
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    ModelCall,
    Outcome,
    PolicyViolation,
    Step,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)
from agentnet_otel.outputs.local_page.turn_list import TurnFilter, TurnList, min_ms_of, turn_list_page, turn_path
from agentnet_otel.outputs.local_page.turn_page import missing_page, turn_page

HOSTILE = "<script>alert('1')</script>\"'&\u202e" + "x" * 100_000


def turn(number=1, **more):
    """A turn that took so many milliseconds."""
    given = {
        "turn_id": f"t{number}",
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "agent": "planner",
        "start_ns": 1_700_000_000_000_000_000,
        "end_ns": 1_700_000_000_000_000_000 + number * 1_000_000,
        "outcome": Outcome.SUCCESS,
    }
    return Turn(**{**given, **more})


def hostile_turn():
    """A turn whose every text wants to be more than a text."""
    return turn(
        7,
        agent=HOSTILE,
        outcome=Outcome.ERROR,
        error_type=HOSTILE,
        session=HOSTILE,
        service_name=HOSTILE,
        model=HOSTILE,
        models=(HOSTILE,),
        trace_id=HOSTILE,
        span_id=HOSTILE,
        component_self_ns={LatencyComponent.INFERENCE: 4_000_000},
        component_sum_ns={LatencyComponent.INFERENCE: 5_000_000},
        component_counts={LatencyComponent.INFERENCE: 2},
        unattributed_ns=3_000_000,
        tokens=TokenUsage(input=1200, output=34, cached=200),
        tokens_by_category={TokenCategory.REASONING: 1200},
        cost_usd=0.0123,
        cost_source=CostSource.ENGINE,
        model_calls=(ModelCall(duration_ns=4_000_000, usage=TokenUsage(input=1200), request_model=HOSTILE),),
        tool_calls=(ToolCall(name=HOSTILE, outcome=HOSTILE, duration_ns=9_000_000, error_type=HOSTILE),),
        policy_violations=1,
        violations=(PolicyViolation(rule=HOSTILE, severity=HOSTILE),),
        incomplete=True,
    )


def listed(*turns, **more):
    """The page of some turns."""
    given = {
        "turns": turns,
        "verdicts": judge(turns, ThresholdTable()),
        "judged": len(turns),
        "agents": sorted({turn.agent for turn in turns}),
        "last": 41,
    }
    return turn_list_page(TurnList(**{**given, **more}))


def words_of(page):
    """What a page says, without its style and script."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_a_list_tells_verdicts_and_turns():
    """Each turn with its figures and a link to its page; the verdicts are those of `judge`."""
    page = listed(turn(1500), turn(20, outcome=Outcome.TIMEOUT, tokens=TokenUsage(input=3, output=4), cost_usd=0.5))
    words = words_of(page)
    assert "On the newest 2 turns of all agents." in words
    assert "On all 1 turns of all agents." in words_of(listed(turn(20), live=False))
    assert "Turn latency" in words
    assert "planner 2023-11-14 22:13:21 UTC success 1,500" in words
    assert re.search(r"timeout 20\.0 7 \$0\.5", words), words
    assert f'href="{turn_path(turn(20)).replace("&", "&amp;")}"' in page


def test_only_the_newest_page_is_kept_fresh():
    """The first page names the events and the place that it shows; older pages, and pages on a file, do not."""
    assert 'data-events="/events" data-last="41"' in listed(turn())
    assert "data-events=" not in listed(turn(), before=40)
    assert "data-events=" not in listed(turn(), live=False)


def test_filters_stand_in_the_form_and_in_the_links():
    """What was asked for is still there to be changed, and holds for the next page."""
    wanted = TurnFilter(agent='a"b', outcome=Outcome.ERROR, min_ms=12.5)
    page = listed(turn(), wanted=wanted, before=40, older=17, looked_through=20_000)
    assert 'value="a&quot;b"' in page
    assert '<option value="error" selected>' in page
    assert 'value="12.5"' in page
    assert 'href="/?agent=a%22b&amp;outcome=error&amp;min_ms=12.5&amp;before=17"' in page
    assert "20,000 turns looked through." in words_of(page)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (TurnFilter(), True),
        (TurnFilter(agent="planner"), True),
        (TurnFilter(agent="plan"), False),
        (TurnFilter(outcome=Outcome.SUCCESS), True),
        (TurnFilter(outcome=Outcome.ERROR), False),
        (TurnFilter(min_ms=10.0), True),
        (TurnFilter(min_ms=10.5), False),
    ],
)
def test_a_filter_takes_what_it_names(wanted, taken):
    """Agents as they are called, outcomes, and durations from a limit on."""
    assert wanted.takes(turn(10)) is taken


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "abc", ""])
def test_what_is_no_duration_is_refused(text):
    """Only numbers from 0 on."""
    with pytest.raises(ValueError, match=r"."):
        min_ms_of(text)


def test_nothing_of_the_data_is_markup():
    """Hostile names are texts on both pages, and are cut where they are long."""
    hostile = hostile_turn()
    for page in (listed(hostile, agents=[HOSTILE]), turn_page(hostile, "https://traces/{trace_id}")):
        assert "<script>alert" not in page
        assert "\u202e" not in words_of(page)
        assert len(page) < 200_000 + len(turn_path(hostile)) * 2
        assert len(re.findall("<script>", page)) == 1


def test_a_turn_tells_where_its_time_went():
    """Components, tokens, cost, calls, violations, and what the figures have to be read with."""
    words = words_of(turn_page(hostile_turn(), None))
    for told in (
        "The turn's own span never came",
        "inference 4.0 57.1 % 5.0 2",
        "unattributed 3.0 42.9 %",
        "input 1,200",
        "of it cached 200",
        "together 1,234",
        "reasoning 1,200",
        "$0.0123 (engine)",
    ):
        assert told in words, (told, words[:3000].replace("x" * 50, ""))


def test_a_turn_shows_when_its_components_ran():
    """Two calls at once begin at one place; what the turn does not keep is told, and so is one without times."""
    steps = (
        Step(component=LatencyComponent.INFERENCE, offset_ns=20_000_000, duration_ns=50_000_000),
        Step(component=LatencyComponent.TOOL_EXECUTION, offset_ns=20_000_000, duration_ns=30_000_000),
    )
    counts = {LatencyComponent.INFERENCE: 1, LatencyComponent.TOOL_EXECUTION: 4}
    page = turn_page(turn(100, steps=steps, component_counts=counts), None)
    assert re.findall(r'<rect class="part c-(\w+)" x="([^"]+)" width="([^"]+)"', page) == [
        ("inference", "20.00%", "50.00%"),
        ("tool_execution", "20.00%", "30.00%"),
    ]
    assert "When components ran" in page
    assert "+3 shorter" in page
    untimed = turn_page(turn(100, component_self_ns={LatencyComponent.INFERENCE: 40_000_000}), None)
    assert "No times of components known" in untimed
    assert "When components ran" not in untimed


def test_a_turn_of_nothing_is_a_page_too():
    """What is unknown is said to be so."""
    words = words_of(turn_page(turn(0), None))
    assert "together n/a" in words
    assert "Cost n/a" in words


def test_a_turn_that_is_gone():
    """It is said, with the way back."""
    page = missing_page("There is no such turn.")
    assert "There is no such turn." in words_of(page)
    assert '<a href="/"' in page


def test_what_a_page_of_a_turn_leaves_out_is_counted():
    """Of more than 50 calls the rest, of violations those whose rule nobody tells; nothing is said to be elsewhere."""
    calls = (ToolCall(name="search", outcome="success"),) * 53
    rules = (PolicyViolation(rule="tone", severity="minor"),) * 52
    words = words_of(turn_page(turn(20, tool_calls=calls, violations=rules, policy_violations=55), None))
    assert words.count("search") == 50
    assert "And 3 more." in words
    assert "And 2 more. Violations whose rule is not told: 3." in words
    assert "JSON report" not in words
    unnamed = words_of(turn_page(turn(20, policy_violations=3), None))
    assert "Violated rules Violations whose rule is not told: 3." in unnamed
    assert "Violated rules None." in words_of(turn_page(turn(20), None))
