"""What turns spent, tokens and money, and what came of it."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain

from agentnet_otel.core.columns.held import FLOATS, INTEGERS, TokenSums, Told
from agentnet_otel.core.efficiency import best_efficiency, redundant_share
from agentnet_otel.model import CostSource, QualitySource, TokenCategory, TokenUsage, Turn


class Spent:
    """Tokens, cost and efficiency of turns."""

    def __init__(self) -> None:
        self.tokens = Told(INTEGERS)
        self.context_tokens = Told(INTEGERS)
        self.cost_usd = Told()
        self.usage = TokenSums()
        self.by_category: Counter[TokenCategory] = Counter()
        self.by_category_where_known: Counter[TokenCategory] = Counter()
        """Of turns whose tokens are known otherwise too."""
        self.turns_with_category: Counter[TokenCategory] = Counter()
        self.turns_with_categories = 0
        self.cost_by_source: defaultdict[CostSource | None, float] = defaultdict(float)
        self.turns_by_model: Counter[str] = Counter()
        self.usage_by_model: defaultdict[str, TokenSums] = defaultdict(TokenSums)
        self.cost_by_model: defaultdict[str, float] = defaultdict(float)
        self.efficiency = Told()
        self.redundant_share = Told()
        self.quality_sources: Counter[QualitySource] = Counter()
        self.unrated = 0
        """Turns with an efficiency whose quality nobody evaluated."""
        self.best_unrated = array(FLOATS)
        """The efficiency that these would have, were they as fast as is rewarded."""

    def extend(self, turns: Sequence[Turn], first: int) -> None:
        """Look at turns, which follow each other from place ``first``."""
        usages = [turn.tokens for turn in turns]
        self.usage.extend(usages)
        known = [usage.known for usage in usages]
        totals = [usage.total for usage in usages]
        self.tokens.extend(first, [total if told else None for total, told in zip(totals, known, strict=True)])
        self.context_tokens.extend(first, [turn.context_tokens for turn in turns])
        self._extend_categories(turns, known)
        self._extend_models(turns)
        self._extend_cost(turns, first)
        self._extend_efficiency(turns, [usage.output or 0 for usage in usages], totals, first)

    def _extend_categories(self, turns: Sequence[Turn], known: Sequence[bool]) -> None:
        for turn, told in zip(turns, known, strict=True):
            if turn.tokens_by_category:
                self.turns_with_categories += 1
                for category, count in turn.tokens_by_category.items():
                    self.by_category[category] += count
                    self.turns_with_category[category] += 1
                    if told:
                        self.by_category_where_known[category] += count

    def _extend_models(self, turns: Sequence[Turn]) -> None:
        self.turns_by_model.update(chain.from_iterable([turn.models for turn in turns]))
        usages: defaultdict[str, list[TokenUsage]] = defaultdict(list)
        for turn in turns:
            for model, usage in turn.tokens_by_model.items():
                usages[model].append(usage)
        for model, theirs in usages.items():
            self.usage_by_model[model].extend(theirs)

    def _extend_cost(self, turns: Sequence[Turn], first: int) -> None:
        costs = [turn.cost_usd for turn in turns]
        self.cost_usd.extend(first, costs)
        for turn, cost_usd in zip(turns, costs, strict=True):
            if cost_usd is not None:
                self.cost_by_source[turn.cost_source] += cost_usd
                if turn.model is not None:
                    self.cost_by_model[turn.model] += cost_usd

    def _extend_efficiency(
        self, turns: Sequence[Turn], outputs: Sequence[int], totals: Sequence[int], first: int
    ) -> None:
        spent = [(output, total, turn.quality) for turn, output, total in zip(turns, outputs, totals, strict=True)]
        self.redundant_share.extend(
            first,
            [
                None if not total or quality is None else redundant_share(out, total, quality)
                for out, total, quality in spent
            ],
        )
        self.efficiency.extend(first, [turn.efficiency for turn in turns])
        sources = [turn.quality_source for turn in turns if turn.efficiency is not None]
        self.quality_sources.update([source for source in sources if source is not None])
        self.unrated += len(sources) - sources.count(QualitySource.EVALUATED)
        self.best_unrated.extend(
            [
                best_efficiency(out, total, quality or 0.0)
                for turn, (out, total, quality) in zip(turns, spent, strict=True)
                if total and turn.efficiency is not None and turn.quality_source is not QualitySource.EVALUATED
            ]
        )
