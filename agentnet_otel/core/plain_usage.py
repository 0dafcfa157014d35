"""Tokens and cost of a turn whose plain spans leave nothing to decide: what `usage` is for the general way."""

from collections.abc import Sequence
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.cost import Call, PriceBook
from agentnet_otel.core.dialects.dialect import PROVIDER_KEYS
from agentnet_otel.core.dialects.genai import GENAI
from agentnet_otel.core.dialects.own import OWN
from agentnet_otel.core.plain_kinds import Said, first
from agentnet_otel.core.plain_span import PlainSpan
from agentnet_otel.model import CostSource, TokenCategory, TokenUsage

CATEGORIES: Final = frozenset(c.value for c in TokenCategory)
SPENDING: Final = frozenset(
    key
    for dialect in (OWN, GENAI)
    for keys in (dialect.cost, *(getattr(dialect.tokens, name) for name in ("input", "output", "cached", "reasoning")))
    for key in keys
)
"""What says that a span used tokens, or cost something."""

COSTS: Final = {True: OWN.cost, False: GENAI.cost}
TOKENS: Final = {True: OWN.tokens, False: GENAI.tokens}
_REASONING: Final = TokenCategory.REASONING.value
COST_RANKS: Final = {source.value: rank for rank, source in enumerate(CostSource)}
TOLD_BY_SPAN: Final = CostSource.SPAN.value

_Cost = tuple[float, str]


class PlainUsage(msgspec.Struct, gc=False):
    """What the calls of a turn used and cost."""

    by_category: dict[str, int]
    models: tuple[str, ...] = ()
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    cost_usd: float | None = None
    cost_source: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything was said of tokens that went in or came out."""
        return self.input is not None or self.output is not None

    @property
    def empty(self) -> bool:
        """Whether nothing at all was said of tokens."""
        return self.input is self.output is self.cached is self.reasoning is None

    @property
    def total(self) -> int:
        """Input and output together."""
        return (self.input or 0) + (self.output or 0)


def usage_of_calls(calls: Sequence[PlainSpan], of_root: Said, prices: PriceBook | None) -> PlainUsage:
    """What calls of models used, whose turn's own span says ``of_root``."""
    used = PlainUsage({})
    models: dict[str, None] = {}
    told: list[_Cost] = []
    priced: list[_Cost | None] = []
    for call in calls:
        said: Said = call.attributes
        model = (
            said.get(semconv.RESPONSE_MODEL) or said.get(semconv.REQUEST_MODEL) or of_root.get(semconv.REQUEST_MODEL)
        )
        if model is not None:
            models[model] = None
        usage = _add_tokens(used, call)
        cost = first(said, COSTS[call.origin.ours])
        if cost is not None:
            told.append((cost, cost_source_of(said.get(semconv.COST_SOURCE))))
        elif usage is not None:
            priced.append(_price(call, model, of_root, prices, usage))
    used.models = tuple(models)
    if told or priced:
        _add_costs(used, told, priced)
    return used


def cost_source_of(told: str | None) -> str:
    """Who told a cost, if it is one of the known."""
    return told if told in COST_RANKS else TOLD_BY_SPAN


def _add_tokens(used: PlainUsage, call: PlainSpan) -> tuple[int | None, int | None, int | None, int | None] | None:
    """Count the tokens of a call; returns them, None where it tells of none."""
    said: Said = call.attributes
    keys = TOKENS[call.origin.ours]
    into, out = first(said, keys.input), first(said, keys.output)
    cached, reasoning = first(said, keys.cached), first(said, keys.reasoning)
    if into is not None:
        used.input = into + (used.input or 0)
    if out is not None:
        used.output = out + (used.output or 0)
    if cached is not None:
        used.cached = cached + (used.cached or 0)
    if reasoning is not None:
        used.reasoning = reasoning + (used.reasoning or 0)
    if into is not None or out is not None:
        category = said.get(semconv.TOKEN_CATEGORY)
        category = category if category in CATEGORIES else _REASONING
        used.by_category[category] = used.by_category.get(category, 0) + (into or 0) + (out or 0)
    elif cached is None and reasoning is None:
        return None
    if said.get(semconv.TOKENS_ESTIMATED) is True:
        used.estimated = True
    return into, out, cached, reasoning


def _add_costs(used: PlainUsage, told: Sequence[_Cost], priced: Sequence[_Cost | None]) -> None:
    """All costs together; unknown if one of them is."""
    if None in priced:
        return
    known = [*told, *(price for price in priced if price is not None)]
    used.cost_usd = sum([cost for cost, _ in known])
    used.cost_source = max([source for _, source in known], key=COST_RANKS.__getitem__)


def _price(
    call: PlainSpan,
    model: str | None,
    of_root: Said,
    prices: PriceBook | None,
    usage: tuple[int | None, int | None, int | None, int | None],
) -> _Cost | None:
    """As `usage` asks for it."""
    said: Said = call.attributes
    if prices is None or model is None or usage[:2] == (None, None):
        return None
    asked = said.get(semconv.REQUEST_MODEL) or of_root.get(semconv.REQUEST_MODEL)
    batch = said.get(semconv.INFERENCE_BATCH) is True
    return price_of(prices, model, asked, *usage, call.start_ns, first(said, PROVIDER_KEYS), batch)


def price_of(
    prices: PriceBook,
    model: str,
    asked: str | None,
    into: int | None,
    out: int | None,
    cached: int | None,
    reasoning: int | None,
    at_ns: int,
    provider: str | None,
    batch: bool,
) -> tuple[float, str] | None:
    """What a call costs, in USD, and who says so; None where that is not known."""
    usage = TokenUsage(input=into, output=out, cached=cached, reasoning=reasoning)
    call = Call(model=model, asked_model=asked, usage=usage, at_ns=at_ns, provider=provider, batch=batch)
    price = prices.price(call)
    return None if price is None else (price.cost_usd, price.source.value)
