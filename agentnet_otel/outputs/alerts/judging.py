"""Which alerts are true now: the conditions of the rules, on counted turns.

A turn that took exactly its limit is slow here, as in `check`; a histogram counts it as faster.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.thresholds import Metric, Threshold
from agentnet_otel.outputs.alerts.minutes import METRIC_OF, Figures, Kind, TurnMinutes, Whom
from agentnet_otel.outputs.rules.catalogue import RuleOptions
from agentnet_otel.outputs.rules.documented import ALERTS, ALLOWED_SLOW_SHARE, Documented
from agentnet_otel.outputs.rules.model import AlertRule, Severity
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE, Z
from agentnet_otel.outputs.rules.recordings import CRITICAL, RECOMMENDED, limit_of
from agentnet_otel.outputs.rules.scopes import scopes
from agentnet_otel.outputs.rules.windows import BUSY, BUSY_TURNS, MORE_THAN_ONE, QUIET, QUIET_MEANS

_PERCENT: Final = 100
_SHARES: Final = frozenset({Kind.LATENCY, Kind.SUCCESS})
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """An alert that is true: its labels, as Prometheus gives them, and the value that its words tell."""

    rule: AlertRule
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    rule: AlertRule
    level: str
    threshold: Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    """The short and the long window. ``busy``: of many turns, so that a single bad one is no chance."""

    busy: bool
    short: Figures
    long: Figures


class Judge:
    """Judges turns by the alerts of the documented limits."""

    def __init__(self, options: RuleOptions) -> None:
        self._rules: dict[tuple[Kind, str], list[_Judged]] = {}
        for metric in Metric:
            for scope in scopes(options.table, metric):
                for rule in ALERTS[metric](Documented(scope=scope, links=options.links)):
                    level = CRITICAL if rule.alert.endswith("Critical") else RECOMMENDED
                    judged = _Judged(rule=rule, level=level, threshold=scope.threshold)
                    self._rules.setdefault((_kind_of(metric, rule), scope.limits), []).append(judged)

    def active(self, minutes: TurnMinutes, now_ns: int) -> Iterator[Active]:
        """The alerts that are true at a time, epoch nanoseconds, whatever they were before."""
        for whom in minutes:
            found = _windows(whom, minutes, now_ns)
            if found is None:
                continue
            for judged in self._rules.get((whom.kind, whom.limits), ()):
                value = _share(judged, found) if whom.kind in _SHARES else _mean(judged, found)
                if value is not None:
                    yield Active(rule=judged.rule, labels=_labels(judged.rule, whom), value=value)


def seconds_of(duration: str) -> int:
    """Seconds of a duration as rules write it: ``5m``."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def lower_bound(bad: float, everything: float) -> float:
    """Wilson's lower bound as `promql.lower_bound` writes it."""
    squared = Z * Z
    spread = math.sqrt(bad * max(everything - bad, 0) / everything + squared / 4)
    return (bad + squared / 2 - Z * spread) / (everything + squared)


def _kind_of(metric: Metric, rule: AlertRule) -> Kind:
    if metric is Metric.TOKEN_EFFICIENCY:
        return Kind.UNEVALUATED if rule.severity is Severity.INFO else Kind.EVALUATED
    return next(kind for kind, whose in METRIC_OF.items() if whose is metric)


def _labels(rule: AlertRule, whom: Whom) -> Mapping[str, str]:
    """An empty label is none, as in Prometheus."""
    who = {SERVICE: whom.service, AGENT: whom.agent, MODEL: whom.model}
    labels = {"alertname": rule.alert, "severity": rule.severity.value, **rule.labels, **who}
    return {name: value for name, value in labels.items() if value}


def _windows(whom: Whom, minutes: TurnMinutes, now_ns: int) -> _Windows | None:
    """What alerts of somebody are judged on; None where there is too little."""

    def within(window: str) -> Figures:
        return minutes.window(whom, seconds_of(window) // 60, now_ns)

    busy = within(BUSY.long).n >= BUSY_TURNS
    pair = BUSY if busy else QUIET if whom.kind in _SHARES else QUIET_MEANS
    short, long = within(pair.short), within(pair.long)
    if not short.n or (not busy and long.n < pair.min_turns):
        return None
    return _Windows(busy=busy, short=short, long=long)


def _share(judged: _Judged, found: _Windows) -> float | None:
    """The share that an alert tells; None where it is not true."""
    short, long = found.short, found.long
    bad, bad_long = (figures.critical if judged.level == CRITICAL else figures.total for figures in (short, long))
    limit = limit_of(judged.threshold, judged.level)
    if judged.threshold.metric is Metric.TURN_LATENCY:
        value, allowed = bad / short.n, ALLOWED_SLOW_SHARE
        passed = value >= allowed
    else:
        value, allowed = 1 - bad / short.n, round(1 - limit / _PERCENT, 10)
        passed = value <= limit / _PERCENT
    enough = found.busy or bad >= MORE_THAN_ONE
    return value if passed and enough and lower_bound(bad_long, long.n) >= allowed else None


def _mean(judged: _Judged, found: _Windows) -> float | None:
    """The mean that an alert tells; None where it is not true."""
    limit = limit_of(judged.threshold, judged.level)
    means = [figures.total / figures.n for figures in (found.short, found.long)]
    if judged.threshold.higher_is_better:
        return means[0] if max(means) <= limit else None
    return means[0] if min(means) >= limit else None
