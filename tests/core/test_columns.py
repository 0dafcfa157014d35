"""Turns as columns against the turns themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.columns import SLOWEST, TurnColumns, columns_of
from agentnet_otel.core.observations import observation_of
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.verdicts import judge, judge_columns
from agentnet_otel.model import LatencyComponent, Outcome, PolicyViolation, TokenUsage, ToolCall, Turn


def a_turn(n=0, **facts):
    """A turn with ids of its own."""
    given_facts = {"agent": "a", "start_ns": n * 1000, "end_ns": n * 1000 + 500, "outcome": Outcome.SUCCESS} | facts
    return Turn(turn_id=f"t{n}", trace_id=f"{n:032x}", span_id=f"{n:016x}", **given_facts)


counts = st.none() | st.integers(0, 5000)
turns = st.lists(
    st.builds(
        a_turn,
        st.integers(0, 99),
        agent=st.sampled_from(["a", "b", ""]),
        model=st.sampled_from([None, "m"]),
        session=st.sampled_from([None, "s", ""]),
        outcome=st.sampled_from(Outcome),
        tokens=st.builds(TokenUsage, input=counts, output=counts),
        cost_usd=st.none() | st.floats(0, 1),
        efficiency=st.none() | st.floats(0, 1),
        component_self_ns=st.dictionaries(st.sampled_from(LatencyComponent), st.integers(0, 500), max_size=3),
        end_ns=st.integers(0, 200_000),
    ),
    max_size=30,
)


@given(turns, st.integers(1, 30))
def test_columns_say_what_turns_say(some, at_once):
    """However many come together, each turn is found again as it was, and is judged as it was."""
    columns = TurnColumns()
    for begin in range(0, len(some), at_once):
        columns.extend(some[begin : begin + at_once])
    assert list(columns.observations()) == [observation_of(turn) for turn in some]
    ids = [(columns.turn_id(n), columns.trace_id(n), columns.span_id(n)) for n in range(len(columns))]
    assert ids == [(turn.turn_id, turn.trace_id, turn.span_id) for turn in some]
    assert judge_columns(columns, ThresholdTable()) == judge(some, ThresholdTable())
    for component in LatencyComponent:
        spent = {n: turn.component_self_ns.get(component) for n, turn in enumerate(some)}
        spent = {n: own_ns for n, own_ns in spent.items() if own_ns is not None}
        assert dict(columns.times_in(component.value)) == spent
    slowest = sorted(some, key=lambda turn: (-turn.duration_ns, turn.trace_id, turn.span_id))[:SLOWEST]
    assert [turn.duration_ns for turn in columns.slowest()] == [turn.duration_ns for turn in slowest]


def test_what_is_beyond_64_bits_is_held():
    """A time or a number of tokens that is larger than a machine's integer does not lose those before or after it."""
    large = 2**70
    some = [a_turn(1), a_turn(2, start_ns=large, end_ns=large + 7, tokens=TokenUsage(input=large)), a_turn(3)]
    columns = columns_of(some)
    assert list(columns.starts_ns) == [1000, large, 3000]
    assert list(columns.durations_ns) == [500, 7, 500]
    assert list(columns.spent.tokens.pairs()) == [(1, large)]


@pytest.mark.parametrize("odd", ["", "\x00", "\ud800", "ß", "a" * 5000])
def test_ids_come_back_as_they_were(odd):
    """Whatever stands in them."""
    strange = Turn(turn_id=odd, trace_id=odd, span_id=odd, agent=odd, start_ns=0, end_ns=1, outcome=Outcome.ERROR)
    columns = columns_of([a_turn(1), strange, a_turn(2)])
    assert (columns.turn_id(1), columns.trace_id(1), columns.span_id(1), columns.agents[1]) == (odd,) * 4
    assert columns.turn_id(2) == "t2"


def test_incidents_are_those_of_the_newest_turns():
    """A tool that failed twice in one turn failed in one turn; rules whose name nobody told are one rule."""
    failing = (ToolCall(name="x", outcome="error"), ToolCall(name="x", outcome="error"), ToolCall(name="y"))
    some = [a_turn(n, tool_calls=failing, outcome=Outcome.FAULT) for n in range(5)]
    some.append(a_turn(6, policy_violations=3, violations=(PolicyViolation(rule="r"),)))
    incidents = columns_of(some).incidents
    assert (incidents.failing_tools["x"].times, list(incidents.failing_tools["x"].newest)) == (10, [2, 3, 4])
    assert incidents.calls_by_tool == {"x": 10, "y": 5}
    assert {key: met.times for key, met in incidents.violations.items()} == {("r", None): 1, ("unknown", None): 2}
    assert (incidents.violating_turns, list(incidents.failures.values())) == (1, ["fault"] * 5)
