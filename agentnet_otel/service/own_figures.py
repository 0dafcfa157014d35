"""What the bridge tells of itself: what came, what became of it, what waits, what is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

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
    """How it stands. Sizes in bytes; ``lag_s``: for how long the oldest request waits that is not understood yet.

    ``certificate_left_s``: for how long the certificate of the doors holds, less than 0 when it is over; None without.
    """

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
    set_aside: int
    streams_open: int
    streams_accepted: int
    streams_refused: int
    alerts: PushCounts | None = None
    unjudged: int = 0
    certificate_left_s: float | None = None


class _Row(NamedTuple):
    """One metric: its number, or its numbers by the values of one label."""

    name: str
    unit: str
    text: str
    numbers: Callable[[OwnState], float | Mapping[str, float]]
    label: str | None = None


def own_data(state: OwnState) -> MetricsData:
    """The state as metric data of the SDK."""
    told, encrypted = state.alerts is not None, state.certificate_left_s is not None
    counters = (*_COUNTERS, *(_ALERT_COUNTERS if told else ()))
    gauges = (*_GAUGES, *(_ALERT_GAUGES if told else ()), *(_TLS_GAUGES if encrypted else ()))
    metrics = [
        *(_metric(row, Sum(_points(row, state), _CUMULATIVE, is_monotonic=True)) for row in counters),
        *(_metric(row, Gauge(_points(row, state))) for row in gauges),
        _times(state),
    ]
    return MetricsData([ResourceMetrics(_RESOURCE, [ScopeMetrics(_SCOPE, metrics, semconv.SCHEMA_URL)], "")])


def _metric(row: _Row, data: Sum | Gauge) -> Metric:
    return Metric(row.name, row.text, row.unit, data)


def _points(row: _Row, state: OwnState) -> list[NumberDataPoint]:
    numbers = row.numbers(state)
    by_label = {"": numbers} if not isinstance(numbers, Mapping) else numbers
    return [
        NumberDataPoint({} if row.label is None else {row.label: value}, state.started_ns, state.now_ns, number)
        for value, number in by_label.items()
    ]


def _requests(state: OwnState) -> Mapping[str, float]:
    return {
        "accepted": state.intake.requests,
        "bad": state.intake.bad_requests,
        "refused": state.intake.refused_requests,
        "failed": state.intake.failed_requests,
        "not_understood": state.progress.bad_requests,
        "set_aside": state.set_aside,
    }


def _spans(state: OwnState) -> Mapping[str, float]:
    intake, counts = state.intake, state.progress.counts
    return {
        "accepted": intake.spans,
        "rejected": intake.rejected_spans,
        "refused": intake.refused_spans,
        "failed": intake.failed_spans,
        "not_understood": state.progress.bad_spans,
        "understood": counts.spans,
        "duplicate": counts.duplicates,
        "late": counts.late,
        "outside_turns": counts.outside,
    }


def _turns(state: OwnState) -> Mapping[str, float]:
    figures = state.figures
    return {"counted": figures.counted, "left_out": figures.left_out, "failed": state.progress.bad_turns}


def _posts(state: OwnState) -> Mapping[str, float]:
    counts = state.alerts or PushCounts()
    return {"sent": counts.sent, "failed": counts.failed, "unknown": counts.unknown, "dropped": counts.dropped}


def _alerts(state: OwnState) -> Mapping[str, float]:
    counts = state.alerts or PushCounts()
    return {"firing": counts.firing, "waiting": counts.waiting}


_COUNTERS: Final = (
    _Row(semconv.METRIC_BRIDGE_REQUESTS, semconv.UNIT_REQUEST, "Export requests.", _requests, semconv.BRIDGE_RESULT),
    _Row(
        semconv.METRIC_BRIDGE_SPANS,
        semconv.UNIT_SPAN,
        "Spans that came, and what became of them.",
        _spans,
        semconv.BRIDGE_RESULT,
    ),
    _Row(
        semconv.METRIC_BRIDGE_TURNS,
        semconv.UNIT_TURN,
        "Turns that are in the metrics here, left out because their application counts them, or lost by a fault here.",
        _turns,
        semconv.BRIDGE_RESULT,
    ),
    _Row(
        semconv.METRIC_BRIDGE_TRACES_EVICTED,
        semconv.UNIT_TRACE,
        "Traces whose turns were told early because too many spans were held.",
        lambda state: state.progress.counts.evicted_traces,
    ),
    _Row(
        semconv.METRIC_BRIDGE_RESTARTS,
        semconv.UNIT_RESTART,
        "How often the process that understands had to be started again.",
        lambda state: state.restarts,
    ),
    _Row(
        semconv.METRIC_BRIDGE_STREAMS,
        semconv.UNIT_STREAM,
        "Streams that keep a local page fresh: begun, or refused because too many were open.",
        lambda state: {"accepted": state.streams_accepted, "refused": state.streams_refused},
        semconv.BRIDGE_RESULT,
    ),
    _Row(
        semconv.METRIC_SELF_LABELS_FOLDED,
        semconv.UNIT_VALUE,
        "Values of labels that became other, for there were too many.",
        lambda state: state.figures.folded,
    ),
)
_GAUGES: Final = (
    _Row(
        semconv.METRIC_BRIDGE_TRACES_OPEN,
        semconv.UNIT_TRACE,
        "Traces that are held: their turns are not complete, or may still be corrected.",
        lambda state: state.progress.held_traces,
    ),
    _Row(
        semconv.METRIC_BRIDGE_SPANS_HELD,
        semconv.UNIT_SPAN,
        "Spans that are held.",
        lambda state: state.progress.held_spans,
    ),
    _Row(
        semconv.METRIC_BRIDGE_QUEUE_SIZE,
        semconv.UNIT_BYTES,
        "Requests on the disk that wait to be understood.",
        lambda state: state.queue_bytes,
    ),
    _Row(
        semconv.METRIC_BRIDGE_LAG,
        semconv.UNIT_SECONDS,
        "For how long the oldest of them waits.",
        lambda state: state.lag_s,
    ),
    _Row(
        semconv.METRIC_BRIDGE_STORE_SIZE,
        semconv.UNIT_BYTES,
        "Room that the store needs.",
        lambda state: {"requests": state.log_bytes, "turns": state.turns_bytes},
        semconv.BRIDGE_PART,
    ),
    _Row(
        semconv.METRIC_BRIDGE_STREAMS_OPEN,
        semconv.UNIT_STREAM,
        "Local pages that are kept fresh.",
        lambda state: state.streams_open,
    ),
    _Row(
        semconv.METRIC_BRIDGE_STORE_TURNS,
        semconv.UNIT_TURN,
        "Turns in the store.",
        lambda state: state.stored_turns,
    ),
)
_ALERT_COUNTERS: Final = (
    _Row(
        semconv.METRIC_BRIDGE_ALERT_POSTS,
        semconv.UNIT_REQUEST,
        "Posts of alerts, and what became of them.",
        _posts,
        semconv.BRIDGE_RESULT,
    ),
    _Row(
        semconv.METRIC_BRIDGE_UNJUDGED,
        semconv.UNIT_VALUE,
        "Values that alerts do not see, for there are too many names.",
        lambda state: state.unjudged,
    ),
)
"""Only where somebody is told of alerts."""
_ALERT_GAUGES: Final = (
    _Row(
        semconv.METRIC_BRIDGE_ALERTS,
        semconv.UNIT_VALUE,
        "Alerts that fire, and notices that wait.",
        _alerts,
        semconv.BRIDGE_PART,
    ),
)
_TLS_GAUGES: Final = (
    _Row(
        semconv.METRIC_BRIDGE_CERTIFICATE_LEFT,
        semconv.UNIT_SECONDS,
        "For how long the certificate of the doors still holds; less than 0 when it expired.",
        lambda state: state.certificate_left_s or 0.0,
    ),
)
"""Only where TLS is spoken."""


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
