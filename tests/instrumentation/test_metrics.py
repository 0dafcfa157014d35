"""The metrics of turns: names, units, keys, values, exact whatever the sampler."""

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, TraceIdRatioBased

import agentnet_otel
from agentnet_otel import LatencyComponent, TokenCategory, semconv
from agentnet_otel.instrumentation import faults, runtime
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.labels import MAX_SERIES, MAX_VALUE_LENGTH, MAX_VALUES, LabelCap, LabelSets
from agentnet_otel.instrumentation.metrics import TurnMetrics, meter_of
from agentnet_otel.instrumentation.providers import TracerChoice
from agentnet_otel.instrumentation.recorder import Recorder
from agentnet_otel.testing import FakeClock, InMemoryTelemetry

INFERENCE, TOOL = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION


def clocked(telemetry, meter_provider=None):
    """Make a recorder whose time stands still the one in use; returns its clock."""
    clock = FakeClock()
    instruments = TurnMetrics(meter_of(meter_provider or telemetry.meter_provider, "1"), clock.wall_ns)
    runtime.use(Recorder(TracerChoice(telemetry.tracer_provider), lambda: instruments, clock=clock))
    return clock


def one_turn(clock):
    """A turn of 2 s: 1.5 s inference, 0.4 s tool, 0.1 s in no component."""
    with agentnet_otel.turn("planner", model="m-large") as turn:
        clock.advance(100)
        with turn.component(INFERENCE, model="m-large", provider="openai") as call:
            clock.advance(1500)
            call.record_tokens(input=100, output=50)
            call.record_response(model="m-large-1")
            call.record_cost(0.02)
        with turn.component(TOOL, "search"):
            clock.advance(400)
        turn.record_policy_violation("no-secrets", severity="major")
        turn.record_quality(0.9)


def described(telemetry):
    """Name to metric, as the reader has them."""
    (resource,) = telemetry._reader.get_metrics_data().resource_metrics
    return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


def labels(**values):
    """The key of a data point, by short names."""
    keys = {
        "agent": "gen_ai.agent.name",
        "model": "gen_ai.request.model",
        "response_model": "gen_ai.response.model",
        "outcome": "agentnet.turn.outcome",
        "component": "agentnet.latency.component",
        "type": "gen_ai.token.type",
        "category": "agentnet.token.category",
        "quality": "agentnet.quality.source",
        "severity": "agentnet.policy.severity",
        "rule": "agentnet.policy.rule",
        "tool": "gen_ai.tool.name",
        "tool_outcome": "agentnet.tool.outcome",
        "operation": "gen_ai.operation.name",
        "provider": "gen_ai.provider.name",
        "error": "error.type",
    }
    return tuple(sorted((keys[name], value) for name, value in values.items()))


CALL = {"operation": "chat", "provider": "openai", "model": "m-large", "response_model": "m-large-1"}
WHO = {"agent": "planner", "model": "m-large-1"}
EXPECTED = {
    "agentnet.turns": ("{turn}", {labels(**WHO, outcome="success"): 1}),
    "agentnet.turn.duration": ("s", {labels(**WHO, outcome="success"): (1, 2.0)}),
    "agentnet.turn.active": ("{turn}", {labels(agent="planner"): 0}),
    "agentnet.turn.component.duration": (
        "s",
        {
            labels(agent="planner", component="inference"): (1, 1.5),
            labels(agent="planner", component="tool_execution"): (1, 0.4),
        },
    ),
    "agentnet.tokens": (
        "{token}",
        {
            labels(**WHO, type="input", category="reasoning"): 100,
            labels(**WHO, type="output", category="reasoning"): 50,
        },
    ),
    "agentnet.turn.cost.usd": ("{USD}", {labels(**WHO): (1, 0.02)}),
    "agentnet.turn.token.efficiency": ("1", {labels(**WHO, quality="evaluated"): (1, pytest.approx(0.57))}),
    "agentnet.policy.violations": ("{violation}", {labels(agent="planner", severity="major", rule="no-secrets"): 1}),
    "agentnet.tool.calls": ("{call}", {labels(agent="planner", tool="search", tool_outcome="success"): 1}),
    "gen_ai.client.operation.duration": ("s", {labels(**CALL): (1, 1.5)}),
    "gen_ai.client.token.usage": (
        "{token}",
        {labels(**CALL, type="input"): (1, 100), labels(**CALL, type="output"): (1, 50)},
    ),
    "gen_ai.invoke_agent.duration": ("s", {labels(operation="invoke_agent", agent="planner"): (1, 2.0)}),
    "gen_ai.execute_tool.duration": ("s", {labels(operation="execute_tool", tool="search"): (1, 0.4)}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_instrument_has_its_unit_keys_and_values(telemetry, name):
    """One turn gives exactly the data points of the contract."""
    one_turn(clocked(telemetry))
    unit, points = EXPECTED[name]
    assert telemetry.metric(name) == points
    assert described(telemetry)[name].unit == unit


def test_all_instruments_are_told(telemetry):
    """A turn writes these instruments and the counters of ourselves, nothing else."""
    one_turn(clocked(telemetry))
    own = {
        f"agentnet.otel.{name}"
        for name in (
            "hook.faults",
            "misuse",
            "labels.folded",
            "spans.abandoned",
            "spans.dropped",
            "export.failures",
            "export.queue",
        )
    }
    found = described(telemetry)
    assert found.keys() == EXPECTED.keys() | own
    assert {found[name].unit for name in own} == {"{fault}", "{call}", "{value}", "{span}", "{batch}"}


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0.1), ParentBased(TraceIdRatioBased(0.5))])
def test_metrics_are_exact_whatever_the_sampler(sampler):
    """A sampler that drops spans drops no measurement."""
    told = []
    for each in (ALWAYS_ON, sampler):
        telemetry = InMemoryTelemetry(each)
        clock = clocked(telemetry)
        for _ in range(50):
            one_turn(clock)
        told.append({name: telemetry.metric(name) for name in EXPECTED if name != "agentnet.turn.token.efficiency"})
        assert (len(telemetry.spans()) == 150) is (each is ALWAYS_ON)
        telemetry.close()
    assert told[0] == told[1]
    assert told[0]["agentnet.turns"] == {labels(**WHO, outcome="success"): 50}


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("agentnet.turn.duration", {2.0, 5.0}),
        ("agentnet.turn.cost.usd", {0.01, 0.05}),
        ("agentnet.turn.token.efficiency", {0.5, 0.7}),
    ],
)
def test_edges_hold_the_documented_limits(telemetry, name, limits):
    """A bucket begins at each limit, so that counts above it are exact."""
    one_turn(clocked(telemetry))
    (point,) = described(telemetry)[name].data.data_points
    assert limits <= set(point.explicit_bounds)
    assert list(point.explicit_bounds) == sorted(point.explicit_bounds)


def test_failures_carry_their_error(telemetry):
    """The outcome is a label of turns; the GenAI metrics get `error.type` on failures only."""
    clock = clocked(telemetry)
    with pytest.raises(OSError, match="x"), agentnet_otel.turn("a") as turn, turn.component(INFERENCE, model="m"):
        clock.advance(10)
        raise OSError("x")
    with agentnet_otel.turn("a") as turn, turn.component(TOOL, "t") as tool:
        tool.record_tool_call(outcome="rate_limited")
    (failed, fine) = sorted(telemetry.metric("agentnet.turns"))
    assert (dict(failed)["agentnet.turn.outcome"], dict(fine)["agentnet.turn.outcome"]) == ("error", "success")
    agents = telemetry.metric("gen_ai.invoke_agent.duration")
    assert agents[labels(operation="invoke_agent", agent="a", error="OSError")] == (1, 0.01)
    assert agents[labels(operation="invoke_agent", agent="a")] == (1, 0.0)
    call = {"operation": "chat", "provider": "agentnet", "model": "m", "response_model": "m"}
    assert telemetry.metric("gen_ai.client.operation.duration") == {labels(**call, error="OSError"): (1, 0.01)}
    assert telemetry.metric("gen_ai.client.token.usage") == {}
    assert telemetry.metric("gen_ai.execute_tool.duration") == {
        labels(operation="execute_tool", tool="t", error="rate_limited"): (1, 0.0)
    }
    assert telemetry.metric("agentnet.tool.calls") == {labels(agent="a", tool="t", tool_outcome="rate_limited"): 1}


def test_unknown_is_not_zero(telemetry):
    """Without tokens, cost and model, nothing is told of them, and the keys stay."""
    clocked(telemetry)
    with agentnet_otel.turn("a") as turn, turn.component(INFERENCE):
        pass
    assert telemetry.metric("agentnet.turns") == {labels(agent="a", model="unknown", outcome="success"): 1}
    for name in ("agentnet.tokens", "agentnet.turn.cost.usd", "agentnet.turn.token.efficiency"):
        assert telemetry.metric(name) == {}, name


def test_quality_says_where_it_is_from(telemetry):
    """Efficiency is told apart by the source of its quality."""
    clocked(telemetry)
    for confidence in (None, 0.5):
        with agentnet_otel.turn("a", model="m") as turn:
            turn.record_tokens(output=10)
            if confidence is not None:
                turn.record_confidence(confidence)
    found = telemetry.metric("agentnet.turn.token.efficiency")
    assert found.keys() == {
        labels(agent="a", model="m", quality="assumed"),
        labels(agent="a", model="m", quality="confidence"),
    }


def test_open_turns_and_the_age_of_the_oldest(telemetry):
    """Open turns are counted by agent, and the age is that of the oldest of them."""
    clock = clocked(telemetry)
    with agentnet_otel.turn("a"):
        clock.advance(1000)
        with agentnet_otel.turn("a"), agentnet_otel.turn("b"), agentnet_otel.session("debate"):
            clock.advance(500)
            assert telemetry.metric("agentnet.turn.active") == {labels(agent="a"): 2, labels(agent="b"): 1}
            assert telemetry.metric("agentnet.turn.active.oldest_age") == {
                labels(agent="a"): 1.5,
                labels(agent="b"): 0.5,
            }
        assert telemetry.metric("agentnet.turn.active") == {labels(agent="a"): 1, labels(agent="b"): 0}
    assert telemetry.metric("agentnet.turn.active") == {labels(agent="a"): 0, labels(agent="b"): 0}
    assert telemetry.metric("agentnet.turn.active.oldest_age") == {}


def test_a_nested_turn_is_counted_for_itself(telemetry):
    """Its tokens and cost are its own; in the outer turn its time is orchestration."""
    clock = clocked(telemetry)
    with agentnet_otel.turn("outer"), agentnet_otel.turn("inner", model="m") as inner, inner.component(INFERENCE) as c:
        clock.advance(300)
        c.record_tokens(input=7)
    assert telemetry.metric("agentnet.turn.component.duration") == {
        labels(agent="outer", component="orchestration"): (1, 0.3),
        labels(agent="inner", component="inference"): (1, 0.3),
    }
    assert telemetry.metric("agentnet.tokens") == {
        labels(agent="inner", model="m", type="input", category="reasoning"): 7
    }


def test_tokens_by_category_and_outside_any_turn(telemetry):
    """Categories follow the place unless the caller names one; calls outside turns are counted too."""
    clocked(telemetry)

    with agentnet_otel.turn("a", model="m") as turn:
        with turn.component(LatencyComponent.MEMORY_ACCESS), turn.component(INFERENCE, model="m") as call:
            call.record_tokens(output=3)
            call.record_tokens(output=4, category="system")
        with turn.component(LatencyComponent.POLICY_CHECK, "rules") as check:
            check.record_tokens(input=0, output=5)
    with ComponentSpan(runtime.recorder(), INFERENCE, model="m") as lonely:
        lonely.record_tokens(input=6, category=TokenCategory.DIALOGUE)
    assert telemetry.metric("agentnet.tokens") == {
        labels(agent="a", model="m", type="output", category="memory"): 3,
        labels(agent="a", model="m", type="output", category="system"): 4,
        labels(agent="a", model="m", type="output", category="policy"): 5,
        labels(agent="unknown", model="m", type="input", category="dialogue"): 6,
    }


def test_the_cap_folds_what_is_one_too_many(telemetry):
    """From the 201st agent on the label is `other`, the keys stay the same, and folding is counted."""
    clocked(telemetry)
    for number in range(MAX_VALUES + 5):
        with agentnet_otel.turn(f"agent-{number}"):
            pass
    with agentnet_otel.turn("agent-7"):
        pass
    found = telemetry.metric("agentnet.turns")
    assert len(found) == MAX_VALUES + 1
    assert found[labels(agent="other", model="unknown", outcome="success")] == 5
    assert found[labels(agent="agent-7", model="unknown", outcome="success")] == 2
    assert {tuple(key for key, _ in point) for point in found} == {
        ("agentnet.turn.outcome", "gen_ai.agent.name", "gen_ai.request.model")
    }
    assert telemetry.metric("agentnet.otel.labels.folded")[()] >= 5
    assert telemetry.metric("agentnet.turn.active")[labels(agent="other")] == 0


def test_label_cap():
    """Each label has a cap of its own; known values pass for ever, long ones are cut, unknown is a word."""
    cap = LabelCap(max_values=2)
    assert [cap.value("agent", name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]
    assert cap.folded == 2
    assert cap.value("model", "c") == "c"
    assert cap.value("model", None) == "unknown"
    assert cap.value("tool", "x" * 300) == "x" * MAX_VALUE_LENGTH
    assert cap.value("tool", "x" * 300) == "x" * MAX_VALUE_LENGTH
    assert cap.value("tool", 5) == "5"
    assert cap.folded == 2


def test_label_sets():
    """The keys stay the same; beyond the cap of series what is of no closed vocabulary is folded, and counted."""
    cap = LabelCap()
    sets = LabelSets(cap, "agent", "model", "type", "error", closed=("type",), optional=("error",), max_series=3)
    first = sets.of("a", None, "input", None)
    assert first == {"agent": "a", "model": "unknown", "type": "input"}
    assert sets.of("a", "m", "input", None) is sets.of("a", "m", "input", None)
    assert sets.of("a", "m", "input", "E") == {"agent": "a", "model": "m", "type": "input", "error": "E"}
    assert cap.folded == 0
    assert sets.of("a", "m", "output", None) == {"agent": "other", "model": "other", "type": "output"}
    assert sets.of("a", "m", "output", "E") == {"agent": "other", "model": "other", "type": "output", "error": "other"}
    assert sets.of("a", None, "input", None) == first
    assert cap.folded == 2


def test_no_series_without_labels(telemetry):
    """Also where each value is under its cap, the SDK never has to fold whole series."""
    clocked(telemetry)
    for number in range(2500):
        with agentnet_otel.turn(f"agent-{number % 50}", model=f"model-{number // 50}") as turn:
            turn.record_tokens(input=1)
    found = telemetry.metric("agentnet.turns")
    assert sum(found.values()) == 2500
    assert len(found) == MAX_SERIES + 1
    assert found[labels(agent="other", model="other", outcome="success")] == 2500 - MAX_SERIES
    keys = {tuple(key for key, _ in point) for point in telemetry.metric("agentnet.tokens")}
    assert keys == {("agentnet.token.category", "gen_ai.agent.name", "gen_ai.request.model", "gen_ai.token.type")}


def test_faults_misuse_and_late_work_are_counted(telemetry):
    """What went wrong in us and with us is a metric."""
    clocked(telemetry)
    faults.log.contain("somewhere", ValueError("x"))
    faults.log.contain("somewhere", ValueError("x"))
    faults.log.misuse("wrong", strict=False)
    runtime.recorder().count_late_work()
    assert telemetry.metric("agentnet.otel.hook.faults") == {(): 2}
    assert telemetry.metric("agentnet.otel.misuse") == {(): 1}
    assert telemetry.metric("agentnet.otel.late.work") == {(): 1}


def test_exemplars_lead_to_the_turn(telemetry):
    """A measurement of a sampled turn carries its trace id and span id."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    one_turn(clocked(telemetry, provider))
    own = telemetry.spans("invoke_agent")[0].context
    (resource,) = reader.get_metrics_data().resource_metrics
    (scope,) = resource.scope_metrics
    found = {metric.name: metric.data.data_points[0].exemplars for metric in scope.metrics}
    for name in ("agentnet.turn.duration", "agentnet.turns", "agentnet.turn.cost.usd", "agentnet.tokens"):
        assert [(e.trace_id, e.span_id) for e in found[name]] == [(own.trace_id, own.span_id)], name
    assert scope.scope.name == "agentnet_otel"
    assert scope.scope.schema_url == semconv.SCHEMA_URL
    provider.shutdown()


def test_an_application_may_set_its_meter_provider_later(telemetry, monkeypatch):
    """The instruments are those of the provider that counts now, made once a provider."""
    current = [telemetry.meter_provider]
    monkeypatch.setattr(runtime, "meter_provider_of", lambda _given: current[0])
    choice = runtime.MetricsChoice()
    first = choice()
    assert choice() is first
    current[0] = MeterProvider(shutdown_on_exit=False)
    assert choice() is not first
    current[0].shutdown()


@pytest.mark.parametrize(
    ("meters", "recorded"),
    [
        (lambda: MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False), True),
        (lambda: MeterProvider(shutdown_on_exit=False), False),
        (NoOpMeterProvider, False),
    ],
)
def test_a_turn_says_whether_metrics_have_it(telemetry, meters, recorded):
    """Where nobody reads the metrics a bridge has to count the turn, so it is not marked as counted."""
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider, meter_provider=meters())
    try:
        with agentnet_otel.turn("a"):
            pass
        (span,) = telemetry.spans("invoke_agent")
        assert span.attributes["agentnet.metrics.recorded"] is recorded
        assert [turn.metrics_recorded for turn in handle.turns()] == [recorded]
    finally:
        handle.shutdown()


def test_a_reader_that_is_added_later_reads(telemetry):
    """The mark follows the readers that there are when a turn ends."""
    meters = MeterProvider(shutdown_on_exit=False)
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider, meter_provider=meters)
    try:
        meters.add_metric_reader(InMemoryMetricReader())
        with agentnet_otel.turn("a"):
            pass
        assert [turn.metrics_recorded for turn in handle.turns()] == [True]
    finally:
        handle.shutdown()
