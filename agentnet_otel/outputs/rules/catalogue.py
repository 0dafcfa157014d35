"""All rules, in the files that they are written to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.outputs.rules import recordings, series
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.outputs.rules.documented import ALERTS, Documented
from agentnet_otel.outputs.rules.health import Health, burnable, records
from agentnet_otel.outputs.rules.model import AlertRule, RecordingRule, RuleGroup
from agentnet_otel.outputs.rules.promql import AGENT, SERVICE
from agentnet_otel.outputs.rules.recordings import EVALUATED, UNEVALUATED, Recorder
from agentnet_otel.outputs.rules.rule_text import rule_file
from agentnet_otel.outputs.rules.scopes import scopes
from agentnet_otel.outputs.rules.windows import BUSY, FAST_BURNS, QUIET, SLOW_BURNS, Pair, share_windows

RECORDING_FILE: Final = "agentnet-recording.rules.yml"
ALERTS_FILE: Final = "agentnet-alerts.rules.yml"
SLOWLY: Final = "2m"
"""How often what looks back for days is worked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOptions:
    """What rules are made of. ``native``: the histograms are native ones."""

    table: ThresholdTable = field(default_factory=ThresholdTable)
    links: Links = field(default_factory=Links)
    native: bool = False


def recording_groups(options: RuleOptions) -> tuple[RuleGroup, ...]:
    """What is worked out for alerts and dashboards."""
    short, long, windows = share_windows((BUSY, QUIET))
    rules: dict[Metric, list[RecordingRule]] = {metric: [] for metric in Metric}
    for metric in Metric:
        for scope in scopes(options.table, metric):
            recorder = Recorder(scope=scope, native=options.native)
            if metric is Metric.SUCCESS_RATE:
                rules[metric] += recorder.success(short, long, windows)
            elif metric is Metric.TURN_LATENCY:
                rules[metric] += recorder.latency(short, long, windows)
            else:
                rules[metric] += _means(recorder, metric, windows)
    groups = [
        RuleGroup(name=f"agentnet-{metric.value.replace('_', '-')}", rules=tuple(rules[metric])) for metric in Metric
    ]
    groups.append(RuleGroup(name="agentnet-health", rules=tuple(records((SERVICE, AGENT)))))
    groups.append(RuleGroup(name="agentnet-error-budget", interval=SLOWLY, rules=tuple(_budgets(options, windows))))
    return tuple(groups)


def _means(recorder: Recorder, metric: Metric, windows: list[str]) -> list[RecordingRule]:
    if metric is Metric.COST_PER_TURN:
        names = (recordings.COST_COUNT, recordings.COST_MEAN)
        return list(recorder.mean(series.COST, names, windows))
    evaluated = (recordings.EFFICIENCY_COUNT, recordings.EFFICIENCY_MEAN)
    others = (recordings.UNEVALUATED_COUNT, recordings.UNEVALUATED_MEAN)
    return [
        *recorder.mean(series.EFFICIENCY, evaluated, windows, EVALUATED),
        *recorder.mean(series.EFFICIENCY, others, windows, UNEVALUATED),
    ]


def _budgets(options: RuleOptions, known: list[str]) -> list[RecordingRule]:
    """The long windows of the budgets, as far as they are not worked out for the limits."""
    made: list[RecordingRule] = []
    for scope in scopes(options.table, Metric.SUCCESS_RATE):
        burns = burnable((*FAST_BURNS, *SLOW_BURNS), scope.threshold.recommended)
        pairs: list[Pair] = [burn.pair for burn in burns]
        short, long, windows = share_windows(pairs)
        recorder = Recorder(scope=scope, native=options.native)
        missing = [window for window in windows if window not in known]
        made += recorder.success([w for w in short if w not in (BUSY.short, QUIET.short)], long, missing)
    return made


def alert_groups(options: RuleOptions) -> tuple[RuleGroup, ...]:
    """The alerts."""
    health = Health(links=options.links)
    limits = [
        alert
        for metric in Metric
        for scope in scopes(options.table, metric)
        for alert in ALERTS[metric](Documented(scope=scope, links=options.links))
    ]
    burns = [alert for scope in scopes(options.table, Metric.SUCCESS_RATE) for alert in health.burn(scope)]
    return (
        RuleGroup(name="agentnet-limits", rules=tuple(limits)),
        RuleGroup(name="agentnet-budget-burn", rules=tuple(burns)),
        RuleGroup(name="agentnet-agents", rules=(*health.silence(), *health.policies_and_tools())),
        RuleGroup(name="agentnet-own-health", rules=tuple(health.own())),
    )


def alerts(options: RuleOptions) -> tuple[AlertRule, ...]:
    """All alerts, in order."""
    return tuple(rule for group in alert_groups(options) for rule in group.rules if isinstance(rule, AlertRule))


def rule_files(options: RuleOptions) -> Mapping[str, str]:
    """Name to text of each file."""
    return {
        RECORDING_FILE: rule_file(recording_groups(options)),
        ALERTS_FILE: rule_file(alert_groups(options)),
    }


def all_rules(options: RuleOptions) -> str:
    """The rules as one file."""
    return rule_file((*recording_groups(options), *alert_groups(options)))
