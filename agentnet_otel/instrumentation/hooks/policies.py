"""Monitors and the policy engine: policy checks and what they found."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.hooks.answers import field_of
from agentnet_otel.instrumentation.hooks.driver import Call, Hook, component_here
from agentnet_otel.instrumentation.hooks.reasoning import COGNITIVE_FAULT
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.model import LatencyComponent, Outcome

COMMON_STEP: Final = "_exec_monitors"


class MonitorRun(Hook):
    """A run of the agent's monitors. A fault is a violation and ends the turn, whatever the returned tree says."""

    def monitors(self, call: Call) -> Sequence[Any]:
        """The monitors that run."""
        return call.argument(0, "monitors") or ()

    def stage(self, call: Call) -> str:
        """``pre`` or ``post``."""
        return str(call.argument(1, "stage", ""))

    def open(self, call: Call) -> OpenSpan | None:
        monitors, stage = self.monitors(call), self.stage(call)
        names = [_name_of(monitor) for monitor in monitors]
        name = names[0] if len(names) == 1 else f"{stage}_monitors".lstrip("_")
        component = component_here(LatencyComponent.POLICY_CHECK, name)
        if component is not None:
            component.attributes[semconv.POLICY_STAGE] = stage
            component.attributes[semconv.POLICY_MONITORS] = tuple(names)
        return component

    def raised(self, call: Call, span: OpenSpan | None, error: BaseException) -> None:
        if not isinstance(span, ComponentSpan) or type(error).__name__ != COGNITIVE_FAULT:
            return
        monitor = _raising_monitor(self.monitors(call), error.__traceback__)
        rules = _rules_of(error, monitor or span.name or semconv.ERROR_TYPE_OTHER)
        for rule, severity in rules:
            span.record_policy_violation(rule, severity, str(error))
        turn = ctx.enclosing_turn()
        if turn is not None:
            turn.set_outcome(Outcome.FAULT, COGNITIVE_FAULT)
            turn.note_fault_text(str(error))


class MonitorStage(MonitorRun):
    """The same in versions whose agent has no common step for its monitors (before October 2025)."""

    def __init__(self, stage: str, attribute: str) -> None:
        self._stage = stage
        self._attribute = attribute

    def monitors(self, call: Call) -> Sequence[Any]:
        """The agent's own list."""
        return getattr(call.instance, self._attribute, None) or ()

    def stage(self, call: Call) -> str:
        """As the hook was made for."""
        del call
        return self._stage

    def open(self, call: Call) -> OpenSpan | None:
        if hasattr(type(call.instance), COMMON_STEP) or not self.monitors(call):
            return None
        return super().open(call)


def _name_of(monitor: Any) -> str:
    return str(getattr(monitor, "__name__", type(monitor).__name__))


def _raising_monitor(monitors: Sequence[Any], traceback: TracebackType | None) -> str | None:
    """The monitor whose code is in the traceback."""
    codes = {getattr(_function_of(monitor), "__code__", None): _name_of(monitor) for monitor in monitors}
    codes.pop(None, None)
    while traceback is not None:
        name = codes.get(traceback.tb_frame.f_code)
        if name is not None:
            return name
        traceback = traceback.tb_next
    return None


def _function_of(monitor: Any) -> Any:
    if hasattr(monitor, "__code__"):
        return monitor
    return getattr(type(monitor), "__call__", None)  # noqa: B004 - the function itself is wanted, not whether it is there


def _rules_of(fault: Any, monitor: str) -> list[tuple[str, str | None]]:
    """Rules and severities of a fault. Violations that are plain texts quote content: the monitor's name stands in."""
    severity = _word(getattr(fault, "severity", None))
    violations = getattr(fault, "violations", None)
    if not isinstance(violations, list | tuple) or not violations:
        return [(monitor, severity)]
    found = []
    for violation in violations:
        named = (_word(field_of(violation, key)) for key in ("rule_name", "rule", "name"))
        rule = next((name for name in named if name is not None), monitor)
        found.append((rule, _word(field_of(violation, "severity")) or severity))
    return found


class PolicyEvaluation(Hook):
    """An evaluation by the policy engine: each rule that did not pass is a violation."""

    def open(self, call: Call) -> OpenSpan | None:
        return component_here(LatencyComponent.POLICY_CHECK, _word(getattr(call.instance, "name", None)))

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        if not isinstance(span, ComponentSpan):
            return
        action = _word(getattr(result, "action", None))
        if action is not None:
            span.attributes[semconv.POLICY_ACTION] = action
        for violation in getattr(result, "violations", None) or ():
            rule = _word(getattr(violation, "rule_name", None)) or semconv.ERROR_TYPE_OTHER
            rationale = getattr(violation, "rationale", None)
            span.record_policy_violation(rule, _word(getattr(violation, "severity", None)), rationale)


def _word(value: Any) -> str | None:
    """An enum's value or a text."""
    found = getattr(value, "value", value)
    return found if isinstance(found, str) and found else None
