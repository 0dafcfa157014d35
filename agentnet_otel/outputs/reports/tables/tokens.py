"""Tokens and cost of all turns."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentnet_otel.model import CostSource, TokenCategory, TokenUsage, Turn


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


def token_summary(turns: Sequence[Turn]) -> TokenSummary:
    """Tokens and cost over all turns."""
    categories: Counter[TokenCategory] = Counter()
    cost_by_source: defaultdict[CostSource | None, float] = defaultdict(float)
    for turn in turns:
        for category, count in turn.tokens_by_category.items():
            categories[category] += count
        if turn.cost_usd is not None:
            cost_by_source[turn.cost_source] += turn.cost_usd
    efficiencies = [turn.efficiency for turn in turns if turn.efficiency is not None]
    sources = Counter(turn.quality_source for turn in turns if turn.efficiency is not None and turn.quality_source)
    costs_by_name = {"unknown" if source is None else source.value: cost for source, cost in cost_by_source.items()}
    costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
    return TokenSummary(
        usage=summed(turn.tokens for turn in turns),
        by_category={category.value: count for category, count in categories.most_common()},
        turns_with_tokens=sum(turn.tokens.known for turn in turns),
        estimated_turns=sum(turn.estimated for turn in turns),
        cost_usd=sum(costs) if costs else None,
        cost_by_source=dict(sorted(costs_by_name.items())),
        turns_with_cost=len(costs),
        mean_efficiency=fmean(efficiencies) if efficiencies else None,
        quality_sources=dict(sorted((source.value, count) for source, count in sources.items())),
        weighted=_weighted(turns),
    )


def summed(usages: Iterable[TokenUsage]) -> TokenUsage:
    """All together; what is unknown in all stays unknown."""
    known = list(usages)
    return TokenUsage(
        input=_sum_known([usage.input for usage in known]),
        output=_sum_known([usage.output for usage in known]),
        cached=_sum_known([usage.cached for usage in known]),
        reasoning=_sum_known([usage.reasoning for usage in known]),
    )


def _sum_known(counts: Sequence[int | None]) -> int | None:
    told = [count for count in counts if count is not None]
    return sum(told) if told else None


def _weighted(turns: Sequence[Turn]) -> WeightedTotals | None:
    weights = [1 / t.sampling_probability for t in turns if t.sampling_probability]
    if len(weights) < len(turns) or sum(weights) == len(turns):
        return None
    costs = [(weight, turn.cost_usd) for weight, turn in zip(weights, turns, strict=True) if turn.cost_usd is not None]
    return WeightedTotals(
        turns=sum(weights),
        tokens=sum(weight * turn.tokens.total for weight, turn in zip(weights, turns, strict=True)),
        cost_usd=sum(weight * cost for weight, cost in costs) if costs else None,
    )
