"""What the bridge tells of itself: what came, what became of it, what waits, what is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agentnet_otel import semconv
from agentnet_otel._version import __version__
from agentnet_otel.outputs.alerts.pushing import PushCounts
from agentnet_otel.service.messages import Figures, Progress
from agentnet_otel.sources.intake import IntakeCounts

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_SCOPE: Final = InstrumentationScope(semconv.SCOPE_NAME, __version__, semconv.SCHEMA_URL)
_RESOURCE: Final = Resource({semconv.SERVICE_NAME: semconv.BRIDGE_SERVICE, semconv.SERVICE_VERSION: __version__})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnState:
    """How it stands. Sizes in bytes; ``lag_s``: for how long the oldest request waits that is not understood yet."""

    started_ns: int
    now_ns: int
    intake: IntakeCounts
    progress: Progress
    figures: Figures
    queue_bytes: int
    lag_s: float
    log_bytes: int
    turns_bytes: int
    stored_turns: int
    restarts: int
    streams_open: int
    streams_accepted: int
    streams_refused: int
    alerts: PushCounts | None = None
    unjudged: int = 0


def own_data(state: OwnState) -> MetricsData:
    """The state as metric data of the SDK."""
    maker = _Maker(state)
    metrics = [*_flow(maker, state), *_stock(maker, state), *_alerts(maker, state), _times(state)]
    return MetricsData([ResourceMetrics(_RESOURCE, [ScopeMetrics(_SCOPE, metrics, semconv.SCHEMA_URL)], "")])


def _flow(maker: "_Maker", state: OwnState) -> Iterable[Metric]:
    intake, progress, counts = state.intake, state.progress, state.progress.counts
    requests = {
        "accepted": intake.requests,
        "bad": intake.bad_requests,
        "refused": intake.refused_requests,
        "failed": intake.failed_requests,
        "not_understood": progress.bad_requests,
    }
    spans = {
        "accepted": intake.spans,
        "rejected": intake.rejected_spans,
        "refused": intake.refused_spans,
        "failed": intake.failed_spans,
        "not_understood": progress.bad_spans,
        "understood": counts.spans,
        "duplicate": counts.duplicates,
        "late": counts.late,
        "outside_turns": counts.outside,
    }
    turns = {"counted": state.figures.counted, "left_out": state.figures.left_out}
    result = semconv.BRIDGE_RESULT
    yield maker.counter(semconv.METRIC_BRIDGE_REQUESTS, semconv.UNIT_REQUEST, "Export requests.", result, requests)
    yield maker.counter(
        semconv.METRIC_BRIDGE_SPANS, semconv.UNIT_SPAN, "Spans that came, and what became of them.", result, spans
    )
    yield maker.counter(
        semconv.METRIC_BRIDGE_TURNS,
        semconv.UNIT_TURN,
        "Turns that are in the metrics here, or left out because their application counts them.",
        result,
        turns,
    )
    yield maker.counter(
        semconv.METRIC_BRIDGE_TRACES_EVICTED,
        semconv.UNIT_TRACE,
        "Traces whose turns were told early because too many spans were held.",
        None,
        {"": counts.evicted_traces},
    )
    yield maker.counter(
        semconv.METRIC_BRIDGE_RESTARTS,
        semconv.UNIT_RESTART,
        "How often the process that understands had to be started again.",
        None,
        {"": state.restarts},
    )
    yield maker.counter(
        semconv.METRIC_BRIDGE_STREAMS,
        semconv.UNIT_STREAM,
        "Streams that keep a local page fresh: begun, or refused because too many were open.",
        result,
        {"accepted": state.streams_accepted, "refused": state.streams_refused},
    )
    yield maker.counter(
        semconv.METRIC_SELF_LABELS_FOLDED,
        semconv.UNIT_VALUE,
        "Values of labels that became other, for there were too many.",
        None,
        {"": state.figures.folded},
    )


def _stock(maker: "_Maker", state: OwnState) -> Iterable[Metric]:
    yield maker.gauge(
        semconv.METRIC_BRIDGE_TRACES_OPEN,
        semconv.UNIT_TRACE,
        "Traces that are held: their turns are not complete, or may still be corrected.",
        None,
        {"": state.progress.held_traces},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_SPANS_HELD,
        semconv.UNIT_SPAN,
        "Spans that are held.",
        None,
        {"": state.progress.held_spans},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_QUEUE_SIZE,
        semconv.UNIT_BYTES,
        "Requests on the disk that wait to be understood.",
        None,
        {"": state.queue_bytes},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_LAG,
        semconv.UNIT_SECONDS,
        "For how long the oldest of them waits.",
        None,
        {"": state.lag_s},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_STORE_SIZE,
        semconv.UNIT_BYTES,
        "Room that the store needs.",
        semconv.BRIDGE_PART,
        {"requests": state.log_bytes, "turns": state.turns_bytes},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_STREAMS_OPEN,
        semconv.UNIT_STREAM,
        "Local pages that are kept fresh.",
        None,
        {"": state.streams_open},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_STORE_TURNS, semconv.UNIT_TURN, "Turns in the store.", None, {"": state.stored_turns}
    )


def _alerts(maker: "_Maker", state: OwnState) -> Iterable[Metric]:
    """Only where somebody is told of alerts."""
    counts = state.alerts
    if counts is None:
        return
    posts = {"sent": counts.sent, "failed": counts.failed, "unknown": counts.unknown, "dropped": counts.dropped}
    yield maker.counter(
        semconv.METRIC_BRIDGE_ALERT_POSTS,
        semconv.UNIT_REQUEST,
        "Posts of alerts, and what became of them.",
        semconv.BRIDGE_RESULT,
        posts,
    )
    yield maker.counter(
        semconv.METRIC_BRIDGE_UNJUDGED,
        semconv.UNIT_VALUE,
        "Values that alerts do not see, for there are too many names.",
        None,
        {"": state.unjudged},
    )
    yield maker.gauge(
        semconv.METRIC_BRIDGE_ALERTS,
        semconv.UNIT_VALUE,
        "Alerts that fire, and notices that wait.",
        semconv.BRIDGE_PART,
        {"firing": counts.firing, "waiting": counts.waiting},
    )


def _times(state: OwnState) -> Metric:
    points = [
        HistogramDataPoint(
            {semconv.BRIDGE_DOOR: door.value},
            state.started_ns,
            state.now_ns,
            sum(times.buckets),
            times.sum_s,
            list(times.buckets),
            semconv.EDGES_EXPORT_SECONDS,
            float("nan"),
            float("nan"),
        )
        for door, times in state.intake.times.items()
    ]
    return Metric(
        semconv.METRIC_BRIDGE_EXPORT_DURATION,
        "From an export request to its acknowledgement.",
        semconv.UNIT_SECONDS,
        Histogram(points, _CUMULATIVE),
    )


class _Maker:
    """Makes metrics of numbers by one label, or by none."""

    def __init__(self, state: OwnState) -> None:
        self._state = state

    def counter(self, name: str, unit: str, text: str, key: str | None, values: Mapping[str, float]) -> Metric:
        return Metric(name, text, unit, Sum(self._points(key, values), _CUMULATIVE, is_monotonic=True))

    def gauge(self, name: str, unit: str, text: str, key: str | None, values: Mapping[str, float]) -> Metric:
        return Metric(name, text, unit, Gauge(self._points(key, values)))

    def _points(self, key: str | None, values: Mapping[str, float]) -> list[NumberDataPoint]:
        return [
            NumberDataPoint({} if key is None else {key: label}, self._state.started_ns, self._state.now_ns, value)
            for label, value in values.items()
        ]
