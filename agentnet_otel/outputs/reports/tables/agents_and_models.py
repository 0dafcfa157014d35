"""Agents and models, each with its turns, tokens and cost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentnet_otel.core.columns import Told, TurnColumns
from agentnet_otel.core.statistics import MIN_MEAN_N, quantile
from agentnet_otel.model import Outcome, TokenUsage
from agentnet_otel.outputs.reports.tables.components import component_means_of_agents_ms
from agentnet_otel.outputs.reports.tables.latency import P95, P95_NEEDS


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """One agent. The flags tell whether its turns are enough for rates and means, and for the p95.

    ``component_ms``: self time in each component, mean of all its turns, so that the sum is its mean latency.
    """

    agent: str
    turns: int
    success_rate: float | None
    mean_ms: float
    p95_ms: float
    tokens: int | None
    cost_usd: float | None
    efficiency: float | None
    component_ms: Mapping[str, float]
    mean_sufficient: bool
    p95_sufficient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model: turns it answered in, and its tokens where known.

    ``cost_usd``: of the turns in which it had the most output tokens, for only whole turns tell a cost.
    """

    model: str
    turns: int
    usage: TokenUsage
    cost_usd: float | None


def agent_rows(turns: TurnColumns) -> tuple[AgentRow, ...]:
    """Agents, the slowest first."""
    agents = turns.agents
    latencies: defaultdict[str, list[float]] = defaultdict(list)
    outcomes: defaultdict[str, list[Outcome]] = defaultdict(list)
    for agent, latency_ms, outcome in zip(agents, turns.latencies_ms, turns.outcomes, strict=True):
        latencies[agent].append(latency_ms)
        outcomes[agent].append(outcome)
    spent = turns.spent
    tokens, costs, efficiencies = (_by_agent(agents, told) for told in (spent.tokens, spent.cost_usd, spent.efficiency))
    components = component_means_of_agents_ms(turns)
    rows = []
    for agent, own_ms in latencies.items():
        good, counted = turns.success(outcomes[agent])
        rows.append(
            AgentRow(
                agent=agent,
                turns=len(own_ms),
                success_rate=good / counted if counted else None,
                mean_ms=fmean(own_ms),
                p95_ms=quantile(sorted(own_ms), P95),
                tokens=int(sum(tokens[agent])) if agent in tokens else None,
                cost_usd=sum(costs[agent]) if agent in costs else None,
                efficiency=fmean(efficiencies[agent]) if agent in efficiencies else None,
                component_ms=components[agent],
                mean_sufficient=len(own_ms) >= MIN_MEAN_N,
                p95_sufficient=len(own_ms) >= P95_NEEDS,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.p95_ms, row.agent)))


def model_rows(turns: TurnColumns) -> tuple[ModelRow, ...]:
    """Models, those with most tokens first."""
    spent, nothing = turns.spent, TokenUsage()
    rows = [
        ModelRow(
            model=model,
            turns=count,
            usage=spent.usage_by_model[model].usage if model in spent.usage_by_model else nothing,
            cost_usd=spent.cost_by_model.get(model),
        )
        for model, count in spent.turns_by_model.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.usage.total, row.model)))


def _by_agent(agents: Sequence[str], told: Told) -> dict[str, list[float]]:
    """The values of a figure that the turns of each agent tell."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for place, value in told.pairs():
        found[agents[place]].append(value)
    return found
