"""Tokens and cost: what for, which type, which model, which agent, and what is wasted."""

from typing import Final

from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.outputs.dashboards.model import DashboardSpec, PanelSpec, Unit
from agentnet_otel.outputs.dashboards.overview import limits
from agentnet_otel.outputs.dashboards.panels import lines, stack, value_of
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


_KINDS: Final = (
    ("Tokens by category", series.TOKEN_CATEGORY, "Tokens a minute, by what they are spent for."),
    ("Tokens by type", series.TOKEN_TYPE, "Tokens a minute: input is what a model reads, output what it writes."),
    ("Tokens by model", MODEL, "Tokens a minute."),
    ("Tokens by agent", AGENT, "Tokens a minute."),
)
"""Title, label and description of what tokens are told by."""


def _tokens() -> tuple[PanelSpec, ...]:
    return (
        *(
            stack(title, text, Unit.TOKENS, f"60 * {rate(series.TOKENS, label)}", value_of(label))
            for title, label, text in _KINDS
        ),
        lines("Tokens a turn", "Mean, by agent.", Unit.TOKENS, _a_turn(series.TOKENS), value_of(AGENT), width=24),
    )


def _a_turn(counted: str) -> str:
    return f"{rate(counted, AGENT)} / ({rate(series.TURNS, AGENT)} > 0)"


def _cost(table: ThresholdTable) -> tuple[PanelSpec, ...]:
    runbooks = ("AgentNetCostPerTurnWarning", "AgentNetCostPerTurnCritical")
    an_hour = "USD an hour, of turns whose cost is known."
    return (
        *(
            stack(
                title, an_hour, Unit.USD, f"3600 * {rate(f'{series.COST}_sum', by)}", value_of(by), runbooks=runbooks
            )
            for title, by in (("Cost by model", MODEL), ("Cost by agent", AGENT))
        ),
        lines(
            "Cost per turn by model", "Mean in USD. The lines are the recommended and the critical limit.",
            Unit.USD, mean(series.COST, MODEL), value_of(MODEL), exemplars=True,
            limits=limits(table.of(Metric.COST_PER_TURN)), runbooks=runbooks,
        ),
        lines(
            "Turns whose cost is known", "Share of all turns. The others are in no figure here.",
            Unit.PERCENT_UNIT, _a_turn(f"{series.COST}_count"), value_of(AGENT),
        ),
    )  # fmt: skip


def _waste() -> tuple[PanelSpec, ...]:
    wasted = f"(1 - {mean(series.EFFICIENCY, AGENT)}) * on ({AGENT}) {rate(f'{series.COST}_sum', AGENT)}"
    read = f'sum by ({AGENT}) (rate({series.TOKENS}{{{OF_MODEL}, {series.TOKEN_TYPE}="input"}}[{RATE}]))'
    runbooks = ("AgentNetTokenEfficiencyWarning", "AgentNetTokenEfficiencyCritical")
    return (
        stack(
            "Waste", "USD an hour that lack of efficiency costs: cost x (1 - mean token efficiency).",
            Unit.USD, f"3600 * {wasted}", value_of(AGENT), runbooks=runbooks,
        ),
        lines(
            "Share of tokens that are read", "Input of all tokens: long prompts lower the efficiency.",
            Unit.PERCENT_UNIT, f"{read} / ({rate(series.TOKENS, AGENT)} > 0)", value_of(AGENT), runbooks=runbooks,
        ),
    )  # fmt: skip
