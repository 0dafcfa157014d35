"""What a turn consists of: components, tools, calls of models, violations."""

from agentnet_otel import semconv
from agentnet_otel.outputs.dashboards.model import DashboardSpec, Kind, PanelSpec, Query, Unit
from agentnet_otel.outputs.dashboards.panels import lines, stack, value_of
from agentnet_otel.outputs.dashboards.selectors import OF_AGENT, OF_SERVICE, RATE, mean, quantile, rate
from agentnet_otel.outputs.prometheus.naming import label_name
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.annotations import TURN
from agentnet_otel.outputs.rules.promql import AGENT, MODEL

CALLS = series.histogram(semconv.METRIC_GEN_AI_OPERATION_DURATION, semconv.UNIT_SECONDS)
TOOLS = series.histogram(semconv.METRIC_GEN_AI_EXECUTE_TOOL_DURATION, semconv.UNIT_SECONDS)
ERROR = label_name(semconv.ERROR_TYPE)


def anatomy() -> DashboardSpec:
    """The dashboard of one turn's anatomy."""
    return DashboardSpec(
        uid=TURN,
        title="AgentNet: anatomy of a turn",
        description="What turns wait for, by component; their tools, calls of models and violations.",
        rows=(("Components", _components()), ("Tools and models", _calls()), ("Policies", _policies())),
    )


def _turns() -> str:
    return f"scalar(sum(rate({series.DURATION}_count{{{OF_AGENT}}}[{RATE}])))"


def _components() -> tuple[PanelSpec, ...]:
    parts, whole = f"{series.COMPONENTS}_sum", f"sum(rate({series.DURATION}_sum{{{OF_AGENT}}}[{RATE}]))"
    unattributed = f"clamp_min({whole} - sum(rate({parts}{{{OF_AGENT}}}[{RATE}])), 0)"
    calls, turns = (f"sum(rate({name}{{{OF_SERVICE}}}[{RATE}]))" for name in (f"{CALLS}_count", series.TURNS))
    by = series.COMPONENT
    slow = ("AgentNetTurnLatencyWarning",)
    return (
        PanelSpec(
            title="A turn by component",
            description="Mean seconds of a turn. Self times: each instant belongs to one component, so they add up.",
            unit=Unit.SECONDS,
            kind=Kind.STACK,
            queries=(
                Query(expr=f"{rate(parts, by, OF_AGENT)} / {_turns()}", legend=value_of(by)),
                Query(expr=f"{unattributed} / {_turns()}", legend="unattributed"),
            ),
            runbooks=slow,
        ),
        lines(
            "Components (p95)",
            "95 of 100 turns spend less in the component. A dot is one turn: it leads to its trace.",
            Unit.SECONDS, quantile(0.95, series.COMPONENTS, by, OF_AGENT), value_of(by), exemplars=True, runbooks=slow,
        ),
        lines(
            "Unattributed", "Share of the turns' time that is in no component: the framework's own, or the machine's.",
            Unit.PERCENT_UNIT, f"{unattributed} / ({whole} > 0)", "unattributed",
        ),
        lines(
            "Calls of models a turn", "More than one where turns have several steps, or calls are repeated.",
            Unit.FACTOR, f"{calls} / ({turns} > 0)", "calls",
        ),
    )  # fmt: skip


def _calls() -> tuple[PanelSpec, ...]:
    of_model = f'{OF_SERVICE}, {MODEL}=~"$model"'
    by_outcome, by_error = f"{series.TOOL}, {series.TOOL_OUTCOME}", f"{MODEL}, {ERROR}"
    failing = ("AgentNetToolFailures",)
    return (
        stack(
            "Calls of tools", "A minute, by tool and outcome.",
            Unit.PER_MINUTE, f"60 * {rate(series.TOOL_CALLS, by_outcome, OF_AGENT)}",
            f"{value_of(series.TOOL)}: {value_of(series.TOOL_OUTCOME)}", runbooks=failing,
        ),
        lines(
            "Duration of tools (p95)", "95 of 100 calls take less.",
            Unit.SECONDS, quantile(0.95, TOOLS, series.TOOL, OF_SERVICE), value_of(series.TOOL),
            exemplars=True, runbooks=failing,
        ),
        lines(
            "Duration of calls of models (p95)", "95 of 100 calls take less.",
            Unit.SECONDS, quantile(0.95, CALLS, MODEL, of_model), value_of(MODEL), exemplars=True,
        ),
        stack(
            "Calls of models, and what failed", "A minute, by model; with the kind of error where a call failed.",
            Unit.PER_MINUTE, f"60 * {rate(f'{CALLS}_count', by_error, of_model)}",
            f"{value_of(MODEL)} {value_of(ERROR)}", runbooks=("AgentNetSuccessRateWarning",),
        ),
    )  # fmt: skip


def _policies() -> tuple[PanelSpec, ...]:
    by = f"{series.POLICY_RULE}, {series.POLICY_SEVERITY}"
    return (
        stack(
            "Policy violations", "A minute, by rule and severity; 0 where there is none.",
            Unit.PER_MINUTE, f"60 * {rate(series.VIOLATIONS, by, OF_AGENT)} or vector(0)",
            f"{value_of(series.POLICY_RULE)} {value_of(series.POLICY_SEVERITY)}",
            runbooks=("AgentNetPolicyViolations", "AgentNetSeverePolicyViolation"),
        ),
        lines(
            "Turns with their duration, by agent", "Mean seconds.",
            Unit.SECONDS, mean(series.DURATION, AGENT), value_of(AGENT), exemplars=True,
        ),
    )  # fmt: skip
