"""Tokens and cost of all turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from agentnet_otel.core.columns import TurnColumns
from agentnet_otel.model import TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedTotals:
    """What a sample stands for: each turn weighted by the inverse of its sampling probability."""

    turns: float
    tokens: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSummary:
    """Tokens and cost of all turns; None where no turn tells.

    ``weighted`` is there where turns were sampled and each tells its probability.
    """

    usage: TokenUsage
    by_category: Mapping[str, int]
    turns_with_tokens: int
    estimated_turns: int
    cost_usd: float | None
    cost_by_source: Mapping[str, float]
    turns_with_cost: int
    mean_efficiency: float | None
    quality_sources: Mapping[str, int]
    weighted: WeightedTotals | None


def token_summary(turns: TurnColumns) -> TokenSummary:
    """Tokens and cost over all turns."""
    spent = turns.spent
    costs_by_name = {
        "unknown" if source is None else source.value: cost for source, cost in spent.cost_by_source.items()
    }
    costs, efficiencies = spent.cost_usd.values, spent.efficiency.values
    return TokenSummary(
        usage=spent.usage.usage,
        by_category={category.value: count for category, count in spent.by_category.most_common()},
        turns_with_tokens=len(spent.tokens),
        estimated_turns=turns.estimated_turns,
        cost_usd=sum(costs) if costs else None,
        cost_by_source=dict(sorted(costs_by_name.items())),
        turns_with_cost=len(costs),
        mean_efficiency=fmean(efficiencies) if efficiencies else None,
        quality_sources=dict(sorted((source.value, count) for source, count in spent.quality_sources.items())),
        weighted=_weighted(turns),
    )


def _weighted(turns: TurnColumns) -> WeightedTotals | None:
    weights, spent = turns.weights, turns.spent
    if len(weights) < len(turns) or sum(weights) == len(turns):
        return None
    return WeightedTotals(
        turns=sum(weights),
        tokens=sum((weights[place] * tokens for place, tokens in spent.tokens.pairs()), 0.0),
        cost_usd=sum(weights[place] * cost for place, cost in spent.cost_usd.pairs()) if spent.cost_usd else None,
    )
