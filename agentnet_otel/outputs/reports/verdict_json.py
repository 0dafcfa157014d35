"""A verdict as JSON, in reports and wherever verdicts stand alone, which need nothing else of a report."""

from typing import Any

from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports.wording import label_text


def verdict_object(row: Judgement) -> dict[str, Any]:
    """One row of the verdict table; values in the unit that it names."""
    return {
        "metric": row.threshold.metric.value,
        "label": label_text(row),
        "agent": row.agent,
        "model": row.model,
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
