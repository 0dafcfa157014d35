"""Alerts without a limit of the table: budgets, silence, stuck turns, policies, tools, and our own health."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentnet_otel.outputs.rules import recordings, series
from agentnet_otel.outputs.rules.annotations import BRIDGE, OVERVIEW, TURN, WHO, Links, label
from agentnet_otel.outputs.rules.documented import KEEP_FIRING
from agentnet_otel.outputs.rules.model import AlertRule, RecordingRule, Severity
from agentnet_otel.outputs.rules.promql import AGENT, SERVICE, increase, lower_bound, number, of_service
from agentnet_otel.outputs.rules.scopes import Scope
from agentnet_otel.outputs.rules.windows import FAST_BURNS, MORE_THAN_ONE, SLOW_BURNS, Burn

STUCK_S: Final = 300
"""So long a turn may be open."""
SILENT_BUSY: Final = ("5m", 600)
"""A window without a turn, and turns in the two hours before and in it that make this no chance: five a minute."""
SILENT_QUIET: Final = ("30m", 40)
TOOL_FAILURE_SHARE: Final = 0.1
TOOL_CALLS: Final = 20
VIOLATION_SHARE: Final = 0.1
VIOLATIONS: Final = 5
BRIDGE_JOBS: Final = "(.*/)?(agentnet-)?(otel-)?bridge"
LAG_S: Final = 60
_PERCENT: Final = 100

SERIES: Final = "service:agentnet_turns:series"
TOOL_TOTAL: Final = "tool:agentnet_tool_calls:increase"
TOOL_FAILED: Final = "tool:agentnet_tool_calls_failed:increase"
TOOL_RATIO: Final = "tool:agentnet_tool_calls_failed:ratio"
TOOL_BOUND: Final = "tool:agentnet_tool_calls_failed:lower_bound"
VIOLATED: Final = "agent:agentnet_policy_violations:increase"
SEVERITIES: Final = ("severe", "critical")
SEVERE: Final = f'{series.POLICY_SEVERITY}=~"{"|".join(SEVERITIES)}"'
CALL_FAILED: Final = f'{series.TOOL_OUTCOME}!~"success|unknown"'
"""A call whose outcome nobody told did not fail."""
POLICIES: Final = "AgentNetPolicyViolations"
SEVERE_POLICY: Final = "AgentNetSeverePolicyViolation"
TOOLS: Final = "AgentNetToolFailures"


def burnable(burns: Sequence[Burn], objective_percent: float) -> list[Burn]:
    """Those that can be: all turns failing use a budget of 10 % ten times too fast, and never 14.4 times.

    Without a budget there is nothing to use.
    """
    budget = 1 - objective_percent / _PERCENT
    return [burn for burn in burns if 0 < burn.factor * budget < 1]


def records(by: Sequence[str]) -> Iterator[RecordingRule]:
    """What the alerts here need besides the recordings of the limits."""
    yield RecordingRule(record=SERIES, expr=of_service(series.TURNS, (SERVICE,), "count"))
    tools = (*by, series.TOOL)
    for window in ("15m", "1h"):
        yield RecordingRule(record=f"{TOOL_TOTAL}{window}", expr=increase(series.TOOL_CALLS, tools, window))
        failed = increase(series.TOOL_CALLS, tools, window, CALL_FAILED)
        yield RecordingRule(record=f"{TOOL_FAILED}{window}", expr=f"{failed}\nor\n0 * {TOOL_TOTAL}{window}")
        yield RecordingRule(record=f"{VIOLATED}{window}", expr=increase(series.VIOLATIONS, by, window))
    yield RecordingRule(record=f"{TOOL_RATIO}15m", expr=f"{TOOL_FAILED}15m / ({TOOL_TOTAL}15m > 0)")
    yield RecordingRule(record=f"{TOOL_BOUND}1h", expr=lower_bound(f"{TOOL_FAILED}1h", f"{TOOL_TOTAL}1h"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Makes the alerts."""

    links: Links

    def burn(self, scope: Scope) -> Iterator[AlertRule]:
        """The budget of errors, by the recommended success rate."""
        objective = scope.threshold.recommended
        budget = round(1 - objective / _PERCENT, 10)
        for end, severity, burns in (
            ("Critical", Severity.CRITICAL, FAST_BURNS),
            ("Warning", Severity.WARNING, SLOW_BURNS),
        ):
            branches = [_burning(scope, burn, budget) for burn in burnable(burns, objective)]
            if branches:
                yield self._alert(
                    f"AgentNetErrorBudgetBurn{end}",
                    "\nor\n".join(branches),
                    severity,
                    f'{WHO} uses its error budget {{{{ $value | printf "%.1f" }}}} times too fast',
                    f"{number(objective)}% of turns have to succeed; at "
                    '{{ $value | printf "%.1f" }} times the failures that this allows, the budget of 30 days is gone '
                    "long before they are over.",
                    (SERVICE, AGENT),
                    traces=self.links.traces(failed=True),
                    labels=scope.labels,
                )

    def silence(self) -> Iterator[AlertRule]:
        """Nothing comes any more, or does not end."""
        yield self._alert(
            "AgentNetNoData",
            f"last_over_time({SERIES}[1h])\nunless\n{SERIES}",
            Severity.WARNING,
            f"Service {label(SERVICE)} sends no metrics of turns any more",
            "There were {{ $value }} series within the last hour, and now there is none: no alert about this service "
            "can fire.",
            (SERVICE,),
            hold="10m",
            traces=self.links.traces(by_agent=False),
        )
        yield self._alert(
            "AgentNetAgentSilent",
            "\nor\n".join(_silent(*which) for which in (SILENT_BUSY, SILENT_QUIET)),
            Severity.WARNING,
            f"{WHO} has ended no turn lately",
            'It ended {{ $value | printf "%.0f" }} turns of late where there were many in the two hours before, and '
            "its metrics still come.",
            (SERVICE, AGENT),
            traces=self.links.traces(),
        )
        yield self._alert(
            "AgentNetTurnStuck",
            f"{_grouped(of_service(series.OLDEST_AGE, (SERVICE, AGENT), 'max'))} >= {STUCK_S}",
            Severity.WARNING,
            f"{WHO} has a turn that does not end",
            "The oldest open turn is {{ $value | humanizeDuration }} old.",
            (SERVICE, AGENT),
            dashboard=TURN,
            traces=self.links.traces(),
        )

    def policies_and_tools(self) -> Iterator[AlertRule]:
        """Rules that are violated, tools that fail."""
        limit = number(VIOLATION_SHARE)
        short, long = (
            f"{VIOLATED}{w} / (sum by ({SERVICE}, {AGENT}) ({recordings.ALL}{w}) > 0)" for w in ("15m", "1h")
        )
        yield self._alert(
            POLICIES,
            f"{short} >= {limit}\nand\n{long} >= {limit}\nand\n{VIOLATED}1h >= {VIOLATIONS}\n"
            f"and\n{VIOLATED}15m >= {number(MORE_THAN_ONE)}",
            Severity.WARNING,
            f'{WHO} violates a policy {{{{ $value | printf "%.2f" }}}} times a turn',
            f'{{{{ $value | printf "%.2f" }}}} violations a turn of late; below {limit} nobody is told.',
            (SERVICE, AGENT),
            traces=self.links.traces(),
        )
        severe = increase(series.VIOLATIONS, (SERVICE, AGENT, series.POLICY_RULE), "15m", SEVERE)
        yield self._alert(
            SEVERE_POLICY,
            f"{_grouped(severe)} >= 0.5",
            Severity.CRITICAL,
            f"{WHO} violated the severe rule {label(series.POLICY_RULE)}",
            'About {{ $value | printf "%.0f" }} violations within 15 minutes. One is enough.',
            (SERVICE, AGENT),
            hold="0s",
            traces=self.links.traces(),
        )
        share = number(TOOL_FAILURE_SHARE)
        yield self._alert(
            TOOLS,
            f"{TOOL_RATIO}15m >= {share}\nand\n{TOOL_BOUND}1h >= {share}\nand\n{TOOL_TOTAL}1h >= {TOOL_CALLS}\n"
            f"and\n{TOOL_FAILED}15m >= {number(MORE_THAN_ONE)}",
            Severity.WARNING,
            f"{WHO}: {{{{ $value | humanizePercentage }}}} of the calls of tool {label(series.TOOL)} fail",
            f"{{{{ $value | humanizePercentage }}}} of the calls of late failed; below "
            f"{number(_PERCENT * TOOL_FAILURE_SHARE)}% nobody is told.",
            (SERVICE, AGENT),
            dashboard=TURN,
            traces=self.links.traces(failed=True),
        )

    def own(self) -> Iterator[AlertRule]:
        """Whether what is told here can be trusted."""
        yield self._own(
            "AgentNetSpansDropped",
            f"{_grouped(increase(series.SPANS_DROPPED, (SERVICE,), '15m'))} >= 1",
            Severity.WARNING,
            f"Service {label(SERVICE)} loses spans",
            '{{ $value | printf "%.0f" }} spans were dropped within 15 minutes: their turns are missing in traces and '
            "reports. Metrics are exact all the same.",
        )
        yield self._own(
            "AgentNetExportFailing",
            f"{_grouped(increase(series.EXPORT_FAILURES, (SERVICE,), '15m'))} >= 3",
            Severity.WARNING,
            f"Service {label(SERVICE)} cannot send its spans",
            '{{ $value | printf "%.0f" }} batches of spans were not taken within 15 minutes.',
        )
        yield self._own(
            "AgentNetHookFaults",
            f"{_grouped(increase(series.HOOK_FAULTS, (SERVICE,), '1h'))} >= 1",
            Severity.INFO,
            f"Faults of the instrumentation of service {label(SERVICE)} were contained",
            '{{ $value | printf "%.0f" }} faults within an hour. The application is not affected; telemetry may be '
            "missing.",
        )
        yield self._own(
            "AgentNetLabelsFolded",
            f"{_grouped(increase(series.LABELS_FOLDED, (SERVICE,), '1h'))} >= 1",
            Severity.INFO,
            f"Service {label(SERVICE)} has more names of agents, models or tools than metrics take",
            '{{ $value | printf "%.0f" }} values became `other` within an hour: alerts by agent do not see them.',
        )
        yield self._alert(
            "AgentNetBridgeDown",
            f'max by (job, instance) (up{{job=~"{BRIDGE_JOBS}"}}) == 0',
            Severity.CRITICAL,
            f"The bridge at {label('instance')} is down",
            "It did not answer for 5 minutes (up is {{ $value }}). What clients cannot deliver they retry, and drop in "
            "the end.",
            (),
            dashboard=BRIDGE,
            hold="5m",
        )

        lag = of_service(series.BRIDGE_LAG, (SERVICE,), "max")
        yield self._alert(
            "AgentNetBridgeBehind",
            f"{_grouped(lag)} >= {LAG_S}",
            Severity.WARNING,
            "The bridge does not keep up",
            "The oldest request waits for {{ $value | humanizeDuration }} to be understood: turns and metrics of the "
            "bridge are late by that.",
            (SERVICE,),
            dashboard=BRIDGE,
            hold="2m",
        )

    def _own(self, alert: str, expr: str, severity: Severity, summary: str, description: str) -> AlertRule:
        return self._alert(alert, expr, severity, summary, description, (SERVICE,), dashboard=BRIDGE, hold="0s")

    def _alert(
        self,
        alert: str,
        expr: str,
        severity: Severity,
        summary: str,
        description: str,
        who: Sequence[str],
        *,
        dashboard: str = OVERVIEW,
        hold: str = "1m",
        traces: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> AlertRule:
        examples = {"traces_url": traces} if traces else {}
        return AlertRule(
            alert=alert,
            expr=expr,
            severity=severity,
            hold=hold,
            keep_firing=KEEP_FIRING,
            labels=labels or {},
            annotations={
                "summary": summary,
                "description": description,
                **examples,
                "runbook_url": self.links.runbook(alert),
                "dashboard_url": self.links.dashboard(dashboard, *who),
            },
        )


def _burning(scope: Scope, burn: Burn, budget: float) -> str:
    failing = number(burn.factor * budget)
    short = scope.recorded(f"{recordings.FAILED_RATIO}{burn.pair.short}")
    return (
        f"(\n  {short} / {number(budget)} >= {number(burn.factor)}\n"
        f"  and {scope.recorded(f'{recordings.FAILED_BOUND}{burn.pair.long}')} >= {failing}\n"
        f"  and {scope.recorded(f'{recordings.ALL}{burn.pair.long}')} >= {burn.pair.min_turns}\n)"
    )


def _silent(window: str, turns: int) -> str:
    return (
        f"(\n  sum by (service_name, gen_ai_agent_name) ({recordings.ALL}{window}) == 0\n"
        f"  and sum by (service_name, gen_ai_agent_name) ({recordings.ALL}2h) >= {turns}\n)"
    )


def _grouped(expr: str) -> str:
    inner = expr.replace("\n", "\n  ")
    return f"(\n  {inner}\n)"
