"""Whether the rules that a Prometheus has loaded are those that limits make."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts, recording_groups
from agentnet_otel.outputs.rules.model import RecordingRule
from agentnet_otel.sources.prometheus_api import LoadedRule

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|\d[\d.]*(?:e[+-]?\d+)?(?![\w.])|[\w.:]+|[^\s\w]')

Rule = tuple[str, tuple[str, ...]]
"""Its name, and of what its expression is made."""


def native(loaded: Sequence[LoadedRule], family: str) -> bool:
    """Whether the rules on a histogram are those for native ones."""
    return any("histogram_fraction(" in rule.query and family in rule.query for rule in loaded)


def missing_alerts(loaded: Sequence[LoadedRule], table: ThresholdTable) -> tuple[list[str], int]:
    """Names of the alerts that are not loaded, and how many there should be."""
    wanted = {alert.alert for alert in alerts(RuleOptions(table=table))}
    return sorted(wanted - {rule.name for rule in loaded}), len(wanted)


def other_rules(loaded: Sequence[LoadedRule], options: RuleOptions) -> tuple[list[str], list[str]]:
    """Names of rules that are loaded otherwise than these options make them, and of those loaded more than once.

    Rules of other names are somebody else's; names of which nothing is loaded are told elsewhere.
    """
    wanted = Counter(_made(options))
    names = {name for name, _ in wanted}
    found = Counter(_rule(rule.name, rule.query) for rule in loaded if rule.name in names)
    known = {name for name, _ in found}
    different = {name for name, _ in found.keys() - wanted.keys()}
    different |= {name for name, _ in wanted.keys() - found.keys() if name in known}
    twice = {rule[0] for rule, count in found.items() if 0 < wanted[rule] < count}
    return sorted(different), sorted(twice - different)


def _made(options: RuleOptions) -> Iterator[Rule]:
    for group in recording_groups(options):
        for rule in group.rules:
            if isinstance(rule, RecordingRule):
                yield _rule(rule.record, rule.expr)
    for alert in alerts(options):
        yield _rule(alert.alert, alert.expr)


def _rule(name: str, expr: str) -> Rule:
    """Prometheus tells an expression with other spaces, and with the labels in braces in another order."""
    return name, tuple(sorted(map(_plain, _TOKEN.findall(expr))))


def _plain(token: str) -> str:
    """Numbers as they are worth: it tells .000001 as 1e-06."""
    try:
        return repr(float(token)) if token[0].isdigit() else token
    except ValueError:
        return token
