"""AgentNet's engines with other instrumentations around them and below: one model call is one span."""

import asyncio

import pytest
from agentnet.providers.example import ExampleEngine
from engines import ANSWER, CallingEngine, CoroutineEngine, DictEngine
from opentelemetry import context as otel_context
from opentelemetry.util.genai.handler import TelemetryHandler

import agentnet_otel

OPENLLMETRY = "suppress_language_model_instrumentation"


@pytest.fixture
def genai(telemetry):
    """What the OpenTelemetry instrumentations of model clients are made with."""
    return TelemetryHandler(telemetry.tracer_provider, telemetry.meter_provider, telemetry.logger_provider)


@pytest.fixture
def ask(telemetry, genai):
    """A model client with such an instrumentation, and one like OpenLLMetry's."""

    def call(kind):
        if kind == "util-genai":
            with genai.inference("openai", request_model="gpt") as inference:
                inference.input_tokens, inference.output_tokens = 30, 12
        elif not otel_context.get_value(OPENLLMETRY):
            telemetry.tracer_provider.get_tracer("openllmetry").start_span("openai.chat").end()

    return call


@pytest.mark.parametrize("kind", ["util-genai", "openllmetry"])
def test_theirs_inside_ours(telemetry, handle, agent, ask, kind):
    """The agent's step around its engine is the span; the client's instrumentation keeps quiet."""
    agent(CallingEngine(lambda: ask(kind))).generate_reasoning_tree("hi")
    asyncio.run(agent(CallingEngine(lambda: ask(kind))).async_generate_reasoning_tree("hi"))
    assert [span.name for span in telemetry.spans("chat")] == ["chat", "chat"]
    assert telemetry.spans("openai") == []
    assert [turn.tokens.total for turn in handle.turns()] == [15, 15]  # the engine's own answer goes first


def within_openllmetry(work):
    """Run inside a span that OpenLLMetry has for a model call."""
    token = otel_context.attach(otel_context.set_value(OPENLLMETRY, "set"))
    try:
        return work()
    finally:
        otel_context.detach(token)


@pytest.mark.parametrize("kind", ["util-genai", "openllmetry"])
def test_ours_inside_theirs(telemetry, handle, agent, genai, kind):
    """Where they have the model call already we write none; what the engine used is counted for the turn."""

    def within(work):
        if kind == "openllmetry":
            return within_openllmetry(work)
        with genai.inference("openai", request_model="gpt"):
            return work()

    quick = ExampleEngine({"model": "m", "simulated_delay_ms": 0})
    within(lambda: agent(DictEngine()).generate_reasoning_tree("hi"))
    within(lambda: asyncio.run(agent(CoroutineEngine()).async_generate_reasoning_tree("hi")))
    within(lambda: quick.infer("hi"))
    within(lambda: asyncio.run(consume(quick)))
    theirs = ["chat gpt"] * 4 if kind == "util-genai" else []
    assert [span.name for span in telemetry.spans("chat")] == theirs
    used = ANSWER["usage"]["prompt_tokens"] + ANSWER["usage"]["completion_tokens"]
    assert [turn.tokens.total for turn in handle.turns()] == [used, used]
    assert sum(telemetry.metric("agentnet.tokens").values()) == 2 * used


async def consume(engine):
    """All items of a stream."""
    return [item async for item in engine.stream_infer("hi")]


def test_an_error_that_others_have_the_span_of(telemetry, handle, agent, genai):
    """The turn still knows that the engine said so."""
    with genai.inference("openai", request_model="gpt"):
        agent(DictEngine(error="quota")).generate_reasoning_tree("hi")
    (turn,) = telemetry.spans("invoke_agent")
    assert turn.attributes["error.type"] == "engine_error"


def test_an_agent_that_a_tool_of_a_model_call_asks(telemetry, handle, agent):
    """An engine that runs another agent: both calls have their spans."""
    inner = agent(DictEngine(), name="inner")
    agent(CallingEngine(lambda: inner.generate_reasoning_tree("hi")), name="outer").generate_reasoning_tree("hi")
    assert sorted(span.name for span in telemetry.spans("chat")) == ["chat", "chat m0"]
    assert {turn.agent: turn.tokens.total for turn in handle.turns()} == {"inner": 15, "outer": 15}


def test_stacked_on_ourselves(telemetry, handle, agent):
    """A decorated entry point of the application's around AgentNet's: a turn in a turn, each with its own calls."""

    @agentnet_otel.traced_turn("application")
    def ask():
        return agent(DictEngine()).generate_reasoning_tree("hi")

    ask()
    assert [turn.agent for turn in handle.turns()] == ["ag", "application"]
    assert [turn.tokens.total for turn in handle.turns()] == [15, 0]
