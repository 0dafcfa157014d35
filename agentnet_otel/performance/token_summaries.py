"""Totals and averages over metrics, in the shapes that the documentation gives them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, Final

from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.opportunities import category_totals
from agentnet_otel.performance.token_metrics import TokenMetrics

EXPORT_FORMATS: Final = ("json", "csv")

_HOUR_S: Final = 3600.0
_RECENT_SHARE: Final = 10
_SAME_MEAN: Final = 1e-9
_COLUMNS: Final = (
    "agent_id",
    "turn_id",
    "timestamp",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "efficiency_score",
    "tokens_per_second",
)


def agent_summary(agent_id: str, metrics: Sequence[TokenMetrics]) -> dict[str, Any]:
    """One agent's totals and averages; ``metrics`` are its own, at least one."""
    total = sum(m.total_tokens for m in metrics)
    cost_usd = total_cost_usd(metrics)
    return {
        "agent_id": agent_id,
        "total_turns": len(metrics),
        "tokens": {
            "input": sum(m.input_tokens for m in metrics),
            "output": sum(m.output_tokens for m in metrics),
            "total": total,
            "avg_per_turn": total / len(metrics),
        },
        "efficiency": {
            "avg_efficiency_score": fmean(m.efficiency_score for m in metrics),
            "avg_quality_score": fmean(m.output_quality_score for m in metrics),
            "avg_tokens_per_second": fmean(m.tokens_per_second for m in metrics),
        },
        "cost": {"total_usd": cost_usd, "avg_per_turn_usd": cost_usd / len(metrics)},
        "category_breakdown": category_totals(metrics),
        "latest_metrics": replace(metrics[-1]),
    }


def system_token_overview(metrics: Sequence[TokenMetrics], now: float) -> dict[str, Any]:
    """All agents' totals, the hour before ``now`` (epoch seconds), and each agent's summary; {} without metrics."""
    if not metrics:
        return {}
    by_agent: dict[str, list[TokenMetrics]] = {}
    for m in metrics:
        by_agent.setdefault(m.agent_id, []).append(m)
    recent = [m for m in metrics if now - m.timestamp < _HOUR_S]
    return {
        "overview": {
            "total_tokens": sum(m.total_tokens for m in metrics),
            "total_turns": len(metrics),
            "unique_agents": len(by_agent),
            "avg_efficiency": fmean(m.efficiency_score for m in metrics),
            "total_cost_usd": total_cost_usd(metrics),
        },
        "recent_activity": {
            "last_hour_tokens": sum(m.total_tokens for m in recent),
            "last_hour_turns": len(recent),
            "last_hour_cost_usd": total_cost_usd(recent),
        },
        "agents": {agent_id: agent_summary(agent_id, own) for agent_id, own in by_agent.items()},
    }


def system_overview(metrics: Sequence[TokenMetrics], saved_usd: float, recommendations: list[str]) -> dict[str, Any]:
    """The newer dialect's overview; a message without metrics."""
    if not metrics:
        return {"message": "There are no metrics yet; record_token_usage adds them."}
    return {
        "overview": {
            "total_turns_tracked": len(metrics),
            "total_tokens_processed": sum(m.total_tokens for m in metrics),
            "total_cost_usd": total_cost_usd(metrics),
            "total_cost_saved_by_caching_usd": saved_usd,
            "avg_efficiency_score": fmean(m.efficiency_score for m in metrics),
            "avg_io_redundancy_ratio": fmean(m.io_redundancy_ratio for m in metrics),
        },
        "cost_trends": cost_trends(metrics),
        "recommendations": recommendations,
    }


def cost_trends(metrics: Sequence[TokenMetrics]) -> dict[str, Any]:
    """The cost of the newest tenth against that of all; there has to be one."""
    recent = metrics[-max(1, len(metrics) // _RECENT_SHARE) :]
    mean_usd = total_cost_usd(metrics) / len(metrics)
    recent_usd = total_cost_usd(recent) / len(recent)
    return {
        "avg_cost_per_turn_usd": mean_usd,
        "avg_cost_per_turn_recent_usd": recent_usd,
        "trend": _trend(recent_usd, mean_usd),
    }


def exported(metrics: Sequence[TokenMetrics], form: object) -> Any:
    """The metrics as plain data: rows for ``json``, headers and rows for ``csv``.

    Raises:
        ValueError: the format is another.
    """
    rows = [[getattr(m, column) for column in _COLUMNS] for m in metrics]
    if form == "csv":
        return {"headers": list(_COLUMNS), "rows": rows}
    if form != "json":
        check.refuse("format", form, f"one of: {', '.join(EXPORT_FORMATS)}")
    return [
        {
            **dict(zip(_COLUMNS, row, strict=True)),
            "category_breakdown": {category.value: count for category, count in m.category_breakdown.items()},
        }
        for m, row in zip(metrics, rows, strict=True)
    ]


def total_cost_usd(metrics: Sequence[TokenMetrics]) -> float:
    """What they cost together, assumed prices included."""
    return sum(m.turn_cost_usd for m in metrics)


def _trend(recent: float, overall: float) -> str:
    if math.isclose(recent, overall, rel_tol=_SAME_MEAN):  # means of equal costs differ in the last digit
        return "stable"
    return "rising" if recent > overall else "falling"
