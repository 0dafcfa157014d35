"""The overview: traffic, success, latency, cost, efficiency with their limits, budget, alerts."""

from collections.abc import Mapping
from typing import Final

from agentnet_otel.core.thresholds import Metric, Threshold, ThresholdTable
from agentnet_otel.outputs.dashboards.model import DashboardSpec, Kind, Limits, PanelSpec, Query, Unit
from agentnet_otel.outputs.dashboards.panels import lines, stack, value_of
from agentnet_otel.outputs.dashboards.selectors import OF_AGENT, OF_MODEL, OF_SERVICE, mean, quantile, rate
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.annotations import OVERVIEW
from agentnet_otel.outputs.rules.promql import AGENT
from agentnet_otel.outputs.rules.recordings import COUNTED, FAILED_RATIO, FAILURES

_STAT: Final = 4
_SCALES: Final[Mapping[Metric, float]] = {Metric.TURN_LATENCY: 1000, Metric.SUCCESS_RATE: 100}
"""What the table's units are divided by for Grafana: seconds, and shares of 1."""
_PERCENT: Final = 100


def limits(threshold: Threshold) -> Limits:
    """The limits in Grafana's units."""
    scale = _SCALES.get(threshold.metric, 1)
    return Limits(
        warning=threshold.recommended / scale,
        critical=threshold.critical / scale,
        higher_is_better=threshold.higher_is_better,
    )


def overview(table: ThresholdTable) -> DashboardSpec:
    """The dashboard to begin with."""
    return DashboardSpec(
        uid=OVERVIEW,
        title="AgentNet: overview",
        description="Turns of agents: how many, how many succeed, how long they take, what they cost.",
        rows=(
            ("At a glance", _glance(table)),
            ("Traffic and success", _traffic(table)),
            ("Latency", _latency(table)),
            ("Cost and efficiency", _value(table)),
            ("Alerts", _alerts()),
        ),
    )


def _success(by: str) -> str:
    grouped = f" by ({by})" if by else ""
    failed = f"sum{grouped} (rate({series.TURNS}{{{OF_MODEL}, {FAILURES}}}[$__rate_interval]))"
    everything = f"sum{grouped} (rate({series.TURNS}{{{OF_MODEL}, {COUNTED}}}[$__rate_interval]))"
    return f"1 - ({failed} or 0 * {everything}) / ({everything} > 0)"


def _glance(table: ThresholdTable) -> tuple[PanelSpec, ...]:
    turns = f"60 * sum(rate({series.TURNS}{{{OF_MODEL}}}[$__rate_interval]))"
    firing = f'count(ALERTS{{alertname=~"AgentNet.*", alertstate="firing", {OF_SERVICE}}}) or vector(0)'
    cost = (
        f"sum(rate({series.COST}_sum{{{OF_MODEL}}}[$__rate_interval]))"
        f" / (sum(rate({series.COST}_count{{{OF_MODEL}}}[$__rate_interval])) > 0)"
    )
    efficiency = cost.replace(series.COST, series.EFFICIENCY)
    of = table.of
    return (
        _stat("Turns a minute", "Turns that ended.", Unit.PER_MINUTE, turns),
        _stat(
            "Success rate", "Turns without error, fault or time-out.",
            Unit.PERCENT_UNIT, _success(""), of(Metric.SUCCESS_RATE),
        ),
        _stat(
            "Latency (p95)", "95 of 100 turns take less.",
            Unit.SECONDS, quantile(0.95, series.DURATION), of(Metric.TURN_LATENCY),
        ),
        _stat("Cost per turn", "Mean of turns whose cost is known.", Unit.USD, cost, of(Metric.COST_PER_TURN)),
        _stat("Token efficiency", "Mean, 0 to 1.", Unit.FACTOR, efficiency, of(Metric.TOKEN_EFFICIENCY)),
        _stat("Alerts that fire", "Of the services chosen.", Unit.COUNT, firing),
    )  # fmt: skip


def _stat(title: str, description: str, unit: Unit, expr: str, threshold: Threshold | None = None) -> PanelSpec:
    return PanelSpec(
        title=title,
        description=description,
        unit=unit,
        kind=Kind.STAT,
        queries=(Query(expr=expr),),
        limits=None if threshold is None else limits(threshold),
        width=_STAT,
    )


def _levels(alert: str) -> tuple[str, str]:
    return f"{alert}Warning", f"{alert}Critical"


def _traffic(table: ThresholdTable) -> tuple[PanelSpec, ...]:
    return (
        stack(
            "Turns by outcome",
            "Turns that ended, a minute. Error: the engine or the code failed; fault: a monitor objected.",
            Unit.PER_MINUTE, f"60 * {rate(series.TURNS, series.OUTCOME)}", value_of(series.OUTCOME),
        ),
        lines(
            "Success rate by agent",
            "Cancelled turns count on neither side. The lines are the recommended and the critical limit.",
            Unit.PERCENT_UNIT, _success(AGENT), value_of(AGENT),
            limits=limits(table.of(Metric.SUCCESS_RATE)), runbooks=_levels("AgentNetSuccessRate"),
        ),
    )  # fmt: skip


def _latency(table: ThresholdTable) -> tuple[PanelSpec, ...]:
    runbooks, lasting = _levels("AgentNetTurnLatency"), limits(table.of(Metric.TURN_LATENCY))
    return (
        PanelSpec(
            title="Latency of turns",
            description="Quantiles over all turns chosen. A dot is one turn: it leads to its trace.",
            unit=Unit.SECONDS,
            kind=Kind.LINES,
            queries=tuple(
                Query(expr=quantile(share, series.DURATION), legend=f"p{share * _PERCENT:g}", exemplars=True)
                for share in (0.5, 0.95, 0.99)
            ),
            limits=lasting,
            runbooks=runbooks,
        ),
        lines(
            "Latency by agent (p95)", "95 of 100 turns of the agent take less.",
            Unit.SECONDS, quantile(0.95, series.DURATION, AGENT), value_of(AGENT),
            exemplars=True, limits=lasting, runbooks=runbooks,
        ),
        lines(
            "Open turns", "Turns that began and did not end yet.",
            Unit.COUNT, f"sum by ({AGENT}) ({series.OPEN_TURNS}{{{OF_AGENT}}})", value_of(AGENT),
            runbooks=("AgentNetAgentSilent",),
        ),
        lines(
            "Age of the oldest open turn", "It grows while a turn hangs. An agent without an open turn has no line.",
            Unit.SECONDS, f"max by ({AGENT}) ({series.OLDEST_AGE}{{{OF_AGENT}}}) or vector(0)", value_of(AGENT),
            runbooks=("AgentNetTurnStuck",),
        ),
    )  # fmt: skip


def _value(table: ThresholdTable) -> tuple[PanelSpec, ...]:
    by_source = f"{AGENT}, {series.QUALITY_SOURCE}"
    return (
        lines(
            "Cost per turn by agent", "Mean in USD, of turns whose cost is known.",
            Unit.USD, mean(series.COST, AGENT), value_of(AGENT), exemplars=True,
            limits=limits(table.of(Metric.COST_PER_TURN)), runbooks=_levels("AgentNetCostPerTurn"),
        ),
        lines(
            "Token efficiency by agent",
            "Mean, 0 to 1, by whose quality it rests on: evaluated, the agent's confidence, or assumed.",
            Unit.FACTOR, mean(series.EFFICIENCY, by_source),
            f"{value_of(AGENT)} ({value_of(series.QUALITY_SOURCE)})",
            limits=limits(table.of(Metric.TOKEN_EFFICIENCY)), runbooks=_levels("AgentNetTokenEfficiency"),
        ),
        PanelSpec(
            title="Use of the error budget",
            description="1: just as fast as the recommended success rate allows. From the recording rules.",
            unit=Unit.FACTOR,
            kind=Kind.LINES,
            queries=tuple(
                Query(
                    expr=f"sum by ({AGENT}) ({FAILED_RATIO}{window}{{{OF_AGENT}}}) / {_budget(table):g}",
                    legend=f"{value_of(AGENT)}, {window}",
                )
                for window in ("5m", "30m")
            ),
            runbooks=_levels("AgentNetErrorBudgetBurn"),
            width=24,
        ),
    )  # fmt: skip


def _budget(table: ThresholdTable) -> float:
    return round(1 - table.of(Metric.SUCCESS_RATE).recommended / _PERCENT, 10)


def _alerts() -> tuple[PanelSpec, ...]:
    alerts = f'ALERTS{{alertname=~"AgentNet.*", {OF_SERVICE}}}'
    return (
        PanelSpec(
            title="Alerts",
            description="Pending and firing ones of the services chosen; 0 stands for none.",
            unit=Unit.COUNT,
            kind=Kind.TABLE,
            queries=(
                Query(expr=f"sum by (alertname, alertstate, severity, service_name, {AGENT}) ({alerts}) or vector(0)"),
            ),
            width=24,
            traces=False,
            runbooks=("AgentNetNoData", "AgentNetAgentSilent"),
        ),
    )
