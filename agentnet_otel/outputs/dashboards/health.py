"""The telemetry's own health: the bridge, and what becomes of spans in applications."""

from agentnet_otel import semconv
from agentnet_otel.outputs.dashboards.model import DashboardSpec, PanelSpec, Unit
from agentnet_otel.outputs.dashboards.panels import lines, value_of
from agentnet_otel.outputs.dashboards.selectors import OF_SERVICE, RATE
from agentnet_otel.outputs.prometheus.naming import label_name
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.annotations import BRIDGE
from agentnet_otel.outputs.rules.health import BRIDGE_JOBS
from agentnet_otel.outputs.rules.promql import SERVICE
from agentnet_otel.outputs.rules.series import counter, gauge, histogram

RESULT, DOOR, PART = map(label_name, (semconv.BRIDGE_RESULT, semconv.BRIDGE_DOOR, semconv.BRIDGE_PART))
BEHIND = ("AgentNetBridgeBehind",)


def bridge() -> DashboardSpec:
    """The dashboard of the telemetry itself."""
    return DashboardSpec(
        uid=BRIDGE,
        title="AgentNet: health of the telemetry",
        description="Whether the bridge runs and keeps up, and whether applications lose spans.",
        rows=(
            ("Bridge", _flow()),
            ("What the bridge holds", _stock()),
            ("What the bridge tells", _told()),
            ("Applications", _applications()),
        ),
    )


def _panel(
    title: str, description: str, unit: Unit, expr: str, legend: str, runbooks: tuple[str, ...] = ()
) -> PanelSpec:
    return lines(title, description, unit, expr, legend, runbooks=runbooks, traces=False, width=8)


def _flow() -> tuple[PanelSpec, ...]:
    requests = counter(semconv.METRIC_BRIDGE_REQUESTS, semconv.UNIT_REQUEST)
    spans = counter(semconv.METRIC_BRIDGE_SPANS, semconv.UNIT_SPAN)
    turns = counter(semconv.METRIC_BRIDGE_TURNS, semconv.UNIT_TURN)
    taken = histogram(semconv.METRIC_BRIDGE_EXPORT_DURATION, semconv.UNIT_SECONDS)
    restarts = counter(semconv.METRIC_BRIDGE_RESTARTS, semconv.UNIT_RESTART)
    by_result = value_of(RESULT)
    return (
        _panel(
            "Up", "1 while Prometheus gets an answer.", Unit.COUNT,
            f'max by (job, instance) (up{{job=~"{BRIDGE_JOBS}"}})',
            "{{instance}}", ("AgentNetBridgeDown",),
        ),
        _panel("Requests", "A minute, by what became of them.", Unit.PER_MINUTE, _rate(requests, RESULT), by_result),
        _panel("Spans", "A minute, by what became of them.", Unit.PER_MINUTE, _rate(spans, RESULT), by_result),
        _panel(
            "Turns", "A minute: counted here, left out as their application counts them, or failed by a fault here.",
            Unit.PER_MINUTE, _rate(turns, RESULT), by_result,
        ),
        _panel(
            "Acknowledgement (p95)", "From a request to its acknowledgement.", Unit.SECONDS,
            f"histogram_quantile(0.95, sum by (le, {DOOR}) (rate({taken}_bucket[{RATE}])))", value_of(DOOR),
        ),
        _panel(
            "Restarts", "Of the process that understands, within an hour.", Unit.COUNT,
            f"sum(increase({restarts}[1h]))", "restarts", BEHIND,
        ),
    )  # fmt: skip


def _stock() -> tuple[PanelSpec, ...]:
    lag = gauge(semconv.METRIC_BRIDGE_LAG, semconv.UNIT_SECONDS)
    queue = gauge(semconv.METRIC_BRIDGE_QUEUE_SIZE, semconv.UNIT_BYTES)
    size = gauge(semconv.METRIC_BRIDGE_STORE_SIZE, semconv.UNIT_BYTES)
    stored = gauge(semconv.METRIC_BRIDGE_STORE_TURNS, semconv.UNIT_TURN)
    traces = gauge(semconv.METRIC_BRIDGE_TRACES_OPEN, semconv.UNIT_TRACE)
    held = gauge(semconv.METRIC_BRIDGE_SPANS_HELD, semconv.UNIT_SPAN)
    return (
        _panel(
            "Lag", "For how long the oldest request waits to be understood.", Unit.SECONDS, f"max({lag})", "lag", BEHIND
        ),
        _panel(
            "Waiting",
            "Requests on the disk that wait to be understood.",
            Unit.BYTES,
            f"sum({queue})",
            "waiting",
            BEHIND,
        ),
        _panel("Store", "Room on the disk.", Unit.BYTES, f"sum by ({PART}) ({size})", value_of(PART)),
        _panel(
            "Turns in the store", "Within what --keep-days and --keep-mb allow.", Unit.COUNT, f"sum({stored})", "turns"
        ),
        _panel("Traces that are open", "Their turns are not complete.", Unit.COUNT, f"sum({traces})", "traces"),
        _panel("Spans that are held", "In memory.", Unit.COUNT, f"sum({held})", "spans"),
    )


def _told() -> tuple[PanelSpec, ...]:
    """Alerts without Prometheus, and the local page. Where nobody is told of alerts there are no such series."""
    posts = counter(semconv.METRIC_BRIDGE_ALERT_POSTS, semconv.UNIT_REQUEST)
    alerts = gauge(semconv.METRIC_BRIDGE_ALERTS, semconv.UNIT_VALUE)
    unjudged = counter(semconv.METRIC_BRIDGE_UNJUDGED, semconv.UNIT_VALUE)
    streams = counter(semconv.METRIC_BRIDGE_STREAMS, semconv.UNIT_STREAM)
    pages = gauge(semconv.METRIC_BRIDGE_STREAMS_OPEN, semconv.UNIT_STREAM)
    evicted = counter(semconv.METRIC_BRIDGE_TRACES_EVICTED, semconv.UNIT_TRACE)
    return (
        _panel(
            "Alerts that the bridge tells",
            "With --alertmanager or --webhook: those that fire, and notices that wait. 0 where nobody is told.",
            Unit.COUNT, f"sum by ({PART}) ({alerts}) or vector(0)", value_of(PART),
        ),
        _panel(
            "Posts of alerts", "A minute, by what became of them: unknown ones may have been taken.", Unit.PER_MINUTE,
            f"{_rate(posts, RESULT)} or vector(0)", value_of(RESULT),
        ),
        _panel(
            "Values that its alerts do not see", "Within an hour: there are too many names.", Unit.COUNT,
            f"sum(increase({unjudged}[1h])) or vector(0)", "values",
        ),
        _panel("Local pages", "That are kept fresh in browsers.", Unit.COUNT, f"sum({pages})", "pages"),
        _panel(
            "Streams of local pages", "A minute: begun, or refused because too many were open.", Unit.PER_MINUTE,
            _rate(streams, RESULT), value_of(RESULT),
        ),
        _panel(
            "Traces that were told early", "A minute: too many spans were held.", Unit.PER_MINUTE,
            f"60 * sum(rate({evicted}[{RATE}]))", "traces",
        ),
    )  # fmt: skip


def _applications() -> tuple[PanelSpec, ...]:
    by_service = value_of(SERVICE)
    return (
        _panel(
            "Spans that wait", "In the queues of exporters.", Unit.COUNT,
            f"sum by ({SERVICE}) ({series.EXPORT_QUEUE}{{{OF_SERVICE}}})", by_service, ("AgentNetExportFailing",),
        ),
        _panel(
            "Spans that were lost", "A minute: no room in the queue, or a batch that was not taken.", Unit.PER_MINUTE,
            _rate(series.SPANS_DROPPED, SERVICE, OF_SERVICE), by_service, ("AgentNetSpansDropped",),
        ),
        _panel(
            "Batches that were not taken", "A minute.", Unit.PER_MINUTE,
            _rate(series.EXPORT_FAILURES, SERVICE, OF_SERVICE), by_service, ("AgentNetExportFailing",),
        ),
        _panel(
            "Faults that were contained", "Mistakes of the instrumentation itself, within an hour.", Unit.COUNT,
            f"sum by ({SERVICE}) (increase({series.HOOK_FAULTS}{{{OF_SERVICE}}}[1h]))", by_service,
            ("AgentNetHookFaults",),
        ),
        _panel(
            "Values that became other", "Names beyond what a label takes, within an hour.", Unit.COUNT,
            f"sum by ({SERVICE}) (increase({series.LABELS_FOLDED}{{{OF_SERVICE}}}[1h]))", by_service,
            ("AgentNetLabelsFolded",),
        ),
        _panel(
            "Series of turns", "None: no alert about the service can fire.", Unit.COUNT,
            f"count by ({SERVICE}) ({series.TURNS}{{{OF_SERVICE}}})", by_service, ("AgentNetNoData",),
        ),
    )  # fmt: skip


def _rate(name: str, by: str, matchers: str = "") -> str:
    selected = f"{{{matchers}}}" if matchers else ""
    return f"60 * sum by ({by}) (rate({name}{selected}[{RATE}]))"
