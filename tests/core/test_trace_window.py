"""Streams without a clock: bounded memory, each turn once, whatever the order as far as the window reaches."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.core.dialects import read_facts
from agentnet_otel.core.ending_order import EndingOrder
from agentnet_otel.core.trace_window import TraceWindow
from agentnet_otel.core.turn_parts import member_of
from agentnet_otel.model import SpanRecord
from tests.core.random_traces import nodes, spans_of

TICK = 1000


def of_turns(**limits):
    """A window that tells turns."""
    return TraceWindow(lambda turn: turn, **limits)


def turns_in(told):
    """Without their keys."""
    return [turn for _, turn in told]


def as_members(spans):
    """As the reader hands spans over."""
    return [member_of(span, read_facts(span)) for span in spans]


def trace(number, *, parent=None, tools=3):
    """A turn with calls of tools below it; the turn's own span comes last, as exporters send it."""
    trace_id, root = format(number + 1, "032x"), format(number * 100 + 1, "016x")
    tool = {semconv.LATENCY_COMPONENT: "tool_execution", semconv.TOOL_NAME: "search"}
    turn = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "planner"}

    def span(place, above, attributes):
        return SpanRecord(
            trace_id=trace_id,
            span_id=format(number * 100 + place, "016x"),
            parent_span_id=above,
            name="span",
            start_ns=number * 1000 + place,
            end_ns=number * 1000 + place + 1,
            attributes=attributes,
            scope_name=semconv.SCOPE_NAME,
        )

    return [*(span(place + 2, root, tool) for place in range(tools)), span(1, parent, turn)]


def feed(window, spans, size=50):
    """Feed spans in batches."""
    turns = []
    for start in range(0, len(spans), size):
        turns += turns_in(window.feed(as_members(spans[start : start + size])))
    return turns


def test_turns_are_told_while_the_stream_runs_and_memory_is_bounded():
    """What is held is the window, however long the stream is."""
    window = of_turns(window_spans=2 * TICK)
    told, most = [], 0
    for number in range(5000):
        told += turns_in(window.feed(as_members(trace(number))))
        most = max(most, window.held_spans)
    assert most <= 4 * TICK
    assert len(told) > 4000
    told += turns_in(window.finish())
    assert len({turn.span_id for turn in told}) == len(told) == 5000
    assert {(turn.spans, turn.revision) for turn in told} == {(4, 1)}
    assert window.counts.spans == 20_000
    assert window.counts.late == window.counts.duplicates == window.counts.evicted_traces == 0


def test_spans_in_any_order_within_the_window_give_the_same_turns():
    """A small file may be shuffled in any way."""
    spans = [span for number in range(200) for span in trace(number)]
    in_order, shuffled = of_turns(), of_turns()
    expected = newest_revisions([*feed(in_order, spans), *turns_in(in_order.finish())])
    random.Random(1).shuffle(spans)
    assert newest_revisions([*feed(shuffled, spans), *turns_in(shuffled.finish())]) == expected
    assert len(expected) == 200


def test_a_span_that_comes_after_its_turn_was_told_is_late():
    """It is counted, and its turn is not told a second time."""
    window = of_turns(window_spans=TICK)
    late, *rest = trace(0)
    filler = [span for number in range(1, 2000) for span in trace(number)]
    turns = [*feed(window, [*rest, *filler, late]), *turns_in(window.finish())]
    assert [turn.spans for turn in turns if turn.trace_id == late.trace_id] == [3]
    assert window.counts.late == 1
    assert window.counts.outside == 0


def test_a_copy_of_a_told_turn_is_a_duplicate():
    """A client that sends a batch again makes no second turn."""
    window = of_turns(window_spans=TICK)
    filler = [span for number in range(1, 2000) for span in trace(number)]
    turns = [*feed(window, [*trace(0), *filler, *trace(0)]), *turns_in(window.finish())]
    assert len(turns) == 2000
    assert window.counts.duplicates == 4
    assert window.counts.late == 0


def test_a_new_turn_in_a_trace_that_was_told_is_told():
    """A conversation may be one trace, with an hour between its turns."""
    window = of_turns(window_spans=TICK)
    filler = [span for number in range(1, 2000) for span in trace(number)]
    root = "0" * 12 + "beef"
    later = [
        SpanRecord(
            trace_id=trace(0)[0].trace_id,
            span_id=root,
            name="turn",
            start_ns=1,
            end_ns=2,
            attributes={semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "writer"},
            scope_name=semconv.SCOPE_NAME,
        )
    ]
    turns = [*feed(window, [*trace(0), *filler, *later]), *turns_in(window.finish())]
    assert [turn.agent for turn in turns if turn.trace_id == later[0].trace_id] == ["planner", "writer"]


def test_a_trace_without_its_root_is_held_until_there_is_no_room():
    """Long turns are waited for as long as memory allows; then the trace that waited longest is told."""
    window = of_turns(window_spans=TICK, held_spans=10 * TICK)
    *children, root = trace(0)
    fill = [span for number in range(1, 2000) for span in trace(number)]
    feed(window, [*children, *fill])
    assert window.held_spans < 4 * TICK
    turns = [*feed(window, [root, *fill[:0]]), *turns_in(window.finish())]
    assert [turn.spans for turn in turns if turn.trace_id == root.trace_id] == [4]
    assert window.counts.evicted_traces == 0

    rootless = [span for number in range(5000, 9000) for span in trace(number)[:-1]]
    window = of_turns(window_spans=TICK, held_spans=5 * TICK)
    told = feed(window, rootless)
    assert window.held_spans <= 5 * TICK
    assert len(told) == 0
    assert window.counts.evicted_traces > 2000
    window.finish()
    assert window.counts.outside == len(rootless)


def test_turns_below_a_parent_that_never_comes_are_whole():
    """The request around a turn may be exported elsewhere; nothing was closed early then."""
    window = of_turns(window_spans=TICK, held_spans=3 * TICK)
    spans = [span for number in range(3000) for span in trace(number, parent="f" * 16)]
    turns = [*feed(window, spans), *turns_in(window.finish())]
    assert {turn.spans for turn in turns} == {4}
    assert len(turns) == 3000
    assert window.counts.evicted_traces == window.counts.incomplete == 0


@settings(max_examples=60, deadline=None)
@given(nodes(), st.randoms(use_true_random=False))
def test_a_small_stream_gives_what_the_assembler_gives(found, chance):
    """For what fits into the window there is no difference to holding everything."""
    spans = spans_of(found)
    chance.shuffle(spans)
    window, assembler = of_turns(), Assembler()
    told = [turn for span in spans for turn in assembler.feed(span)]
    told += assembler.drain()
    assert newest_revisions(
        [*turns_in(window.feed(as_members(spans))), *turns_in(window.finish())]
    ) == newest_revisions(told)
    for name in ("spans", "duplicates", "outside", "clipped", "incomplete", "late"):
        assert getattr(window.counts, name) == getattr(assembler.counts, name)


@pytest.mark.parametrize("disorder", [0, 5, 50])
def test_turns_come_in_order_as_far_as_the_window_reaches(disorder):
    """What comes too late for its place is counted, and is there all the same."""
    order = EndingOrder(window=20)
    keys = [(place - disorder if place % 7 == 0 else place, 0, "", "") for place in range(500)]
    came = []
    for key in keys:
        order.push([(key, key)])
        came += order.ready()
    came += order.rest()
    assert sorted(came) == sorted(keys)
    assert order.out_of_order == sum(key < max(came[:place], default=key) for place, key in enumerate(came))
    assert bool(order.out_of_order) is (disorder == 50)
