"""Agents and models, each with its turns, tokens and cost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentnet_otel.core.statistics import MIN_MEAN_N, quantile
from agentnet_otel.core.verdicts import latencies_ms, success_rate
from agentnet_otel.model import TokenUsage, Turn
from agentnet_otel.outputs.reports.tables.components import component_means_ms
from agentnet_otel.outputs.reports.tables.latency import P95, P95_NEEDS
from agentnet_otel.outputs.reports.tables.tokens import summed


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


def agent_rows(turns: Sequence[Turn]) -> tuple[AgentRow, ...]:
    """Agents, the slowest first."""
    by_agent: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        by_agent[turn.agent].append(turn)
    rows = [_agent_row(agent, theirs) for agent, theirs in by_agent.items()]
    return tuple(sorted(rows, key=lambda row: (-row.p95_ms, row.agent)))


def model_rows(turns: Sequence[Turn]) -> tuple[ModelRow, ...]:
    """Models, those with most tokens first."""
    answered = Counter(model for turn in turns for model in turn.models)
    usages: defaultdict[str, list[TokenUsage]] = defaultdict(list)
    costs: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        for model, usage in turn.tokens_by_model.items():
            usages[model].append(usage)
        if turn.cost_usd is not None and turn.model is not None:
            costs[turn.model] += turn.cost_usd
    rows = [
        ModelRow(model=model, turns=count, usage=summed(usages.get(model, ())), cost_usd=costs.get(model))
        for model, count in answered.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.usage.total, row.model)))


def _agent_row(agent: str, turns: Sequence[Turn]) -> AgentRow:
    ordered = latencies_ms(turns)
    good, counted = success_rate(turns)
    costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
    efficiencies = [turn.efficiency for turn in turns if turn.efficiency is not None]
    usage = summed(turn.tokens for turn in turns)
    return AgentRow(
        agent=agent,
        turns=len(turns),
        success_rate=good / counted if counted else None,
        mean_ms=fmean(ordered),
        p95_ms=quantile(ordered, P95),
        tokens=usage.total if usage.known else None,
        cost_usd=sum(costs) if costs else None,
        efficiency=fmean(efficiencies) if efficiencies else None,
        component_ms=component_means_ms(turns),
        mean_sufficient=len(turns) >= MIN_MEAN_N,
        p95_sufficient=len(turns) >= P95_NEEDS,
    )
