"""The telemetry's own health: the bridge, and what becomes of spans in applications."""

from agentnet_otel import semconv
from agentnet_otel.outputs.dashboards.model import DashboardSpec, Kind, PanelSpec, Query, Unit
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
        rows=(("Bridge", _flow()), ("What the bridge holds", _stock()), ("Applications", _applications())),
    )


def _panel(
    title: str, description: str, unit: Unit, expr: str, legend: str, runbooks: tuple[str, ...] = ()
) -> PanelSpec:
    return PanelSpec(
        title=title,
        description=description,
        unit=unit,
        kind=Kind.LINES,
        queries=(Query(expr=expr, legend=legend),),
        runbooks=runbooks,
        traces=False,
        width=8,
    )


def _flow() -> tuple[PanelSpec, ...]:
    requests = counter(semconv.METRIC_BRIDGE_REQUESTS, semconv.UNIT_REQUEST)
    spans = counter(semconv.METRIC_BRIDGE_SPANS, semconv.UNIT_SPAN)
    turns = counter(semconv.METRIC_BRIDGE_TURNS, semconv.UNIT_TURN)
    taken = histogram(semconv.METRIC_BRIDGE_EXPORT_DURATION, semconv.UNIT_SECONDS)
    restarts = counter(semconv.METRIC_BRIDGE_RESTARTS, semconv.UNIT_RESTART)
    by_result = f"{{{{{RESULT}}}}}"
    return (
        _panel(
            "Up", "1 while Prometheus gets an answer.", Unit.COUNT,
            f'max by (job, instance) (up{{job=~"{BRIDGE_JOBS}"}})',
            "{{instance}}", ("AgentNetBridgeDown",),
        ),
        _panel("Requests", "A minute, by what became of them.", Unit.PER_MINUTE, _rate(requests, RESULT), by_result),
        _panel("Spans", "A minute, by what became of them.", Unit.PER_MINUTE, _rate(spans, RESULT), by_result),
        _panel(
            "Turns", "A minute: counted here, or left out because their application counts them.", Unit.PER_MINUTE,
            _rate(turns, RESULT), by_result,
        ),
        _panel(
            "Acknowledgement (p95)", "From a request to its acknowledgement.", Unit.SECONDS,
            f"histogram_quantile(0.95, sum by (le, {DOOR}) (rate({taken}_bucket[{RATE}])))", f"{{{{{DOOR}}}}}",
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
        _panel("Store", "Room on the disk.", Unit.BYTES, f"sum by ({PART}) ({size})", f"{{{{{PART}}}}}"),
        _panel(
            "Turns in the store", "Within what --keep-days and --keep-mb allow.", Unit.COUNT, f"sum({stored})", "turns"
        ),
        _panel("Traces that are open", "Their turns are not complete.", Unit.COUNT, f"sum({traces})", "traces"),
        _panel("Spans that are held", "In memory.", Unit.COUNT, f"sum({held})", "spans"),
    )


def _applications() -> tuple[PanelSpec, ...]:
    by_service = f"{{{{{SERVICE}}}}}"
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
