"""`TokenMetrics`: what one turn spent on tokens, and the one place where it is derived from a `Turn`."""

from dataclasses import dataclass, field
from typing import Final

from agentnet_otel.core.cost import Price, assumed_price
from agentnet_otel.core.efficiency import ASSUMED_QUALITY, effective_tokens, efficiency_score, tokens_per_second
from agentnet_otel.model import CostSource, TokenCategory, TokenUsage, Turn
from agentnet_otel.performance import field_checks as check

_NANOS_PER_SECOND: Final = 1_000_000_000
_PER_RATE: Final = 1000
_DECIMALS: Final = 9
_COUNTS: Final = ("input_tokens", "output_tokens", "context_length")
_RATIOS: Final = ("output_quality_score", "token_efficiency_ratio", "io_redundancy_ratio")
_AMOUNTS: Final = (
    "timestamp",
    "effective_tokens",
    "redundant_tokens",
    "tokens_per_second",
    "cost_per_token",
    "turn_cost_usd",
    "processing_time_seconds",
)


@dataclass
class TokenMetrics:
    """Tokens of one turn, as documented.

    Attributes:
        timestamp: when it was recorded, or the turn ended; epoch seconds.
        effective_tokens: output tokens x quality; a whole number where it is one.
        redundant_tokens: all other tokens.
        cost_per_token: USD per 1,000 tokens (so it is documented), always a number: look at `cost_assumed`.
        turn_cost_usd: what the turn cost, always a number, by the same rate.
        io_redundancy_ratio: how much of the response repeats the prompt, 0 to 1.
        cost_usd: what the turn cost where that is known, else None.
        cost_source: who says so; ``CostSource.TABLE`` is the documented table, which is an assumption.

    Raises:
        ValueError: a field has the wrong type or range.
    """

    agent_id: str
    turn_id: str
    timestamp: float
    input_tokens: int = 0
    output_tokens: int = 0
    category_breakdown: dict[TokenCategory, int] = field(default_factory=dict)
    context_length: int = 0
    effective_tokens: float = 0
    redundant_tokens: float = 0
    tokens_per_second: float = 0.0
    cost_per_token: float = 0.0
    output_quality_score: float = 0.0
    token_efficiency_ratio: float = 0.0
    model_name: str = "default"
    turn_cost_usd: float = 0.0
    io_redundancy_ratio: float = 0.0
    processing_time_seconds: float = 0.0
    cost_usd: float | None = None
    cost_source: CostSource | None = None

    def __post_init__(self) -> None:
        for name in ("agent_id", "turn_id", "model_name"):
            check.name(name, getattr(self, name))
        for name in _COUNTS:
            setattr(self, name, check.count(name, getattr(self, name)))
        for name in _AMOUNTS:
            check.amount(name, getattr(self, name))
        for name in _RATIOS:
            check.share(name, getattr(self, name))
        if self.cost_usd is not None:
            check.amount("cost_usd", self.cost_usd)
        self.category_breakdown = check.members(
            "category_breakdown", self.category_breakdown, TokenCategory, check.count
        )
        self._fill_in_the_other_dialect()

    def _fill_in_the_other_dialect(self) -> None:
        """Rate and cost, speed and time say the same; whoever gives one need not give the other."""
        if not self.turn_cost_usd:
            self.turn_cost_usd = self.total_tokens * self.cost_per_token / _PER_RATE
        elif not self.cost_per_token and self.total_tokens:
            self.cost_per_token = self.turn_cost_usd / self.total_tokens * _PER_RATE
        if not self.tokens_per_second:
            self.tokens_per_second = tokens_per_second(self.total_tokens, self.processing_time_seconds)

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def efficiency_score(self) -> float:
        """The documented score, 0 to 1; 0.0 without tokens. The newer dialect has another formula; this one holds."""
        if self.total_tokens == 0:
            return 0.0
        return efficiency_score(
            ratio=self.token_efficiency_ratio,
            quality=self.output_quality_score,
            tokens_per_second=self.tokens_per_second,
        )

    @property
    def redundancy_ratio(self) -> float:
        """Redundant to all tokens; 0.0 without tokens."""
        return self.redundant_tokens / self.total_tokens if self.total_tokens else 0.0

    @property
    def cost_assumed(self) -> bool:
        """Whether the cost stands on the documented table, for nobody knows it."""
        return self.cost_source is CostSource.TABLE

    @property
    def cost_per_1k_tokens_usd(self) -> float | None:
        """USD per 1,000 tokens where the cost is known, else None."""
        return None if self.cost_usd is None else self.cost_per_token


def make_metrics(
    *,
    agent_id: str,
    turn_id: str,
    timestamp: float,
    usage: TokenUsage,
    quality: float,
    price: Price,
    model: str,
    processing_time_s: float,
    context_length: int,
    categories: dict[TokenCategory, int],
    io_redundancy: float = 0.0,
) -> TokenMetrics:
    """Metrics with everything that the documentation derives."""
    total = usage.total
    effective = effective_tokens(usage.output or 0, quality)
    rate = price.flat_usd_per_1k
    if rate is None:
        rate = price.cost_usd / total * _PER_RATE if total else 0.0
    return TokenMetrics(
        agent_id=agent_id,
        turn_id=turn_id,
        timestamp=timestamp,
        input_tokens=usage.input or 0,
        output_tokens=usage.output or 0,
        category_breakdown=categories,
        context_length=context_length,
        effective_tokens=effective,
        redundant_tokens=total - effective if isinstance(effective, int) else round(total - effective, _DECIMALS),
        tokens_per_second=tokens_per_second(total, processing_time_s),
        cost_per_token=rate,
        output_quality_score=quality,
        token_efficiency_ratio=effective / total if total else 0.0,
        model_name=model,
        turn_cost_usd=price.cost_usd,
        io_redundancy_ratio=io_redundancy,
        processing_time_seconds=processing_time_s,
        cost_usd=None if price.source is CostSource.TABLE else price.cost_usd,
        cost_source=price.source,
    )


def token_metrics_of(turn: Turn) -> TokenMetrics:
    """The documented metrics of a turn. Where its cost is not known the documented table stands in, marked."""
    return make_metrics(
        agent_id=turn.agent,
        turn_id=turn.turn_id,
        timestamp=turn.end_ns / _NANOS_PER_SECOND,
        usage=turn.tokens,
        quality=ASSUMED_QUALITY if turn.quality is None else turn.quality,
        price=_price_of(turn),
        model=turn.model or "default",
        processing_time_s=turn.duration_ns / _NANOS_PER_SECOND,
        context_length=turn.context_tokens or 0,
        categories=dict(turn.tokens_by_category),
    )


def _price_of(turn: Turn) -> Price:
    if turn.cost_usd is not None:
        return Price(cost_usd=turn.cost_usd, source=turn.cost_source or CostSource.SPAN)
    by_model = turn.tokens_by_model
    if sum(usage.total for usage in by_model.values()) != turn.tokens.total:
        return assumed_price(turn.model, turn.tokens)
    prices = [assumed_price(model, usage) for model, usage in by_model.items()]
    if len(prices) == 1:
        return prices[0]
    return Price(cost_usd=sum(price.cost_usd for price in prices), source=CostSource.TABLE)
