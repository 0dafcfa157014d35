"""The documented limits: one table that rules, checks, reports and dashboards read.

A value equal to a limit is on its bad side. Past the recommended limit is WARN, past the critical one FAIL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final


class Metric(str, Enum):
    """What is judged. The value is its name in files and reports."""

    TURN_LATENCY = "turn_latency"
    SUCCESS_RATE = "success_rate"
    TOKEN_EFFICIENCY = "token_efficiency"  # noqa: S105 - a metric, not a password
    COST_PER_TURN = "cost_per_turn"


class Verdict(str, Enum):
    """How a value stands to its limits."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    WARN = "WARN"
    FAIL = "FAIL"
    NO_DATA = "n/a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Limits of one metric, in its unit. ``higher_is_better`` tells which side is bad."""

    metric: Metric
    label: str
    unit: str
    recommended: float
    critical: float
    higher_is_better: bool

    def verdict(self, value: float | None) -> Verdict:
        """The verdict on a value; None (no data) is judged by nobody."""
        if value is None:
            return Verdict.NO_DATA
        if self._bad(value, self.critical):
            return Verdict.FAIL
        return Verdict.WARN if self._bad(value, self.recommended) else Verdict.PASS

    def _bad(self, value: float, limit: float) -> bool:
        return value <= limit if self.higher_is_better else value >= limit


DOCUMENTED: Final[Mapping[Metric, Threshold]] = {
    threshold.metric: threshold
    for threshold in (
        Threshold(
            metric=Metric.TURN_LATENCY,
            label="Turn latency (p95)",
            unit="ms",
            recommended=2000.0,
            critical=5000.0,
            higher_is_better=False,
        ),
        Threshold(
            metric=Metric.SUCCESS_RATE,
            label="Success rate",
            unit="%",
            recommended=95.0,
            critical=90.0,
            higher_is_better=True,
        ),
        Threshold(
            metric=Metric.TOKEN_EFFICIENCY,
            label="Token efficiency (mean)",
            unit="",
            recommended=0.7,
            critical=0.5,
            higher_is_better=True,
        ),
        Threshold(
            metric=Metric.COST_PER_TURN,
            label="Cost per turn (mean)",
            unit="USD",
            recommended=0.01,
            critical=0.05,
            higher_is_better=False,
        ),
    )
}


HIGHEST: Final[Mapping[Metric, float]] = {Metric.SUCCESS_RATE: 100.0, Metric.TOKEN_EFFICIENCY: 1.0}
"""Values that a metric cannot pass, and no limit of it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdTable:
    """The limits in use: a default for all turns, and what differs for single agents and for single models."""

    default: Mapping[Metric, Threshold] = field(default_factory=lambda: DOCUMENTED)
    agents: Mapping[str, Mapping[Metric, Threshold]] = field(default_factory=dict)
    models: Mapping[str, Mapping[Metric, Threshold]] = field(default_factory=dict)

    def own_of(self, agent: str | None) -> Mapping[Metric, Threshold]:
        """An agent's own limits, which go before those of a model."""
        return {} if agent is None else self.agents.get(agent, {})

    def of(self, metric: Metric, agent: str | None = None, model: str | None = None) -> Threshold:
        """The limits of a metric: the agent's own, else the model's own, else those of all."""
        own = self.own_of(agent)
        theirs = self.models.get(model, {}) if model is not None else {}
        return own.get(metric) or theirs.get(metric) or self.default[metric]


def with_limits(base: Threshold, recommended: float | None, critical: float | None) -> Threshold:
    """``base`` with other limits.

    Raises:
        ValueError: the critical limit is not on the bad side of the recommended one.
    """
    changed = replace(
        base,
        recommended=base.recommended if recommended is None else recommended,
        critical=base.critical if critical is None else critical,
    )
    ordered = (
        changed.critical <= changed.recommended if base.higher_is_better else changed.critical >= changed.recommended
    )
    if not ordered:
        side = "below" if base.higher_is_better else "above"
        message = f"critical {changed.critical:g} has to lie {side} recommended {changed.recommended:g}"
        raise ValueError(message)
    return changed
