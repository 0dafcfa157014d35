"""Turns out of this process: noted as they come, rebuilt when somebody looks, bounded where nobody does."""

import signal
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.sources import backlog, live
from agentnet_otel.sources.captured import to_record
from agentnet_otel.sources.live import LiveSource
from agentnet_otel.testing import EPOCH_NS, FakeClock

TURN = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "a"}
CHAT = {semconv.OPERATION_NAME: "chat", semconv.USAGE_OUTPUT_TOKENS: 1}


class Program:
    """Spans of a process, which `LiveSource` follows, and what it was told of each that ended."""

    def __init__(self, source):
        self.source = source
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(source)
        self.tracer = self.provider.get_tracer("somebody")
        self.ended = []

    def start(self, attributes, around=None):
        """Start a span."""
        from opentelemetry import trace  # noqa: PLC0415

        context = None if around is None else trace.set_span_in_context(around)
        return self.tracer.start_span("s", context=context, attributes=attributes)

    def end(self, span):
        """End a span."""
        span.end()
        self.ended.append(to_record(span))

    def turn(self, calls=1):
        """A whole turn."""
        turn = self.start(TURN)
        for _ in range(calls):
            self.end(self.start(CHAT, turn))
        self.end(turn)
        return turn


def replayed(records):
    """The turns of a stream."""
    assembler = Assembler()
    told = [turn for record in records for turn in assembler.feed(record)]
    return newest_revisions([*told, *assembler.drain()])


def without_revision(turns):
    """All fields of turns but how often each was told."""
    return [{name: getattr(t, name) for name in t.__dataclass_fields__ if name != "revision"} for t in turns]


@pytest.fixture
def program():
    """A program that is followed."""
    made = Program(LiveSource())
    yield made
    made.provider.shutdown()


@pytest.fixture
def small(monkeypatch):
    """Bounds that a test reaches."""
    monkeypatch.setattr(live, "Backlog", lambda: backlog.Backlog(turns=5, spans=20, characters=1000))
    return Program(LiveSource())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.booleans()), max_size=30), st.data())
def test_when_somebody_looks_changes_nothing(steps, data):
    """Looked at after any step, or never before the end: the turns are those of the replay."""
    program = Program(LiveSource())
    open_spans = []
    for kind, place, looks in steps:
        if kind == 0 and open_spans:
            leaves = [
                s for s in open_spans if not any(o.parent and o.parent.span_id == s.context.span_id for o in open_spans)
            ]
            span = leaves[place % len(leaves)]
            open_spans.remove(span)
            program.end(span)
        else:
            around = open_spans[place % len(open_spans)] if open_spans and kind > 1 else None
            open_spans.append(
                program.start(
                    TURN | {semconv.AGENT_NAME: f"a{len(program.ended)}{place}"} if kind < 4 else CHAT, around
                )
            )
        if looks:
            program.source.turns()
    for span in reversed(open_spans):
        program.end(span)
    assert without_revision(program.source.turns()) == without_revision(replayed(program.ended))
    program.provider.shutdown()


def test_nothing_is_rebuilt_before_somebody_looks(program):
    """What a span costs its application is to be noted."""
    program.turn()
    assert program.source.counts.spans == 0
    assert len(program.source.turns()) == 1
    assert program.source.counts.spans == 2


def test_beyond_the_bound_the_oldest_turns_go_whole(small):
    """No turn is told with less than it had; those that went are counted."""
    for _ in range(12):
        small.turn(calls=2)
    turns = small.source.turns()
    assert len(turns) == 5
    assert {turn.spans for turn in turns} == {3}
    assert small.source.dropped_turns == 7
    assert [turn.span_id for turn in turns] == [turn.span_id for turn in replayed(small.ended)[-5:]]


def test_a_turn_that_lost_a_part_is_not_told(small):
    """It ran while more ended than is kept: it would look shorter and cheaper than it was."""
    outer = small.start(TURN)
    small.end(small.start(CHAT, outer))
    for _ in range(8):
        small.turn()
    small.end(outer)
    turns = small.source.turns()
    assert format(outer.context.span_id, "016x") not in {turn.span_id for turn in turns}
    assert (len(turns), small.source.dropped_turns) == (4, 5)
    after = small.turn()
    assert format(after.context.span_id, "016x") in {turn.span_id for turn in small.source.turns()}


def test_what_was_open_at_a_look_and_went_unread_is_let_go(small):
    """Its end is learned all the same, so that nothing waits for it for ever."""
    outer = small.start(TURN)
    small.turn()
    assert len(small.source.turns()) == 1
    small.end(outer)
    for _ in range(8):
        small.turn()
    small.source.turns()
    assert small.source._assembler.held_spans <= 2 * len(small.source.turns())
    assert small.source.dropped_turns == 4
    assert not small.source._backlog._open


def test_texts_count(small):
    """A few spans with long prompts fill it as many without do."""
    for _ in range(4):
        turn = small.start({**TURN, "prompt": "x" * 400})
        small.end(turn)
    assert len(small.source.turns()) == 2
    assert small.source.dropped_turns == 2


def test_spans_that_nobody_ends(monkeypatch, program):
    """They are forgotten, the oldest first."""
    monkeypatch.setattr(backlog, "OPEN_SPANS", 10)
    for _ in range(30):
        program.start(TURN)
        program.source.turns()
    assert len(program.source._backlog._open) == 10
    assert program.source._assembler.held_spans <= 10


def test_a_turn_whose_work_goes_on_is_told_after_a_while():
    """Also where nobody looked in that while: it counts from the end of the turn."""
    clock = FakeClock(EPOCH_NS)
    program = Program(LiveSource(now_ns=clock.wall_ns))
    turn = program.start(TURN)
    program.start(CHAT, turn)
    program.end(turn)
    clock.advance(1000)
    assert program.source.turns() == []
    clock.advance(10_000)
    program.turn()
    assert len(program.source.turns()) == 2
    program.provider.shutdown()


def test_many_threads(program):
    """Spans that end while somebody looks are neither lost nor told twice, and a turn is never told in part at last."""
    done = threading.Event()

    def look():
        while not done.is_set():
            program.source.turns()

    looker = threading.Thread(target=look)
    looker.start()
    workers = [threading.Thread(target=lambda: [program.turn(calls=3) for _ in range(100)]) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    looker.join()
    turns = program.source.turns()
    assert (len(turns), {turn.spans for turn in turns}) == (800, {4})
    assert program.source.counts.outside == program.source.counts.late == 0


def test_a_signal_handler_may_look(program):
    """In the middle of anything: it never waits for what it interrupted."""
    looks = []
    before = signal.signal(signal.SIGALRM, lambda *_: looks.append(len(program.source.turns())))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        while len(looks) < 40:
            program.turn(calls=3)
            program.source.turns()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert {turn.spans for turn in program.source.turns()} == {4}


def test_workflows_that_wait_to_be_counted_are_bounded():
    """Those of a trace whose outermost span does not end are counted all the same, and each once."""
    program = Program(LiveSource())
    program.source._backlog = backlog.Backlog(spans=0)
    workflow = {semconv.OPERATION_NAME: semconv.OP_INVOKE_WORKFLOW}
    outermost = program.start({})
    for _ in range(250):
        program.end(program.start(workflow, outermost))
    counted = program.source.dropped_turns
    assert 200 <= counted <= 250
    program.end(outermost)
    program.source.turns()
    assert program.source.dropped_turns == 250
    program.provider.shutdown()
