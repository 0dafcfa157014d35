"""The assembler as a machine that anything happens to, beside a naive reading of what came.

Traces begin at any time; their spans come in batches of any mixture, twice, late or never; clocks of senders are wrong;
time passes and turns are told meanwhile. In the end the turns are those of the naive reading of the spans that came.
With bounds that are soon reached, turns are lost, but never told twice, and what is held stays within the bounds.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from agentnet_otel import semconv
from agentnet_otel.core.assembler import MISSING_NS, QUIET_NS, Assembler, newest_revisions
from agentnet_otel.core.dialects import ODD, plain_keys_of, read_facts
from agentnet_otel.core.forgotten import Forgotten
from agentnet_otel.core.plain_span import HAS_IS_REMOTE, IS_REMOTE, PlainSpan, Status, origin_of
from agentnet_otel.core.trace_tree import TraceTree
from agentnet_otel.core.turn_parts import member_of
from agentnet_otel.model import SpanRecord
from agentnet_otel.testing import EPOCH_NS
from tests.core.naive_reading import read, told
from tests.core.random_traces import OTHERS, OURS, as_written, nodes, spans_of

HOUR_NS = 3_600_000_000_000
SKEWS_NS = (0, 0, 0, -HOUR_NS, 7, HOUR_NS)
SMALL = settings(max_examples=25, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Sent:
    """A trace: the spans that are still to come, and those that came."""

    coming: list[SpanRecord]
    came: list[SpanRecord] = field(default_factory=list)


def skewed(span, trace, skew_ns):
    """The span as a sender with a wrong clock writes it, in a trace of its own."""
    fields = {name: getattr(span, name) for name in span.__struct_fields__}
    fields |= {"trace_id": format(trace + 1, "032x"), "start_ns": span.start_ns + skew_ns}
    return SpanRecord(**fields | {"end_ns": span.end_ns + skew_ns})


class Machine(RuleBasedStateMachine):
    """What happens to an assembler. ``bounds`` are arguments of it."""

    bounds: dict[str, int] = {}  # noqa: RUF012 - a subclass sets others

    def __init__(self):
        super().__init__()
        self.assembler = Assembler(**self.bounds)
        self.now_ns = EPOCH_NS
        self.traces: list[Sent] = []
        self.turns = []
        self.fed = self.copies = 0
        self.arrived_ns = self.now_ns

    def feed(self, span):
        """One span comes."""
        self.turns += self.assembler.feed(span)
        self.fed += 1

    @rule(
        found=nodes(roles=OURS + OTHERS, max_size=6, remote=(None, False), circles=False),
        skew_ns=st.sampled_from(SKEWS_NS),
    )
    def begin(self, found, skew_ns):
        """A trace begins; none of its spans came yet."""
        place = len(self.traces)
        self.traces.append(Sent([skewed(span, place, skew_ns) for span in spans_of(as_written(found))]))

    @precondition(lambda self: any(trace.coming for trace in self.traces))
    @rule(data=st.data())
    def batch(self, data):
        """Some spans of some traces come, in any order."""
        coming = [(trace, span) for trace in self.traces for span in trace.coming]
        for trace, span in data.draw(st.lists(st.sampled_from(coming), min_size=1, max_size=6, unique_by=id_of)):
            trace.coming.remove(span)
            trace.came.append(span)
            self.feed(span)
        self.arrived_ns = self.now_ns

    @precondition(lambda self: any(trace.coming for trace in self.traces))
    @rule(data=st.data())
    def loss(self, data):
        """A span never comes."""
        trace = data.draw(st.sampled_from([trace for trace in self.traces if trace.coming]))
        trace.coming.remove(data.draw(st.sampled_from(trace.coming)))

    @precondition(lambda self: any(trace.came for trace in self.traces))
    @rule(data=st.data())
    def copy(self, data):
        """A sender tries again what had arrived."""
        self.feed(data.draw(st.sampled_from([span for trace in self.traces for span in trace.came])))
        self.copies += 1

    @precondition(lambda self: self.now_ns - self.arrived_ns < MISSING_NS // 2)
    @rule(passed_ns=st.sampled_from([1, QUIET_NS // 2, QUIET_NS, 2 * QUIET_NS]))
    def time(self, passed_ns):
        """Time passes, not so long that what is missing would be given up."""
        self.now_ns += passed_ns
        self.turns += self.assembler.flush(self.now_ns)

    @precondition(lambda self: not any(trace.coming for trace in self.traces))
    @rule()
    def silence(self):
        """All came that will come, and nothing for long."""
        self.now_ns += 2 * MISSING_NS
        self.turns += self.assembler.flush(self.now_ns)
        self.arrived_ns = self.now_ns

    @rule(passed_ns=st.integers(1, HOUR_NS))
    def backwards(self, passed_ns):
        """The clock of this machine is set back: nothing is told twice, nothing hangs."""
        self.turns += self.assembler.flush(self.now_ns - passed_ns)

    @invariant()
    def revisions_count_up(self):
        """A turn is told once, then in its next revision."""
        last: dict[tuple[str, str], int] = {}
        for turn in self.turns:
            key = (turn.trace_id, turn.span_id)
            assert turn.revision == last.get(key, 0) + 1
            last[key] = turn.revision

    @invariant()
    def held_is_what_is_held(self):
        """The number that bounds memory is true."""
        assert self.assembler.held_spans == sum(
            len(held.as_tree().members) for _, held in self.assembler._traces.items()
        )
        assert self.assembler.counts.spans == self.fed


def id_of(entry):
    """What tells one span from another."""
    _, span = entry
    return span.trace_id, span.span_id


def plain_or_member(span):
    """A span as the readers give it: plain, unless there is something odd about it."""
    keys = plain_keys_of(span.scope_name)
    said = {ODD: True} if keys is None else dict(keys.plain(key, value) for key, value in span.attributes.items())
    if ODD in said:
        return member_of(span, read_facts(span))
    return PlainSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id or "",
        flags=0 if span.parent_is_remote is None else HAS_IS_REMOTE | IS_REMOTE * span.parent_is_remote,
        kind=span.kind.value,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        status=Status(code=span.status.value),
        attributes=said if span.scope_name == semconv.SCOPE_NAME or semconv.OPERATION_NAME in said else {},
        events=span.events,
        origin=origin_of(span),
    )


class Unbounded(Machine):
    """Nothing is lost but what never came."""

    def teardown(self):
        """In the end all turns are those of the naive reading."""
        self.now_ns += 4 * MISSING_NS + 2 * HOUR_NS
        self.turns += self.assembler.flush(self.now_ns)
        self.turns += self.assembler.flush(self.now_ns + 4 * MISSING_NS)
        assert self.assembler.drain() == []
        newest = newest_revisions(self.turns)
        outside = 0
        for place, trace in enumerate(self.traces):
            expected, calls = read(trace.came)
            outside += calls
            mine = {turn.span_id: told(turn) for turn in newest if int(turn.trace_id, 16) == place + 1}
            assert mine == expected
        counts = self.assembler.counts
        assert (counts.outside, counts.duplicates, counts.late) == (outside, self.copies, 0)
        assert counts.clipped == sum(turn.clipped_spans for turn in newest)
        assert counts.incomplete == sum(turn.incomplete for turn in newest)


class InBatches(Unbounded):
    """The same where spans come as the readers of requests give them."""

    def feed(self, span):
        """One span comes, by itself."""
        self.turns += self.assembler.take_batch([plain_or_member(span)])
        self.fed += 1

    @precondition(lambda self: any(trace.coming for trace in self.traces))
    @rule(data=st.data())
    def request(self, data):
        """Spans of some traces, and copies of others, come in one request, mixed."""
        coming = [(trace, span) for trace in self.traces for span in trace.coming]
        came = [span for trace in self.traces for span in trace.came]
        new = data.draw(st.lists(st.sampled_from(coming), min_size=1, max_size=9, unique_by=id_of))
        again = data.draw(st.lists(st.sampled_from(came), max_size=3)) if came else []
        for trace, span in new:
            trace.coming.remove(span)
            trace.came.append(span)
        mixed = data.draw(st.permutations([*(span for _, span in new), *again]))
        self.turns += self.assembler.take_batch([plain_or_member(span) for span in mixed])
        self.fed += len(mixed)
        self.copies += len(again)
        self.arrived_ns = self.now_ns

    @precondition(lambda self: any(trace.coming for trace in self.traces))
    @rule(data=st.data())
    def whole_trace(self, data):
        """What is left of a trace comes in one request, as it mostly does."""
        trace = data.draw(st.sampled_from([trace for trace in self.traces if trace.coming]))
        self.turns += self.assembler.take_batch([plain_or_member(span) for span in trace.coming])
        self.fed += len(trace.coming)
        trace.came += trace.coming
        trace.coming.clear()
        self.arrived_ns = self.now_ns


class Bounded(Machine):
    """All bounds are soon reached."""

    bounds = {"max_spans": 10, "ended_turns": 2, "turn_spans": 3}  # noqa: RUF012 - nobody writes it

    @invariant()
    def bounds_hold(self):
        """Spans, and turns that can be revised."""
        assert self.assembler.held_spans <= 10
        assert len(self.assembler._ended) <= 2

    def teardown(self):
        """Nothing that came is unaccounted for: each turn tells spans that came, each span at most once."""
        self.turns += self.assembler.drain()
        counts = self.assembler.counts
        spans = sum(turn.spans for turn in newest_revisions(self.turns))
        assert counts.late + counts.duplicates + spans <= self.fed
        came = {(span.trace_id, span.span_id) for trace in self.traces for span in trace.came}
        assert {(t.trace_id, t.span_id) for t in self.turns if not t.incomplete} <= came


TestUnbounded = Unbounded.TestCase
TestUnbounded.settings = SMALL


class BoundedInBatches(Bounded):
    """The same where spans come as the readers of requests give them."""

    feed = InBatches.feed


TestInBatches = InBatches.TestCase
TestInBatches.settings = SMALL
TestBoundedInBatches = BoundedInBatches.TestCase
TestBoundedInBatches.settings = SMALL
TestBounded = Bounded.TestCase
TestBounded.settings = SMALL


@pytest.mark.slow
@pytest.mark.repetitive
@pytest.mark.parametrize("machine", [Unbounded, InBatches, Bounded, BoundedInBatches])
def test_for_longer(machine):
    """The same, many more times."""
    run_state_machine_as_test(machine, settings=settings(SMALL, max_examples=200, stateful_step_count=50))


def without_duplicates(self, span, tree):
    """A take that takes a span that it holds for a new one."""
    tree.members.pop(span.span_id, None)
    return original_take(self, span, tree)


original_take = Assembler._take

PLANTED = {
    "a copy counts again": (Assembler, "_take", without_duplicates),
    "a late child changes nothing": (Assembler, "_is_late", lambda self, span, facts, tree: bool(tree.told)),
    "what was let go is not remembered": (Forgotten, "remember", lambda self, trace_id, span_id, fate: None),
    "what lies in no turn is not looked for": (TraceTree, "unowned", lambda self: ([], [])),
    "an incomplete turn is never given up": (TraceTree, "give_up_missing", lambda self: None),
    "the window of turns has no end": (Assembler, "_trim", lambda self: None),
}


@pytest.mark.slow
@pytest.mark.repetitive
@pytest.mark.parametrize("bug", PLANTED)
def test_the_machine_finds_bugs(bug, monkeypatch):
    """Each of these, planted into the assembler, is found by one of the machines."""
    monkeypatch.setattr(*PLANTED[bug])
    tries = settings(SMALL, max_examples=300, phases=[Phase.generate], database=None, print_blob=False)
    found = []
    for machine in (Unbounded, Bounded):
        try:
            run_state_machine_as_test(machine, settings=tries)
        except (AssertionError, KeyError) as error:
            found.append(error)
            break
    assert found
