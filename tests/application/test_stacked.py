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
        return "an answer without usage"

    return ask


def test_the_clients_own_span_is_not_doubled(telemetry, handle, client):
    """Inside our inference the client's instrumentation keeps quiet, and its tokens arrive all the same."""
    with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE, model="gpt"):
        client()
    assert [s.name for s in telemetry.spans()] == ["chat gpt", "invoke_agent a"]
    (told,) = handle.turns()
    assert (told.tokens.input, told.tokens.output) == (30, 12)


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
    assert (told.tokens.total, told.models) == (42, ("gpt",))
    assert told.component_counts == {"inference": 1}


def test_suppressed_instrumentation_is_suppressed(telemetry, handle):
    """Hooks do nothing where the application switched instrumentation off."""

    class Never(Hook):
        def open(self, call):
            raise AssertionError

    with suppress_instrumentation():
        assert sync_wrapper(Never())(lambda: 5, None, (), {}) == 5
    assert not telemetry.spans()
