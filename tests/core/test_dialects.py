"""What attributes mean, whoever wrote them, and that nothing in them makes the reader stumble."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.core.dialects import DIALECTS, MARKS, Role, dialect_of, read_facts
from agentnet_otel.core.dialects.json_figures import cost_in, usage_in
from agentnet_otel.model import CostSource, LatencyComponent, Outcome, SpanEvent, SpanKind, StatusCode, TokenUsage
from agentnet_otel.testing import EPOCH_NS, span_record

INFERENCE, TOOL = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION
ORCHESTRATION = LatencyComponent.ORCHESTRATION
KEYS = sorted(
    {value for name, value in vars(semconv).items() if isinstance(value, str) and name.isupper() and " " not in value}
)
KINDS = sorted({kind for dialect in DIALECTS for kind in (*dialect.components, *dialect.roles)})
SCOPES = ["", semconv.SCOPE_NAME, "agentnet", "openlit.instrumentation.langgraph", "mlflow.tracing", "pydantic-ai"]
SCOPES += ["openinference.instrumentation.smolagents", "opentelemetry.instrumentation.langchain", "logfire"]

OPENAI_USAGE = (
    '{"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140, "prompt_tokens_details": '
    '{"cached_tokens": 20, "audio_tokens": null}, "completion_tokens_details": {"reasoning_tokens": 8}}'
)

ANTHROPIC_USAGE = (
    '{"input_tokens": 7, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5, "output_tokens": 3, '
    '"total_tokens": 10}'
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(),
    st.binary(),
    st.sampled_from(
        ['"', '""', "{", "{}", "[]", '{"input": {}}', '{"total": "x"}', '{"input": 1e999}', "\ud800", "NaN"]
    ),
    st.sampled_from(KINDS),
    st.sampled_from([f'"{kind}"' for kind in KINDS]),
)
names = st.one_of(st.text(), st.sampled_from(["input", "output", "total", "input_cache_read", "prompt_tokens_details"]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.dictionaries(names, inner, max_size=3)),
    max_leaves=5,
)
attributes = st.dictionaries(st.sampled_from(KEYS), values, max_size=12)


def turns_of(*spans, **options):
    """The turns of a stream that is at its end, by start; and the counts."""
    assembler = Assembler(**options)
    told = [turn for span in spans for turn in assembler.feed(span)]
    turns = newest_revisions([*told, *assembler.drain()])
    return sorted(turns, key=lambda turn: (turn.start_ns, turn.span_id)), assembler.counts


def agents_of(*spans):
    """Agents of the turns, by start."""
    return [turn.agent for turn in turns_of(*spans)[0]]


def openinference(span_id, kind, name, **given):
    """A span as OpenInference writes it."""
    more = given.pop("attributes", {})
    return span_record(span_id, name, attributes={semconv.OPENINFERENCE_KIND: kind, **more}, **given)


def langfuse(span_id, kind, name, **given):
    """A span as Langfuse writes it."""
    more = given.pop("attributes", {})
    return span_record(span_id, name, attributes={semconv.LANGFUSE_KIND: kind, **more}, **given)


def genai(span_id, operation, agent=None, **given):
    """A span by the conventions."""
    more = given.pop("attributes", {})
    named = {} if agent is None else {semconv.AGENT_NAME: agent}
    return span_record(
        span_id, f"{operation} {agent}", attributes={semconv.OPERATION_NAME: operation, **named, **more}, **given
    )


# --- nothing makes it stumble ------------------------------------------------------------------------


@given(attributes, st.sampled_from(SCOPES), st.sampled_from(["", "x", "call_llm", "agent.inference", "handoff"]))
def test_no_value_under_any_key_makes_reading_raise(attributes, scope, name):
    """Whatever stands under whatever key we know, facts come out, and each is of its type or unknown."""
    span = span_record(1, name, attributes=attributes, scope_name=scope, status=StatusCode.ERROR)
    facts = read_facts(span)
    for text in (facts.agent, facts.subject, facts.session, facts.model, facts.error_type, facts.turn_id):
        assert text is None or (isinstance(text, str) and text)
    for count in (facts.usage.input, facts.usage.output, facts.usage.cached, facts.usage.reasoning, facts.attempts):
        assert count is None or (isinstance(count, int) and count >= 0)
    assert facts.cost_usd is None or (facts.cost_usd >= 0 and math.isfinite(facts.cost_usd))
    assert facts.role is not Role.COMPONENT or facts.component is not None


@given(st.sampled_from(MARKS), st.sampled_from(KINDS), attributes, values)
def test_no_value_in_a_known_dialect_makes_reading_raise(mark, kind, attributes, junk):
    """The same where the dialect is certain: its own keys, with any values, beside a real kind or any kind."""
    key, dialect = mark
    span = span_record(1, attributes={**attributes, key: kind})
    assert dialect_of(span) is not None
    read_facts(span)
    read_facts(span_record(1, attributes={**attributes, key: junk}))
    del dialect


@given(st.lists(st.tuples(st.sampled_from(MARKS), st.sampled_from(KINDS), attributes), min_size=1, max_size=6))
def test_no_tree_of_such_spans_makes_the_assembler_raise(drawn):
    """Spans of all dialects in one trace, each below the one before it: turns come out."""
    spans = [
        span_record(place + 1, parent=place or None, end_ms=100 - place, attributes={**more, mark[0]: kind})
        for place, (mark, kind, more) in enumerate(drawn)
    ]
    turns, counts = turns_of(*spans)
    assert counts.spans == len(spans)
    for turn in turns:
        assert sum(turn.component_self_ns.values()) <= turn.duration_ns


# --- figures in one attribute ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "usage"),
    [
        ('{"input": 80, "output": 32, "total": 140, "input_cache_read": 20, "output_reasoning": 8}', (100, 40, 20, 8)),
        ('{"input": 60, "input_cached_tokens": 40, "output": 25}', (100, 25, 40, None)),
        ('{"input": 100, "input_cached_tokens": 40, "output": 25, "total": 125}', (100, 25, 40, None)),
        ('{"input": 10, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5}', (105, None, 90, None)),
        (OPENAI_USAGE, (100, 40, 20, 8)),
        ('{"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": null}', (7, 3, None, None)),
        ('{"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 2}', (7, 3, 2, None)),
        (
            '{"input_tokens": 7, "cache_read_input_tokens": 90, "output_tokens": 3, "total_tokens": 100}',
            (97, 3, 90, None),
        ),
        ('{"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 90}', (97, 3, 90, None)),
        (ANTHROPIC_USAGE, (102, 3, 90, None)),
        ('{"input_tokens": 7, "input_token_details": {"cache_read": 2}, "output_tokens": "3"}', (7, 3, 2, None)),
        ({"input": 7, "output": 3}, (7, 3, None, None)),
        ('{"input": -1, "output": 2.5}', (None, None, None, None)),
        ('{"input": {"input": 3}}', (None, None, None, None)),
        ("[1, 2]", (None, None, None, None)),
        ('{"input": 1', (None, None, None, None)),
        (12, (None, None, None, None)),
    ],
)
def test_usage_objects_have_two_shapes(written, usage):
    """Parts that add up, and totals with details; the total settles it where there is one."""
    found = usage_in(written)
    assert (found.input, found.output, found.cached, found.reasoning) == usage


@pytest.mark.parametrize(
    ("written", "usage"),
    [
        (  # Gemini: thoughts beside the candidates, cached content within the prompt
            {"promptTokenCount": 100, "candidatesTokenCount": 30, "thoughtsTokenCount": 10, "totalTokenCount": 140}
            | {"cachedContentTokenCount": 60},
            (100, 40, 60, 10),
        ),
        ({"promptTokenCount": 100, "candidatesTokenCount": 30, "thoughtsTokenCount": 10}, (100, 40, None, 10)),
        ({"promptTokenCount": 100, "thoughtsTokenCount": 10, "totalTokenCount": 110}, (100, 10, None, 10)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 1, "cachedContentTokenCount": 9}, (9, 1, 9, None)),
        (
            {"prompt_token_count": 100, "candidates_token_count": 30, "tool_use_prompt_token_count": 7}
            | {"total_token_count": 137, "prompt_tokens_details": [{"modality": "TEXT", "token_count": 100}]},
            (107, 30, None, None),
        ),
        ({"promptTokenCount": 5, "responseTokenCount": 6, "totalTokenCount": 11}, (5, 6, None, None)),
        (  # Bedrock: cached tokens beside the input
            {"inputTokens": 8, "outputTokens": 3, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 2},
            (15, 3, 5, None),
        ),
        (
            {"inputTokens": 4, "outputTokens": 397, "totalTokens": 1811, "cacheReadInputTokens": 1410}
            | {"cacheReadInputTokenCount": 1410, "cacheWriteInputTokens": 0, "cacheWriteInputTokenCount": 0},
            (1414, 397, 1410, None),
        ),
        ({"inputTokenCount": 8, "outputTokenCount": 3, "totalTokenCount": 11}, (8, 3, None, None)),
        (  # the Vercel AI SDK: parts of their wholes
            {"inputTokens": 100, "outputTokens": 40, "reasoningTokens": 10, "cachedInputTokens": 60},
            (100, 40, 60, 10),
        ),
        (
            {"inputTokens": 100, "inputTokenDetails": {"noCacheTokens": 80, "cacheReadTokens": 20}}
            | {"outputTokens": 40, "outputTokenDetails": {"textTokens": 31, "reasoningTokens": 9}},
            (100, 40, 20, 9),
        ),
        (  # Genkit: thoughts beside the output, cached content within the input
            {"inputTokens": 100, "outputTokens": 30, "thoughtsTokens": 10, "cachedContentTokens": 60}
            | {"totalTokens": 140},
            (100, 40, 60, 10),
        ),
        ({"promptTokens": 7, "completionTokens": 3, "totalTokens": 10}, (7, 3, None, None)),
    ],
)
def test_usage_in_the_words_of_others(written, usage):
    """Gemini's, Bedrock's and those of JavaScript, as Langfuse passes them on: nothing is counted twice."""
    found = usage_in(written)
    assert (found.input, found.output, found.cached, found.reasoning) == usage


@pytest.mark.parametrize(
    ("written", "usd"),
    [
        ('{"input": 0.001, "output": 0.002, "total": 0.003}', 0.003),
        ('{"input": 0.001, "output": 0.002}', 0.003),
        ('{"input_cost": 0.001, "output_cost": 0.002, "total_cost": 0.003}', 0.003),
        ('{"total": "-1"}', None),
        ("0.5", None),
    ],
)
def test_cost_objects_have_a_total_or_parts(written, usd):
    """The total counts; without one the parts are summed."""
    assert cost_in(written) == (None if usd is None else pytest.approx(usd))


def test_long_json_is_not_read():
    """What is longer than figures can be is content: it is not parsed."""
    assert usage_in('{"input": 1, "x": "' + "y" * 70_000 + '"}') == TokenUsage()


# --- what is a turn ----------------------------------------------------------------------------------


def test_an_agent_without_a_name_is_a_turn_unless_a_named_one_is_below():
    """OpenInference: the unnamed agent around the named ones is none; one that stands alone is, by its span's name."""
    outer = openinference(1, "AGENT", "Agent workflow", end_ms=100)
    chain = openinference(2, "CHAIN", "Agent workflow", parent=1, end_ms=99)
    named = openinference(3, "AGENT", "planner", parent=2, end_ms=98, attributes={"agent.name": "planner"})
    assert agents_of(outer, chain, named) == ["planner"]
    alone = openinference(4, "AGENT", "helper.run", parent=None, start_ms=200, end_ms=300)
    inner = openinference(5, "AGENT", "researcher.run", parent=4, start_ms=210, end_ms=290)
    assert agents_of(alone, inner) == ["helper", "researcher"]


def test_the_top_chain_is_the_turn_where_no_agent_is():
    """OpenInference on LangChain: one turn by the name of the top chain; below an agent chains are orchestration."""
    top = openinference(1, "CHAIN", "LangGraph", end_ms=100)
    step = openinference(2, "CHAIN", "agent", parent=1, end_ms=90)
    call = openinference(3, "LLM", "ChatOpenAI", parent=2, start_ms=10, end_ms=80)
    (turn,), _ = turns_of(call, step, top)
    assert (turn.agent, turn.component_counts) == ("LangGraph", {ORCHESTRATION: 1, INFERENCE: 1})


def test_a_chain_that_bears_the_agents_name_is_an_agent():
    """LangChain names the agent in the metadata of each of its chains; the one of that name is the agent."""
    metadata = {"metadata": '{"lc_agent_name": "researcher", "langgraph_node": "tools"}'}
    top = openinference(1, "CHAIN", "planner", end_ms=100, attributes={"metadata": '{"lc_agent_name": "planner"}'})
    tool = openinference(2, "TOOL", "ask", parent=1, end_ms=90)
    inner = openinference(3, "CHAIN", "researcher", parent=2, start_ms=1, end_ms=80, attributes=metadata)
    step = openinference(4, "CHAIN", "model", parent=3, start_ms=2, end_ms=70, attributes=metadata)
    assert agents_of(top, tool, inner, step) == ["planner", "researcher"]


def test_langfuse_takes_agents_else_the_top_chain_else_the_root():
    """A root span is a turn only where neither agent nor chain is in it, and a model is asked."""
    root = langfuse(1, "span", "handler", end_ms=100)
    chain = langfuse(2, "chain", "pipeline", parent=1, end_ms=90)
    agent = langfuse(3, "agent", "planner", parent=2, end_ms=80)
    call = langfuse(4, "generation", "gpt", parent=3, end_ms=70)
    below_root = langfuse(4, "generation", "gpt", parent=1, end_ms=70)
    below_chain = langfuse(4, "generation", "gpt", parent=2, end_ms=70)
    assert agents_of(root, chain, agent, call) == ["planner"]
    assert agents_of(root, chain, below_chain) == ["pipeline"]
    assert agents_of(root, below_root) == ["handler"]
    assert agents_of(root) == []
    assert agents_of(call) == []


def test_a_turn_just_below_one_of_the_same_agent_is_the_same_turn():
    """Libraries nest spans of one run; with a tool between, or in another process, the agent is called anew."""
    outer = genai(1, "invoke_agent", "planner", end_ms=100)
    step = genai(2, "invoke_agent", "planner", parent=1, end_ms=90)
    call = genai(3, "chat", parent=2, start_ms=1, end_ms=80)
    for order in ((outer, step, call), (call, step, outer)):
        (turn,), _ = turns_of(*order)
        assert (turn.agent, turn.component_counts) == ("planner", {INFERENCE: 1})
    tool = genai(4, "execute_tool", parent=1, end_ms=90)
    again = genai(5, "invoke_agent", "planner", parent=4, end_ms=80)
    assert agents_of(outer, tool, again) == ["planner", "planner"]
    remote = genai(6, "invoke_agent", "planner", parent=1, end_ms=80, service_name="other")
    assert agents_of(outer, remote) == ["planner", "planner"]


def test_unnamed_agents_and_hand_overs_of_openlit_are_no_turns():
    """Run and step spans have no name; a hand-over bears the name of the agent that takes over."""
    scope = {"scope_name": "openlit.instrumentation.openai_agents"}
    run = genai(1, "invoke_agent", end_ms=100, **scope)
    agent = genai(2, "invoke_agent", "triage", parent=1, end_ms=99, **scope)
    step = genai(3, "invoke_agent", parent=2, end_ms=90, **scope)
    given = {semconv.OPENLIT_AGENT_SOURCE: "triage"}
    hand_over = genai(4, "invoke_agent", "writer", parent=3, start_ms=80, end_ms=80, attributes=given, **scope)
    (turn,), _ = turns_of(run, agent, step, hand_over)
    assert (turn.agent, turn.component_counts) == ("triage", {ORCHESTRATION: 1})


def test_create_agent_is_never_a_turn():
    """Building an agent answers nothing."""
    assert agents_of(genai(1, "create_agent", "planner")) == []


def test_the_run_of_an_agent_may_stand_beside_it():
    """OpenLLMetry on LangChain: of an agent that a tool calls, the work is a task beside the agent's span."""
    scope = {"scope_name": "opentelemetry.instrumentation.langchain"}
    outer = genai(1, "invoke_agent", "planner", end_ms=100, **scope)
    tool = genai(2, "execute_tool", parent=1, start_ms=5, end_ms=95, **scope)
    inner = genai(3, "invoke_agent", "researcher", parent=2, start_ms=10, end_ms=90, **scope)
    named = {semconv.TRACELOOP_KIND: "task", semconv.TRACELOOP_ENTITY_NAME: "researcher"}
    body = genai(4, "execute_task", parent=2, start_ms=11, end_ms=89, attributes=named, **scope)
    call = genai(5, "chat", parent=4, start_ms=12, end_ms=88, attributes={semconv.USAGE_INPUT_TOKENS: 7}, **scope)
    for order in ((outer, tool, inner, body, call), (call, body, inner, tool, outer), (body, inner, call, outer, tool)):
        (first, second), _ = turns_of(*order)
        assert (first.agent, first.tokens.input, first.component_counts) == (
            "planner",
            None,
            {TOOL: 1, ORCHESTRATION: 1},
        )
        assert (second.agent, second.tokens.input) == ("researcher", 7)


def test_calls_outside_any_turn_are_grouped_by_trace_on_request():
    """Bare calls are counted; asked for, those of a trace are one turn, named by an agent or else the service."""
    usage = {semconv.USAGE_INPUT_TOKENS: 7, semconv.USAGE_OUTPUT_TOKENS: 3}
    web = span_record(1, "GET /", end_ms=100, service_name="desk")
    first = genai(2, "chat", parent=1, start_ms=10, end_ms=20, attributes=usage, service_name="desk")
    second = genai(3, "chat", parent=1, start_ms=30, end_ms=50, attributes=usage, service_name="desk")
    elsewhere = genai(4, "chat", attributes=usage, trace_id="a" * 32)
    turn = genai(5, "invoke_agent", "planner", parent=1, start_ms=60, end_ms=90, service_name="desk")
    told, counts = turns_of(web, first, second, elsewhere, turn)
    assert ([t.agent for t in told], counts.outside) == (["planner"], 3)
    told, counts = turns_of(web, first, second, elsewhere, turn, group_calls=True)
    assert counts.outside == 0
    bare = next(t for t in told if t.agent == "desk")
    assert (bare.component_counts, bare.tokens.total, bare.outcome) == ({INFERENCE: 2}, 20, Outcome.SUCCESS)
    assert (bare.span_id, bare.incomplete, bare.spans) == (bare.trace_id, False, 2)
    assert sorted(t.agent for t in told) == ["", "desk", "planner"]
    failed = genai(6, "chat", status=StatusCode.ERROR, trace_id="b" * 32)
    assert turns_of(failed, group_calls=True)[0][0].outcome is Outcome.ERROR


# --- what a call is ----------------------------------------------------------------------------------


def test_pending_twins_are_left_out_and_counted():
    """Logfire sends each span twice; the twin changes nothing."""
    turn = genai(1, "invoke_agent", "planner", end_ms=100, attributes={semconv.LOGFIRE_KIND: "span"})
    twin = genai(2, "invoke_agent", "planner", parent=1, end_ms=0, attributes={semconv.LOGFIRE_KIND: "pending_span"})
    turns, counts = turns_of(twin, turn)
    assert [(t.agent, t.spans) for t in turns] == [("planner", 1)]
    assert counts.twins == 1


def test_a_call_within_a_call_is_one_call():
    """The span of a framework's call stands around that of its client: one call, its tokens once."""
    usage = {semconv.USAGE_INPUT_TOKENS: 100, semconv.USAGE_OUTPUT_TOKENS: 40}
    turn = genai(1, "invoke_agent", "planner", end_ms=100)
    outer = genai(2, "chat", parent=1, start_ms=10, end_ms=60, attributes=usage)
    inner = genai(3, "chat", parent=2, start_ms=20, end_ms=50, attributes=usage)
    (read,), _ = turns_of(turn, outer, inner)
    assert read.component_counts == {INFERENCE: 1}
    assert read.component_sum_ns == {INFERENCE: 50_000_000}
    assert (read.tokens.input, read.tokens.output) == (100, 40)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_aggregates_of_parents_never_count_beside_their_leaves(own_in, own_out, said_in, said_out):
    """Whatever a parent repeats, the turn's tokens are those of its calls; without such the parent's word stands."""
    said = {
        semconv.LOGFIRE_KIND: "span",
        semconv.LOGFIRE_AGGREGATED_INPUT_TOKENS: said_in,
        semconv.LOGFIRE_AGGREGATED_OUTPUT_TOKENS: said_out,
    }
    turn = genai(1, "invoke_agent", "planner", end_ms=100, attributes=said)
    usage = {semconv.USAGE_INPUT_TOKENS: own_in, semconv.USAGE_OUTPUT_TOKENS: own_out}
    call = genai(2, "chat", parent=1, start_ms=10, end_ms=60, attributes=usage)
    (read,), _ = turns_of(turn, call)
    assert (read.tokens.input, read.tokens.output) == (own_in, own_out)
    (alone,), _ = turns_of(turn)
    assert (alone.tokens.input, alone.tokens.output) == (said_in, said_out)


def test_a_record_completes_the_call_before_it():
    """Logfire tells a stream's usage in a log record beside the call: it is the call's, and no second one."""
    turn = genai(1, "invoke_agent", "writer", end_ms=100, attributes={semconv.LOGFIRE_KIND: "span"})
    asked = {semconv.LOGFIRE_KIND: "span", semconv.REQUEST_MODEL: "m", semconv.RESPONSE_MODEL: "m"}
    call = genai(2, "chat", parent=1, start_ms=10, end_ms=40, attributes=asked)
    told = {
        semconv.LOGFIRE_KIND: "log",
        semconv.RESPONSE_MODEL: "m-1",
        semconv.LOGFIRE_RAW_USAGE: '{"prompt_tokens": 70, "completion_tokens": 30, '
        '"completion_tokens_details": {"reasoning_tokens": 5}}',
    }
    record = genai(3, "chat", parent=1, start_ms=45, end_ms=45, attributes=told)
    (read,), _ = turns_of(turn, call, record)
    assert (read.models, read.component_counts) == (("m-1",), {INFERENCE: 1})
    assert read.tokens == TokenUsage(input=70, output=30, reasoning=5)
    assert read.spans == 3


def test_a_hand_over_is_no_tool():
    """OpenInference writes it as a tool without a name."""
    facts = read_facts(openinference(1, "TOOL", "handoff to writer"))
    assert (facts.component, facts.subject, facts.tool_outcome) == (ORCHESTRATION, None, None)
    plain = read_facts(openinference(1, "TOOL", "search"))
    assert (plain.component, plain.subject) == (TOOL, "search")


def test_details_of_tokens_in_langsmith_stand_in_objects_of_their_own():
    """What the span says of the same by itself counts before them."""
    said = {
        semconv.LANGSMITH_KIND: "llm",
        semconv.USAGE_INPUT_TOKENS: 9,
        semconv.USAGE_OUTPUT_TOKENS: 7,
        semconv.LANGSMITH_INPUT_DETAILS: '{"cache_read": 4}',
        semconv.LANGSMITH_OUTPUT_DETAILS: '{"reasoning": 3}',
    }
    usage = read_facts(span_record(1, attributes=said)).usage
    assert (usage.input, usage.output, usage.cached, usage.reasoning) == (9, 7, 4, 3)
    usage = read_facts(span_record(1, attributes={**said, semconv.USAGE_CACHE_READ_INPUT_TOKENS: 5})).usage
    assert (usage.cached, usage.reasoning) == (5, 3)


def test_prompts_of_langsmith_are_no_calls():
    """Its operation calls them chats; its kind knows better."""
    facts = read_facts(genai(1, "chat", attributes={semconv.LANGSMITH_KIND: "prompt"}))
    assert (facts.role, facts.component) == (Role.OTHER, None)


def test_a_failure_is_found_where_the_status_hides_it():
    """LangSmith's failed runs have the status OK and an exception; Langfuse has a level."""
    raised = SpanEvent(name="exception", time_ns=EPOCH_NS, attributes={"exception.type": "ValueError"})
    kinds = {semconv.LANGSMITH_KIND: "chain", semconv.LANGSMITH_AGENT_NAME: "planner"}
    run = span_record(1, "planner", status=StatusCode.OK, attributes=kinds, events=(raised,))
    (turn,), _ = turns_of(run)
    assert (turn.outcome, turn.error_type) == (Outcome.ERROR, "ValueError")
    (turn,), _ = turns_of(langfuse(1, "agent", "planner", attributes={semconv.LANGFUSE_LEVEL: "ERROR"}))
    assert turn.outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("error_type", "outcome"),
    [
        ("504", Outcome.TIMEOUT),
        ("408", Outcome.TIMEOUT),
        ("DEADLINE_EXCEEDED", Outcome.TIMEOUT),
        ("openai.APITimeoutError", Outcome.TIMEOUT),
        ("AbortError", Outcome.CANCELLED),
        ("asyncio.exceptions.CancelledError", Outcome.CANCELLED),
        ("500", Outcome.ERROR),
        ("ABORTED", Outcome.ERROR),
    ],
)
def test_types_of_errors_in_all_languages(error_type, outcome):
    """Exceptions of Python and JavaScript, codes of gRPC and HTTP."""
    failed = genai(1, "invoke_agent", "a", status=StatusCode.ERROR, attributes={semconv.ERROR_TYPE: error_type})
    ((turn,), _) = turns_of(failed)
    assert turn.outcome is outcome


def test_an_agent_that_hides_its_failure_is_judged_by_its_last_call():
    """OpenInference on the OpenAI Agents SDK: former releases close a failed agent with OK; a retry mends it."""
    scope = {"scope_name": "openinference.instrumentation.openai_agents"}
    agent = openinference(1, "AGENT", "planner", end_ms=100, status=StatusCode.OK, **scope)
    failed = openinference(2, "LLM", "response", parent=1, start_ms=1, end_ms=40, status=StatusCode.ERROR, **scope)
    again = openinference(3, "LLM", "response", parent=1, start_ms=50, end_ms=90, **scope)
    assert turns_of(agent, failed)[0][0].outcome is Outcome.ERROR
    assert turns_of(agent, failed, again)[0][0].outcome is Outcome.SUCCESS


def test_former_spans_of_the_agent_development_kit_are_told_by_their_names():
    """Google ADK once named agents and calls by their spans alone."""
    scope = {"scope_name": semconv.ADK_SCOPE}
    run = span_record(1, "agent_run [planner]", end_ms=100, **scope)
    used = {semconv.ADK_SESSION: "s1", semconv.USAGE_INPUT_TOKENS: 7}
    call = span_record(2, "call_llm", parent=1, start_ms=1, end_ms=90, attributes=used, **scope)
    (turn,), _ = turns_of(span_record(3, "invocation", **scope), run, call)
    assert (turn.agent, turn.session, turn.tokens.input) == ("planner", "s1", 7)
    assert turn.component_counts == {INFERENCE: 1}


def test_nodes_of_langgraph_are_no_agents():
    """Langfuse, OpenInference and OpenLIT take the nodes of LangGraph's own agents for agents; other names are some."""
    node = {semconv.LANGFUSE_LANGGRAPH_NODE: "agent"}
    outer = langfuse(1, "agent", "planner", end_ms=100)
    assert agents_of(outer, langfuse(2, "agent", "agent", parent=1, end_ms=90, attributes=node)) == ["planner"]
    scope = {"scope_name": "openinference.instrumentation.langchain"}
    graph = openinference(1, "CHAIN", "planner", end_ms=100, **scope)
    assert agents_of(graph, openinference(2, "AGENT", "agent", parent=1, end_ms=90, **scope)) == ["planner"]
    assert agents_of(graph, openinference(2, "AGENT", "travel_agent", parent=1, end_ms=90, **scope)) == ["travel_agent"]
    scope = {"scope_name": semconv.OPENLIT_LANGGRAPH_SCOPE}
    graph = genai(1, "invoke_workflow", end_ms=100, attributes={semconv.WORKFLOW_NAME: "desk"}, **scope)
    assert agents_of(graph, genai(2, "invoke_agent", "model", parent=1, end_ms=90, **scope)) == ["desk"]
    assert agents_of(graph, genai(2, "invoke_agent", "writer", parent=1, end_ms=90, **scope)) == ["writer"]


def test_the_inner_span_of_a_call_adds_what_the_outer_lacks():
    """Of a call that failed the client knows the model; a model that the client only asked for is no second one."""
    turn = genai(1, "invoke_agent", "planner", end_ms=100)
    asked = {semconv.REQUEST_MODEL: "m"}
    outer = genai(2, "chat", parent=1, start_ms=10, end_ms=60)
    inner = genai(3, "chat", parent=2, start_ms=20, end_ms=50, attributes=asked)
    assert turns_of(turn, outer, inner)[0][0].models == ("m",)
    answered = {semconv.RESPONSE_MODEL: "m-1", semconv.USAGE_INPUT_TOKENS: 7}
    known = genai(2, "chat", parent=1, start_ms=10, end_ms=60, attributes=answered)
    assert turns_of(turn, known, inner)[0][0].models == ("m-1",)


def test_a_failed_tool_that_is_retried_fails_no_turn():
    """Pydantic AI: the outcome is that of the turn's own span."""
    turn = genai(1, "invoke_agent", "planner", end_ms=100, attributes={semconv.LOGFIRE_KIND: "span"})
    tool = genai(2, "execute_tool", parent=1, end_ms=50, status=StatusCode.ERROR)
    (read,), _ = turns_of(turn, tool)
    assert (read.outcome, read.tool_calls[0].outcome) == (Outcome.SUCCESS, "error")


def test_vector_databases_are_memory():
    """OpenLLMetry's spans of them have no operation."""
    facts = read_facts(span_record(1, "chroma.query", kind=SpanKind.CLIENT, attributes={"db.system": "chroma"}))
    assert facts.component is LatencyComponent.MEMORY_ACCESS
    assert read_facts(span_record(1, "SELECT", attributes={"db.system": "postgresql"})).component is None


@pytest.mark.parametrize("operation", ["vectordb", "memory"])
def test_what_openlit_keeps_in_databases_is_memory(operation):
    """One operation for all calls of a vector database, and one for Mem0."""
    given = {semconv.OPERATION_NAME: operation, "db.system.name": "chroma"}
    facts = read_facts(span_record(1, "query docs", scope_name="openlit.otel.tracing", attributes=given))
    assert facts.component is LatencyComponent.MEMORY_ACCESS


def test_details_of_tokens_under_the_former_keys_of_openlit():
    """Its instrumentation of Google ADK has them."""
    details = {semconv.OPENLIT_CACHED_TOKENS: 4, semconv.OPENLIT_REASONING_TOKENS: 2}
    given = {semconv.OPERATION_NAME: "chat", **details}
    usage = read_facts(span_record(1, "chat m", scope_name="openlit.otel.tracing", attributes=given)).usage
    assert (usage.cached, usage.reasoning) == (4, 2)


def test_models_of_openinference_under_all_their_keys():
    """The one that answered, the one that was asked, and the one of which nobody says which it is."""
    keys = (semconv.OPENINFERENCE_RESPONSE_MODEL, semconv.OPENINFERENCE_MODEL, semconv.OPENINFERENCE_REQUEST_MODEL)
    given = dict(zip(keys, ("answered", "named", "asked"), strict=True))
    for key in keys:
        facts = read_facts(openinference(1, "LLM", "call", attributes=given))
        assert facts.model == next(iter(given.values()))
        del given[key]


@pytest.mark.parametrize(
    ("costs", "usd"),
    [
        ({"llm.cost.prompt": 0.25, "llm.cost.completion": "0.5"}, 0.75),
        ({"llm.cost.prompt": 0.25, "llm.cost.completion": 0.5, "llm.cost.total": 0.875}, 0.875),
        ({"llm.cost.prompt": 0.25}, None),
        ({"llm.cost.completion": 0.25, "llm.cost.prompt": "much"}, None),
    ],
)
def test_the_cost_of_openinference_may_be_in_two_parts(costs, usd):
    """Both add up where no total is told; one of them alone is no cost."""
    facts = read_facts(openinference(1, "LLM", "call", attributes=costs))
    assert (facts.cost_usd, facts.cost_source) == (usd, None if usd is None else CostSource.SPAN)


def test_values_of_mlflow_are_json():
    """A kind, a model, a usage: all quoted."""
    quoted = {
        semconv.MLFLOW_KIND: '"CHAT_MODEL"',
        semconv.MLFLOW_MODEL: '"say \\"m\\""',
        semconv.MLFLOW_USAGE: '{"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}',
        semconv.MLFLOW_COST: '{"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}',
    }
    facts = read_facts(span_record(1, attributes=quoted))
    assert (facts.component, facts.model, facts.usage.total, facts.cost_usd) == (INFERENCE, 'say "m"', 10, 0.3)


def test_an_unknown_cost_is_not_zero():
    """Langfuse tells a failed call with a cost of 0 and without tokens."""
    zero = {semconv.LANGFUSE_COST: '{"input": 0, "output": 0, "total": 0}'}
    assert read_facts(langfuse(1, "generation", "gpt", attributes=zero)).cost_usd is None
    spent = {**zero, semconv.LANGFUSE_USAGE: '{"input": 3, "output": 1}'}
    assert read_facts(langfuse(1, "generation", "gpt", attributes=spent)).cost_usd == 0


def test_details_of_tokens_under_the_present_keys_of_vercel():
    """Release 6 tells cached and reasoning tokens as details; reranking is an access of memory."""
    said = {semconv.VERCEL_INPUT_TOKENS: 100, semconv.VERCEL_OUTPUT_TOKENS: 40}
    said |= {semconv.VERCEL_CACHED_DETAIL: 20, semconv.VERCEL_REASONING_DETAIL: 8}
    call = read_facts(span_record(1, attributes={semconv.VERCEL_OPERATION: "ai.generateText.doGenerate", **said}))
    assert call.usage == TokenUsage(input=100, output=40, cached=20, reasoning=8)
    reranking = read_facts(span_record(1, attributes={semconv.VERCEL_OPERATION: "ai.rerank.doRerank"}))
    assert reranking.component is LatencyComponent.MEMORY_ACCESS


def of_two_libraries(**usage):
    """One call in the words of two libraries: attributes of a span each."""
    there = {semconv.OPENINFERENCE_INPUT_TOKENS: 100, semconv.OPENINFERENCE_OUTPUT_TOKENS: 40, **usage}
    return (
        {semconv.OPERATION_NAME: "chat", semconv.REQUEST_MODEL: "small", semconv.USAGE_INPUT_TOKENS: 100}
        | {semconv.USAGE_OUTPUT_TOKENS: 40},
        {semconv.OPENINFERENCE_KIND: "LLM", semconv.OPENINFERENCE_MODEL: "small", **there},
    )


@pytest.mark.parametrize("around", [None, 2])
def test_two_libraries_beside_each_other_tell_of_one_call(around):
    """One within the other in time, of one model, with equal tokens: one call, be a framework's span around both."""
    first, second = of_two_libraries(**{semconv.OPENINFERENCE_CACHED_TOKENS: 20})
    framework = [] if around is None else [openinference(2, "LLM", "call", parent=1, start_ms=0, end_ms=90)]
    spans = (
        genai(1, "invoke_agent", "planner", start_ms=0, end_ms=100),
        *framework,
        span_record(3, parent=around or 1, start_ms=10, end_ms=80, attributes=first),
        span_record(4, parent=around or 1, start_ms=12, end_ms=78, attributes=second),
    )
    (turn,), _ = turns_of(*spans)
    assert (turn.component_counts, turn.models) == ({INFERENCE: 1}, ("small",))
    assert turn.tokens == TokenUsage(input=100, output=40, cached=20)


@pytest.mark.parametrize(
    ("place", "usage"),
    [
        ((50, 120), {}),
        ((12, 78), {semconv.OPENINFERENCE_OUTPUT_TOKENS: 41}),
        ((12, 78), {semconv.OPENINFERENCE_MODEL: "large"}),
    ],
    ids=["overlap in part", "other tokens", "another model"],
)
def test_calls_beside_each_other_that_differ_are_two(place, usage):
    """Where time, tokens or model are not the same, they are two calls at once."""
    first, second = of_two_libraries(**usage)
    (turn,), _ = turns_of(
        genai(1, "invoke_agent", "planner", start_ms=0, end_ms=200),
        span_record(3, parent=1, start_ms=10, end_ms=80, attributes=first),
        span_record(4, parent=1, start_ms=place[0], end_ms=place[1], attributes=second),
    )
    assert turn.component_counts == {INFERENCE: 2}
    assert turn.tokens.input == 200


def test_calls_at_once_that_one_library_tells_of_are_many():
    """Equal calls of one library are calls; told by two libraries each, they are as many."""
    first, second = of_two_libraries()
    spans = [genai(1, "invoke_agent", "planner", start_ms=0, end_ms=200)]
    for call in range(3):
        spans.append(span_record(10 + call, parent=1, start_ms=10, end_ms=80, attributes=first))
        spans.append(span_record(20 + call, parent=1, start_ms=11, end_ms=79, attributes=second))
    (turn,), _ = turns_of(*spans)
    assert turn.component_counts == {INFERENCE: 3}
    assert turn.tokens.input == 300


def test_of_two_beside_each_other_the_one_around_others_stays():
    """A client's span in one of them is no further call."""
    first, second = of_two_libraries()
    (turn,), _ = turns_of(
        genai(1, "invoke_agent", "planner", start_ms=0, end_ms=200),
        span_record(3, parent=1, start_ms=10, end_ms=80, attributes=first),
        span_record(4, parent=1, start_ms=11, end_ms=79, attributes=second),
        span_record(5, parent=3, start_ms=12, end_ms=78, attributes=second),
    )
    assert turn.component_counts == {INFERENCE: 1}
    assert turn.tokens.input == 100


def test_an_embedding_in_an_embedding_is_one_and_in_a_search_two():
    """Spans that both name a model repeat each other; a search names none."""
    embedding = {semconv.OPERATION_NAME: "embeddings", semconv.REQUEST_MODEL: "vectors", semconv.USAGE_INPUT_TOKENS: 8}
    (turn,), _ = turns_of(
        genai(1, "invoke_agent", "planner", start_ms=0, end_ms=200),
        genai(2, "search_memory", parent=1, start_ms=0, end_ms=90),
        span_record(3, parent=2, start_ms=10, end_ms=80, attributes=embedding),
        span_record(4, parent=3, start_ms=12, end_ms=78, attributes=embedding),
    )
    assert turn.component_counts == {LatencyComponent.MEMORY_ACCESS: 2}
    assert turn.tokens.input == 8


@pytest.mark.parametrize(
    ("scope", "operation", "component"),
    [
        ("gen_ai", "rerank", LatencyComponent.MEMORY_ACCESS),
        ("gen_ai", "decide", INFERENCE),
        ("openlit.instrumentation.openai", "image", INFERENCE),
        ("openlit.instrumentation.openai", "speech_to_text", INFERENCE),
        ("openlit.instrumentation.openai", "moderation", LatencyComponent.POLICY_CHECK),
        ("openlit.instrumentation.mcp", "mcp_tool_call", TOOL),
    ],
)
def test_operations_beyond_the_conventions(scope, operation, component):
    """What the Vercel AI SDK and OpenLIT call further calls of models, memories, policies and tools."""
    assert read_facts(genai(1, operation, scope_name=scope)).component is component


@pytest.mark.parametrize("operation", ["create_memory_store", "delete_memory_store"])
def test_stores_of_memory_are_memory(operation):
    """Making one and removing it are accesses of memory."""
    assert read_facts(genai(1, operation)).component is LatencyComponent.MEMORY_ACCESS


CALLS = {
    "conventions": {semconv.OPERATION_NAME: "chat", semconv.RESPONSE_TIME_TO_FIRST_CHUNK: 0.25},
    "a metric's name": {semconv.OPERATION_NAME: "chat", semconv.SERVER_TIME_TO_FIRST_TOKEN: "0.25"},
    "its former name": {semconv.OPERATION_NAME: "chat", semconv.SERVER_TTFT: 0.25},
    "OpenInference": {semconv.OPENINFERENCE_KIND: "LLM", semconv.OPENINFERENCE_FIRST_TOKEN_MS: 250},
    "Vercel": {semconv.VERCEL_OPERATION: "ai.streamText.doStream", semconv.VERCEL_FIRST_CHUNK_MS: 250.0},
    "Vercel 7": {semconv.VERCEL_OPERATION: "ai.streamText.doStream", semconv.VERCEL_STREAM_FIRST_CHUNK_MS: "250"},
    "Langfuse": {
        semconv.LANGFUSE_KIND: "generation",
        semconv.LANGFUSE_FIRST_TOKEN_AT: '"2023-11-14T23:13:20.250+01:00"',
    },
}
CHUNKS = {
    semconv.OPENINFERENCE_FIRST_TOKEN_EVENT: {semconv.OPENINFERENCE_KIND: "LLM"},
    semconv.MLFLOW_FIRST_CHUNK_EVENT: {semconv.MLFLOW_KIND: '"CHAT_MODEL"'},
    semconv.TRACELOOP_CHUNK_EVENT: {semconv.TRACELOOP_KIND: "agent", semconv.OPERATION_NAME: "chat"},
    semconv.TRACELOOP_FORMER_CHUNK_EVENT: {semconv.LLM_REQUEST_TYPE: "chat"},
}


@pytest.mark.parametrize("said", CALLS.values(), ids=CALLS)
def test_the_first_chunk_of_a_stream_stands_under_many_keys(said):
    """Seconds, milliseconds or a moment: the turn's first token came when the first chunk of its call did."""
    call = span_record(2, parent=1, start_ms=0, end_ms=400, attributes=said)
    (turn,), _ = turns_of(genai(1, "invoke_agent", "planner", start_ms=0, end_ms=500), call)
    assert turn.time_to_first_token_ns == 250_000_000


@pytest.mark.parametrize(("name", "said"), CHUNKS.items(), ids=CHUNKS)
def test_the_first_chunk_of_a_stream_may_be_an_event(name, said):
    """The first of several counts, also behind the end of a span; one before its start is none."""
    events = [SpanEvent(name=name, time_ns=EPOCH_NS + ms * 1_000_000, attributes={}) for ms in (300, 250, 350)]
    call = span_record(2, parent=1, start_ms=100, end_ms=200, attributes=said, events=tuple(events))
    (turn,), _ = turns_of(genai(1, "invoke_agent", "planner", start_ms=0, end_ms=500), call)
    assert turn.time_to_first_token_ns == 250_000_000
    late = span_record(2, parent=1, start_ms=400, end_ms=450, attributes=said, events=tuple(events))
    assert (
        turns_of(genai(1, "invoke_agent", "planner", start_ms=0, end_ms=500), late)[0][0].time_to_first_token_ns is None
    )


@pytest.mark.parametrize(("streams", "first_ns"), [(True, 250_000_000), (False, None)])
def test_an_answer_in_one_piece_has_no_first_token(streams, first_ns):
    """OpenLIT tells of such how long the call took, under the same key."""
    said = {semconv.SERVER_TIME_TO_FIRST_TOKEN: 0.25, semconv.REQUEST_STREAM: streams}
    call = genai(2, "chat", parent=1, attributes=said, scope_name="openlit.instrumentation.openai")
    (turn,), _ = turns_of(genai(1, "invoke_agent", "planner", start_ms=0, end_ms=500), call)
    assert turn.time_to_first_token_ns == first_ns


def test_a_mark_goes_before_the_conventions():
    """Each mark leads to its row, also where the keys of the conventions stand beside it."""
    for mark, dialect in MARKS:
        span = span_record(1, attributes={mark: "x", semconv.OPERATION_NAME: "chat"})
        assert dialect_of(span) is dialect
    assert dialect_of(span_record(1, "GET /", attributes={"http.method": "GET"})) is None
