"""What a turn consists of: components, tools, calls of models, violations."""

from agentnet_otel import semconv
from agentnet_otel.outputs.dashboards.model import DashboardSpec, Kind, PanelSpec, Query, Unit
from agentnet_otel.outputs.dashboards.selectors import OF_AGENT, OF_SERVICE, RATE, quantile, rate
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
    parts, whole = f"{series.COMPONENTS}_sum", f"{series.DURATION}_sum"
    attributed = f"sum(rate({parts}{{{OF_AGENT}}}[{RATE}]))"
    unattributed = f"clamp_min(sum(rate({whole}{{{OF_AGENT}}}[{RATE}])) - {attributed}, 0)"
    by = series.COMPONENT
    return (
        PanelSpec(
            title="A turn by component",
            description="Mean seconds of a turn. Self times: each instant belongs to one component, so they add up.",
            unit=Unit.SECONDS,
            kind=Kind.STACK,
            queries=(
                Query(expr=f"{rate(parts, by, OF_AGENT)} / {_turns()}", legend=f"{{{{{by}}}}}"),
                Query(expr=f"{unattributed} / {_turns()}", legend="unattributed"),
            ),
            runbooks=("AgentNetTurnLatencyWarning",),
        ),
        PanelSpec(
            title="Components (p95)",
            description="95 of 100 turns spend less in the component. A dot is one turn: it leads to its trace.",
            unit=Unit.SECONDS,
            kind=Kind.LINES,
            queries=(
                Query(expr=quantile(0.95, series.COMPONENTS, by, OF_AGENT), legend=f"{{{{{by}}}}}", exemplars=True),
            ),
            runbooks=("AgentNetTurnLatencyWarning",),
        ),
        PanelSpec(
            title="Unattributed",
            description="Share of the turns' time that is in no component: the framework's own, or the machine's.",
            unit=Unit.PERCENT_UNIT,
            kind=Kind.LINES,
            queries=(
                Query(expr=f"{unattributed} / (sum(rate({whole}{{{OF_AGENT}}}[{RATE}])) > 0)", legend="unattributed"),
            ),
        ),
        PanelSpec(
            title="Calls of models a turn",
            description="More than one where turns have several steps, or calls are repeated.",
            unit=Unit.FACTOR,
            kind=Kind.LINES,
            queries=(
                Query(
                    expr=f"sum(rate({CALLS}_count{{{OF_SERVICE}}}[{RATE}]))"
                    f" / (sum(rate({series.TURNS}{{{OF_SERVICE}}}[{RATE}])) > 0)",
                    legend="calls",
                ),
            ),
        ),
    )


def _calls() -> tuple[PanelSpec, ...]:
    of_model = f'{OF_SERVICE}, {MODEL}=~"$model"'
    return (
        PanelSpec(
            title="Calls of tools",
            description="A minute, by tool and outcome.",
            unit=Unit.PER_MINUTE,
            kind=Kind.STACK,
            queries=(
                Query(
                    expr=f"60 * {rate(series.TOOL_CALLS, f'{series.TOOL}, {series.TOOL_OUTCOME}', OF_AGENT)}",
                    legend=f"{{{{{series.TOOL}}}}}: {{{{{series.TOOL_OUTCOME}}}}}",
                ),
            ),
            runbooks=("AgentNetToolFailures",),
        ),
        PanelSpec(
            title="Duration of tools (p95)",
            description="95 of 100 calls take less.",
            unit=Unit.SECONDS,
            kind=Kind.LINES,
            queries=(
                Query(
                    expr=quantile(0.95, TOOLS, series.TOOL, OF_SERVICE), legend=f"{{{{{series.TOOL}}}}}", exemplars=True
                ),
            ),
            runbooks=("AgentNetToolFailures",),
        ),
        PanelSpec(
            title="Duration of calls of models (p95)",
            description="95 of 100 calls take less.",
            unit=Unit.SECONDS,
            kind=Kind.LINES,
            queries=(Query(expr=quantile(0.95, CALLS, MODEL, of_model), legend=f"{{{{{MODEL}}}}}", exemplars=True),),
        ),
        PanelSpec(
            title="Calls of models, and what failed",
            description="A minute, by model; with the kind of error where a call failed.",
            unit=Unit.PER_MINUTE,
            kind=Kind.STACK,
            queries=(
                Query(
                    expr=f"60 * {rate(f'{CALLS}_count', f'{MODEL}, {ERROR}', of_model)}",
                    legend=f"{{{{{MODEL}}}}} {{{{{ERROR}}}}}",
                ),
            ),
            runbooks=("AgentNetSuccessRateWarning",),
        ),
    )


def _policies() -> tuple[PanelSpec, ...]:
    by = f"{series.POLICY_RULE}, {series.POLICY_SEVERITY}"
    return (
        PanelSpec(
            title="Policy violations",
            description="A minute, by rule and severity; 0 where there is none.",
            unit=Unit.PER_MINUTE,
            kind=Kind.STACK,
            queries=(
                Query(
                    expr=f"60 * {rate(series.VIOLATIONS, by, OF_AGENT)} or vector(0)",
                    legend=f"{{{{{series.POLICY_RULE}}}}} {{{{{series.POLICY_SEVERITY}}}}}",
                ),
            ),
            runbooks=("AgentNetPolicyViolations", "AgentNetSeverePolicyViolation"),
        ),
        PanelSpec(
            title="Turns with their duration, by agent",
            description="Mean seconds.",
            unit=Unit.SECONDS,
            kind=Kind.LINES,
            queries=(
                Query(
                    expr=f"{rate(f'{series.DURATION}_sum', AGENT)} / ({rate(f'{series.DURATION}_count', AGENT)} > 0)",
                    legend=f"{{{{{AGENT}}}}}",
                    exemplars=True,
                ),
            ),
        ),
    )
