"""Traces of which no tree is made: told from their plain spans, and a tree as soon as more comes."""

import pytest

from agentnet_otel import semconv
from agentnet_otel.core.assembler import MISSING_NS, QUIET_NS, Assembler
from agentnet_otel.core.plain_span import Origin, PlainSpan, member_of_plain
from agentnet_otel.core.trace_tree import TraceTree
from agentnet_otel.testing import EPOCH_NS

OURS = Origin(resource={}, service_name="s", scope_name=semconv.SCOPE_NAME, scope_version="", ours=True)
ROOT = format(1, "016x")
TURN = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "planner", semconv.TURN_ID: "t"}
CHAT = {semconv.LATENCY_COMPONENT: "inference", semconv.TURN_ID: "t", semconv.USAGE_OUTPUT_TOKENS: 7}


def span(number, parent=ROOT, said=CHAT, trace=1):
    """A plain span."""
    return PlainSpan(
        trace_id=format(trace, "032x"),
        span_id=format(number, "016x"),
        parent_span_id=parent,
        start_ns=EPOCH_NS + number,
        end_ns=EPOCH_NS + 100 - number,
        attributes=said,
        origin=OURS,
    )


def turn_of(trace=1, calls=2):
    """A turn and its calls; its own span comes last."""
    return [*(span(number + 2, trace=trace) for number in range(calls)), span(1, "", TURN, trace)]


class Both:
    """Two assemblers that get the same: one span by span, one in batches."""

    def __init__(self, **bounds):
        self.trees, self.plain = Assembler(**bounds), Assembler(**bounds)
        self.now_ns = EPOCH_NS

    def take(self, *spans):
        """Spans come; what is told by it is the same."""
        told = [turn for one in spans for turn in self.trees.take(member_of_plain(one))]
        assert self.plain.take_batch(spans) == told
        return self.agreed(told)

    def wait(self, ns=2 * QUIET_NS):
        """Time passes."""
        self.now_ns += ns
        told = self.trees.flush(self.now_ns)
        assert self.plain.flush(self.now_ns) == told
        return self.agreed(told)

    def agreed(self, told):
        """What both tell, and hold, and have counted."""
        assert self.plain.counts == self.trees.counts
        assert self.plain.held_spans == self.trees.held_spans
        assert list(self.plain.held_traces) == list(self.trees.held_traces)
        assert [*map(self.plain.is_settled, self.plain.held_traces)] == [
            *map(self.trees.is_settled, self.trees.held_traces)
        ]
        return told

    @property
    def trees_made(self):
        """Traces of the second one that became trees."""
        return [found for _, found in self.plain._traces.items() if isinstance(found, TraceTree)]


def test_no_tree_is_made_of_a_whole_turn():
    """It is told, held and forgotten without one."""
    both = Both(ended_turns=2)
    for number in range(5):
        both.take(*turn_of(number + 1))
        (turn,) = both.wait()
        assert (turn.spans, turn.revision, turn.agent) == (3, 1, "planner")
        assert both.trees_made == []
    assert both.plain.held_spans == 6


@pytest.mark.parametrize("seconds", [9e18, 1e300, 9.3e9, 2.0])
def test_a_first_token_that_never_came(seconds):
    """What no 64 bits of nanoseconds hold is unknown, told by the turn or by a call, on both ways."""
    both = Both()
    told = TURN | {semconv.TURN_TIME_TO_FIRST_TOKEN: seconds}
    chat = CHAT | {semconv.RESPONSE_TIME_TO_FIRST_CHUNK: seconds}
    both.take(span(2), span(1, "", told))
    both.take(span(2, said=chat, trace=2), span(1, "", TURN, 2))
    turns = both.wait()
    expected = (2_000_000_000, 2_000_000_001) if seconds == 2.0 else (None, None)
    assert tuple(turn.time_to_first_token_ns for turn in turns) == expected


def test_late_calls_revise_it():
    """As often as they come."""
    both = Both()
    both.take(*turn_of())
    both.wait()
    for number in (10, 11):
        both.take(span(number))
        (turn,) = both.wait()
        assert (turn.spans, turn.revision) == (number - 6, number - 8)
    assert len(both.trees_made) == 1


def test_copies_count_once():
    """Before it is told, after, and when it is forgotten."""
    both = Both(ended_turns=1)
    both.take(*turn_of(), *turn_of())
    both.wait()
    both.take(*turn_of())
    both.wait()
    assert both.trees_made == []
    both.take(*turn_of(2))
    both.wait()
    both.take(*turn_of(1))
    assert both.wait() == []
    assert both.plain.counts.duplicates == 9


def test_what_comes_for_a_forgotten_turn_is_late():
    """Its parent, or the id of its turn, was let go."""
    both = Both(ended_turns=1)
    both.take(*turn_of(1), *turn_of(2))
    both.wait()
    both.take(span(10), span(11, parent=format(99, "016x")))
    both.wait()
    assert both.plain.counts.late == 2


@pytest.mark.parametrize(
    "spans",
    [
        [span(2), span(3)],
        [span(1, "", TURN), span(2, said=TURN)],
        [span(1, "", TURN), span(2, parent=format(9, "016x"))],
        [span(1, "", TURN), span(2, format(3, "016x")), span(3, format(2, "016x"))],
        [span(1, "", {}), span(2, said=TURN), span(3, format(2, "016x"))],
        [span(1, "", {semconv.OPERATION_NAME: "invoke_workflow"}), span(2, said=TURN)],
        [span(1, "", TURN), span(2, said={semconv.OPERATION_NAME: "invoke_workflow"})],
        [span(1, ROOT, TURN), span(2)],
    ],
)
def test_what_is_not_so_simple_becomes_a_tree(spans):
    """Nothing of it is told otherwise."""
    both = Both()
    both.take(*spans)
    both.wait()
    both.wait(2 * MISSING_NS)
    both.wait(2 * MISSING_NS)


def test_beyond_the_bound_whole_traces_go_first():
    """What is held never exceeds it."""
    both = Both(max_spans=7)
    both.take(span(2))
    for number in range(2, 9):
        both.take(*turn_of(number))
        assert both.plain.held_spans <= 7
    assert both.plain.counts.evicted_traces == 5
