"""Which alerts are true now: the rules beside their conditions on counted turns.

A turn that took exactly its limit is slow here, as in `check`; a histogram counts it as faster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.thresholds import Metric
from agentnet_otel.outputs.alerts.conditions import (
    Condition,
    Seen,
    mean_past,
    policies_violated,
    severely_violated,
    share_past,
    tool_failing,
)
from agentnet_otel.outputs.alerts.minutes import METRIC_OF, Kind, TurnMinutes, Whom
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.catalogue import RuleOptions
from agentnet_otel.outputs.rules.documented import ALERTS, Documented
from agentnet_otel.outputs.rules.health import POLICIES, SEVERE_POLICY, TOOLS, Health
from agentnet_otel.outputs.rules.model import AlertRule, Severity
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE
from agentnet_otel.outputs.rules.recordings import CRITICAL, RECOMMENDED
from agentnet_otel.outputs.rules.scopes import scopes

_SHARES: Final = frozenset({Metric.TURN_LATENCY, Metric.SUCCESS_RATE})
_OTHERS: Final[Mapping[str, tuple[Kind, Condition]]] = {
    POLICIES: (Kind.VIOLATIONS, policies_violated),
    SEVERE_POLICY: (Kind.SEVERE, severely_violated),
    TOOLS: (Kind.TOOL, tool_failing),
}
"""The alerts without a limit of the table, by name."""
_SUBJECTS: Final = {Kind.SEVERE: series.POLICY_RULE, Kind.TOOL: series.TOOL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """An alert that is true: its labels, as Prometheus gives them, and the value that its words tell."""

    rule: AlertRule
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    rule: AlertRule
    condition: Condition


class Judge:
    """Judges turns by the alerts of the documented limits, of policies and of tools."""

    def __init__(self, options: RuleOptions) -> None:
        self._rules: dict[tuple[Kind, str], list[_Judged]] = {}
        for metric in Metric:
            made = share_past if metric in _SHARES else mean_past
            for scope in scopes(options.table, metric):
                for rule in ALERTS[metric](Documented(scope=scope, links=options.links)):
                    level = CRITICAL if rule.alert.endswith("Critical") else RECOMMENDED
                    self._know(_kind_of(metric, rule), scope.limits, rule, made(scope.threshold, level))
        for rule in Health(links=options.links).policies_and_tools():
            kind, condition = _OTHERS[rule.alert]
            self._know(kind, "", rule, condition)

    def active(self, minutes: TurnMinutes, now_ns: int) -> Iterator[Active]:
        """The alerts that are true at a time, epoch nanoseconds, whatever they were before."""
        for whom in minutes:
            seen = Seen(whom, minutes, now_ns)
            for judged in self._rules.get((whom.kind, whom.limits), ()):
                value = judged.condition(seen)
                if value is not None:
                    yield Active(rule=judged.rule, labels=_labels(judged.rule, whom), value=value)

    def _know(self, kind: Kind, limits: str, rule: AlertRule, condition: Condition) -> None:
        self._rules.setdefault((kind, limits), []).append(_Judged(rule=rule, condition=condition))


def _kind_of(metric: Metric, rule: AlertRule) -> Kind:
    if metric is Metric.TOKEN_EFFICIENCY:
        return Kind.UNEVALUATED if rule.severity is Severity.INFO else Kind.EVALUATED
    return next(kind for kind, whose in METRIC_OF.items() if whose is metric)


def _labels(rule: AlertRule, whom: Whom) -> Mapping[str, str]:
    """An empty label is none, as in Prometheus."""
    who = {SERVICE: whom.service, AGENT: whom.agent, MODEL: whom.model}
    if whom.kind in _SUBJECTS:
        who[_SUBJECTS[whom.kind]] = whom.subject
    labels = {"alertname": rule.alert, "severity": rule.severity.value, **rule.labels, **who}
    return {name: value for name, value in labels.items() if value}
