"""Tokens and cost: what for, which type, which model, which agent, and what is wasted."""

from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.outputs.dashboards.model import DashboardSpec, Kind, PanelSpec, Query, Unit
from agentnet_otel.outputs.dashboards.overview import limits
from agentnet_otel.outputs.dashboards.selectors import OF_MODEL, RATE, mean, rate
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.annotations import TOKENS
from agentnet_otel.outputs.rules.promql import AGENT, MODEL


def tokens(table: ThresholdTable) -> DashboardSpec:
    """The dashboard of tokens and cost."""
    return DashboardSpec(
        uid=TOKENS,
        title="AgentNet: tokens and cost",
        description="What tokens are spent for, what that costs, and what does not end up in answers.",
        rows=(("Tokens", _tokens()), ("Cost", _cost(table)), ("Waste", _waste())),
    )


def _by(title: str, label: str, description: str) -> PanelSpec:
    return PanelSpec(
        title=title,
        description=description,
        unit=Unit.TOKENS,
        kind=Kind.STACK,
        queries=(Query(expr=f"60 * {rate(series.TOKENS, label)}", legend=f"{{{{{label}}}}}"),),
    )


def _tokens() -> tuple[PanelSpec, ...]:
    return (
        _by("Tokens by category", series.TOKEN_CATEGORY, "Tokens a minute, by what they are spent for."),
        _by(
            "Tokens by type", series.TOKEN_TYPE, "Tokens a minute: input is what a model reads, output what it writes."
        ),
        _by("Tokens by model", MODEL, "Tokens a minute."),
        _by("Tokens by agent", AGENT, "Tokens a minute."),
        PanelSpec(
            title="Tokens a turn",
            description="Mean, by agent.",
            unit=Unit.TOKENS,
            kind=Kind.LINES,
            queries=(
                Query(
                    expr=f"{rate(series.TOKENS, AGENT)} / ({rate(series.TURNS, AGENT)} > 0)", legend=f"{{{{{AGENT}}}}}"
                ),
            ),
            width=24,
        ),
    )


def _cost(table: ThresholdTable) -> tuple[PanelSpec, ...]:
    total = f"{series.COST}_sum"
    runbooks = ("AgentNetCostPerTurnWarning", "AgentNetCostPerTurnCritical")
    return (
        PanelSpec(
            title="Cost by model",
            description="USD an hour, of turns whose cost is known.",
            unit=Unit.USD,
            kind=Kind.STACK,
            queries=(Query(expr=f"3600 * {rate(total, MODEL)}", legend=f"{{{{{MODEL}}}}}"),),
            runbooks=runbooks,
        ),
        PanelSpec(
            title="Cost by agent",
            description="USD an hour, of turns whose cost is known.",
            unit=Unit.USD,
            kind=Kind.STACK,
            queries=(Query(expr=f"3600 * {rate(total, AGENT)}", legend=f"{{{{{AGENT}}}}}"),),
            runbooks=runbooks,
        ),
        PanelSpec(
            title="Cost per turn by model",
            description="Mean in USD. The lines are the recommended and the critical limit.",
            unit=Unit.USD,
            kind=Kind.LINES,
            queries=(Query(expr=mean(series.COST, MODEL), legend=f"{{{{{MODEL}}}}}", exemplars=True),),
            limits=limits(table.of(Metric.COST_PER_TURN)),
            runbooks=runbooks,
        ),
        PanelSpec(
            title="Turns whose cost is known",
            description="Share of all turns. The others are in no figure here.",
            unit=Unit.PERCENT_UNIT,
            kind=Kind.LINES,
            queries=(
                Query(
                    expr=f"{rate(f'{series.COST}_count', AGENT)} / ({rate(series.TURNS, AGENT)} > 0)",
                    legend=f"{{{{{AGENT}}}}}",
                ),
            ),
        ),
    )


def _waste() -> tuple[PanelSpec, ...]:
    wasted = f"(1 - {mean(series.EFFICIENCY, AGENT)}) * on ({AGENT}) {rate(f'{series.COST}_sum', AGENT)}"
    read = f'sum by ({AGENT}) (rate({series.TOKENS}{{{OF_MODEL}, {series.TOKEN_TYPE}="input"}}[{RATE}]))'
    runbooks = ("AgentNetTokenEfficiencyWarning", "AgentNetTokenEfficiencyCritical")
    return (
        PanelSpec(
            title="Waste",
            description="USD an hour that lack of efficiency costs: cost x (1 - mean token efficiency).",
            unit=Unit.USD,
            kind=Kind.STACK,
            queries=(Query(expr=f"3600 * {wasted}", legend=f"{{{{{AGENT}}}}}"),),
            runbooks=runbooks,
        ),
        PanelSpec(
            title="Share of tokens that are read",
            description="Input of all tokens: long prompts lower the efficiency.",
            unit=Unit.PERCENT_UNIT,
            kind=Kind.LINES,
            queries=(Query(expr=f"{read} / ({rate(series.TOKENS, AGENT)} > 0)", legend=f"{{{{{AGENT}}}}}"),),
            runbooks=runbooks,
        ),
    )
