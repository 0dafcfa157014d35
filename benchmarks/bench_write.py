"""What a turn costs the application, beside the same telemetry written by hand.

The turn has three components and tokens. Three ways: its four spans by the SDK with two attributes each and nothing
else; the same four spans with all attributes, and the same metrics, written by hand with the SDK; the manual API,
which also keeps the turn readable in the process. No way has an exporter: exporting is the same for all.
"""

from collections.abc import Callable

from measuring import Timings, arguments, publish
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

import agentnet_otel
from agentnet_otel import LatencyComponent

Measurement = Callable[[], None]


def turn_by_the_api() -> None:
    """The turn by the manual API."""
    with agentnet_otel.turn("planner", prompt="a question", model="m-large", conversation_id="c-1") as turn:
        with turn.component(LatencyComponent.INFERENCE, model="m-large") as call:
            call.record_tokens(input=400, output=120)
            call.record_cost(usd=0.004)
        with turn.component(LatencyComponent.TOOL_EXECUTION, "search"):
            pass
        with turn.component(LatencyComponent.POLICY_CHECK, "no-secrets"):
            pass
        turn.set_response("an answer")


def bare_turn(tracer: Tracer) -> Callable[[], None]:
    """Four spans with two attributes each."""

    def turn() -> None:
        attributes = {"agent": "planner", "id": "1"}
        with tracer.start_as_current_span("turn", attributes=attributes):
            for name in ("inference", "tool", "policy"):
                with tracer.start_as_current_span(name, attributes=attributes):
                    pass

    return turn


def turn_by_hand(tracer: Tracer, meter: Meter, spans: list[ReadableSpan], metrics: list[Metric]) -> Callable[[], None]:
    """The spans and measurements that one turn by the API gave, written by the SDK."""
    *parts, root = spans
    measurements = [m for metric in metrics for m in measurements_of(meter, metric)]

    def turn() -> None:
        with tracer.start_as_current_span(root.name, kind=root.kind, attributes=root.attributes):
            for part in parts:
                with tracer.start_as_current_span(part.name, kind=part.kind, attributes=part.attributes):
                    pass
        for measure in measurements:
            measure()

    return turn


def measurements_of(meter: Meter, metric: Metric) -> list[Measurement]:
    """The calls on an instrument that give these points again."""
    data, calls = metric.data, list[Measurement]()
    if isinstance(data, Histogram):
        edges = list(data.data_points[0].explicit_bounds)
        histogram = meter.create_histogram(metric.name, metric.unit or "", explicit_bucket_boundaries_advisory=edges)
        for point in data.data_points:
            calls += [record_of(histogram.record, point)] * point.count
    elif isinstance(data, Sum) and data.is_monotonic:
        counter = meter.create_counter(metric.name, metric.unit or "")
        calls += [add_of(counter.add, point, point.value) for point in data.data_points if point.value]
    elif isinstance(data, Sum):
        level = meter.create_up_down_counter(metric.name, metric.unit or "")
        calls += [add_of(level.add, point, step) for point in data.data_points for step in (1, -1)]
    return calls


def record_of(record: Callable[..., None], point: HistogramDataPoint) -> Measurement:
    """One value of a histogram."""
    value, labels = point.sum / point.count, dict(point.attributes or {})
    return lambda: record(value, labels)


def add_of(add: Callable[..., None], point: NumberDataPoint, step: float) -> Measurement:
    """One step of a counter."""
    labels = dict(point.attributes or {})
    return lambda: add(step, labels)


def telemetry_of_a_turn() -> tuple[list[ReadableSpan], list[Metric]]:
    """The spans (the turn's own last) and the metrics that one turn by the API gives."""
    memory, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    handle = agentnet_otel.instrument(
        tracer_provider=provider, meter_provider=MeterProvider([reader], shutdown_on_exit=False)
    )
    turn_by_the_api()
    data = reader.get_metrics_data()
    handle.shutdown()
    assert data is not None
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    return list(memory.get_finished_spans()), [metric for scope in scopes for metric in scope.metrics]


def repeated(turn: Callable[[], None], times: int) -> Callable[[], None]:
    """Many turns, one after the other."""

    def turns() -> None:
        for _ in range(times):
            turn()

    return turns


def main() -> None:
    """Measure side by side."""
    options = arguments(__doc__, turns=300, rounds=25)
    spans, metrics = telemetry_of_a_turn()
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    meters = [MeterProvider([reader], shutdown_on_exit=False) for reader in readers]
    providers = [TracerProvider(shutdown_on_exit=False) for _ in range(3)]
    ways = {
        "bare": bare_turn(providers[0].get_tracer("bench")),
        "by hand": turn_by_hand(providers[1].get_tracer("bench"), meters[0].get_meter("bench"), spans, metrics),
        "agentnet-otel": turn_by_the_api,
    }

    handle = agentnet_otel.instrument(tracer_provider=providers[2], meter_provider=meters[1])
    try:
        times = Timings({name: repeated(turn, options.turns) for name, turn in ways.items()}, options.rounds)
    finally:
        handle.shutdown()
    for name in ways:
        print(f"{name:<14} {times.median(name) / options.turns * 1e6:8.0f} us of CPU a turn")
    ratios = {
        "beside_bare_spans": times.ratio("agentnet-otel", "bare"),
        "beside_the_same_by_hand": times.ratio("agentnet-otel", "by hand"),
    }
    publish("write", ratios, save=options.save)


if __name__ == "__main__":
    main()
