"""Spans in, turns out: whatever the order, whatever is missing."""

from dataclasses import replace
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.core.assembler import MISSING_NS, QUIET_NS, Assembler, newest_revisions
from agentnet_otel.core.dialects import read_facts
from agentnet_otel.core.reconstruction import reconstruct
from agentnet_otel.core.turn_parts import TurnParts, member_of
from agentnet_otel.model import LatencyComponent, Outcome, SpanEvent, SpanKind, StatusCode
from agentnet_otel.testing import EPOCH_NS, TRACE_ID, component_record, span_record, turn_record

INFERENCE, TOOL, MEMORY = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION, LatencyComponent.MEMORY_ACCESS
OTHER_TRACE = "f" * 32


def assembled(spans, **options):
    """The turns of a stream that is at its end."""
    assembler = Assembler(**options)
    told = [turn for span in spans for turn in assembler.feed(span)]
    return newest_revisions([*told, *assembler.drain()]), assembler.counts


def begin(assembler, span):
    """Tell an assembler in process that a span began."""
    is_turn = span.name.startswith("invoke_agent")
    return assembler.started(span.trace_id, span.span_id, span.parent_span_id, is_turn=is_turn)


def session_spans():
    """A session with two turns; the first has a tool that asks a model, and a nested turn."""
    usage = {semconv.USAGE_INPUT_TOKENS: 100, semconv.USAGE_OUTPUT_TOKENS: 50, semconv.COST_USD: 0.01}
    session = {semconv.OPERATION_NAME: semconv.OP_INVOKE_WORKFLOW, semconv.CONVERSATION_ID: "s1"}
    named = {semconv.CONVERSATION_ID: "s1"}
    return [
        span_record(1, "invoke_workflow x", end_ms=400, attributes=session, scope_name=semconv.SCOPE_NAME),
        turn_record(2, parent=1, end_ms=100, attributes=named),
        component_record(
            3, INFERENCE, parent=2, start_ms=5, end_ms=45, attributes={**usage, "gen_ai.request.model": "m"}
        ),
        component_record(4, TOOL, parent=2, start_ms=50, end_ms=80, attributes={semconv.TOOL_NAME: "search"}),
        component_record(5, INFERENCE, parent=4, start_ms=55, end_ms=75, attributes=usage),
        turn_record(6, "helper", parent=2, start_ms=82, end_ms=98, attributes=named),
        component_record(7, INFERENCE, parent=6, start_ms=83, end_ms=97, attributes=usage),
        turn_record(8, "critic", parent=1, start_ms=120, end_ms=300, attributes=named),
        span_record(9, "GET /", parent=3, start_ms=10, end_ms=40, kind=SpanKind.CLIENT),
    ]


def test_a_session_becomes_its_turns():
    """Each turn has its own tokens, cost, components; a nested turn is orchestration of the outer one."""
    (outer, nested, second), counts = sorted_by_start(session_spans())
    assert [t.agent for t in (outer, nested, second)] == ["planner", "helper", "critic"]
    assert outer.component_self_ns == {
        INFERENCE: 60_000_000,
        TOOL: 10_000_000,
        LatencyComponent.ORCHESTRATION: 16_000_000,
    }
    assert outer.unattributed_ns == 14_000_000
    assert (outer.tokens.input, outer.tokens.output) == (200, 100)
    assert outer.tokens_by_category == {"reasoning": 150, "tool_calls": 150}
    assert outer.cost_usd == pytest.approx(0.02)
    assert outer.spans == 5
    assert nested.tokens.total == 150
    assert {t.session for t in (outer, nested, second)} == {"s1"}
    assert [call.name for call in outer.tool_calls] == ["search"]
    assert counts.spans == 9
    assert second.efficiency is None


def test_a_session_is_inherited_downwards():
    """Session ids may stand on some spans only; one that comes late revises the turns below it."""
    named = {semconv.OPERATION_NAME: "invoke_workflow", semconv.CONVERSATION_ID: "s7"}
    top = span_record(1, attributes=named, scope_name=semconv.SCOPE_NAME)
    below = [turn_record(2, parent=1), turn_record(3, parent=2)]
    assert {turn.session for turn in assembled([top, *below])[0]} == {"s7"}
    assembler = Assembler()
    for span in below:
        assembler.feed(span)
    assert {t.session for t in assembler.flush(EPOCH_NS + 2 * QUIET_NS)} == {None}
    assembler.feed(top)
    assert {(t.session, t.revision) for t in assembler.drain()} == {("s7", 2)}


def sorted_by_start(spans):
    """Turns by start, and counts."""
    turns, counts = assembled(spans)
    return sorted(turns, key=lambda turn: turn.start_ns), counts


@given(st.permutations(session_spans()), st.lists(st.integers(0, 8), max_size=5))
def test_order_and_duplicates_do_not_matter(spans, again):
    """Shuffled spans, some of them twice, give the same turns; duplicates are counted."""
    expected, _ = assembled(session_spans())
    turns, counts = assembled([*spans, *(spans[i] for i in again)])
    assert turns == expected
    assert counts.duplicates == len(again)


@given(st.permutations(session_spans()), st.lists(st.integers(0, 9), max_size=4))
def test_delay_yields_revisions_and_ends_the_same(spans, flushes):
    """Turns that were told too early are corrected by revisions; the newest ones are those of the whole stream."""
    expected, _ = assembled(session_spans())
    assembler = Assembler()
    told = []
    for place, span in enumerate(spans):
        told += assembler.feed(span)
        if place in flushes:
            told += assembler.flush(EPOCH_NS + 2 * QUIET_NS)
    told += assembler.drain()
    newest = newest_revisions(told)
    assert len({(t.trace_id, t.span_id, t.revision) for t in told}) == len(told)
    known = {t.span_id: t for t in newest if not t.incomplete}
    for turn in expected:
        assert known[turn.span_id].agent == turn.agent
        if not assembler.counts.late and not assembler.counts.outside:
            assert replace(known[turn.span_id], revision=1) == turn


@given(st.sets(st.integers(0, 8)))
def test_dropped_spans_cost_only_themselves(dropped):
    """Whatever is lost: each turn whose own span came is there once, and its times fit."""
    spans = [span for place, span in enumerate(session_spans()) if place not in dropped]
    turns, _ = assembled(spans)
    complete = [t for t in turns if not t.incomplete]
    assert sorted(t.span_id for t in complete) == sorted(s.span_id for s in spans if s.name.startswith("invoke_agent"))
    for turn in turns:
        assert sum(turn.component_self_ns.values()) + turn.unattributed_ns == turn.duration_ns


@given(
    st.lists(st.integers(-200, 200), min_size=9, max_size=9), st.lists(st.integers(-100, 100), min_size=9, max_size=9)
)
def test_clock_skew_never_breaks_a_turn(shifts, stretches):
    """Whatever clocks did: no component is negative, none exceeds its turn, and clipped spans are counted."""
    spans = [
        msgspec.structs.replace(
            span, start_ns=span.start_ns + shift * 1_000_000, end_ns=span.end_ns + (shift + stretch) * 1_000_000
        )
        for span, shift, stretch in zip(session_spans(), shifts, stretches, strict=True)
    ]
    turns, counts = assembled(spans)
    assert len(turns) == 3
    for turn in turns:
        assert turn.duration_ns >= 0
        assert all(own >= 0 for own in turn.component_self_ns.values())
        assert sum(turn.component_self_ns.values()) + turn.unattributed_ns == turn.duration_ns
    assert counts.clipped == sum(turn.clipped_spans for turn in turns)


def test_spans_without_ids_are_counted_and_left_out():
    """A span without ids belongs nowhere."""
    turns, counts = assembled([span_record(0), span_record(1, trace_id="0" * 32), turn_record(2)])
    assert len(turns) == 1
    assert counts.without_ids == 2


def test_a_turn_whose_own_span_is_lost_is_rebuilt_and_marked():
    """Components that name their turn give an incomplete turn; the own span, when it comes late, completes it."""
    named = {semconv.TURN_ID: "turn-2", semconv.AGENT_NAME: "planner"}
    parts = [
        component_record(3, INFERENCE, parent=2, start_ms=5, end_ms=45, attributes=named),
        component_record(4, TOOL, parent=2, start_ms=50, end_ms=80, attributes=named),
    ]
    assembler = Assembler()
    for span in parts:
        assert assembler.feed(span) == []
    assert assembler.flush(EPOCH_NS + 2 * QUIET_NS) == []
    (turn,) = assembler.flush(EPOCH_NS + 2 * MISSING_NS)
    assert (turn.turn_id, turn.agent, turn.incomplete, turn.outcome) == ("turn-2", "planner", True, Outcome.ERROR)
    assert turn.duration_ns == 75_000_000
    assert assembler.flush(EPOCH_NS + 3 * MISSING_NS) == []
    assert assembler.counts.incomplete == 1
    assembler.feed(turn_record(2, parent=None))
    (corrected,) = assembler.drain()
    assert (corrected.revision, corrected.incomplete, corrected.spans) == (2, False, 3)
    assert corrected.component_self_ns == {INFERENCE: 40_000_000, TOOL: 30_000_000}
    assert assembler.counts.incomplete == 0


def test_calls_that_name_no_turn_stand_outside():
    """Without an agent's name nothing is invented; the calls are counted."""
    turns, counts = assembled([component_record(3, INFERENCE, parent=2), component_record(4, TOOL, parent=None)])
    assert turns == []
    assert counts.outside == 2


def test_a_lost_span_between_turn_and_component_is_bridged_by_the_turn_id():
    """The component still finds its turn."""
    stray = component_record(5, INFERENCE, parent=99, start_ms=10, end_ms=30, attributes={semconv.TURN_ID: "turn-2"})
    for spans in ([turn_record(2), stray], [stray, turn_record(2)]):
        turns, counts = assembled(spans)
        assert [(t.spans, t.component_self_ns) for t in turns] == [(2, {INFERENCE: 20_000_000})]
        assert counts.outside == 0


def test_a_stream_waits_for_the_quiet_period():
    """A turn is told when nothing of its trace ended for that long."""
    assembler = Assembler()
    assembler.feed(turn_record(2))
    assert assembler.flush(EPOCH_NS + QUIET_NS) == []
    assert len(assembler.flush(EPOCH_NS + QUIET_NS + 100_000_000)) == 1


def test_in_process_a_turn_is_complete_when_nothing_below_is_open():
    """No waiting: the last end tells."""
    assembler = Assembler(in_process=True)
    turn, tool = turn_record(2), component_record(3, TOOL, parent=2)
    begin(assembler, turn)
    begin(assembler, tool)
    assert assembler.feed(turn) == []
    (told,) = assembler.feed(tool)
    assert told.spans == 2
    late = component_record(4, MEMORY, parent=2)
    begin(assembler, late)
    (revision,) = assembler.feed(late)
    assert (revision.revision, revision.spans) == (2, 3)
    assert assembler.counts.outside == 0


def test_in_process_a_leaked_span_does_not_hold_a_turn_for_ever():
    """After the quiet period the turn is told without the span that never ends."""
    assembler = Assembler(in_process=True)
    turn, tool = turn_record(2), component_record(3, TOOL, parent=2)
    begin(assembler, turn)
    begin(assembler, tool)
    assert assembler.feed(turn) == []
    assert [t.spans for t in assembler.flush(EPOCH_NS + 2 * QUIET_NS)] == [1]
    assert [t.spans for t in assembler.feed(tool)] == [2]


def test_in_process_memory_does_not_grow():
    """Ended turns leave the window; what stands outside any turn is not kept; one endless session is no leak."""
    assembler = Assembler(in_process=True, ended_turns=10)
    session = span_record(1, attributes={semconv.OPERATION_NAME: "invoke_workflow"}, scope_name=semconv.SCOPE_NAME)
    begin(assembler, session)
    for number in range(500):
        turn = turn_record(10 * number + 2, parent=1)
        tool = component_record(10 * number + 3, TOOL, parent=10 * number + 2)
        outside = component_record(10 * number + 4, TOOL, parent=1)
        for span in (turn, tool, outside):
            begin(assembler, span)
        for span in (tool, turn, outside):
            assembler.feed(span)
    assert assembler.counts.outside == 500
    assert assembler.held_spans < 50
    assert len(assembler.feed(turn_record(2, parent=1))) == 0
    assert assembler.counts.duplicates == 1
    assembler.feed(component_record(9999, TOOL, parent=2))
    assert assembler.counts.late == 1


def test_memory_of_a_stream_is_bounded():
    """Beyond the bound the oldest trace is told as it is, counted, and forgotten."""
    assembler = Assembler(max_spans=10)
    told = []
    for number in range(100):
        trace = format(number + 1, "032x")
        told += assembler.feed(turn_record(2, trace_id=trace))
        told += assembler.feed(component_record(3, TOOL, parent=2, trace_id=trace))
        assert assembler.held_spans <= 10
    told += assembler.drain()
    assert len(told) == 100
    assert assembler.counts.evicted_traces > 80
    assert begin(Assembler(in_process=True, max_spans=1), turn_record(2)) == []


def test_eviction_while_spans_start():
    """Spans that start and never end are bounded too."""
    assembler = Assembler(in_process=True, max_spans=5)
    for number in range(50):
        begin(assembler, turn_record(number + 1, trace_id=format(number + 1, "032x")))
    assert assembler.held_spans <= 5


def test_a_remote_agent_that_is_called_is_the_turn_and_the_call_is_orchestration():
    """An `invoke_agent` span of kind CLIENT with a remote turn below it is the caller's orchestration."""
    plain = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "remote"}
    caller = turn_record(1, "caller", end_ms=100)
    call = span_record(2, parent=1, kind=SpanKind.CLIENT, attributes=plain, start_ms=10, end_ms=90)
    remote = span_record(3, parent=2, attributes=plain, start_ms=20, end_ms=80, parent_is_remote=True)
    for spans in ([caller, call, remote], [remote, call, caller], [call, caller, remote]):
        turns, _ = assembled(spans)
        assert {(t.agent, t.span_id[-1]) for t in turns} == {("caller", "1"), ("remote", "3")}
        outer = next(t for t in turns if t.agent == "caller")
        assert outer.component_self_ns == {LatencyComponent.ORCHESTRATION: 80_000_000}
    (alone,), _ = assembled([call])
    assert alone.agent == "remote"
    local = span_record(3, parent=2, attributes=plain, start_ms=20, end_ms=80)
    assert len(assembled([caller, call, local])[0]) == 3
    assert len(assembled([span_record(3, parent=2, attributes=plain, kind=SpanKind.CLIENT)])[0]) == 1


def test_a_workflow_is_a_turn_only_if_no_agent_is_below():
    """Of other libraries; our own session span is never a turn."""
    flow = {semconv.OPERATION_NAME: "invoke_workflow", semconv.WORKFLOW_NAME: "flow"}
    chat = {semconv.OPERATION_NAME: "chat", semconv.REQUEST_MODEL: "m", semconv.USAGE_INPUT_TOKENS: "7"}
    agent = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "a"}
    (turn,), _ = assembled([span_record(1, attributes=flow, end_ms=50), span_record(2, parent=1, attributes=chat)])
    assert (turn.agent, turn.tokens.input) == ("flow", 7)
    (turn,), _ = assembled([span_record(1, attributes=flow), span_record(2, parent=1, attributes=agent)])
    assert turn.agent == "a"
    live = Assembler(in_process=True)
    for span in (span_record(1, attributes=flow), span_record(2, parent=1, attributes=chat)):
        begin(live, span)
    live.feed(span_record(2, parent=1, attributes=chat))
    (turn,) = live.feed(span_record(1, attributes=flow))
    assert turn.agent == "flow"


def test_plain_genai_spans_of_others():
    """Outcome by status, tokens of the leaves, cost as the span tells it, time to first token."""
    agent = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "a", semconv.USAGE_INPUT_TOKENS: 999}
    chat = {
        semconv.OPERATION_NAME: "chat",
        semconv.USAGE_PROMPT_TOKENS: 10,
        semconv.USAGE_COMPLETION_TOKENS: 4,
        semconv.USAGE_COST: "0.5",
        semconv.RESPONSE_TIME_TO_FIRST_CHUNK: 0.002,
        semconv.RESPONSE_MODEL: "big",
    }
    errors = {"TimeoutError": Outcome.TIMEOUT, "CancelledError": Outcome.CANCELLED, "ValueError": Outcome.ERROR}
    for error_type, outcome in errors.items():
        own = span_record(1, attributes={**agent, semconv.ERROR_TYPE: error_type}, status=StatusCode.ERROR, end_ms=100)
        (turn,), _ = assembled([own, span_record(2, parent=1, attributes=chat, start_ms=5)])
        assert (turn.outcome, turn.error_type) == (outcome, error_type)
    assert (turn.tokens.input, turn.tokens.output, turn.cost_usd, turn.cost_source) == (10, 4, 0.5, "span")
    assert turn.time_to_first_token_ns == 7_000_000
    assert turn.models == ("big",)
    (turn,), _ = assembled([span_record(1, attributes={**agent, semconv.REQUEST_MODEL: "m"})])
    assert (turn.tokens.input, turn.models, turn.outcome) == (999, ("m",), Outcome.SUCCESS)
    assert assembled([span_record(1, attributes={semconv.OPERATION_NAME: "invoke_agent"})])[0] == []
    assert (
        assembled([span_record(1, attributes={semconv.OPERATION_NAME: "create_agent", semconv.AGENT_NAME: "a"})])[0]
        == []
    )


def test_a_parents_cost_counts_where_a_leaf_has_none():
    """Unknown is not zero: with a leaf that has no cost the sum is unknown, unless the turn tells its own."""
    turn_facts = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "a"}
    chat = {semconv.OPERATION_NAME: "chat", semconv.USAGE_INPUT_TOKENS: 1}
    spans = [
        span_record(2, parent=1, attributes={**chat, semconv.USAGE_COST: 0.1}),
        span_record(3, parent=1, attributes=chat),
    ]
    assert assembled([span_record(1, attributes=turn_facts), *spans])[0][0].cost_usd is None
    told = span_record(1, attributes={**turn_facts, semconv.USAGE_COST: 0.3})
    assert assembled([told, *spans])[0][0].cost_usd == 0.3
    two_sources = [
        turn_record(1),
        component_record(2, INFERENCE, parent=1, attributes={semconv.COST_USD: 1.0, semconv.COST_SOURCE: "engine"}),
        component_record(3, INFERENCE, parent=1, attributes={semconv.COST_USD: 2.0, semconv.COST_SOURCE: "user"}),
    ]
    (turn,), _ = assembled(two_sources)
    assert (turn.cost_usd, turn.cost_source) == (3.0, "user")


def test_agentnets_own_telemetry_is_read():
    """The framework's own spans: turn, inference, tool, monitor, node of a graph."""
    own = {"scope_name": "agentnet"}
    join = {"session.id": "s9", "correlation_id": "c9"}
    inference = {**join, "agent.name": "a", "agent.model": "m", "output_tokens": 40, "cost_usd": 0.002}
    spans = [
        span_record(1, "session.round.turn", end_ms=100, attributes=join, **own),
        span_record(2, "agent.inference", parent=1, start_ms=10, end_ms=50, attributes=inference, **own),
        span_record(3, "tool.invoke", parent=1, start_ms=50, end_ms=60, attributes={**join, "tool.name": "t"}, **own),
        span_record(4, "monitor.sequence", parent=1, start_ms=60, end_ms=65, attributes=join),
        span_record(5, "dag.node.execute", parent=1, start_ms=65, end_ms=70, attributes=join),
        span_record(6, "tool.invoke", parent=1, start_ms=70, end_ms=75, attributes={}),
    ]
    (turn,), _ = assembled(spans)
    assert (turn.agent, turn.session, turn.tokens.output, turn.cost_usd, turn.models) == ("a", "c9", 40, 0.002, ("m",))
    assert {c.value for c in turn.component_self_ns} == {"inference", "tool_execution", "policy_check", "orchestration"}
    assert turn.spans == 6


def test_sampling_probability_comes_from_the_trace_state():
    """`ot=th:` tells; nothing means unknown."""
    assert assembled([turn_record(1, trace_state="vendor=1,ot=th:8;rv:1")])[0][0].sampling_probability == 0.5
    for state in ("", "ot=rv:1", "ot=th:zz", "x=y"):
        assert assembled([turn_record(1, trace_state=state)])[0][0].sampling_probability is None


def test_values_written_by_others_are_read_as_far_as_they_make_sense():
    """Numbers as text are numbers; nonsense is unknown."""
    usage = {
        semconv.USAGE_INPUT_TOKENS: "12",
        semconv.USAGE_OUTPUT_TOKENS: "many",
        semconv.USAGE_CACHE_READ_INPUT_TOKENS: -4,
        semconv.USAGE_REASONING_OUTPUT_TOKENS: True,
        semconv.COST_USD: "nan",
        semconv.TOKENS_ESTIMATED: "true",
        semconv.TOKEN_CATEGORY: "dialogue",
    }
    own = {semconv.TURN_CONFIDENCE: "3", semconv.TURN_OUTCOME: "odd", semconv.TURN_TIME_TO_FIRST_TOKEN: 0.25}
    (turn,), _ = assembled([turn_record(1, attributes=own), component_record(2, INFERENCE, parent=1, attributes=usage)])
    assert (turn.tokens.input, turn.tokens.output, turn.tokens.cached, turn.tokens.reasoning) == (12, None, None, None)
    assert (turn.cost_usd, turn.estimated, turn.confidence, turn.outcome) == (None, True, None, Outcome.SUCCESS)
    assert turn.tokens_by_category == {"dialogue": 12}
    assert turn.time_to_first_token_ns == 250_000_000


def test_a_turn_needs_a_span():
    """Nothing cannot be rebuilt."""
    with pytest.raises(ValueError, match="at least one span"):
        reconstruct(TurnParts(root=None, root_id="1", below=()))


def test_violations_stand_on_their_spans():
    """Events of the turn and of its checks."""
    event = {semconv.POLICY_RULE: "r", semconv.POLICY_SEVERITY: "major"}
    violation = SpanEvent(name=semconv.POLICY_VIOLATION_EVENT, time_ns=EPOCH_NS, attributes=event)
    other = SpanEvent(name="other", time_ns=EPOCH_NS, attributes={})
    check = component_record(2, LatencyComponent.POLICY_CHECK, parent=1, events=(violation, other))
    (turn,), _ = assembled([turn_record(1), check])
    assert [(v.rule, v.severity) for v in turn.violations] == [("r", "major")]
    assert turn.policy_violations == 1


def test_a_span_that_is_its_own_parent_has_none():
    """A turn, whoever wrote it, and a call: each is read as the root that it must be."""
    named = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "planner"}
    (turn,), counts = assembled([span_record(1, "agent", parent=1, attributes=named)])
    assert (turn.agent, turn.parent_span_id, turn.spans, turn.incomplete) == ("planner", None, 1, False)
    assert counts.spans == 1
    (ours,), _ = assembled([turn_record(1, parent=1), component_record(2, TOOL, parent=1)])
    assert (ours.spans, ours.component_counts) == (2, {TOOL: 1})
    turns, counts = assembled([component_record(1, TOOL, parent=1, attributes={semconv.AGENT_NAME: "a"})])
    assert (turns, counts.outside) == ([], 1)


def test_traces_are_apart():
    """The same span ids in another trace are other spans."""
    turns, counts = assembled([turn_record(1), turn_record(1, trace_id=OTHER_TRACE)])
    assert {t.trace_id for t in turns} == {TRACE_ID, OTHER_TRACE}
    assert counts.duplicates == 0


# --- when a turn is told ---------------------------------------------------------------------------------

CHAT = {semconv.OPERATION_NAME: "chat", semconv.USAGE_INPUT_TOKENS: 5}
AGENT = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "a"}


def test_a_long_turn_keeps_its_early_calls():
    """A call that ended minutes before its turn does is neither outside nor a turn of its own: it waits."""
    assembler = Assembler()
    assembler.feed(span_record(2, parent=1, end_ms=10, attributes=CHAT))
    assert assembler.flush(EPOCH_NS + MISSING_NS // 2) == []
    assembler.feed(span_record(1, end_ms=MISSING_NS / 2e6, attributes=AGENT))
    (turn,) = assembler.flush(EPOCH_NS + MISSING_NS)
    assert (turn.tokens.input, turn.spans, turn.revision) == (5, 2, 1)
    assert assembler.counts.outside == 0


def test_calls_whose_turn_never_comes_are_given_up():
    """After the long wait a call without any agent is outside, and no span is held any more."""
    assembler = Assembler()
    assembler.feed(span_record(2, parent=1, end_ms=10, attributes=CHAT))
    assert assembler.flush(EPOCH_NS + 2 * MISSING_NS) == []
    assert (assembler.counts.outside, assembler.held_spans) == (1, 0)
    assert assembler.held_traces == set()
    assembler.feed(span_record(2, parent=1, end_ms=10, attributes=CHAT))
    assert assembler.counts.duplicates == 1
    below = span_record(3, parent=2, attributes={semconv.OPERATION_NAME: "execute_tool", semconv.AGENT_NAME: "a"})
    assembler.feed(below)
    assert assembler.drain() == []
    assert assembler.counts.outside == 2


def test_spans_of_other_traces_are_not_held():
    """A span of a web server, called from elsewhere, is let go as soon as its trace is quiet."""
    assembler = Assembler()
    for number in range(100):
        trace_id = format(number + 1, "032x")
        assembler.feed(span_record(2, "GET /", parent=1, trace_id=trace_id, parent_is_remote=True))
    assert assembler.held_spans == 100
    assert assembler.flush(EPOCH_NS + 2 * QUIET_NS) == []
    assert assembler.held_spans == 0


def test_a_clock_that_runs_ahead_does_not_hold_its_trace():
    """A span that ends in a far future is told after the quiet period all the same."""
    assembler = Assembler()
    assembler.feed(turn_record(1, end_ms=10**9))
    assert assembler.flush(EPOCH_NS) == []
    assert assembler.flush(EPOCH_NS + QUIET_NS - 1) == []
    assert len(assembler.flush(EPOCH_NS + QUIET_NS)) == 1


def test_quiet_is_when_nothing_comes():
    """A stream that lags behind is not told too early: what counts is when its spans come."""
    assembler = Assembler()
    now_ns = EPOCH_NS + 100 * QUIET_NS
    assert assembler.flush(now_ns) == []
    assembler.feed(turn_record(1))
    assert assembler.flush(now_ns + 1) == []
    assembler.feed(component_record(2, TOOL, parent=1))
    assert assembler.flush(now_ns + QUIET_NS) == []
    (turn,) = assembler.flush(now_ns + QUIET_NS + 1)
    assert (turn.spans, turn.revision) == (2, 1)
    assert assembler.flush(now_ns + 9 * MISSING_NS) == []


# --- what can no longer be revised -----------------------------------------------------------------------


def forgotten(**options):
    """An assembler that has told, and forgotten, turn 1 with tool 2, because turn 9 of another trace came."""
    assembler = Assembler(ended_turns=1, **options)
    named = {semconv.TURN_ID: "turn-1", semconv.AGENT_NAME: "planner"}
    for span in (turn_record(1), component_record(2, TOOL, parent=1, attributes=named)):
        assembler.feed(span)
    assert len(assembler.flush(EPOCH_NS + 2 * QUIET_NS)) == 1
    assembler.feed(turn_record(9, trace_id=OTHER_TRACE))
    assert len(assembler.flush(EPOCH_NS + 4 * QUIET_NS)) == 1
    assert assembler.held_traces == {OTHER_TRACE}
    return assembler


def test_late_spans_never_make_a_second_turn():
    """In any order: a child of a forgotten turn, a grandchild that comes before its parent, copies."""
    named = {semconv.TURN_ID: "turn-1", semconv.AGENT_NAME: "planner"}
    child = component_record(3, TOOL, parent=1, attributes=named)
    grandchild = component_record(4, INFERENCE, parent=3, attributes=named)
    below_it = component_record(5, INFERENCE, parent=4)
    for late in ([child, grandchild, below_it], [grandchild, below_it, child], [grandchild, child, below_it]):
        assembler = forgotten()
        for span in late:
            assert assembler.feed(span) == []
        assert assembler.drain() == []
        assert assembler.counts.late == 3
        for copy in (turn_record(1), component_record(2, TOOL, parent=1), child):
            assembler.feed(copy)
        assert assembler.counts.duplicates == 3
        assert assembler.drain() == []
    nested = forgotten()
    nested.feed(turn_record(7, parent=2))
    assert [turn.span_id[-1] for turn in nested.drain()] == ["7"]


def test_the_own_span_of_a_forgotten_incomplete_turn_is_late():
    """It was told without its own span; when that comes too late, it is counted and changes nothing."""
    assembler = Assembler(ended_turns=1)
    named = {semconv.TURN_ID: "turn-1", semconv.AGENT_NAME: "planner"}
    assembler.feed(component_record(2, TOOL, parent=1, attributes=named))
    assert [turn.incomplete for turn in assembler.flush(EPOCH_NS + 2 * MISSING_NS)] == [True]
    assembler.feed(turn_record(9, trace_id=OTHER_TRACE))
    assert len(assembler.flush(EPOCH_NS + 4 * MISSING_NS)) == 1
    assert assembler.feed(turn_record(1)) == []
    assert assembler.drain() == []
    assert (assembler.counts.late, assembler.counts.duplicates) == (1, 0)


def test_a_nested_turn_is_orchestration_of_an_outer_one_that_ends_much_later():
    """The nested turn was told and fell out of the window long before the outer turn's own span came."""
    assembler = Assembler(ended_turns=1)
    assembler.feed(turn_record(2, "helper", parent=1, start_ms=10, end_ms=50))
    assembler.feed(component_record(3, TOOL, parent=2, start_ms=10, end_ms=50))
    assert [turn.agent for turn in assembler.flush(EPOCH_NS + 2 * QUIET_NS)] == ["helper"]
    assembler.feed(turn_record(9, trace_id=OTHER_TRACE))
    assert len(assembler.flush(EPOCH_NS + 4 * QUIET_NS)) == 1
    assembler.feed(component_record(4, TOOL, parent=2))
    assert assembler.counts.late == 1
    assembler.feed(turn_record(1, end_ms=100))
    (outer,) = assembler.flush(EPOCH_NS + 6 * QUIET_NS)
    assert outer.component_self_ns == {LatencyComponent.ORCHESTRATION: 40_000_000}
    assert outer.spans == 1


def test_a_workflow_whose_turns_are_forgotten_is_still_no_turn():
    """Whether it comes before or after they are forgotten."""
    flow = span_record(1, attributes={semconv.OPERATION_NAME: "invoke_workflow"}, end_ms=500)
    for early in (True, False):
        assembler = Assembler(ended_turns=1)
        for span in (*([flow] if early else []), span_record(2, parent=1, attributes=AGENT, parent_is_remote=True)):
            assembler.feed(span)
        assert len(assembler.flush(EPOCH_NS + 2 * QUIET_NS)) == 1
        assembler.feed(turn_record(9, trace_id=OTHER_TRACE))
        assembler.flush(EPOCH_NS + 4 * QUIET_NS)
        if not early:
            assembler.feed(flow)
        assert assembler.drain() == []


def test_a_turn_with_very_many_spans_takes_no_more_once_it_is_told():
    """The bound is named; what comes beyond it is late."""
    assembler = Assembler(turn_spans=3)
    for span in (turn_record(1), component_record(2, TOOL, parent=1), component_record(3, TOOL, parent=1)):
        assembler.feed(span)
    assert [turn.spans for turn in assembler.flush(EPOCH_NS + 2 * QUIET_NS)] == [3]
    assembler.feed(component_record(4, TOOL, parent=1))
    assembler.feed(component_record(5, TOOL, parent=3))
    assert assembler.drain() == []
    assert assembler.counts.late == 2


def test_an_incomplete_turn_gives_way_to_the_whole_one():
    """With two spans lost at first the id of the turn's own span was guessed wrongly; its turn id was not."""
    named = {semconv.TURN_ID: "turn-1", semconv.AGENT_NAME: "planner"}
    assembler = Assembler()
    assembler.feed(component_record(3, INFERENCE, parent=2, attributes=named))
    told = assembler.flush(EPOCH_NS + 2 * MISSING_NS)
    assert [(turn.span_id[-1], turn.incomplete) for turn in told] == [("2", True)]
    assembler.feed(component_record(2, TOOL, parent=1, attributes=named))
    assembler.feed(turn_record(1))
    told += assembler.drain()
    assert [(turn.span_id[-1], turn.spans) for turn in newest_revisions(told)] == [("1", 3)]


def test_parts_of_an_incomplete_turn_that_come_late_revise_it():
    """Be they below a part that was told, or beside it."""
    named = {semconv.TURN_ID: "turn-1", semconv.AGENT_NAME: "planner"}
    assembler = Assembler()
    assembler.feed(component_record(2, TOOL, parent=1, attributes=named))
    told = assembler.flush(EPOCH_NS + 2 * MISSING_NS)
    assembler.feed(component_record(3, INFERENCE, parent=2, attributes=named))
    told += assembler.flush(EPOCH_NS + 3 * MISSING_NS)
    assembler.feed(component_record(4, INFERENCE, parent=1))
    told += assembler.flush(EPOCH_NS + 4 * MISSING_NS)
    assert [(turn.span_id[-1], turn.revision, turn.spans) for turn in told] == [("1", 1, 1), ("1", 2, 2), ("1", 3, 3)]
    assert assembler.counts.incomplete == 1


# --- in process ------------------------------------------------------------------------------------------


def test_in_process_spans_wait_for_a_span_around_them_that_may_be_a_turn():
    """What other libraries say only at the end: AgentNet's own turn span, a workflow without agents."""
    own = {"session.id": "s", "agent.name": "a"}
    assembler = Assembler(in_process=True)
    assembler.started(TRACE_ID, "0" * 15 + "1", None, is_turn=None)
    for number in (2, 3):
        assembler.started(TRACE_ID, format(number, "016x"), "0" * 15 + "1", is_turn=None)
        assert assembler.feed(span_record(number, "agent.inference", parent=1, attributes=own)) == []
    (turn,) = assembler.feed(span_record(1, "session.round.turn", attributes=own, scope_name="agentnet"))
    assert (turn.spans, turn.agent) == (3, "a")


def test_in_process_what_lies_in_no_turn_is_bounded():
    """A root that runs for ever, which may be a turn, holds so many spans and no more; calls among them are counted."""
    assembler = Assembler(in_process=True, unowned_spans=10)
    assembler.started(TRACE_ID, "0" * 15 + "1", None, is_turn=None)
    for number in range(2, 102):
        assembler.started(TRACE_ID, format(number, "016x"), "0" * 15 + "1", is_turn=None)
        assembler.feed(span_record(number, parent=1, attributes=CHAT))
        assert assembler.held_spans <= 12
    assert assembler.counts.outside == 90
    assert assembler.feed(span_record(1, "job")) == []
    assert (assembler.counts.outside, assembler.held_spans) == (100, 0)


def test_in_process_a_turn_that_was_unknown_frees_the_room_of_its_spans():
    """Spans that turned out to lie in a turn are no longer among those that lie in none."""
    assembler = Assembler(in_process=True, unowned_spans=2)
    for trace in range(1, 20):
        trace_id = format(trace, "032x")
        assembler.started(trace_id, "0" * 15 + "1", None, is_turn=None)
        for number in (2, 3):
            assembler.started(trace_id, format(number, "016x"), "0" * 15 + "1", is_turn=None)
            assembler.feed(span_record(number, parent=1, trace_id=trace_id, attributes=CHAT))
        (turn,) = assembler.feed(span_record(1, trace_id=trace_id, attributes=AGENT))
        assert turn.spans == 3
    assert assembler.counts.outside == 0


def test_in_process_endless_work_below_an_ended_turn_is_told_now_and_then():
    """A context that leaks into a background thread must not make each of its spans cost a whole revision."""
    assembler = Assembler(in_process=True)
    turn = turn_record(1)
    begin(assembler, turn)
    told = assembler.feed(turn)
    for number in range(2, 202):
        late = component_record(number, TOOL, parent=1)
        begin(assembler, late)
        told += assembler.feed(late)
    assert len(told) < 20
    told += assembler.flush(EPOCH_NS)
    told += assembler.flush(EPOCH_NS + QUIET_NS)
    assert told[-1].spans == 201


def test_in_process_a_session_that_ends_late_reaches_turns_below_turns():
    """The session stands on the outermost span, which ends last but one."""
    named = {**AGENT, semconv.CONVERSATION_ID: "s"}
    assembler = Assembler(in_process=True)
    spans = [span_record(1, attributes=named), span_record(2, parent=1, attributes=AGENT)]
    spans.append(span_record(3, parent=2, attributes=AGENT))
    for span in spans:
        assembler.started(TRACE_ID, span.span_id, span.parent_span_id, is_turn=None)
    told = [turn for span in (spans[2], spans[0], spans[1]) for turn in assembler.feed(span)]
    assert {turn.session for turn in newest_revisions(told)} == {"s"}


def test_where_too_much_is_held_a_whole_trace_goes_before_one_that_lacks_its_turn():
    """Though it came later: nothing is lost by telling it early."""
    assembler = Assembler(max_spans=4)
    assembler.feed(component_record(2, LatencyComponent.INFERENCE, parent=1, trace_id="a" * 32))
    told = []
    for trace in "bcd":
        told += assembler.feed(turn_record(1, trace_id=trace * 32))
        told += assembler.feed(component_record(2, LatencyComponent.INFERENCE, parent=1, trace_id=trace * 32))
    told += assembler.feed(turn_record(1, trace_id="a" * 32))
    told += assembler.drain()
    assert sorted((turn.trace_id[0], turn.spans, turn.incomplete) for turn in told) == [
        (trace, 2, False) for trace in "abcd"
    ]


class Unwilling:
    """A price book that has a fault."""

    def price(self, wanted):
        """Raise."""
        raise ZeroDivisionError(wanted.model)


def test_a_turn_that_cannot_be_rebuilt_costs_itself_where_somebody_hears_of_it():
    """Else the fault is raised: nothing is left out in silence."""
    usage = {semconv.REQUEST_MODEL: "m", semconv.USAGE_INPUT_TOKENS: 1}
    heard = []
    assembler = Assembler(prices=Unwilling(), left_out=lambda turn, error: heard.append((turn, type(error))))
    assembler.feed(turn_record(1))
    assembler.feed(component_record(2, LatencyComponent.INFERENCE, parent=1, attributes=usage))
    assembler.feed(turn_record(1, trace_id="b" * 32))
    assert [turn.trace_id for turn in assembler.drain()] == ["b" * 32]
    assert heard == [(f"turn {1:016x} of trace {TRACE_ID}", ZeroDivisionError)]
    strict = Assembler(prices=Unwilling())
    strict.feed(turn_record(1))
    strict.feed(component_record(2, LatencyComponent.INFERENCE, parent=1, attributes=usage))
    with pytest.raises(ZeroDivisionError):
        strict.drain()


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_twins_cost_nothing_wherever_they_stand(order):
    """Of a trace of which only twins are known nothing is held, and what comes after them in the same batch is."""
    agent = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "planner", semconv.LOGFIRE_KIND: "span"}
    call = {semconv.OPERATION_NAME: "chat", semconv.USAGE_INPUT_TOKENS: 7, semconv.LOGFIRE_KIND: "span"}
    pending = {semconv.LOGFIRE_KIND: semconv.LOGFIRE_PENDING}
    spans = [
        span_record(1, end_ms=100, attributes=agent),
        span_record(2, parent=1, attributes=call),
        span_record(3, parent=1, end_ms=0, attributes={**agent, **pending}),
        span_record(4, parent=2, end_ms=0, attributes={**call, **pending}),
    ]
    assembler = Assembler()
    members = [member_of(spans[place], read_facts(spans[place])) for place in order]
    (turn,) = [*assembler.take_batch(members), *assembler.drain()]
    assert (turn.spans, turn.tokens.input) == (2, 7)
    assert (assembler.counts.twins, assembler.held_spans) == (2, 2)
