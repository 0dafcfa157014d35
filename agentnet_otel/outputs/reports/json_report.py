"""The report as JSON: strict, versioned; the documented keys, and what is new beside them."""

from datetime import UTC, datetime
from typing import Any, Final

from agentnet_otel.core.verdicts import Judgement, worst
from agentnet_otel.outputs.json_text import indented_json
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.wording import label_text

SCHEMA_VERSION: Final = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""
_NANOS: Final = 1_000_000_000


def render_json(report: ReportContent) -> str:
    """The whole report."""
    return indented_json(_document(report))


def _document(report: ReportContent) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "metadata": {
            "generated_at": datetime.fromtimestamp(report.generated_ns / _NANOS, UTC).isoformat(),
            "generated_at_unix_nano": report.generated_ns,
            "agentnet_otel_version": report.version,
            "report_type": "comprehensive_performance",
            "format": "json",
        },
        "executive_summary": {
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
        "latency": report.latency,
        "time_to_first_token": report.first_token,
        "components": report.components,
        "tokens": report.tokens,
        "agents": report.agents,
        "models": report.models,
        "slowest_turns": report.slowest,
        "tools": report.tools,
        "policy_violations": report.violations,
        "optimization_opportunities": report.opportunities,
        "recommendations": report.recommendations,
        "environment": report.environment,
        "data_quality": report.quality,
    }


def verdict_object(row: Judgement) -> dict[str, Any]:
    """One row of the verdict table; values in the unit that it names."""
    return {
        "metric": row.threshold.metric.value,
        "label": label_text(row),
        "agent": row.agent,
        "unit": row.threshold.unit,
        "value": row.value,
        "interval": row.interval,
        "recommended": row.threshold.recommended,
        "critical": row.threshold.critical,
        "verdict": row.verdict.value,
        "n": row.n,
        "needed": row.needed,
        "sufficient": row.sufficient,
        "limit_within_interval": row.limit_inside,
    }
