"""Prices of genai-prices, through the port of core."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, data
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel import prices
from agentnet_otel.core.cost import Call, Price
from agentnet_otel.errors import MissingExtraError
from agentnet_otel.model import CostSource, TokenUsage
from agentnet_otel.prices import GenaiPrices

AT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
AT_NS = int(AT.timestamp()) * 1_000_000_000
BOOK = GenaiPrices()
SNAPSHOT = DataSnapshot(providers=data.providers, from_auto_update=False)
MODELS = [(provider, model) for provider in data.providers for model in provider.models]


def cost(model, usage, *, book=BOOK, **facts):
    """The price of a call, or None."""
    found = book.price(Call(model=model, usage=usage, at_ns=facts.pop("at_ns", AT_NS), **facts))
    return None if found is None else found.cost_usd


def test_a_public_model_has_its_price():
    """Input and output are priced by the model's own rates, and the source is named."""
    assert BOOK.price(Call(model="gpt-4", usage=TokenUsage(input=1000, output=1000), at_ns=AT_NS)) == Price(
        cost_usd=pytest.approx(0.09), source=CostSource.GENAI_PRICES
    )


@given(
    place=st.integers(0, len(MODELS) - 1),
    input_=st.integers(0, 400_000),
    output=st.integers(0, 100_000),
    cached=st.floats(0, 1),
    reasoning=st.floats(0, 1),
    batch=st.booleans(),
)
def test_every_model_costs_what_the_package_itself_says(place, input_, output, cached, reasoning, batch):
    """Rates, steps by size, cached input, reasoning output and batches agree with the package's own calculation."""
    provider, model = MODELS[place]
    context = {"processing": "batch"} if batch else None
    counts = {
        "input_tokens": input_,
        "output_tokens": output,
        "cache_read_tokens": int(input_ * cached),
        "output_reasoning_tokens": int(output * reasoning),
    }
    usage = TokenUsage(
        input=input_, output=output, cached=counts["cache_read_tokens"], reasoning=counts["output_reasoning_tokens"]
    )
    try:
        seller, found = SNAPSHOT.find_provider_model(model.id, None, provider.id, None)
    except LookupError:
        assert cost(model.id, usage, provider=provider.id, batch=batch) is None
        return
    theirs = found.get_prices(AT)
    ours = cost(model.id, usage, provider=provider.id, batch=batch)
    no_batch_price = batch and found.get_prices(AT, context) == theirs
    if no_batch_price or theirs.input_mtok is None or (output and theirs.output_mtok is None):
        assert ours is None
    else:
        said = found.calc_price(Usage(**counts), seller, genai_request_timestamp=AT, price_context=context).total_price
        assert ours == pytest.approx(float(said), rel=1e-9, abs=1e-15)


def test_cached_and_reasoning_tokens_have_their_own_rates():
    """Cached tokens are part of the input and cheaper; reasoning tokens are part of the output and not added."""
    plain = cost("gpt-4o", TokenUsage(input=1000, output=100))
    assert cost("gpt-4o", TokenUsage(input=1000, output=100, cached=1000)) < plain
    assert cost("o3", TokenUsage(input=10, output=100, reasoning=90)) == cost("o3", TokenUsage(input=10, output=100))


def test_a_batch_has_its_own_price_or_none():
    """A batch costs less where the data set knows its price; elsewhere its price is unknown, not the usual one."""
    usage = TokenUsage(input=1000, output=1000)
    assert cost("claude-sonnet-4-5", usage, batch=True) == pytest.approx(cost("claude-sonnet-4-5", usage) / 2)
    provider, model = next((p, m) for p, m in MODELS if m.price_variants is None and m.id in {"gpt-4", "mistral-nemo"})
    assert cost(model.id, usage, provider=provider.id) is not None
    assert cost(model.id, usage, provider=provider.id, batch=True) is None


def test_prices_are_those_of_the_day():
    """A model whose price changed costs what it did when it was called."""
    usage = TokenUsage(input=1_000_000, output=0)
    dated = next(
        (provider, model)
        for provider, model in MODELS
        if isinstance(model.prices, list)
        and len({p.prices.input_mtok for p in model.prices if isinstance(p.prices.input_mtok, Decimal)}) > 1
        and hasattr(model.prices[-1].constraint, "start_date")
    )
    day = datetime.combine(dated[1].prices[-1].constraint.start_date, datetime.min.time(), tzinfo=UTC)
    from_then_on = int(day.timestamp()) * 1_000_000_000
    facts = {"provider": dated[0].id}
    before = cost(dated[1].id, usage, at_ns=from_then_on - 1_000_000_000, **facts)
    after = cost(dated[1].id, usage, at_ns=from_then_on, **facts)
    assert before != after
    assert None not in {before, after}


@pytest.mark.parametrize(
    "usage",
    [
        TokenUsage(),
        TokenUsage(input=10),
        TokenUsage(output=10),
        TokenUsage(input=10, output=10, cached=11),
        TokenUsage(input=10, output=10, reasoning=11),
    ],
)
def test_a_usage_that_is_not_known_whole_has_no_price(usage):
    """A missing count is not zero, and a part larger than its whole prices nothing."""
    assert cost("gpt-4", usage) is None


def test_models_without_output_need_no_output_count():
    """An embedding has an input only."""
    embedding = {"model": "text-embedding-3-small", "provider": "openai"}
    assert cost(usage=TokenUsage(input=1000), **embedding) == pytest.approx(0.00002)
    assert cost(usage=TokenUsage(input=1000, output=5), **embedding) is None


def test_unknown_models_have_no_price():
    """A name that nobody sells, and the documented stand-ins, are unknown."""
    for model in ("default", "m-large", "claude-3", ""):
        assert cost(model, TokenUsage(input=1, output=1)) is None


def test_the_provider_decides_where_it_is_known():
    """A provider that does not sell a model gives it no price; one that is not known leaves it to the model's name."""
    usage = TokenUsage(input=1000, output=1000)
    assert cost("gpt-4", usage, provider="anthropic") is None
    assert cost("gpt-4", usage, provider="agentnet") == cost("gpt-4", usage)
    assert cost("gpt-4", usage, provider="openai") == cost("gpt-4", usage)


def test_lookups_are_bounded():
    """Any number of model names leaves a bounded memory, and known models keep their price."""
    book = GenaiPrices()
    for number in range(prices.MAX_MODELS + 10):
        assert cost(f"nobody's-{number}", TokenUsage(input=1, output=1), book=book) is None
    assert len(book._catalogue._models) == 10
    assert cost("gpt-4", TokenUsage(input=1000, output=0), book=book) == pytest.approx(0.03)


def test_the_application_changes_no_price_of_ours():
    """A snapshot that the application gives the package, or its updates, are its own matter."""
    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=False))
    try:
        assert cost("gpt-4", TokenUsage(input=1000, output=0), book=GenaiPrices()) == pytest.approx(0.03)
    finally:
        set_custom_snapshot(None)


def test_the_package_is_loaded_on_first_use_only():
    """Importing ours, and making a price book, loads nothing; `load` and `price` do."""
    code = (
        "import sys; from agentnet_otel import prices; book = prices.installed(); "
        "assert 'genai_prices' not in sys.modules; book.load(); assert 'genai_prices' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_installed_is_used():
    """The book of the process is one, and has the package's prices."""
    assert prices.installed() is prices.installed()
    assert cost("gpt-4", TokenUsage(input=1000, output=0), book=prices.installed()) == pytest.approx(0.03)


def test_without_the_package_the_extra_is_named(monkeypatch):
    """Nothing has a price by what is installed; who asks for the package gets the pip line."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'agentnet-otel\[prices\]'"):
        GenaiPrices().load()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    nothing = prices.InstalledPrices()
    nothing.load()
    assert cost("gpt-4", TokenUsage(input=1000, output=0), book=nothing) is None
