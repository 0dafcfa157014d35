"""The alerts of the documented limits: latency, success, token efficiency and cost, each at both levels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.thresholds import Metric
from agentnet_otel.outputs.rules import recordings
from agentnet_otel.outputs.rules.annotations import OVERVIEW, TOKENS, WHO, Links, label
from agentnet_otel.outputs.rules.model import AlertRule, Severity
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE, number
from agentnet_otel.outputs.rules.recordings import CRITICAL, LEVELS, RECOMMENDED, limit_of
from agentnet_otel.outputs.rules.scopes import Scope
from agentnet_otel.outputs.rules.windows import BUSY, MORE_THAN_ONE, QUIET, QUIET_MEANS, either

HOLD: Final = "1m"
KEEP_FIRING: Final = "5m"
ALLOWED_SLOW_SHARE: Final = 0.05
"""The latency is judged by its 95th percentile."""
_PERCENT: Final = 100
_MS: Final = 1000
_SEVERITIES: Final = {RECOMMENDED: Severity.WARNING, CRITICAL: Severity.CRITICAL}
_ENDS: Final = {RECOMMENDED: "Warning", CRITICAL: "Critical"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """Makes the alerts of one scope."""

    scope: Scope
    links: Links

    def latency(self) -> Iterator[AlertRule]:
        """Too many turns past the limit."""
        for level in LEVELS:
            limit_s = number(limit_of(self.scope.threshold, level) / _MS)
            expr = self._share(
                (f"{recordings.above(level, 'ratio')}", ">=", ALLOWED_SLOW_SHARE),
                (recordings.above(level, "lower_bound"), recordings.above(level, "likely_bound")),
                (recordings.above(level, "increase"), recordings.TIMED),
                ALLOWED_SLOW_SHARE,
            )
            words = {
                "summary": f"{self._who}: {{{{ $value | humanizePercentage }}}} of turns take {limit_s} s or longer",
                "description": (
                    f"{{{{ $value | humanizePercentage }}}} of the turns of late took {limit_s} s or longer; 5% may, "
                    f"for the 95th percentile has to stay below {limit_s} s (limit: {level})."
                ),
                "traces_url": self.links.traces(min_duration=f"{limit_s}s"),
            }
            yield self._alert("AgentNetTurnLatency", level, expr, words)

    def success(self) -> Iterator[AlertRule]:
        """Too many turns that fail."""
        for level in LEVELS:
            limit = limit_of(self.scope.threshold, level)
            share = limit / _PERCENT
            expr = self._share(
                (recordings.SUCCEEDED_RATIO, "<=", share),
                (recordings.FAILED_BOUND, recordings.FAILED_LIKELY),
                (recordings.FAILED, recordings.ALL),
                round(1 - share, 10),
            )
            words = {
                "summary": f"{self._who}: {{{{ $value | humanizePercentage }}}} of turns succeed",
                "description": (
                    f"The success rate of late is {{{{ $value | humanizePercentage }}}}; it has to stay above "
                    f"{number(limit)}% (limit: {level}). Errors, faults and time-outs are failures, what was cancelled "
                    "is on neither side."
                ),
                "traces_url": self.links.traces(failed=True),
            }
            yield self._alert("AgentNetSuccessRate", level, expr, words)

    def cost(self) -> Iterator[AlertRule]:
        """Turns that cost too much."""
        for level in LEVELS:
            limit = number(limit_of(self.scope.threshold, level))
            expr = self._mean(recordings.COST_MEAN, recordings.COST_COUNT, f">= {limit}")
            words = {
                "summary": f'{self._who}: a turn costs {{{{ $value | printf "%.4f" }}}} USD',
                "description": (
                    f'A turn costs {{{{ $value | printf "%.4f" }}}} USD in the mean of late; it has to stay below '
                    f"{limit} USD (limit: {level}). Turns whose cost nobody knows are not in it."
                ),
                "traces_url": self.links.traces(),
            }
            yield self._alert("AgentNetCostPerTurn", level, expr, words, dashboard=TOKENS)

    def efficiency(self) -> Iterator[AlertRule]:
        """Tokens that are badly used; where nobody evaluated the answers, that is for information only."""
        for level in LEVELS:
            limit = number(limit_of(self.scope.threshold, level))
            evaluated = self._mean(recordings.EFFICIENCY_MEAN, recordings.EFFICIENCY_COUNT, f"<= {limit}")
            said = (
                f'The token efficiency of late is {{{{ $value | printf "%.2f" }}}} (of 1) in the mean; it has to stay '
                f"above {limit} (limit: {level})."
            )
            words = {
                "summary": f'{self._who}: token efficiency {{{{ $value | printf "%.2f" }}}} of 1',
                "description": f"{said} The quality of the answers was evaluated.",
                "traces_url": self.links.traces(),
            }
            name = "AgentNetTokenEfficiency"
            yield self._alert(name, level, evaluated, words, dashboard=TOKENS)
            derived = self._mean(recordings.UNEVALUATED_MEAN, recordings.UNEVALUATED_COUNT, f"<= {limit}")
            words["description"] = (
                f"{said} Nobody evaluated the answers: their quality is the agent's confidence, or assumed, and with "
                "long prompts the documented limits cannot be reached."
            )
            yield self._alert(name, level, derived, words, dashboard=TOKENS, severity=Severity.INFO)

    @property
    def _who(self) -> str:
        return f"{WHO} with model {label(MODEL)}" if MODEL in self.scope.by else WHO

    def _share(
        self, told: tuple[str, str, float], bounds: tuple[str, str], counts: tuple[str, str], allowed: float
    ) -> str:
        """A share, in the short window as it is, in the long one by its lower bound.

        With few turns the short window has to say surely enough that it is still so: ``bounds`` are that of the long
        window and that of the short one, ``counts`` bad turns and all.
        """
        (bound, likely), (bad, count) = bounds, counts
        name, comparison, limit = told
        at_least = f">= {number(allowed)}"
        sides = [
            [
                f"{self.scope.recorded(f'{name}{pair.short}')} {comparison} {number(limit)}",
                f"{self.scope.recorded(f'{bound}{pair.long}')} {at_least}",
            ]
            for pair in (BUSY, QUIET)
        ]
        sides[1].append(f"{self.scope.recorded(f'{count}{QUIET.long}')} >= {QUIET.min_turns}")
        sides[1].append(f"{self.scope.recorded(f'{bad}{QUIET.short}')} >= {number(MORE_THAN_ONE)}")
        sides[1].append(f"{self.scope.recorded(f'{likely}{QUIET.short}')} {at_least}")
        busy, quiet = sides
        return either(busy, quiet, self.scope.recorded(f"{count}{BUSY.long}"))

    def _mean(self, mean: str, count: str, compared: str) -> str:
        """A mean past its limit in both windows."""
        sides = [
            [f"{self.scope.recorded(f'{mean}{window}')} {compared}" for window in (pair.short, pair.long)]
            for pair in (BUSY, QUIET_MEANS)
        ]
        sides[1].append(f"{self.scope.recorded(f'{count}{QUIET_MEANS.long}')} >= {QUIET_MEANS.min_turns}")
        busy, quiet = sides
        return either(busy, quiet, self.scope.recorded(f"{count}{BUSY.long}"))

    def _alert(
        self,
        name: str,
        level: str,
        expr: str,
        words: Mapping[str, str],
        *,
        dashboard: str = OVERVIEW,
        severity: Severity | None = None,
    ) -> AlertRule:
        alert = f"{name}{_ENDS[level]}"
        where = (SERVICE, AGENT, *((MODEL,) if MODEL in self.scope.by else ()))
        return AlertRule(
            alert=alert,
            expr=expr,
            severity=severity or _SEVERITIES[level],
            hold=HOLD,
            keep_firing=KEEP_FIRING,
            labels=self.scope.labels,
            annotations={
                **words,
                "runbook_url": self.links.runbook(alert),
                "dashboard_url": self.links.dashboard(dashboard, *where),
            },
        )


ALERTS: Final = {
    Metric.TURN_LATENCY: Documented.latency,
    Metric.SUCCESS_RATE: Documented.success,
    Metric.TOKEN_EFFICIENCY: Documented.efficiency,
    Metric.COST_PER_TURN: Documented.cost,
}
"""What makes the alerts of each metric."""
