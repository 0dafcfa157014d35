"""The assembler beside a naive reading of the whole trace: any order, copies, losses, delays, and in process."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_reading import read, told
from random_traces import OTHERS, OURS, as_written, nodes, spans_of

from agentnet_otel import semconv
from agentnet_otel.core.assembler import MISSING_NS, QUIET_NS, Assembler, newest_revisions
from agentnet_otel.core.dialects import is_turn_from_start
from agentnet_otel.testing import EPOCH_NS


def assert_equal(turns, counts, survivors):
    """The turns that were told are those of the naive reading, and so is what lies outside."""
    expected, outside = read(survivors)
    found = {turn.span_id: told(turn) for turn in newest_revisions(turns)}
    assert found == expected
    assert counts.outside == outside


@settings(max_examples=100)
@given(st.data())
def test_any_order_copies_and_losses(data):
    """Whatever comes in whatever order and how often: the turns are those of what came."""
    spans = spans_of(data.draw(nodes()))
    survivors = [span for span in spans if data.draw(st.integers(0, 5)) != 5]
    stream = data.draw(st.permutations(survivors))
    copies = data.draw(st.lists(st.sampled_from(stream), max_size=3)) if stream else []
    assembler = Assembler()
    turns = [turn for span in (*stream, *copies) for turn in assembler.feed(span)]
    assert_equal([*turns, *assembler.drain()], assembler.counts, survivors)
    assert assembler.counts.duplicates == len(copies)
    assert assembler.held_spans == sum(len(held.as_tree().members) for _, held in assembler._traces.items())


@settings(max_examples=100)
@given(st.data())
def test_any_delay(data):
    """Turns that were told before all of their spans came end up the same, by revisions that count up from 1."""
    found = data.draw(nodes(roles=OURS + OTHERS, remote=(None, False), circles=False))
    spans = data.draw(st.permutations(spans_of(as_written(found))))
    assembler = Assembler()
    turns, now_ns = [], EPOCH_NS
    for span in spans:
        turns += assembler.feed(span)
        if data.draw(st.booleans()):
            now_ns += data.draw(st.sampled_from([QUIET_NS // 2, QUIET_NS, 2 * QUIET_NS]))
            turns += assembler.flush(now_ns)
    turns += assembler.flush(now_ns + 2 * MISSING_NS)
    turns += assembler.flush(now_ns + 4 * MISSING_NS)
    assert assembler.drain() == []
    assert_equal(turns, assembler.counts, spans)
    for turn in turns:
        revisions = [t.revision for t in turns if t.span_id == turn.span_id]
        assert revisions == list(range(1, len(revisions) + 1))
    assert assembler.counts.clipped == sum(turn.clipped_spans for turn in newest_revisions(turns))
    assert assembler.counts.incomplete == sum(turn.incomplete for turn in newest_revisions(turns))


@settings(max_examples=100)
@given(st.data())
def test_in_process(data):
    """Told of each start and end, in any overlap, the turns come without waiting; what lies in none is let go."""
    spans = spans_of(data.draw(nodes(lost=False, circles=False, remote=(False,))))
    order = data.draw(_interleaving(spans))
    assembler = Assembler(in_process=True)
    turns = []
    for span, ends in order:
        if ends:
            turns += assembler.feed(span)
        else:
            operation = span.attributes.get(semconv.OPERATION_NAME)
            turns += assembler.started(
                span.trace_id,
                span.span_id,
                span.parent_span_id,
                is_turn=is_turn_from_start(span.scope_name, operation),
            )
    assert_equal(turns, assembler.counts, spans)
    held = {member.span_id for _, held in assembler._traces.items() for member in held.as_tree().members.values()}
    assert assembler.held_spans == len(held)
    if not turns:
        assert not held
    assert assembler.drain() == []


@pytest.mark.slow
@pytest.mark.repetitive
@pytest.mark.parametrize("holds", [test_any_order_copies_and_losses, test_any_delay, test_in_process])
def test_for_longer(holds):
    """The same, on many more traces."""
    settings(max_examples=500)(given(st.data())(holds.hypothesis.inner_test))()


@st.composite
def _interleaving(draw, spans):
    """Starts and ends of spans: each starts while its parent runs, and ends some time later."""
    by_id = {span.span_id: span for span in spans}
    started, ended, order = set(), set(), []
    while len(ended) < len(spans):
        startable = [
            span
            for id_, span in by_id.items()
            if id_ not in started and (span.parent_span_id is None or span.parent_span_id in started - ended)
        ]
        unborn = {id_ for id_ in by_id if id_ not in started}
        endable = [
            span
            for id_, span in by_id.items()
            if id_ in started - ended and not any(by_id[other].parent_span_id == id_ for other in unborn)
        ]
        choice = draw(st.sampled_from([*((span, False) for span in startable), *((span, True) for span in endable)]))
        order.append(choice)
        (ended if choice[1] else started).add(choice[0].span_id)
    return order
