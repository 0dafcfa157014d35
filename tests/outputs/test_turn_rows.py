"""A turn as a line of JSON: always all keys, null where unknown, and never an error."""

import json
from dataclasses import replace

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.model import LatencyComponent, PolicyViolation, TokenUsage, ToolCall
from agentnet_otel.outputs.turn_rows import turn_line, turn_row
from agentnet_otel.testing import component_record, turn_record


def a_turn():
    """A turn with a tool."""
    assembler = Assembler()
    for span in (turn_record(1), component_record(2, LatencyComponent.TOOL_EXECUTION, parent=1, end_ms=40)):
        assembler.feed(span)
    (turn,) = assembler.drain()
    return turn


def test_an_unknown_agent_is_null():
    """The empty name of the model stands for nobody."""
    assert turn_row(replace(a_turn(), agent=""))["agent"] is None
    assert turn_row(a_turn())["agent"] == "planner"


def test_halves_of_surrogate_pairs():
    """Names from broken texts cost nothing but the half: each line is UTF-8 that a strict reader takes."""
    broken = replace(
        a_turn(),
        agent="a\ud800b",
        turn_id="\udfff",
        session="\ud83d",
        models=("m\udc00",),
        tool_calls=(ToolCall(name="t\ud800"),),
        violations=(PolicyViolation(rule="r"),),
    )
    line = turn_line(broken)
    row = json.loads(line.decode("utf-8"))
    assert (row["agent"], row["turn_id"], row["session"]) == ("a?b", "?", "?")
    assert (row["models"], row["tools"]) == (["m?"], ["t?"])
    assert row.keys() == turn_row(a_turn()).keys()
    assert line.count(b"\n") == 1


def test_figures_that_are_none_and_figures_that_are_huge():
    """NaN is null, whole numbers stay exact."""
    odd = replace(a_turn(), cost_usd=float("nan"), efficiency=float("inf"), tokens=TokenUsage(input=2**70))
    row = json.loads(turn_line(odd))
    assert (row["cost_usd"], row["efficiency"], row["input_tokens"]) == (None, None, 2**70)
