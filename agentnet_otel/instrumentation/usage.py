"""Counting tokens and cost while a turn runs: leaves first, unknown is never zero."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from agentnet_otel.core.cost import weakest
from agentnet_otel.instrumentation.checks import Tell, checked_count, checked_member
from agentnet_otel.model import CostSource, TokenCategory, TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """Tokens of one record. ``category`` None: by the place where it was recorded."""

    usage: TokenUsage
    category: TokenCategory | None = None
    estimated: bool = False

    @classmethod
    def checked(
        cls,
        input_: object,
        output: object,
        cached: object,
        reasoning: object,
        category: object,
        estimated: object,
        tell: Tell,
    ) -> "TokenCount | None":
        """A count from a caller's values; None where nothing usable was given."""
        named = {"input": input_, "output": output, "cached": cached, "reasoning": reasoning}
        counts = {name: None if value is None else checked_count(value, tell, name) for name, value in named.items()}
        for part, whole in (("cached", "input"), ("reasoning", "output")):
            known_part, known_whole = counts[part], counts[whole]
            if known_part is not None and known_whole is not None and known_part > known_whole:
                tell(f"{part}={known_part} is more than {whole}={known_whole}, of which it is a part; left out")
                counts[part] = None
        member = None if category is None else checked_member(TokenCategory, category, tell, "token category")
        if all(count is None for count in counts.values()):
            return None
        return cls(usage=TokenUsage(**counts), category=member, estimated=bool(estimated))

    def with_category(self, category: TokenCategory) -> "TokenCount":
        """The same count, spent for ``category``."""
        return replace(self, category=category)


NO_TOKENS: Final = TokenUsage()


def sum_usage(counts: Iterable[TokenUsage]) -> TokenUsage:
    """All counts together."""
    total = NO_TOKENS
    for usage in counts:
        total = usage if total is NO_TOKENS else total.plus(usage)
    return total


@dataclass(slots=True)
class UsageLedger:
    """What a turn's calls used and cost, as they end."""

    by_model: dict[str | None, TokenUsage] = field(default_factory=dict)
    by_category: dict[TokenCategory, int] = field(default_factory=dict)
    by_model_category: dict[tuple[str | None, TokenCategory], TokenUsage] = field(default_factory=dict)
    whole: list[TokenCount] = field(default_factory=list)
    cost_usd: float | None = None
    cost_source: CostSource | None = None
    costless_calls: int = 0
    estimated: bool = False
    has_leaves: bool = False
    settled: bool = False

    def add_leaf(self, model: str | None, count: TokenCount, category: TokenCategory) -> None:
        """Count one call's tokens."""
        self.has_leaves = True
        self._add(model, count, category)

    def add_whole(self, count: TokenCount, category: TokenCategory) -> None:
        """Keep tokens of the turn as a whole, in case no call has any."""
        self.whole.append(count if count.category else count.with_category(category))

    def add_cost(self, usd: float, source: CostSource) -> None:
        """Count one call's cost."""
        self.cost_usd = (self.cost_usd or 0.0) + usd
        self.cost_source = source if self.cost_source is None else weakest(self.cost_source, source)

    def settle(self, model: str | None) -> None:
        """At the end of the turn: the whole speaks only where no leaf did. Nothing is added after it."""
        self.settled = True
        if not self.has_leaves:
            for count in self.whole:
                self._add(model, count, count.category or TokenCategory.REASONING)

    @property
    def total(self) -> TokenUsage:
        """All tokens of the turn."""
        return sum_usage(self.by_model.values())

    @property
    def known_cost_usd(self) -> float | None:
        """The cost of all calls; None as soon as one of them, with tokens, has no cost: unknown is not zero."""
        return None if self.costless_calls else self.cost_usd

    @property
    def by_named_model(self) -> dict[str, TokenUsage]:
        """Tokens by model, those of calls left out whose model nobody told."""
        return {model: usage for model, usage in self.by_model.items() if model is not None}

    def _add(self, model: str | None, count: TokenCount, category: TokenCategory) -> None:
        usage = count.usage
        key = (model, category)
        self.by_model[model] = sum_usage((self.by_model.get(model, NO_TOKENS), usage))
        self.by_model_category[key] = sum_usage((self.by_model_category.get(key, NO_TOKENS), usage))
        if usage.known:
            self.by_category[category] = self.by_category.get(category, 0) + usage.total
        self.estimated = self.estimated or count.estimated
