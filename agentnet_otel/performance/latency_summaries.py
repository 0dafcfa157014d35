"""Statistics, breakdown and issues of measured latencies, in the shapes that the documentation gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any, Final

from agentnet_otel.core import documented_limits
from agentnet_otel.core.statistics import quantile
from agentnet_otel.model import LatencyComponent
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.latency_measurement import TurnLatencyMeasurement

ISSUE_THRESHOLD_MS: Final = 1000.0
"""The documented threshold of turns that stand out."""
_RECENT_SHARE: Final = 10
"""The newest tenth of the turns is "recent"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLimits:
    """Above which a turn is an issue. ``memory_share``: part of the latency threshold that memory may take."""

    policy_violations: int = documented_limits.POLICY_VIOLATIONS
    tool_uses: int = documented_limits.TOOL_USES
    memory_share: float = documented_limits.MEMORY_SHARE

    def __post_init__(self) -> None:
        check.count("policy_violations", self.policy_violations)
        check.count("tool_uses", self.tool_uses)
        check.amount("memory_share", self.memory_share)


def latency_statistics(latencies: Sequence[float]) -> dict[str, Any]:
    """The statistics of `LatencyTracker.get_latency_statistics` for latencies in milliseconds, oldest first."""
    if not latencies:
        return {}
    ordered = sorted(latencies)
    values = {
        "mean": fmean(ordered),
        "median": median(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        "stdev": stdev(ordered) if len(ordered) > 1 else 0.0,
        "p95": quantile(ordered, 0.95),
    }
    recent = quantile(sorted(latencies[-max(1, len(latencies) // _RECENT_SHARE) :]), 0.95)
    return {
        "count": len(ordered),
        **values,
        "p99": quantile(ordered, 0.99),
        **{f"{name}_ms": value for name, value in values.items()},
        "p95_recent_ms": recent,
        "trend": _trend(recent, values["p95"]),
    }


def _trend(recent: float, overall: float) -> str:
    if recent == overall:
        return "stable"
    return "improving" if recent < overall else "degrading"


def component_breakdown(measurements: Sequence[TurnLatencyMeasurement]) -> dict[str, dict[str, Any]]:
    """What `LatencyTracker.get_component_breakdown` tells, of these."""
    by_component: dict[str, list[float]] = {}
    for measurement in measurements:
        for component, ms in measurement.component_latencies.items():
            by_component.setdefault(component.value, []).append(ms)
    averages = {name: fmean(values) for name, values in by_component.items()}
    sum_of_averages = sum(averages.values())
    whole_ms = sum(measurement.total_latency_ms for measurement in measurements)
    return {
        name: {
            "avg_latency_ms": average,
            "percentage": average / sum_of_averages * 100 if sum_of_averages else 0.0,
            "percentage_of_total": sum(by_component[name]) / whole_ms * 100 if whole_ms else 0.0,
            "count": len(by_component[name]),
        }
        for name, average in averages.items()
    }


def issues_of(
    measurements: Sequence[TurnLatencyMeasurement], threshold_ms: float, limits: LatencyLimits
) -> dict[str, list[str]]:
    """What `LatencyTracker.identify_performance_issues` tells, of these."""
    memory_ms = [(m.turn_id, m.component_latencies.get(LatencyComponent.MEMORY_ACCESS, 0.0)) for m in measurements]
    return {
        "high_latency_turns": [
            f"{m.turn_id}: {m.total_latency_ms:.2f}ms" for m in measurements if m.total_latency_ms > threshold_ms
        ],
        "policy_heavy_turns": [
            f"{m.turn_id}: {m.policy_violations} violations"
            for m in measurements
            if m.policy_violations > limits.policy_violations
        ],
        "tool_heavy_turns": [
            f"{m.turn_id}: {len(m.tools_used)} tools" for m in measurements if len(m.tools_used) > limits.tool_uses
        ],
        "memory_intensive_turns": [
            f"{turn_id}: {ms:.2f}ms memory access"
            for turn_id, ms in memory_ms
            if ms > limits.memory_share * threshold_ms
        ],
    }
