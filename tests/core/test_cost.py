"""Prices in their order: users' rates, a price book, the default; and the documented table, which is an assumption."""

import pytest

from agentnet_otel.core.cost import (
    Call,
    CostModels,
    Price,
    Pricing,
    Rate,
    assumed_price,
    price_of_turn,
    weakest,
)
from agentnet_otel.model import CostSource, Outcome, TokenUsage, Turn

USAGE = TokenUsage(input=1000, output=500)


class Book:
    """A price book that knows one model."""

    def price(self, call):
        """A dollar, for the known model."""
        return Price(cost_usd=1.0, source=CostSource.GENAI_PRICES) if call.model == "known" else None


def call(model="m", usage=USAGE, **facts):
    """A call at the beginning of time."""
    return Call(model=model, usage=usage, at_ns=0, **facts)


def turn(**facts):
    """A turn with what matters for its cost."""
    return Turn(
        turn_id="t", trace_id="1", span_id="1", agent="a", start_ns=0, end_ns=1, outcome=Outcome.SUCCESS, **facts
    )


def test_a_flat_rate_is_for_all_tokens():
    """A number is USD per 1,000 tokens of input and output alike."""
    price = CostModels({"m": 0.01}).price(call())
    assert price == Price(cost_usd=0.015, source=CostSource.USER, flat_usd_per_1k=0.01)


def test_rates_by_kind_of_token():
    """Cached input and reasoning output have rates of their own where given, and are no tokens on top."""
    models = CostModels({"m": {"input": 0.01, "output": 0.02, "cached": 0.001, "reasoning": 0.03}})
    usage = TokenUsage(input=1000, output=500, cached=400, reasoning=100)
    assert models.price(call(usage=usage)).cost_usd == pytest.approx(0.006 + 0.0004 + 0.008 + 0.003)
    plain = CostModels({"m": {"input": 0.01, "output": 0.02}}).price(call(usage=usage))
    assert plain.cost_usd == pytest.approx(0.02)
    assert plain.flat_usd_per_1k is None


def test_batches_have_a_rate_of_their_own_or_none():
    """A user's rate is no batch price unless the user says so."""
    models = CostModels({"m": {"input": 1, "output": 2, "batch": 0.5}, "plain": 1})
    assert models.price(call(batch=True)).cost_usd == pytest.approx(0.75)
    assert models.price(call("plain", batch=True)) is None


@pytest.mark.parametrize(
    "usage",
    [
        TokenUsage(),
        TokenUsage(input=1),
        TokenUsage(output=1),
        TokenUsage(input=1, output=1, cached=2),
        TokenUsage(input=1, output=1, reasoning=2),
    ],
)
def test_unknown_usage_has_no_price(usage):
    """A missing count is not zero, and a part larger than its whole prices nothing."""
    assert Rate(input=1, output=1).cost_usd(usage) is None
    assert CostModels({"m": 1}).price(call(usage=usage)) is None


def test_who_goes_first():
    """The user's own rate, then the book, then the user's default; nobody is nobody."""
    pricing = Pricing(CostModels({"known": 5, "mine": 2, "default": 3}), Book())
    assert pricing.price(call("known")).cost_usd == 7.5
    assert pricing.price(call("mine")).cost_usd == 3.0
    assert pricing.price(call("other")) == Price(cost_usd=4.5, source=CostSource.USER, flat_usd_per_1k=3.0)
    assert pricing.price(call("default")).cost_usd == 4.5
    assert Pricing(CostModels(), Book()).price(call("known")).source is CostSource.GENAI_PRICES
    assert Pricing(CostModels(), Book()).price(call("other")) is None
    assert Pricing(CostModels()).price(call("known")) is None


def test_rates_can_be_set_later():
    """What is priced from then on has the new rate."""
    models = CostModels()
    assert models.price(call()) is None
    models.set("m", 2)
    assert models.price(call()).cost_usd == 3.0


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (-1, ("'m'", "-1", "at least 0")),
        (float("nan"), ("'m'", "nan")),
        (True, ("'m'", "True")),
        ("cheap", ("'m'", "'cheap'")),
        ({"input": 1}, ("'m'", "output")),
        ({"input": 1, "output": 1, "images": 1}, ("'m'", "images")),
        ({"input": 1, "output": "x"}, ("'m'", "output", "'x'")),
        ({"input": 1, "output": 1, "batch": -3}, ("'m'", "batch", "-3")),
    ],
)
def test_wrong_rates_are_named(rate, words):
    """A ValueError names the model, the value and what is allowed."""
    with pytest.raises(ValueError, match="cost model") as caught:
        CostModels({"m": rate})
    assert all(word in str(caught.value) for word in words)


def test_a_models_name_is_text():
    """Anything else is refused."""
    with pytest.raises(ValueError, match="model_name is 3"):
        CostModels().set(3, 1)


def test_the_documented_table_is_marked():
    """It has a rate for any model, and each of its prices says that it is an assumption."""
    for model, cost in (
        ("default", 0.003), ("gpt-3.5-turbo", 0.003), ("gpt-4", 0.045), ("claude-3", 0.012), ("gpt-4-turbo", 0.025),
        ("claude-3-sonnet", 0.0105), ("nobody", 0.003), (None, 0.003),
    ):  # fmt: skip
        price = assumed_price(model, USAGE)
        assert (price.cost_usd, price.source) == (pytest.approx(cost), CostSource.TABLE)
    assert assumed_price("gpt-4", TokenUsage(output=1000)).cost_usd == pytest.approx(0.03)


def test_a_turn_is_priced_by_its_models():
    """Each model's tokens by its own price; as soon as one is unknown the turn is."""
    pricing = Pricing(CostModels({"m": 1, "n": 2}), Book())
    both = {"m": USAGE, "n": USAGE}
    total = TokenUsage(input=2000, output=1000)
    assert price_of_turn(turn(tokens=total, tokens_by_model=both), pricing) == Price(
        cost_usd=4.5, source=CostSource.USER
    )
    with_book = price_of_turn(turn(tokens=total, tokens_by_model={"m": USAGE, "known": USAGE}), pricing)
    assert (with_book.cost_usd, with_book.source) == (2.5, CostSource.GENAI_PRICES)
    assert price_of_turn(turn(tokens=total, tokens_by_model={"m": USAGE, "x": USAGE}), pricing) is None


def test_a_turn_whose_tokens_are_not_all_of_known_models_has_no_price():
    """Without a breakdown the turn's model speaks for all; with an incomplete one nobody does."""
    pricing = Pricing(CostModels({"m": 1}))
    assert price_of_turn(turn(tokens=USAGE, model="m"), pricing).cost_usd == 1.5
    assert price_of_turn(turn(tokens=USAGE), pricing) is None
    incomplete = {"m": TokenUsage(input=1, output=1)}
    assert price_of_turn(turn(tokens=USAGE, model="m", tokens_by_model=incomplete), pricing) is None


def test_the_weaker_source_speaks_for_a_sum():
    """Of two sources the one that counts less is named."""
    assert weakest(CostSource.ENGINE, CostSource.GENAI_PRICES) is CostSource.GENAI_PRICES
    assert weakest(CostSource.TABLE, CostSource.USER) is CostSource.TABLE
