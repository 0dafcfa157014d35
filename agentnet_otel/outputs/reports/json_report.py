"""The report as JSON: strict, versioned; the documented keys, and what is new beside them."""

from datetime import UTC, datetime
from typing import Any, Final

from agentnet_otel.core.verdicts import worst
from agentnet_otel.outputs.json_text import indented_json
from agentnet_otel.outputs.reports.analysis import (
    Analysis,
    BenchmarkAnalysis,
    BenchmarkRow,
    LatencyAnalysis,
    RecentTrend,
    Spread,
    TokenAnalysis,
    Trends,
)
from agentnet_otel.outputs.reports.caveats import on_latency, on_tokens, on_verdicts
from agentnet_otel.outputs.reports.comparisons import comparison_object
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.evidence import Finding
from agentnet_otel.outputs.reports.runs import Runs
from agentnet_otel.outputs.reports.verdict_json import verdict_object

SCHEMA_VERSION: Final = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""
_NANOS: Final = 1_000_000_000


def render_json(report: ReportContent) -> str:
    """The whole report."""
    return indented_json(_document(report))


def _document(report: ReportContent) -> dict[str, Any]:
    analysis = report.analysis or report.documented or Analysis()
    return {
        "schema_version": SCHEMA_VERSION,
        "metadata": {
            "generated_at": datetime.fromtimestamp(report.generated_ns / _NANOS, UTC).isoformat(),
            "generated_at_unix_nano": report.generated_ns,
            "agentnet_version": report.environment.get("agentnet"),
            "agentnet_otel_version": report.version,
            "report_type": "comprehensive_performance",
            "format": "json",
        },
        "executive_summary": {
            **_documented_summary(report),
            "turns": report.turns,
            "agents": len(report.agents),
            "sessions": report.sessions,
            "first_start_time_unix_nano": report.first_ns,
            "last_end_time_unix_nano": report.last_ns,
            "verdict": worst(report.verdicts).value,
            "outcomes": report.outcomes,
            "error_types": report.error_types,
            "key_findings": report.findings,
        },
        "verdicts": [verdict_object(row) for row in report.verdicts],
        "findings": [_finding(finding) for finding in report.key_findings],
        "remarks": {
            "verdicts": tuple(on_verdicts(report)),
            "latency": tuple(on_latency(report)),
            "tokens": tuple(on_tokens(report)),
        },
        "runs": () if report.runs is None else report.runs.rows,
        "comparison": None if report.runs is None else runs_object(report.runs)["comparison"],
        "differences": () if report.runs is None else report.runs.differences,
        "latency": report.latency,
        "latency_over_time": report.over_time,
        "time_to_first_token": report.first_token,
        "components": report.components,
        "tokens": report.tokens,
        "agents": report.agents,
        "models": report.models,
        "slowest_turns": report.slowest,
        "tools": report.tools,
        "policy_violations": report.violations,
        "optimization_opportunities": report.opportunities,
        "benchmark_analysis": _benchmark_analysis(analysis.benchmarks),
        "latency_analysis": _latency_analysis(analysis.latency),
        "token_analysis": _token_analysis(analysis.tokens),
        "trends": _trends(analysis.trends),
        "recommendations": report.recommendations or (),
        "environment": report.environment,
        "data_quality": report.quality,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """The figure is that of the verdict, in the unit that it names; of a finding without one, of its ``measure``."""
    row = finding.judgement
    return {
        "text": finding.text,
        "n": finding.n,
        "verdict": None if row is None else verdict_object(row),
        "measure": finding.measure,
        "turns": finding.turns,
    }


def _documented_summary(report: ReportContent) -> dict[str, Any]:
    """The documented figures; of turns without any benchmark or tracker their own."""
    analysis, tokens = report.analysis, report.tokens
    if analysis is None:
        return {
            "total_benchmarks": 0,
            "benchmark_success_rate": 0.0,
            "avg_turn_latency_ms": 0.0 if report.latency is None else report.latency.mean_ms,
            "total_tokens_analyzed": tokens.usage.total,
            "overall_efficiency_score": tokens.mean_efficiency or 0.0,
        }
    return {
        "total_benchmarks": analysis.benchmark_count,
        "benchmark_success_rate": analysis.pass_share,
        "avg_turn_latency_ms": analysis.mean_latency_ms,
        "total_tokens_analyzed": analysis.total_tokens,
        "overall_efficiency_score": analysis.efficiency,
    }


def _benchmark_analysis(found: BenchmarkAnalysis | None) -> dict[str, Any]:
    """{} without benchmarks, as the other analyses without their input. New keys stand in the rows and beside them."""
    if found is None:
        return {}
    return {
        "summary": {
            "total_benchmarks": len(found.rows),
            "passed_benchmarks": found.passed,
            "failed_benchmarks": len(found.rows) - found.passed,
        },
        "latency_metrics": {**_spread(found.latency, "latency_ms"), "p95_latency_ms": found.latency.p95},
        "throughput_metrics": _spread(found.throughput, "ops_per_sec"),
        "success_metrics": _spread(found.success, "success_rate"),
        "benchmark_breakdown": [_benchmark(row) for row in found.rows],
    }


def _spread(spread: Spread, of: str) -> dict[str, float]:
    return {f"avg_{of}": spread.avg, f"min_{of}": spread.min, f"max_{of}": spread.max}


def _benchmark(row: BenchmarkRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "type": row.type,
        "latency_ms": row.latency_ms,
        "success_rate": row.success_rate,
        "ops_per_sec": row.ops_per_sec,
        "passed_thresholds": row.passed,
        "p95_latency_ms": row.p95_ms,
        "operations": row.operations,
        "failed_operations": row.failed,
        "tokens_per_turn": row.tokens_per_turn,
        "cost_per_turn_usd": row.cost_per_turn_usd,
        "completed": row.completed,
        "warnings": row.warnings,
        "errors": row.errors,
    }


def _latency_analysis(found: LatencyAnalysis | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "summary": {"total_measurements": found.measurements, "unique_agents": len(found.agents)},
        "overall_statistics": found.statistics,
        "component_breakdown": found.components,
        "performance_issues": found.issues,
        "agent_analysis": {
            agent: {"statistics": own.statistics, "issues": own.issues} for agent, own in found.agents.items()
        },
        "dropped_measurements": found.dropped,
    }


def _token_analysis(found: TokenAnalysis | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "system_overview": found.overview,
        "optimization_opportunities": found.opportunities,
        "recommendations": found.recommendations,
        "agent_breakdown": {
            agent: {"summary": own.summary, "opportunities": own.opportunities} for agent, own in found.agents.items()
        },
        "assumed_cost_usd": found.assumed_cost_usd,
        "dropped_turns": found.dropped,
    }


def _trends(trends: Trends) -> dict[str, Any]:
    benchmarks = trends.benchmarks
    return {
        "benchmark_trends": {}
        if benchmarks is None
        else {
            "latency_trend": benchmarks.latency,
            "success_trend": benchmarks.success,
            "latest_vs_first": {
                "latency_change_pct": benchmarks.latency_change_pct,
                "success_change_pct": benchmarks.success_change_pct,
            },
        },
        "latency_trends": _recent(trends.latency, "p95_ms"),
        "token_trends": _recent(trends.cost, "avg_cost_per_turn_usd"),
    }


def _recent(found: RecentTrend | None, of: str) -> dict[str, Any]:
    if found is None:
        return {}
    return {"trend": found.trend, of: found.overall, f"recent_{of}": found.recent, "change_pct": found.change_pct}


def runs_object(runs: Runs) -> dict[str, Any]:
    """Runs side by side; for two what became of each metric, and what changed most."""
    return {
        "runs": runs.rows,
        "comparison": None if runs.comparison is None else comparison_object(runs.comparison),
        "differences": runs.differences,
    }
