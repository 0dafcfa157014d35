"""The documented analyses of results and trackers, as values for the reports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, Final

from agentnet_otel.core.statistics import quantile
from agentnet_otel.outputs.reports.analysis import (
    AgentLatency,
    AgentTokens,
    Analysis,
    Answer,
    BenchmarkAnalysis,
    BenchmarkRow,
    BenchmarkTrend,
    LatencyAnalysis,
    RecentTrend,
    Spread,
    TokenAnalysis,
    Trends,
)
from agentnet_otel.performance.benchmark import BenchmarkResult
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.latency_measurement import TurnLatencyMeasurement
from agentnet_otel.performance.latency_summaries import (
    ISSUE_THRESHOLD_MS,
    component_breakdown,
    issues_of,
    latency_statistics,
)
from agentnet_otel.performance.opportunities import (
    Opportunity,
    OpportunityKind,
    documented_recommendations,
    find_opportunities,
)
from agentnet_otel.performance.token_metrics import TokenMetrics
from agentnet_otel.performance.token_summaries import cost_trends, total_cost_usd
from agentnet_otel.performance.tokens import TokenUtilizationTracker

P95: Final = 0.95
MAX_ERRORS: Final = 10
"""Reasons of failures that a report lists of one benchmark."""


def analysis_of(
    results: Sequence[BenchmarkResult], latency: LatencyTracker | None, tokens: TokenUtilizationTracker | None
) -> Analysis:
    """All of it; what has no data is None."""
    metrics = [] if tokens is None else tokens.get_metrics()
    token_analysis = None if tokens is None else _tokens(tokens, metrics)
    latency_analysis = None if latency is None else _latency(latency)
    spent = [result for result in results if result.total_tokens_consumed]
    if token_analysis is not None:
        total, efficiency = token_analysis.total_tokens, token_analysis.efficiency
    else:
        total = sum(result.total_tokens_consumed for result in spent)
        efficiency = fmean(result.token_efficiency_score for result in spent) if spent else 0.0
    return Analysis(
        benchmarks=_benchmarks(results) if results else None,
        latency=latency_analysis,
        tokens=token_analysis,
        trends=Trends(
            benchmarks=_benchmark_trend(results),
            latency=None if latency_analysis is None else _latency_trend(latency_analysis.statistics),
            cost=_cost_trend(cost_trends(metrics)) if metrics else None,
        ),
        total_tokens=total,
        efficiency=efficiency,
    )


def _benchmarks(results: Sequence[BenchmarkResult]) -> BenchmarkAnalysis:
    latencies = sorted(result.avg_turn_latency_ms for result in results)
    return BenchmarkAnalysis(
        rows=tuple(_row(result) for result in results),
        latency=_spread(latencies, quantile(latencies, P95)),
        throughput=_spread([result.operations_per_second for result in results]),
        success=_spread([result.success_rate for result in results]),
    )


def _row(result: BenchmarkResult) -> BenchmarkRow:
    return BenchmarkRow(
        name=result.config.name,
        type=result.config.benchmark_type.value,
        operations=result.total_operations,
        failed=result.failed_operations,
        latency_ms=result.avg_turn_latency_ms,
        p95_ms=result.p95_turn_latency_ms,
        success_rate=result.success_rate,
        ops_per_sec=result.operations_per_second,
        tokens_per_turn=result.avg_tokens_per_turn,
        cost_per_turn_usd=result.avg_cost_usd,
        passed=result.passed_thresholds,
        completed=result.completed,
        warnings=tuple(result.warnings),
        errors=tuple(result.error_details[:MAX_ERRORS]),
    )


def _spread(values: Sequence[float], p95: float | None = None) -> Spread:
    return Spread(avg=fmean(values), min=min(values), max=max(values), p95=p95)


def _latency(tracker: LatencyTracker) -> LatencyAnalysis | None:
    """What the tracker tells in several answers; its measurements, which it copies, are asked for once."""
    measurements = tracker.get_measurements()
    if not measurements:
        return None
    by_agent: dict[str, list[TurnLatencyMeasurement]] = {}
    for measurement in measurements:
        by_agent.setdefault(measurement.agent_id, []).append(measurement)
    return LatencyAnalysis(
        measurements=len(measurements),
        statistics=_statistics(measurements),
        components=component_breakdown(measurements),
        issues=_fixed(issues_of(measurements, ISSUE_THRESHOLD_MS, tracker.limits)),
        agents={
            agent: AgentLatency(
                statistics=_statistics(own), issues=_fixed(issues_of(own, ISSUE_THRESHOLD_MS, tracker.limits))
            )
            for agent, own in sorted(by_agent.items())
        },
        dropped=tracker.dropped,
    )


def _statistics(measurements: Sequence[TurnLatencyMeasurement]) -> dict[str, Any]:
    return latency_statistics([measurement.total_latency_ms for measurement in measurements])


def _tokens(tracker: TokenUtilizationTracker, metrics: Sequence[TokenMetrics]) -> TokenAnalysis | None:
    """The same of the tokens."""
    overview = tracker.overview_of(metrics)
    if not overview:
        return None
    by_agent: dict[str, list[TokenMetrics]] = {}
    for one in metrics:
        by_agent.setdefault(one.agent_id, []).append(one)
    found = find_opportunities(metrics, tracker.limits, whole_system=True)
    return TokenAnalysis(
        overview=_plain(overview),
        opportunities=_told(found),
        recommendations=tuple(advice.text for advice in documented_recommendations(found, metrics)),
        agents={
            agent: _agent_tokens(summary, find_opportunities(by_agent[agent], tracker.limits, whole_system=False))
            for agent, summary in overview["agents"].items()
        },
        total_tokens=overview["overview"]["total_tokens"],
        efficiency=overview["overview"]["avg_efficiency"],
        assumed_cost_usd=total_cost_usd([one for one in metrics if one.cost_assumed]),
        dropped=tracker.dropped,
    )


def _agent_tokens(summary: Mapping[str, Any], found: Mapping[OpportunityKind, Sequence[Opportunity]]) -> AgentTokens:
    return AgentTokens(
        turns=summary["total_turns"],
        input_tokens=summary["tokens"]["input"],
        output_tokens=summary["tokens"]["output"],
        efficiency=summary["efficiency"]["avg_efficiency_score"],
        cost_usd=summary["cost"]["total_usd"],
        summary=_plain(summary),
        opportunities=_told(found),
    )


def _told(found: Mapping[OpportunityKind, Sequence[Opportunity]]) -> dict[str, tuple[str, ...]]:
    return {kind.value: tuple(opportunity.text for opportunity in own) for kind, own in found.items()}


def _benchmark_trend(results: Sequence[BenchmarkResult]) -> BenchmarkTrend | None:
    if len(results) < 2:  # noqa: PLR2004 - a trend needs two
        return None
    ordered = sorted(results, key=lambda result: result.start_time)
    first, latest = ordered[0], ordered[-1]
    return BenchmarkTrend(
        latency=_direction(latest.avg_turn_latency_ms - first.avg_turn_latency_ms),
        success=_direction(first.success_rate - latest.success_rate),
        latency_ms=(first.avg_turn_latency_ms, latest.avg_turn_latency_ms),
        success_rates=(first.success_rate, latest.success_rate),
        latency_change_pct=_change_pct(first.avg_turn_latency_ms, latest.avg_turn_latency_ms),
        success_change_pct=_change_pct(first.success_rate, latest.success_rate),
    )


def _latency_trend(statistics: Mapping[str, Any]) -> RecentTrend | None:
    if not statistics:
        return None
    overall, recent = statistics["p95"], statistics["p95_recent_ms"]
    change_pct = _change_pct(overall, recent)
    return RecentTrend(trend=statistics["trend"], overall=overall, recent=recent, change_pct=change_pct)


def _cost_trend(found: Mapping[str, Any]) -> RecentTrend:
    overall, recent = found["avg_cost_per_turn_usd"], found["avg_cost_per_turn_recent_usd"]
    change_pct = _change_pct(overall, recent)
    return RecentTrend(trend=found["trend"], overall=overall, recent=recent, change_pct=change_pct)


def _direction(change_for_the_worse: float) -> str:
    if change_for_the_worse == 0:
        return "stable"
    return "degrading" if change_for_the_worse > 0 else "improving"


def _change_pct(before: float, now: float) -> float | None:
    """None where it was 0."""
    return (now - before) / before * 100 if before else None


def _fixed(kinds: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(texts) for kind, texts in kinds.items()}


def _plain(value: Any) -> Answer:
    """A tracker's answer with its metrics as mappings, their properties included."""
    found: Answer = _plain_value(value)
    return found


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {getattr(key, "value", key): _plain_value(item) for key, item in value.items()}
    if isinstance(value, TokenMetrics):
        own = _plain_value(asdict(value))
        return {**own, "total_tokens": value.total_tokens, "efficiency_score": value.efficiency_score}
    return value
