"""Rules as Prometheus reads them: YAML, long expressions on lines of their own."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agentnet_otel.outputs.rules.model import AlertRule, RecordingRule, RuleGroup

MADE: Final = "# Made by `agentnet-otel rules`; change the limits and make it anew instead.\n"


def rule_file(groups: Iterable[RuleGroup]) -> str:
    """The text of a rule file; groups without rules are left out."""
    lines = ["groups:"]
    for group in groups:
        if group.rules:
            lines.append(f"  - name: {group.name}")
            if group.interval is not None:
                lines.append(f"    interval: {group.interval}")
            lines.append("    rules:")
            for rule in group.rules:
                lines += _rule(rule)
    return MADE + "\n".join(lines) + "\n"


def _rule(rule: RecordingRule | AlertRule) -> Iterator[str]:
    if isinstance(rule, RecordingRule):
        yield f"      - record: {rule.record}"
        yield from _expression(rule.expr)
        yield from _mapping("labels", rule.labels)
        return
    yield f"      - alert: {rule.alert}"
    yield from _expression(rule.expr)
    yield f"        for: {rule.hold}"
    yield f"        keep_firing_for: {rule.keep_firing}"
    labels = {name: _not_a_template(value) for name, value in rule.labels.items()}
    yield from _mapping("labels", {"severity": rule.severity.value, **labels})
    yield from _mapping("annotations", rule.annotations)


def _expression(expr: str) -> Iterator[str]:
    yield "        expr: |-"
    for line in expr.split("\n"):
        yield f"          {line}"


def _not_a_template(value: str) -> str:
    """Labels of alerts are templates: braces in somebody's name are written by one."""
    return value.replace("{{", '{{"{{"}}')


def _mapping(name: str, values: Mapping[str, str]) -> Iterator[str]:
    if values:
        yield f"        {name}:"
        for key, value in values.items():
            yield f"          {key}: {json.dumps(value, ensure_ascii=False)}"
