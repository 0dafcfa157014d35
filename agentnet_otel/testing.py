"""Fakes of the ports, for tests of applications and of this package: a clock, span records, in-memory providers."""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from agentnet_otel import semconv
from agentnet_otel.model import AttributeValue, LatencyComponent, SpanKind, SpanRecord, StatusCode

NANOS_PER_MS: Final = 1_000_000
EPOCH_NS: Final = 1_700_000_000_000_000_000
"""Where the time of fakes begins."""
TRACE_ID: Final = "0" * 31 + "1"


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, start_ns: int = EPOCH_NS) -> None:
        self._now_ns = start_ns

    def wall_ns(self) -> int:
        """Epoch nanoseconds."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """The same clock: it never goes back."""
        return self._now_ns

    def advance(self, milliseconds: float) -> None:
        """Let time pass."""
        self._now_ns += round(milliseconds * NANOS_PER_MS)


def span_record(
    span_id: int,
    name: str = "work",
    *,
    parent: int | None = None,
    start_ms: float = 0,
    end_ms: float = 10,
    trace_id: str = TRACE_ID,
    kind: SpanKind = SpanKind.INTERNAL,
    status: StatusCode = StatusCode.UNSET,
    attributes: Mapping[str, AttributeValue] | None = None,
    **fields: Any,
) -> SpanRecord:
    """A span with small numbers as ids, and milliseconds since `EPOCH_NS` as times."""
    return SpanRecord(
        trace_id=trace_id,
        span_id=format(span_id, "016x"),
        parent_span_id=None if parent is None else format(parent, "016x"),
        name=name,
        start_ns=EPOCH_NS + round(start_ms * NANOS_PER_MS),
        end_ns=EPOCH_NS + round(end_ms * NANOS_PER_MS),
        kind=kind,
        status=status,
        attributes=attributes or {},
        **fields,
    )


def turn_record(span_id: int, agent: str = "planner", **given: Any) -> SpanRecord:
    """The own span of a turn, as the recorder writes it."""
    attributes = {
        semconv.OPERATION_NAME: semconv.OP_INVOKE_AGENT,
        semconv.AGENT_NAME: agent,
        semconv.TURN_ID: f"turn-{span_id}",
        semconv.TURN_OUTCOME: "success",
        **given.pop("attributes", {}),
    }
    given.setdefault("end_ms", 100)
    name = semconv.span_name(semconv.OP_INVOKE_AGENT, agent)
    return span_record(span_id, name, attributes=attributes, scope_name=semconv.SCOPE_NAME, **given)


def component_record(span_id: int, component: LatencyComponent, *, parent: int, **given: Any) -> SpanRecord:
    """A component's span, as the recorder writes it."""
    attributes = {semconv.LATENCY_COMPONENT: component.value, **given.pop("attributes", {})}
    return span_record(
        span_id, component.value, parent=parent, attributes=attributes, scope_name=semconv.SCOPE_NAME, **given
    )


class InMemoryTelemetry:
    """Providers of the SDK that keep everything in memory. Not global: hand them to ``instrument()``."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.tracer_provider = TracerProvider(sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    def spans(self, prefix: str = "") -> list[ReadableSpan]:
        """The ended spans whose names begin so, in order of ending."""
        return [span for span in self._spans.get_finished_spans() if span.name.startswith(prefix)]

    def logs(self) -> list[ReadableLogRecord]:
        """The log records."""
        return list(self._logs.get_finished_logs())

    def metric(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """Values of a metric by its sorted attributes: numbers, or count and sum of a histogram."""
        data = self._reader.get_metrics_data()
        found: dict[tuple[tuple[str, Any], ...], Any] = {}
        for resource_metrics in [] if data is None else data.resource_metrics:
            for scope_metrics in resource_metrics.scope_metrics:
                for metric in scope_metrics.metrics:
                    if metric.name == name:
                        for point in metric.data.data_points:
                            found[tuple(sorted((point.attributes or {}).items()))] = _value_of(point)
        return found

    def close(self) -> None:
        """Release what the providers hold."""
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()
        self.logger_provider.shutdown()


def _value_of(point: Any) -> Any:
    return (point.count, point.sum) if isinstance(point, HistogramDataPoint) else point.value
