"""What a turn costs: the engine's figure, else the user's rates, else genai-prices, else unknown."""

import importlib.util
import sys

import pytest

import agentnet_otel
from agentnet_otel import LatencyComponent, prices, semconv
from agentnet_otel.errors import ConfigurationError, MissingExtraError
from agentnet_otel.instrumentation import faults
from agentnet_otel.model import CostSource
from agentnet_otel.performance import LatencyTracker, TokenUtilizationTracker

INFERENCE = LatencyComponent.INFERENCE


@pytest.fixture
def instrument(telemetry):
    """`instrument()` on in-memory providers, with further arguments."""

    def start(**arguments):
        return agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, **arguments
        )

    yield start
    agentnet_otel.uninstrument()


def call(turn, model, *, input_=1000, output=1000, cost=None, answered=None, batch=False, **tokens):
    """One call in ``turn``."""
    with turn.component(INFERENCE, model=model) as inference:
        inference.record_tokens(input=input_, output=output, **tokens)
        inference.record_response(model=answered, batch=batch)
        if cost is not None:
            inference.record_cost(cost)


def ask(model, **facts):
    """One turn with one call."""
    with agentnet_otel.turn("planner") as turn:
        call(turn, model, **facts)


def costs(handle):
    """Cost and source of each turn."""
    return [(turn.cost_usd, turn.cost_source) for turn in handle.turns()]


def test_the_order_in_which_costs_are_believed(instrument, telemetry):
    """What was said of the call, the user's rate, the public price, nothing: unknown is null, never 0."""
    handle = instrument(cost_models={"mine": 1.0, "gpt-3.5-turbo": {"input": 1.0, "output": 2.0}})
    ask("mine", cost=0.5)
    ask("mine")
    ask("gpt-3.5-turbo")
    ask("gpt-4")
    ask("nobody's")
    assert costs(handle) == [
        (0.5, CostSource.USER),
        (2.0, CostSource.USER),
        (3.0, CostSource.USER),
        (pytest.approx(0.09), CostSource.GENAI_PRICES),
        (None, None),
    ]
    assert sum(count for count, _ in telemetry.metric(semconv.METRIC_COST_USD).values()) == 4
    leaf = telemetry.spans("chat gpt-4")[0]
    assert leaf.attributes[semconv.COST_USD] == pytest.approx(0.09)
    assert leaf.attributes[semconv.COST_SOURCE] == "genai-prices"
    assert semconv.COST_USD not in telemetry.spans("chat nobody's")[0].attributes


def test_the_trackers_have_the_same_costs(instrument):
    """Known costs are the turns'; where none is known the documented table stands in, and says so."""
    handle = instrument()
    ask("gpt-4")
    ask("nobody's")
    known, assumed = handle.tokens.get_metrics()
    assert (known.cost_usd, known.cost_assumed) == (pytest.approx(0.09), False)
    assert (assumed.cost_usd, assumed.cost_per_token, assumed.cost_assumed) == (None, 0.002, True)


def test_a_rate_that_is_set_later_counts_from_then_on(instrument):
    """Setting it on the handle's tracker prices the turns to come, in spans and trackers."""
    handle = instrument()
    ask("mine")
    handle.tokens.set_cost_model("mine", 1.0)
    ask("mine")
    assert costs(handle) == [(None, None), (2.0, CostSource.USER)]
    assert [m.cost_usd for m in handle.tokens.get_metrics()] == [None, 2.0]


def test_the_user_may_rate_the_model_that_was_asked_for(instrument):
    """A rate for the name that was asked for counts, though the model that answered has another name and price."""
    handle = instrument(cost_models={"alias": 1.0})
    ask("alias", answered="gpt-4")
    ask("gpt-4", answered="our-deployment")
    assert costs(handle) == [(2.0, CostSource.USER), (pytest.approx(0.09), CostSource.GENAI_PRICES)]


def test_cached_and_batch_prices(instrument, telemetry):
    """Cached tokens are cheaper, and so is a call that was made in a batch."""
    handle = instrument()
    ask("claude-sonnet-4-5")
    ask("claude-sonnet-4-5", cached=1000)
    ask("claude-sonnet-4-5", batch=True)
    plain, cached, batch = [cost for cost, _ in costs(handle)]
    assert cached < plain
    assert batch == pytest.approx(plain / 2)
    assert [span.attributes.get(semconv.INFERENCE_BATCH) for span in telemetry.spans("chat")] == [None, None, True]


def test_of_several_calls_the_weakest_source_is_named(instrument):
    """The sum of a told and a looked-up cost is a looked-up one; one unknown cost makes the turn's unknown."""
    handle = instrument()
    for models in (("mine", "gpt-4"), ("gpt-4", "nobody's")):
        with agentnet_otel.turn("planner") as turn:
            for model in models:
                call(turn, model, cost=0.01 if model == "mine" else None)
    assert costs(handle) == [(pytest.approx(0.1), CostSource.GENAI_PRICES), (None, None)]


def test_tokens_of_a_turn_as_a_whole_are_priced_by_its_model(instrument):
    """Where no call has any; what the user says of the turn goes before it."""
    handle = instrument()
    for model, cost in (("gpt-4", None), (None, None), ("gpt-4", 0.5)):
        with agentnet_otel.turn("planner", model=model) as turn:
            turn.record_tokens(input=1000, output=1000)
            if cost is not None:
                turn.record_cost(cost)
    assert costs(handle) == [(pytest.approx(0.09), CostSource.GENAI_PRICES), (None, None), (0.5, CostSource.USER)]


def test_public_prices_can_be_left_out(instrument):
    """Then only what was said and the user's rates are known, with the user's default for the rest."""
    handle = instrument(genai_prices=False)
    ask("gpt-4")
    handle.tokens.set_cost_model("default", 0.1)
    ask("gpt-4")
    assert costs(handle) == [(None, None), (pytest.approx(0.2), CostSource.USER)]


def test_wrong_rates_are_told(instrument):
    """A wrong rate is a wrong setting, and nothing is instrumented."""
    with pytest.raises(ConfigurationError, match="cost_models: cost model of 'm' is -1"):
        instrument(cost_models={"m": -1})


def test_a_missing_package_is_told_where_it_is_asked_for(instrument, monkeypatch):
    """Asked for it names the pip line; not asked for it is not missed."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(MissingExtraError, match=r"agentnet-otel\[prices\]"):
        instrument(genai_prices=True)
    assert importlib.util.find_spec("agentnet_otel") is not None


def test_a_price_book_that_fails_costs_the_price_only(instrument, monkeypatch):
    """The fault is contained and counted, the turn is whole, its cost unknown."""

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(prices.GenaiPrices, "price", fail)
    handle = instrument()
    ask("gpt-4")
    assert costs(handle) == [(None, None)]
    assert handle.turns()[0].tokens.total == 2000
    assert handle.tokens.get_metrics()[0].cost_assumed
    assert faults.log.fault_count() >= 1


def test_live_and_rebuilt_trackers_give_the_same_answers(instrument):
    """What the recorder told the trackers live, and what is filled in from the rebuilt turns, is summed up alike."""
    handle = instrument(cost_models={"mine": {"input": 0.5, "output": 0.7}})
    for number in range(6):
        with agentnet_otel.turn(f"agent{number % 2}", prompt="x" * number) as turn:
            call(turn, ("mine", "gpt-4", "nobody's")[number % 3], output=number)
            with turn.component(LatencyComponent.TOOL_EXECUTION, name="search"):
                pass
            turn.record_policy_violation("rule")
    latency = LatencyTracker.from_turns(handle.turns())
    assert latency.get_measurements() == handle.latency.get_measurements()
    assert latency.get_latency_statistics() == handle.latency.get_latency_statistics()
    assert latency.get_component_breakdown("agent1") == handle.latency.get_component_breakdown("agent1")
    tokens = TokenUtilizationTracker.from_turns(handle.turns())
    assert tokens.get_metrics() == handle.tokens.get_metrics()
    assert tokens.get_system_overview() == handle.tokens.get_system_overview()
    assert tokens.find_recommendations() == handle.tokens.find_recommendations()
    assert tokens.export_metrics("csv") == handle.tokens.export_metrics("csv")
