"""Stacked with other instrumentations of the same client: no span is doubled."""

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.util.genai.handler import TelemetryHandler

import agentnet_otel
from agentnet_otel import LatencyComponent
from agentnet_otel.instrumentation.hooks.driver import Hook, sync_wrapper


@pytest.fixture
def client(telemetry):
    """A model client with the OpenTelemetry instrumentation that providers' libraries are given."""
    instrumentation = TelemetryHandler(telemetry.tracer_provider, telemetry.meter_provider, telemetry.logger_provider)

    def ask():
        with instrumentation.inference("openai", request_model="gpt") as call:
            call.input_tokens, call.output_tokens = 30, 12
            call.response_model_name, call.response_id, call.finish_reasons = "gpt-1", "r-1", ["stop"]
        return "an answer without usage"

    return ask


def test_the_clients_own_span_is_not_doubled(telemetry, handle, client):
    """Inside our inference the client's instrumentation keeps quiet, and its tokens arrive all the same."""
    with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE, model="gpt"):
        client()
    assert [s.name for s in telemetry.spans()] == ["chat gpt", "invoke_agent a"]
    (told,) = handle.turns()
    assert (told.tokens.input, told.tokens.output) == (30, 12)
    call = telemetry.spans("chat")[0].attributes
    assert (call["gen_ai.provider.name"], call["gen_ai.response.model"]) == ("openai", "gpt-1")
    assert (call["gen_ai.response.id"], call["gen_ai.response.finish_reasons"]) == ("r-1", ("stop",))
    assert sum(telemetry.metric("agentnet.tokens").values()) == 42
    assert [count for count, _ in telemetry.metric("gen_ai.client.operation.duration").values()] == [1]


def test_what_the_caller_records_goes_first(telemetry, handle, client):
    """Tokens that were recorded are not counted twice."""
    with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE) as call:
        client()
        call.record_tokens(input=1, output=1)
    assert handle.turns()[0].tokens.total == 2


def test_outside_our_inference_the_client_tells_itself(telemetry, handle, client):
    """Its span is then the turn's inference, read from its own attributes."""
    with agentnet_otel.turn("a"):
        client()
    assert [s.name for s in telemetry.spans()] == ["chat gpt", "invoke_agent a"]
    (told,) = handle.turns()
    assert (told.tokens.total, told.models) == (42, ("gpt-1",))
    assert told.component_counts == {"inference": 1}


def test_a_model_call_of_a_tool_inside_a_model_call(telemetry, handle, client):
    """A tool, or another agent, that the model's loop runs: its own model calls are calls of their own."""
    with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE, model="outer"):
        with turn.component(LatencyComponent.TOOL_EXECUTION, "t"):
            client()
        with agentnet_otel.turn("b"):
            client()
    above = {span.context.span_id: span.name for span in telemetry.spans()}
    assert [(span.name, above.get(span.parent and span.parent.span_id)) for span in telemetry.spans()] == [
        ("chat gpt", "execute_tool t"),
        ("execute_tool t", "chat outer"),
        ("chat gpt", "invoke_agent b"),
        ("invoke_agent b", "chat outer"),
        ("chat outer", "invoke_agent a"),
        ("invoke_agent a", None),
    ]
    assert {turn.agent: turn.tokens.total for turn in handle.turns()} == {"a": 42, "b": 42}


def test_suppressed_instrumentation_is_suppressed(telemetry, handle):
    """Hooks do nothing where the application switched instrumentation off."""

    class Never(Hook):
        def open(self, call):
            raise AssertionError

    with suppress_instrumentation():
        assert sync_wrapper(Never())(lambda: 5, None, (), {}) == 5
    assert not telemetry.spans()
