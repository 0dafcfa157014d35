"""A comparison with a baseline in words, and as one JSON object."""

import math
from typing import Any, Final

from agentnet_otel.core.comparison import MIN_CLUSTERS, Ratio
from agentnet_otel.core.regression import Change, ComparedMetric, Comparison, MetricComparison, SideSummary
from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.outputs.reports.wording import NOT_AVAILABLE, milliseconds, percentage, usd

LABELS: Final = {
    ComparedMetric.TURN_LATENCY: "Turn latency (median)",
    ComparedMetric.SUCCESS_RATE: "Success rate",
    ComparedMetric.TOKENS_PER_TURN: "Tokens per turn (median)",
    ComparedMetric.COST_PER_TURN: "Cost per turn (median)",
}
_EFFECTS: Final = {
    ComparedMetric.TURN_LATENCY: "as long",
    ComparedMetric.SUCCESS_RATE: "as many failures",
    ComparedMetric.TOKENS_PER_TURN: "as many tokens",
    ComparedMetric.COST_PER_TURN: "as expensive",
}
_SMALLEST_P: Final = 1e-9


def regression_lines(comparison: Comparison) -> list[str]:
    """A sentence on each regression, with its evidence."""
    return [f"Regression: {evidence_text(metric)}." for metric in comparison.regressions]


def comparison_remarks(comparison: Comparison) -> list[str]:
    """Sentences on what keeps the comparison from saying more."""
    remarks = []
    if comparison.too_few:
        remarks.append(
            f"{comparison.current_turns} turns against {comparison.baseline_turns} of the baseline: a comparison needs "
            f"{MIN_MEAN_N} on each side."
        )
    few = [min(row.baseline.sessions, row.current.sessions) for row in comparison.metrics if row.few_sessions]
    if few:
        remarks.append(
            f"Turns of one session are alike, and a side is worth only about {min(few)} sessions of equal size: with "
            f"fewer than {MIN_CLUSTERS}, false alarms are more frequent than intended."
        )
    return remarks + [f"Not alike: {mismatch}." for mismatch in comparison.mismatches]


def evidence_text(metric: MetricComparison) -> str:
    """What a metric is now, what it was, by how much it changed, and how sure that is."""
    label = LABELS[metric.metric]
    before, now = _value_with_n(metric, metric.baseline), _value_with_n(metric, metric.current)
    text = f"{label} is {now}, in the baseline {before}"
    if metric.ratio is None or metric.p_value is None:
        return text
    interval = metric.ratio.interval
    size = f"{_factor(metric.ratio.value)} times {_EFFECTS[metric.metric]}"
    effect = f"{size} (95 % interval {_factor(interval.low)} to {_factor(interval.high)}, tolerated {metric.factor:g})"
    test = "Fisher's exact test" if metric.metric is ComparedMetric.SUCCESS_RATE else "Mann-Whitney U test"
    evidence = f"{text}: {effect}; {test}, p {p_text(metric.p_value)} (tolerated down to {metric.alpha:g})"
    if metric.design_effect > 1:
        evidence += f"; turns of one session are alike, so the variance counts {metric.design_effect:.2f} times"
    return evidence


def ratio_text(ratio: Ratio | None) -> str:
    """How many times as large something is."""
    return NOT_AVAILABLE if ratio is None else _factor(ratio.value)


def p_text(p_value: float | None) -> str:
    """A probability."""
    if p_value is None:
        return NOT_AVAILABLE
    return f"< {_SMALLEST_P:g}" if p_value < _SMALLEST_P else f"{p_value:.2g}"


def side_text(metric: ComparedMetric, side: SideSummary) -> str:
    """One side's value, with its unit."""
    if side.value is None:
        return NOT_AVAILABLE
    if metric is ComparedMetric.TURN_LATENCY:
        return f"{milliseconds(side.value)} ms"
    if metric is ComparedMetric.SUCCESS_RATE:
        return percentage(side.value)
    return usd(side.value) if metric is ComparedMetric.COST_PER_TURN else f"{side.value:,.0f} tokens"


def comparison_object(comparison: Comparison) -> dict[str, Any]:
    """The comparison for a machine; a ratio to nothing, which is infinite, is null."""
    return {
        "baseline_turns": comparison.baseline_turns,
        "current_turns": comparison.current_turns,
        "too_few": comparison.too_few,
        "regression": bool(comparison.regressions),
        "mismatches": list(comparison.mismatches),
        "metrics": [_metric_object(metric) for metric in comparison.metrics],
    }


def _metric_object(metric: MetricComparison) -> dict[str, Any]:
    ratio = metric.ratio
    return {
        "metric": metric.metric.value,
        "change": metric.change.value,
        "regression": metric.change is Change.REGRESSION,
        "baseline": metric.baseline,
        "current": metric.current,
        "ratio": None if ratio is None else _finite(ratio.value),
        "ratio_interval": None
        if ratio is None
        else {"low": _finite(ratio.interval.low), "high": _finite(ratio.interval.high)},
        "factor": metric.factor,
        "p_value": metric.p_value,
        "alpha": metric.alpha,
        "design_effect": metric.design_effect,
        "few_sessions": metric.few_sessions,
        "evidence": evidence_text(metric),
    }


def _value_with_n(metric: MetricComparison, side: SideSummary) -> str:
    value = side_text(metric.metric, side)
    if side.failures is not None:
        return f"{value} ({side.failures} of {side.n} turns failed)"
    return f"{value} ({side.n} turns)"


def _factor(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "∞"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
