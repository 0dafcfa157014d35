"""What calls cost, in USD. Unknown is never zero.

Who knows the price goes in an order, best first:

    the engine's own figure > the user's rates > a price book (genai-prices) > the user's "default" rate > unknown

The documented table of rates is no knowledge: `assumed_price` stands in only where a number is required, and its
source, `CostSource.TABLE`, marks it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from agentnet_otel.model import CostSource, TokenUsage, Turn

DEFAULT_MODEL: Final = "default"
"""The name under which the rate for all models without one of their own stands."""

_PER_RATE: Final = 1000
"""Rates are for so many tokens, as documented."""
_RATE_KEYS: Final = ("input", "output", "cached", "reasoning", "batch")


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call of a model: what a price depends on.

    ``asked_model`` is the name by which the model was asked for, where the one that answered has another: its price
    counts if that of ``model`` is not known. ``at_ns``: epoch nanoseconds, for prices change.
    """

    model: str
    usage: TokenUsage
    at_ns: int
    asked_model: str | None = None
    provider: str | None = None
    batch: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the model, best first."""
        asked = self.asked_model
        return (self.model,) if asked is None or asked == self.model else (self.model, asked)


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a call costs and who says so. ``flat_usd_per_1k``: the rate, where input and output have the same."""

    cost_usd: float
    source: CostSource
    flat_usd_per_1k: float | None = None


class PriceBook(Protocol):
    """The port of prices."""

    def price(self, call: Call) -> Price | None:
        """The price of a call; None where the model, or a part of its usage, is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """USD per 1,000 tokens. Cached input and reasoning output cost as the rest where no rate of their own is given.

    ``batch`` is the rate of calls that were made in a batch; without it their price is not known.
    """

    input: float
    output: float
    cached: float | None = None
    reasoning: float | None = None
    batch: "Rate | None" = None

    @classmethod
    def from_user(cls, where: str, rate: object) -> "Rate":
        """A rate out of a number, for input and output alike, or out of a mapping.

        The mapping has ``input`` and ``output``, and may have ``cached``, ``reasoning`` and ``batch`` (a rate again).

        Raises:
            ValueError: it is neither, or a number in it is no amount of at least 0; ``where`` names it.
        """
        if not isinstance(rate, Mapping):
            amount = _amount(rate, where)
            return cls(input=amount, output=amount)
        if not {"input", "output"} <= rate.keys() <= set(_RATE_KEYS):
            message = f"{where} is {dict(rate)!r}; it needs input and output, and may have cached, reasoning and batch"
            raise ValueError(message)
        amounts = {key: _amount(value, f"{where}, {key}") for key, value in rate.items() if key != "batch"}
        batch = cls.from_user(f"{where}, batch", rate["batch"]) if "batch" in rate else None
        return cls(**amounts, batch=batch)

    @property
    def flat_usd_per_1k(self) -> float | None:
        """The one rate for all tokens, if it is one."""
        same = all(rate in {None, self.input} for rate in (self.output, self.cached, self.reasoning))
        return self.input if same else None

    def cost_usd(self, usage: TokenUsage) -> float | None:
        """What this usage costs; None where input or output is unknown, or a part is larger than its whole."""
        input_, output = usage.input, usage.output
        cached, reasoning = usage.cached or 0, usage.reasoning or 0
        if input_ is None or output is None or cached > input_ or reasoning > output:
            return None
        if self.flat_usd_per_1k is not None:
            return (input_ + output) * self.input / _PER_RATE
        cached_rate = self.input if self.cached is None else self.cached
        reasoning_rate = self.output if self.reasoning is None else self.reasoning
        return (
            (input_ - cached) * self.input
            + cached * cached_rate
            + (output - reasoning) * self.output
            + reasoning * reasoning_rate
        ) / _PER_RATE

    def price(self, usage: TokenUsage, source: CostSource) -> Price | None:
        """`cost_usd` as a price."""
        cost_usd = self.cost_usd(usage)
        if cost_usd is None:
            return None
        return Price(cost_usd=cost_usd, source=source, flat_usd_per_1k=self.flat_usd_per_1k)


class CostModels:
    """The rates that a user gave, by model. They may be set at any time, from any thread."""

    def __init__(self, rates: Mapping[str, object] | None = None) -> None:
        """``rates``: for each model a number or a mapping, see `Rate.from_user`.

        Raises:
            ValueError: a rate is none.
        """
        self._rates: dict[str, Rate] = {}
        for model, rate in (rates or {}).items():
            self.set(model, rate)

    def set(self, model: object, rate: object) -> None:
        """Give a model its rate, for what is recorded from now on.

        Raises:
            ValueError: the rate is none, or the model's name no text.
        """
        if not isinstance(model, str):
            message = f"model_name is {model!r}; allowed is text"
            raise ValueError(message)  # noqa: TRY004 - the documented API answers every wrong value with this class
        self._rates[model] = Rate.from_user(f"cost model of {model!r}", rate)

    def price(self, call: Call) -> Price | None:
        """The price by the model's own rate."""
        return next((price for name in call.names if (price := self._price(name, call)) is not None), None)

    def default_price(self, call: Call) -> Price | None:
        """The price by the rate for all other models."""
        return self._price(DEFAULT_MODEL, call)

    def _price(self, model: str, call: Call) -> Price | None:
        rate = self._rates.get(model)
        if rate is not None and call.batch:
            rate = rate.batch
        return None if rate is None else rate.price(call.usage, CostSource.USER)


class Pricing:
    """A price book in the order that holds: the user's rates, another book, the user's default rate."""

    def __init__(self, models: CostModels, book: PriceBook | None = None) -> None:
        self.models = models
        self._book = book

    def price(self, call: Call) -> Price | None:
        """The price of a call; None where nobody knows it."""
        price = self.models.price(call)
        if price is None and self._book is not None and call.model != DEFAULT_MODEL:
            price = self._book.price(call)
        return price or self.models.default_price(call)


def price_of_turn(turn: Turn, book: PriceBook) -> Price | None:
    """What a turn's tokens cost if all its calls are priced as one call a model; None if a part is not known."""
    usages = dict(turn.tokens_by_model)
    if not usages and turn.model is not None:
        usages = {turn.model: turn.tokens}
    if not usages or sum(usage.total for usage in usages.values()) != turn.tokens.total:
        return None
    total: Price | None = None
    for model, usage in usages.items():
        price = book.price(Call(model=model, usage=usage, at_ns=turn.start_ns))
        if price is None:
            return None
        total = price if total is None else _sum(total, price)
    return total


def _sum(left: Price, right: Price) -> Price:
    return Price(cost_usd=left.cost_usd + right.cost_usd, source=weakest(left.source, right.source))


DOCUMENTED_RATES: Final[Mapping[str, Rate]] = {
    DEFAULT_MODEL: Rate(input=0.002, output=0.002),
    "gpt-3.5-turbo": Rate(input=0.002, output=0.002),
    "gpt-4": Rate(input=0.03, output=0.03),
    "claude-3": Rate(input=0.008, output=0.008),
    "gpt-4-turbo": Rate(input=0.01, output=0.03),
    "claude-3-sonnet": Rate(input=0.003, output=0.015),
}
"""The documented table; its last two rows are from the newer dialect, which has them alone."""


def assumed_price(model: str | None, usage: TokenUsage) -> Price:
    """A price by the documented table, marked as assumed; unknown counts are taken as 0."""
    rate = DOCUMENTED_RATES.get(model or DEFAULT_MODEL) or DOCUMENTED_RATES[DEFAULT_MODEL]
    known = TokenUsage(input=usage.input or 0, output=usage.output or 0)
    return rate.price(known, CostSource.TABLE) or Price(cost_usd=0.0, source=CostSource.TABLE)


def weakest(left: CostSource, right: CostSource) -> CostSource:
    """Who to name for a sum of two costs: the one whose word counts less."""
    return max(left, right, key=list(CostSource).index)


def _amount(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        message = f"{where} is {value!r}; allowed is an amount of USD per 1,000 tokens, at least 0"
        raise ValueError(message)
    return float(value)
