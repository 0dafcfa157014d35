"""With which probability a turn was sampled, where anybody tells."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, NoOpTracerProvider, SpanContext, TraceFlags, TraceState

import agentnet_otel
from agentnet_otel.core.sampling import threshold_probability
from agentnet_otel.instrumentation import runtime
from agentnet_otel.testing import InMemoryTelemetry

KEY = "agentnet.sampling.probability"


class OneIn(Sampler):
    """A sampler of somebody's, which may write the probability into the trace state."""

    def __init__(self, state=None):
        self._state = state

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, self._state)

    def get_description(self):
        return "OneIn"


def probabilities(sampler, body):
    """The probabilities of the turns that ``body`` makes, in order of ending."""
    telemetry = InMemoryTelemetry(sampler)
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    told = []
    runtime.recorder()._listener = lambda turn: told.append(turn.sampling_probability)
    body()
    on_spans = [span.attributes.get(KEY) for span in telemetry.spans("invoke_agent")]
    handle.shutdown()
    telemetry.close()
    return told, on_spans


def one_turn():
    """A root turn."""
    with agentnet_otel.turn("a"):
        pass


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (ALWAYS_ON, 1.0),
        (DEFAULT_ON, 1.0),
        (ALWAYS_OFF, None),
        (DEFAULT_OFF, None),
        (TraceIdRatioBased(1.0), 1.0),
        (TraceIdRatioBased(0.25), 0.25),
        (ParentBased(TraceIdRatioBased(0.25)), 0.25),
        (TraceIdRatioBased(1e-05), 1e-05),
        (TraceIdRatioBased(0.0), None),
        (OneIn(), None),
        (ParentBased(OneIn()), None),
        (OneIn(TraceState([("ot", "rv:1;th:c")])), 0.25),
    ],
)
def test_a_root_turn_knows_what_its_sampler_reveals(sampler, expected):
    """Samplers of the SDK are asked, a trace state speaks for itself, unknown is not 1."""
    told, on_spans = probabilities(sampler, one_turn)
    assert told == [expected]
    assert set(on_spans) <= {expected}


def test_turns_below_others_follow_the_root():
    """Nested turns, and turns in a session, were sampled with their root."""

    def body():
        with (
            agentnet_otel.session("debate"),
            agentnet_otel.turn("a") as turn,
            turn.component("tool_execution", "t"),
            agentnet_otel.turn("b"),
        ):
            pass

    told, _ = probabilities(ParentBased(TraceIdRatioBased(0.5)), body)
    assert told == [0.5, 0.5]
    told, _ = probabilities(TraceIdRatioBased(0.5), body)
    assert told == [0.5, 0.5]


def remote(state=None):
    """A span of another service, as context."""
    context = SpanContext(0x1, 0x2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    return trace.use_span(NonRecordingSpan(context))


@pytest.mark.parametrize(
    ("sampler", "state", "expected"),
    [
        (ParentBased(TraceIdRatioBased(0.5)), None, None),
        (DEFAULT_ON, None, None),
        (DEFAULT_ON, TraceState([("ot", "th:8")]), 0.5),
        (TraceIdRatioBased(1.0), None, 1.0),
    ],
)
def test_a_turn_below_a_remote_span(sampler, state, expected):
    """A child follows its parent, whose sampler is unknown unless the trace state tells."""

    def body():
        with remote(state):
            one_turn()
        with remote(state), agentnet_otel.session("debate"):
            one_turn()

    told, on_spans = probabilities(sampler, body)
    assert told == on_spans == [expected, expected]


def test_providers_that_are_not_the_sdks_tell_nothing():
    """Their turns are counted; nothing is known of their sampling."""
    handle = agentnet_otel.instrument(tracer_provider=NoOpTracerProvider())
    told = []
    runtime.recorder()._listener = lambda turn: told.append(turn.sampling_probability)
    one_turn()
    with agentnet_otel.session("s"):
        one_turn()
    handle.shutdown()
    assert told == [None, None]


@pytest.mark.parametrize(
    ("state", "expected"),
    [("th:0", 1.0), ("th:8", 0.5), ("th:fffffffffffff", 1 / 2**52), ("", None), ("th:", None), ("th:xyz", None)],
)
def test_thresholds(state, expected):
    """`th:` is the share of rejected traces, as hex digits after the point."""
    assert threshold_probability(state) == expected
