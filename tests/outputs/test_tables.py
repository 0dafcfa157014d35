"""The tables of a report against what stands in the turns, counted by hand or by a slower way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.columns import SLOWEST, columns_of
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    Step,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)
from agentnet_otel.outputs.reports.tables.agents_and_models import agent_rows, model_rows
from agentnet_otel.outputs.reports.tables.components import component_rows
from agentnet_otel.outputs.reports.tables.latency import first_token_summary, latency_summary
from agentnet_otel.outputs.reports.tables.slowest import StepRow, slow_turns
from agentnet_otel.outputs.reports.tables.tokens import token_summary
from agentnet_otel.outputs.reports.tables.tools_and_violations import tool_rows, violation_rows


def bare(start_ns, end_ns):
    """A turn of which only the times matter."""
    return Turn(
        turn_id="t",
        trace_id="0" * 32,
        span_id="0" * 16,
        agent="a",
        start_ns=start_ns,
        end_ns=end_ns,
        outcome=Outcome.SUCCESS,
    )


def test_no_turns_no_summary():
    """Without turns there is no latency, no first token, no row, and no sum."""
    assert latency_summary(columns_of([])) is None
    assert first_token_summary(columns_of([])) is None
    assert component_rows(columns_of([])) == ()
    assert agent_rows(columns_of([])) == ()
    assert slow_turns(columns_of([]), None) == ()
    assert token_summary(columns_of([])).cost_usd is None
    assert token_summary(columns_of([])).weighted is None


def test_one_turn_has_no_spread(make_turn):
    """Its latency is every quantile; there is no interval and no deviation."""
    summary = latency_summary(columns_of([make_turn(ms=12.5)]))
    assert (summary.mean_ms, summary.stdev_ms, summary.mean_interval, summary.outliers) == (12.5, 0.0, None, 0)
    assert {row.value_ms for row in summary.quantiles} == {12.5}
    assert {row.interval for row in summary.quantiles} == {None}


@given(st.lists(st.floats(0, 60_000), min_size=1, max_size=60))
def test_buckets_hold_each_turn_once(latencies):
    """A latency on an edge belongs to the bucket above it, and every turn to one bucket."""
    turns = [bare(0, round(ms * 1_000_000)) for ms in latencies]
    buckets = latency_summary(columns_of(turns)).buckets
    assert sum(bucket.turns for bucket in buckets) == len(turns)
    for bucket in buckets:
        high = float("inf") if bucket.below_ms is None else bucket.below_ms
        assert bucket.turns == sum(bucket.from_ms <= t.duration_ns / 1_000_000 < high for t in turns)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_concurrency_is_what_counting_instants_gives(times):
    """At most so many turns hold one instant; one that ends when another begins does not overlap it."""
    turns = [bare(start, start + length) for start, length in times]
    slow = max(sum(turn.start_ns <= instant < turn.end_ns for turn in turns) for instant in range(61))
    assert latency_summary(columns_of(turns)).peak_concurrency == max(1, slow)


def test_components_add_up_to_the_whole(make_turn):
    """Shares of self time and of what is in no component make 100 %; rows are ordered by time."""
    own = {LatencyComponent.INFERENCE: 60_000_000, LatencyComponent.MEMORY_ACCESS: 10_000_000}
    counts = {LatencyComponent.INFERENCE: 2, LatencyComponent.MEMORY_ACCESS: 1}
    turns = [make_turn(n, component_self_ns=own, component_counts=counts, unattributed_ns=30_000_000) for n in range(3)]
    turns.append(make_turn(3, component_self_ns={}, component_counts={}, unattributed_ns=0, ms=0.0))
    rows = component_rows(columns_of(turns))
    assert [(row.component, row.turns, row.calls) for row in rows] == [
        ("inference", 3, 6),
        ("memory_access", 3, 3),
        ("unattributed", 3, 0),
    ]
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    assert rows[0].mean_ms == 60.0


def test_components_of_turns_without_time(make_turn):
    """Turns of no length have shares of 0, not an error."""
    (row,) = component_rows(columns_of([make_turn(ms=0.0)]))
    assert (row.component, row.share) == ("inference", 0.0)


def test_tokens_and_cost_by_where_they_come_from(make_turn):
    """Categories, sources of cost and of quality are summed; unknown cost adds nothing and is not counted."""
    turns = [
        make_turn(0, cost_usd=0.5, cost_source=CostSource.ENGINE, quality_source=QualitySource.CONFIDENCE),
        make_turn(1, cost_usd=0.25, cost_source=CostSource.ENGINE, estimated=True),
        make_turn(2, cost_usd=1.0, cost_source=None, tokens_by_category={TokenCategory.MEMORY: 300}),
        make_turn(3, cost_usd=None, tokens=TokenUsage(), tokens_by_category={}, efficiency=None),
    ]
    found = token_summary(columns_of(turns))
    assert found.usage == TokenUsage(input=60, output=240)
    assert found.by_category == {"memory": 300, "reasoning": 200}
    assert found.cost_usd == 1.75
    assert found.cost_by_source == {"engine": 0.75, "unknown": 1.0}
    assert (found.turns_with_cost, found.turns_with_tokens, found.estimated_turns) == (3, 3, 1)
    assert found.quality_sources == {"confidence": 1, "evaluated": 2}


@pytest.mark.parametrize(
    ("probabilities", "turns"),
    [((1.0, 1.0), None), ((0.5, 0.1), 12.0), ((0.5, None), None), ((0.5, 0.0), None), ((0.5, 1.0), 3.0)],
)
def test_weights_need_every_probability(make_turn, probabilities, turns):
    """Weighted totals are there where something was sampled and each turn tells how."""
    made = [make_turn(n, sampling_probability=p, cost_usd=None) for n, p in enumerate(probabilities)]
    weighted = token_summary(columns_of(made)).weighted
    assert (None if weighted is None else weighted.turns) == turns
    assert weighted is None or weighted.cost_usd is None


def test_agents_are_ordered_by_their_p95(make_turn):
    """Cancelled turns count on neither side of the success rate; one agent's unknowns stay unknown."""
    turns = [make_turn(n, agent="fast", ms=10.0) for n in range(3)]
    turns += [make_turn(3, agent="slow", ms=99.0, outcome=Outcome.CANCELLED, cost_usd=None, efficiency=None)]
    turns += [make_turn(4, agent="fast", ms=10.0, outcome=Outcome.ERROR)]
    slow, fast = agent_rows(columns_of(turns))
    assert (slow.agent, slow.success_rate, slow.cost_usd, slow.efficiency) == ("slow", None, None, None)
    assert (fast.agent, fast.turns, fast.success_rate) == ("fast", 4, 0.75)


def test_models_by_their_tokens(make_turn):
    """A model counts in each turn that it answered in; tokens where the turn tells them by model."""
    both = {"a": TokenUsage(input=1, output=1), "b": TokenUsage(input=5, output=5)}
    rows = model_rows(
        columns_of(
            [
                make_turn(0, models=("a", "b"), tokens_by_model=both),
                make_turn(1, models=("a", "c"), tokens_by_model={"a": TokenUsage(output=2)}),
            ]
        )
    )
    assert [(row.model, row.turns, row.usage.total) for row in rows] == [("b", 1, 10), ("a", 2, 4), ("c", 1, 0)]


def test_slowest_turns_say_where_their_time_went(make_turn):
    """Ten at most, the slowest first, with the largest part, be it in no component; links fill both ids."""
    turns = [make_turn(n, ms=float(n + 1)) for n in range(15)]
    turns.append(make_turn(99, ms=500.0, component_self_ns={}, unattributed_ns=500_000_000))
    rows = slow_turns(columns_of(turns), "http://host/{trace_id}/{span_id}")
    assert len(rows) == SLOWEST
    assert (rows[0].turn_id, rows[0].component, rows[0].component_ms) == ("turn-99", "unattributed", 500.0)
    assert rows[0].url == f"http://host/{100:032x}/{100:016x}"
    assert rows[1].component == "inference"


def test_slowest_turns_say_when_components_ran(make_turn):
    """In milliseconds since the turn began, and how many shorter ones it does not keep; without times nothing."""
    step = Step(component=LatencyComponent.TOOL_EXECUTION, offset_ns=2_500_000, duration_ns=40_000_000)
    counts = {LatencyComponent.TOOL_EXECUTION: 30, LatencyComponent.INFERENCE: 1}
    timed, untimed = slow_turns(
        columns_of([make_turn(0, ms=9.0, steps=(step,) * 24, component_counts=counts), make_turn(1, ms=5.0)]), None
    )
    assert timed.steps[0] == StepRow(component="tool_execution", start_ms=2.5, duration_ms=40.0)
    assert (len(timed.steps), timed.steps_left_out) == (24, 7)
    assert (untimed.steps, untimed.steps_left_out) == ((), 0)


def test_tools_and_rules_are_counted(make_turn):
    """A call whose outcome is unknown is no failure; every other outcome than success is one."""
    calls = tuple(ToolCall(name="s", outcome=outcome) for outcome in ("success", "error", "timeout", None))
    rules = (PolicyViolation(rule="r", severity="minor"), PolicyViolation(rule="r"))
    turns = [make_turn(n, tool_calls=calls, violations=rules) for n in range(2)]
    fine = make_turn(2, tool_calls=(ToolCall(name="t", outcome="success"),))
    template = "http://traces/{trace_id}"
    failing, other = tool_rows(columns_of([*turns, fine]), template)
    assert (failing.tool, failing.calls, failing.failures) == ("s", 8, 4)
    assert (failing.trace_id, failing.url) == (turns[1].trace_id, f"http://traces/{turns[1].trace_id}")
    assert (other.tool, other.trace_id, other.url) == ("t", None, None)
    violated = violation_rows(columns_of([*turns, fine]), None)
    assert [(row.severity, row.count) for row in violated] == [("minor", 2), (None, 2)]
    assert {(row.trace_id, row.url) for row in violated} == {(turns[1].trace_id, None)}


def test_time_to_first_token_is_that_of_streamed_turns(make_turn):
    """Turns that were not streamed do not count; 72 are enough for the p95."""
    turns = [make_turn(n, time_to_first_token_ns=1_000_000 * (n + 1)) for n in range(72)] + [make_turn(99)]
    found = first_token_summary(columns_of(turns))
    assert (found.turns, found.median_ms, found.p95_ms, found.p95_sufficient) == (72, 37.0, 69.0, True)
