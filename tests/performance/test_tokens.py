"""The token tracker, by hand in both dialects, from turns, and asked."""

import asyncio
import inspect
import json
import math
import threading
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentnet_otel
from agentnet_otel.core.cost import Price
from agentnet_otel.model import CostSource, Outcome, QualitySource, TokenCategory, TokenType, TokenUsage, Turn
from agentnet_otel.performance.harness import BenchmarkConfig, BenchmarkType, PerformanceHarness
from agentnet_otel.performance.tokens import TokenMetrics, TokenUtilizationTracker, get_token_tracker, token_metrics_of
from agentnet_otel.prices import NoPrices
from agentnet_otel.testing import EPOCH_NS, NANOS_PER_MS, FakeClock

REASONING, SYSTEM, POLICY = TokenCategory.REASONING, TokenCategory.SYSTEM, TokenCategory.POLICY


class OnePrice:
    """A price book that sells everything for a cent."""

    def price(self, call):
        """A cent."""
        return Price(cost_usd=0.01, source=CostSource.GENAI_PRICES)


@pytest.fixture
def clock():
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture
def tracker(clock):
    """A tracker on that clock, without prices but the documented ones."""
    return TokenUtilizationTracker(prices=NoPrices(), clock=clock)


def turn(number=1, *, agent="a", seconds=2.0, **facts):
    """A turn that ends ``number`` seconds into the epoch of fakes."""
    end_ns = EPOCH_NS + number * 1_000_000_000
    return Turn(
        turn_id=f"t{number}",
        trace_id=format(number + 1, "032x"),
        span_id=format(number + 1, "016x"),
        agent=agent,
        start_ns=end_ns - round(seconds * 1000 * NANOS_PER_MS),
        end_ns=end_ns,
        outcome=Outcome.SUCCESS,
        **{"tokens": TokenUsage(input=100, output=150), **facts},
    )


# --- the documented shape --------------------------------------------------------------------------------


def test_metrics_fields_in_documented_order():
    """The dataclass takes the documented fields by position, in the documented order, with their defaults."""
    assert [field.name for field in fields(TokenMetrics)][:13] == [
        "agent_id", "turn_id", "timestamp", "input_tokens", "output_tokens", "category_breakdown", "context_length",
        "effective_tokens", "redundant_tokens", "tokens_per_second", "cost_per_token", "output_quality_score",
        "token_efficiency_ratio",
    ]  # fmt: skip
    made = TokenMetrics("a", "t", 1.0)
    assert (made.total_tokens, made.efficiency_score, made.cost_per_token, made.category_breakdown) == (0, 0.0, 0.0, {})
    assert (made.model_name, made.cost_usd, made.cost_per_1k_tokens_usd, made.redundancy_ratio) == (
        "default",
        None,
        None,
        0.0,
    )
    made = TokenMetrics("a", "t", 1.0, 100, 50, {"policy": 3}, 7, 40, 110, 50.0, 0.002, 0.8, 0.4)
    assert made.category_breakdown == {POLICY: 3}
    assert made.efficiency_score == pytest.approx(0.5 * 0.4 + 0.3 * 0.8 + 0.2 * 0.5)


def test_the_other_dialects_fields_follow():
    """Whoever gives a cost or a time by the newer dialect gets the rate and the speed of the documented one."""
    made = TokenMetrics("a", "t", 1.0, 600, 400, turn_cost_usd=0.05, processing_time_seconds=4)
    assert (made.cost_per_token, made.tokens_per_second) == (0.05, 250.0)
    assert TokenMetrics("a", "t", 1.0, 600, 400, cost_per_token=0.03).turn_cost_usd == pytest.approx(0.03)


def test_token_types():
    """Input, output and their total, each by its value."""
    assert [TokenType(value) for value in ("input", "output", "total")] == list(TokenType)


def test_signature_by_position():
    """Parameters stand in the documented order with the documented defaults, and there is no ``*args``."""
    parameters = inspect.signature(TokenUtilizationTracker.record_token_usage).parameters
    assert [(p.name, p.default) for p in parameters.values()][5:10] == [
        ("category_breakdown", None), ("context_length", 0), ("processing_time", 0.0), ("model_name", "default"),
        ("output_quality_score", 0.8),
    ]  # fmt: skip
    assert not [p for p in parameters.values() if p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]


# --- by hand ---------------------------------------------------------------------------------------------


def test_recording_by_hand(tracker, clock):
    """All documented figures are derived from what is given."""
    made = tracker.record_token_usage("a", "t1", 100, 150, {REASONING: 120, SYSTEM: 30}, 300, 2.0, "gpt-4", 0.9)
    assert (made.agent_id, made.turn_id, made.timestamp) == ("a", "t1", EPOCH_NS / 1e9)
    assert (made.input_tokens, made.output_tokens, made.total_tokens, made.context_length) == (100, 150, 250, 300)
    assert made.category_breakdown == {REASONING: 120, SYSTEM: 30}
    assert (made.effective_tokens, made.redundant_tokens, made.token_efficiency_ratio) == (135, 115, 0.54)
    assert (made.tokens_per_second, made.cost_per_token, made.output_quality_score) == (125.0, 0.03, 0.9)
    assert made.efficiency_score == pytest.approx(0.5 * 0.54 + 0.3 * 0.9 + 0.2)
    assert (made.model_name, made.turn_cost_usd, made.processing_time_seconds) == ("gpt-4", pytest.approx(0.0075), 2.0)
    assert tracker.get_metrics() == [made]


def test_documented_sample():
    """Keywords as in the documentation work, with every default."""
    made = TokenUtilizationTracker(prices=NoPrices()).record_token_usage(
        agent_id="agent_1",
        turn_id="turn_001",
        input_tokens=100,
        output_tokens=150,
        category_breakdown={REASONING: 120, SYSTEM: 30},
    )
    assert (made.output_quality_score, made.cost_per_token, made.tokens_per_second) == (0.8, 0.002, 0.0)
    assert (made.effective_tokens, made.total_tokens * made.cost_per_token / 1000) == (120, 0.0005)


@pytest.mark.parametrize(
    ("output", "quality", "effective"), [(100, 0.29, 29), (7, 0.35, 2.45), (3, 1 / 3, 1), (1000, 0.0, 0), (10, 1, 10)]
)
def test_effective_tokens_are_not_truncated(tracker, output, quality, effective):
    """The product is rounded to nine decimals, and is whole where it is whole."""
    made = tracker.record_token_usage("a", "t", 0, output, output_quality_score=quality)
    assert (made.effective_tokens, type(made.effective_tokens)) == (effective, type(effective))


@given(input_=st.integers(0, 10**7), output=st.integers(0, 10**7), quality=st.floats(0, 1), seconds=st.floats(0, 1e4))
def test_the_documented_formulas_hold(input_, output, quality, seconds):
    """For any turn: parts add up to the total, and score and cost are those of the documentation."""
    made = TokenUtilizationTracker(prices=NoPrices()).record_token_usage(
        "a", "t", input_, output, output_quality_score=quality, processing_time=seconds, model_name="claude-3"
    )
    total = input_ + output
    assert made.effective_tokens + made.redundant_tokens == pytest.approx(total)
    assert made.turn_cost_usd == pytest.approx(total * made.cost_per_token / 1000)
    if total == 0:
        assert (made.efficiency_score, made.tokens_per_second) == (0.0, 0.0)
        return
    speed = total / seconds if seconds > 0 else 0.0
    score = 0.5 * output * quality / total + 0.3 * quality + 0.2 * min(speed / 100, 1)
    assert made.efficiency_score == pytest.approx(score, abs=1e-8)
    assert made.token_efficiency_ratio == pytest.approx(output * quality / total, abs=1e-8)


# --- the newer dialect -----------------------------------------------------------------------------------


def test_a_text_in_fifth_place_is_the_model():
    """Then the order is that of the newer dialect: context, time, quality, prompt, response."""
    tracker = TokenUtilizationTracker(prices=NoPrices())
    made = tracker.record_token_usage(
        "a", "t", 100, 50, "gpt-4-turbo", 9, 0.5, 0.7, "Question", "the question: Question!"
    )
    assert (made.model_name, made.context_length, made.processing_time_seconds) == ("gpt-4-turbo", 9, 0.5)
    assert (made.output_quality_score, made.category_breakdown) == (0.7, {})
    assert made.io_redundancy_ratio == pytest.approx(8 / 23)
    assert made.turn_cost_usd == pytest.approx(0.001 + 0.0015)
    assert made.cost_per_token == pytest.approx(0.0025 / 150 * 1000)


@pytest.mark.parametrize(
    ("positional", "keywords", "quality", "ratio"),
    [
        ((), {}, 0.8, 0.0),
        ((0, 0.0, 0.3), {}, 0.3, 0.0),
        ((0, 0.0, 0.3, None, "x"), {}, 0.3, 0.0),
        ((0, 0.0, 0.3, "p"), {"response_text": "p"}, 0.3, 1.0),
        ((0, 0.0), {"output_quality_score": 0.4, "prompt_text": "p", "response_text": "pp"}, 0.4, 0.5),
        ((), {"processing_time_seconds": 1.0}, 0.8, 0.0),
    ],
)
def test_newer_order_with_and_without_keywords(tracker, positional, keywords, quality, ratio):
    """Each way of giving quality, prompt and response after the model's name is understood."""
    made = tracker.record_token_usage("a", "t", 1, 1, "m", *positional, **keywords)
    assert (made.model_name, made.output_quality_score, made.io_redundancy_ratio) == ("m", quality, ratio)


def test_keywords_of_both_dialects_together(tracker):
    """A breakdown beside prompt and response, and the newer name of the time."""
    made = tracker.record_token_usage(
        agent_id="a", turn_id="t", input_tokens=1, output_tokens=1, model_name="m", processing_time_seconds=2.0,
        category_breakdown={"policy": 2}, prompt_text="Hello", response_text="HELLO",
    )  # fmt: skip
    assert (made.tokens_per_second, made.category_breakdown, made.io_redundancy_ratio) == (1.0, {POLICY: 2}, 1.0)


@pytest.mark.parametrize(
    ("prompt", "response", "ratio"),
    [
        ("abc", "xxABCxx", 3 / 7),
        ("abc", "other", 0.0),
        ("", "other", 0.0),
        ("abc", None, 0.0),
        ("a.c", "abc", 0.0),
        ("q" * 200 + "tail", "q" * 200, 1.0),
        ("q" * 5000, "q" * 10000, 0.5),
        ("q" * 5001, "q" * 10000, 0.0),
    ],
)
def test_how_much_of_the_response_repeats_the_prompt(tracker, prompt, response, ratio):
    """Only the prompt's beginning is looked for, as plain text in any case; long prompts are not compared."""
    made = tracker.record_token_usage("a", "t", 1, 1, prompt_text=prompt, response_text=response)
    assert made.io_redundancy_ratio == pytest.approx(ratio)


# --- cost ------------------------------------------------------------------------------------------------


def test_a_users_rate_goes_first_and_is_no_assumption(clock):
    """By the constructor or later; what was recorded before keeps its price."""
    tracker = TokenUtilizationTracker(cost_models={"m": {"input": 1, "output": 3}}, prices=OnePrice(), clock=clock)
    first = tracker.record_token_usage("a", "t1", 1000, 1000, model_name="m")
    assert (first.cost_usd, first.cost_source, first.cost_assumed) == (4.0, CostSource.USER, False)
    assert (first.cost_per_token, first.cost_per_1k_tokens_usd) == (2.0, 2.0)
    tracker.set_cost_model("m", 0.5)
    assert tracker.record_token_usage("a", "t2", 1000, 1000, model_name="m").cost_per_token == 0.5
    assert [m.cost_usd for m in tracker.get_metrics()] == [4.0, 1.0]


def test_then_the_price_book_then_the_documented_table(clock):
    """What only the table knows is marked as assumed: the number is there, the known cost is not."""
    tracker = TokenUtilizationTracker(prices=OnePrice(), clock=clock)
    known = tracker.record_token_usage("a", "t1", 500, 500, model_name="gpt-4")
    assert (known.cost_usd, known.cost_per_token, known.cost_source) == (0.01, 0.01, CostSource.GENAI_PRICES)
    assumed = tracker.record_token_usage("a", "t2", 500, 500)
    assert (assumed.cost_per_token, assumed.turn_cost_usd) == (0.002, 0.002)
    assert (assumed.cost_usd, assumed.cost_per_1k_tokens_usd, assumed.cost_assumed) == (None, None, True)
    assert tracker.assumed_cost_usd() == 0.002
    assert tracker.assumed_cost_usd("nobody") == 0.0
    assert tracker.get_agent_token_summary("a")["cost"] == {
        "total_usd": pytest.approx(0.012), "avg_per_turn_usd": pytest.approx(0.006),
    }  # fmt: skip


def test_installed_prices_are_used_without_asking():
    """A tracker that is made as documented knows the prices of genai-prices, cached and batch ones too."""
    tracker = TokenUtilizationTracker()
    plain = tracker.record_token_usage("a", "t", 1000, 1000, model_name="claude-sonnet-4-5")
    assert plain.cost_source is CostSource.GENAI_PRICES
    cached = tracker.record_token_usage("a", "t", 1000, 1000, model_name="claude-sonnet-4-5", cached_tokens=1000)
    batch = tracker.record_token_usage("a", "t", 1000, 1000, model_name="claude-sonnet-4-5", batch=True)
    assert cached.cost_usd < plain.cost_usd
    assert batch.cost_usd == pytest.approx(plain.cost_usd / 2)


# --- from turns ------------------------------------------------------------------------------------------


def test_from_a_turn():
    """All figures come from the turn: its end, its length, its quality, its cost."""
    made = token_metrics_of(
        turn(
            3,
            tokens_by_category={REASONING: 250},
            quality=0.5,
            quality_source=QualitySource.EVALUATED,
            cost_usd=0.01,
            cost_source=CostSource.ENGINE,
            model="m",
        )
    )
    assert (made.agent_id, made.turn_id, made.timestamp) == ("a", "t3", (EPOCH_NS + 3_000_000_000) / 1e9)
    assert (made.total_tokens, made.effective_tokens, made.redundant_tokens) == (250, 75, 175)
    assert (made.tokens_per_second, made.processing_time_seconds, made.model_name) == (125.0, 2.0, "m")
    assert (made.category_breakdown, made.output_quality_score) == ({REASONING: 250}, 0.5)
    assert (made.cost_usd, made.cost_per_token, made.cost_source) == (0.01, 0.04, CostSource.ENGINE)


def test_from_a_turn_of_unknown_cost():
    """The documented table stands in model by model, marked; a turn without any model has the default rate."""
    by_model = {"gpt-4": TokenUsage(input=100, output=0), "claude-3": TokenUsage(input=0, output=150)}
    made = token_metrics_of(turn(tokens_by_model=by_model, model="gpt-4"))
    assert (made.turn_cost_usd, made.cost_usd, made.cost_assumed) == (pytest.approx(0.003 + 0.0012), None, True)
    assert token_metrics_of(turn()).cost_per_token == 0.002
    one = token_metrics_of(turn(tokens_by_model={"gpt-4": TokenUsage(input=100, output=150)}))
    assert one.cost_per_token == 0.03
    assert token_metrics_of(turn(quality=None)).output_quality_score == 0.8


def test_a_turn_gets_its_unknown_cost_from_the_tracker():
    """The rates that hold when it is recorded; a known cost stays."""
    tracker = TokenUtilizationTracker(cost_models={"m": 1.0}, prices=NoPrices())
    tracker.record_turn(turn(1, model="m"))
    tracker.record_turn(turn(2, model="m", cost_usd=0.0, cost_source=CostSource.ENGINE))
    tracker.record_turn(turn(3, model="x"))
    tracker.set_cost_model("m", 2.0)
    assert [(m.cost_usd, m.cost_source) for m in tracker.get_metrics()] == [
        (0.25, CostSource.USER), (0.0, CostSource.ENGINE), (None, CostSource.TABLE),
    ]  # fmt: skip


def test_turns_without_known_tokens_are_no_use():
    """Unknown is not zero: such a turn is in no average. One of known cost counts, for money was spent."""
    tracker = TokenUtilizationTracker.from_turns([turn(1), turn(2, tokens=TokenUsage())])
    assert tracker.get_system_token_overview()["overview"]["total_turns"] == 1
    tracker.record_turn(turn(3, tokens=TokenUsage(), cost_usd=0.5, cost_source=CostSource.USER))
    assert tracker.get_system_token_overview()["overview"]["total_cost_usd"] >= 0.5


def test_by_hand_and_from_turns_give_the_same_answers(clock):
    """One workload, filled in by hand and recorded as turns, is summed up alike."""
    turns = [
        turn(n, agent="ab"[n % 2], tokens=TokenUsage(input=10 * n, output=7 * n), quality=0.29, context_tokens=10 * n)
        for n in range(1, 9)
    ]
    by_hand = TokenUtilizationTracker(prices=NoPrices(), clock=clock)
    for one in turns:
        clock.advance(1000)
        by_hand.record_token_usage(
            one.agent, one.turn_id, one.tokens.input, one.tokens.output, processing_time=2.0, output_quality_score=0.29,
            context_length=one.tokens.input,
        )  # fmt: skip
    from_turns = TokenUtilizationTracker(prices=NoPrices(), clock=clock)
    for one in reversed(turns):
        from_turns.record_turn(one)
    assert from_turns.get_metrics() == by_hand.get_metrics()
    assert from_turns.get_system_token_overview() == by_hand.get_system_token_overview()
    assert from_turns.get_system_overview() == by_hand.get_system_overview()
    assert from_turns.find_recommendations() == by_hand.find_recommendations()


# --- asked -----------------------------------------------------------------------------------------------


def test_summary_of_an_agent(tracker):
    """Totals and averages of its own turns only; {} for an agent that is not known."""
    tracker.record_token_usage("a", "t1", 100, 100, {REASONING: 150, "system": 50}, processing_time=1)
    tracker.record_token_usage("b", "t2", 1, 1)
    latest = tracker.record_token_usage("a", "t3", 300, 100, {REASONING: 10}, processing_time=2)
    found = tracker.get_agent_token_summary("a")
    assert set(found) == {
        "agent_id", "total_turns", "tokens", "efficiency", "cost", "category_breakdown", "latest_metrics",
    }  # fmt: skip
    assert (found["agent_id"], found["total_turns"]) == ("a", 2)
    assert found["tokens"] == {"input": 400, "output": 200, "total": 600, "avg_per_turn": 300.0}
    assert found["efficiency"] == {
        "avg_efficiency_score": pytest.approx((0.64 + 0.54) / 2),
        "avg_quality_score": pytest.approx(0.8),
        "avg_tokens_per_second": 200.0,
    }
    assert found["cost"] == {"total_usd": pytest.approx(0.0012), "avg_per_turn_usd": pytest.approx(0.0006)}
    assert found["category_breakdown"] == {REASONING: 160, SYSTEM: 50}
    assert found["latest_metrics"] == latest
    assert tracker.get_agent_token_summary("nobody") == {}


def test_overview_of_the_system(tracker, clock):
    """Totals, the hour before now, and each agent's summary; {} without data."""
    assert tracker.get_system_token_overview() == {}
    tracker.record_token_usage("b", "old", 100, 0)
    clock.advance(3_600_000)
    tracker.record_token_usage("a", "new", 10, 40)
    found = tracker.get_system_token_overview()
    assert found["overview"] == {
        "total_tokens": 150, "total_turns": 2, "unique_agents": 2,
        "avg_efficiency": pytest.approx((0.24 + 0.5 * 0.64 + 0.24) / 2), "total_cost_usd": pytest.approx(0.0003),
    }  # fmt: skip
    assert found["recent_activity"] == {
        "last_hour_tokens": 50, "last_hour_turns": 1, "last_hour_cost_usd": pytest.approx(0.0001),
    }  # fmt: skip
    assert found["agents"] == {"b": tracker.get_agent_token_summary("b"), "a": tracker.get_agent_token_summary("a")}


def test_overview_of_the_newer_dialect(tracker):
    """Totals, savings, the newest tenth against all, recommendations; a message without data."""
    assert list(tracker.get_system_overview()) == ["message"]
    for number in range(9):
        tracker.record_token_usage("a", f"t{number}", 500, 500)
    assert tracker.get_system_overview()["cost_trends"]["trend"] == "stable"
    tracker.record_token_usage("a", "last", 5000, 5000, prompt_text="p", response_text="p")
    tracker.record_cache_hit("a", "hit", 1000, 1000, "gpt-4")
    found = tracker.get_system_overview()
    assert found["overview"] == {
        "total_turns_tracked": 10,
        "total_tokens_processed": 19_000,
        "total_cost_usd": pytest.approx(0.038),
        "total_cost_saved_by_caching_usd": pytest.approx(0.06),
        "avg_efficiency_score": pytest.approx(0.44),
        "avg_io_redundancy_ratio": pytest.approx(0.1),
    }
    assert found["cost_trends"] == {
        "avg_cost_per_turn_usd": pytest.approx(0.0038), "avg_cost_per_turn_recent_usd": pytest.approx(0.02),
        "trend": "rising",
    }  # fmt: skip
    assert all(isinstance(text, str) for text in found["recommendations"])
    tracker.record_token_usage("a", "cheap", 1, 1)
    assert tracker.get_system_overview()["cost_trends"]["trend"] == "falling"


def test_export(tracker):
    """Rows with plain keys for json, headers and rows for csv, of one agent or all; other formats are refused."""
    tracker.record_token_usage("a", "t1", 10, 30, {REASONING: 40}, processing_time=2)
    tracker.record_token_usage("b", "t2", 1, 1)
    row = {
        "agent_id": "a", "turn_id": "t1", "timestamp": EPOCH_NS / 1e9, "input_tokens": 10, "output_tokens": 30,
        "total_tokens": 40, "efficiency_score": pytest.approx(0.5 * 0.6 + 0.24 + 0.2 * 0.2), "tokens_per_second": 20.0,
    }  # fmt: skip
    exported = tracker.export_metrics("json", "a")
    assert exported == [{**row, "category_breakdown": {"reasoning": 40}}]
    assert list(exported[0]) == [*row, "category_breakdown"]
    assert json.loads(json.dumps(exported)) == exported
    assert tracker.export_metrics("csv", agent_id="a") == {"headers": list(row), "rows": [list(row.values())]}
    assert [row["agent_id"] for row in tracker.export_metrics()] == ["a", "b"]
    with pytest.raises(ValueError, match=r"format cannot be 'xml'; allowed is one of: json, csv"):
        tracker.export_metrics("xml")


def test_clearing_one_agent_or_all(tracker):
    """Turns, categories and cache hits of the agent go, those of others stay."""
    for agent in ("a", "b"):
        tracker.record_token_usage(agent, "t", 10, 10, {POLICY: 20})
        tracker.record_cache_hit(agent, "t", 1000, 0, "default")
    tracker.clear_metrics("a")
    assert tracker.get_agent_token_summary("a") == {}
    assert tracker.get_agent_token_summary("b")["category_breakdown"] == {POLICY: 20}
    assert tracker.get_system_overview()["overview"]["total_cost_saved_by_caching_usd"] == pytest.approx(0.002)
    tracker.clear_metrics("nobody")
    tracker.clear_metrics()
    assert tracker.get_metrics() == []
    assert tracker.dropped == 0


# --- wrong values, copies, bounds, threads ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "keywords", "words"),
    [
        (("a", "t", -1, 0), {}, ("input_tokens", "-1", "at least 0")),
        (("a", "t", 0, -5), {}, ("output_tokens", "-5")),
        (("a", "t", 1.5, 0), {}, ("input_tokens", "1.5", "whole number")),
        (("a", "t", True, 0), {}, ("input_tokens", "True")),
        (("a", "t", "9", 0), {}, ("input_tokens", "'9'")),
        ((None, "t", 1, 1), {}, ("agent_id", "None", "text")),
        (("a", 5, 1, 1), {}, ("turn_id", "5")),
        (("a", "t", 1, 1), {"output_quality_score": 1.1}, ("output_quality_score", "1.1", "0 to 1")),
        (("a", "t", 1, 1), {"output_quality_score": math.nan}, ("output_quality_score", "nan")),
        (("a", "t", 1, 1), {"processing_time": -1}, ("processing_time", "-1")),
        (("a", "t", 1, 1), {"processing_time_seconds": "x"}, ("processing_time_seconds", "'x'")),
        (("a", "t", 1, 1), {"processing_time": 1, "processing_time_seconds": 1}, ("processing_time_seconds", "too")),
        (("a", "t", 1, 1), {"context_length": -1}, ("context_length", "-1")),
        (("a", "t", 1, 1), {"category_breakdown": {"lunch": 1}}, ("category_breakdown", "'lunch'", "reasoning")),
        (("a", "t", 1, 1), {"category_breakdown": {REASONING: -1}}, ("category_breakdown", "-1")),
        (("a", "t", 1, 1), {"category_breakdown": [1]}, ("category_breakdown", "[1]")),
        (("a", "t", 1, 1), {"model_name": 3}, ("model_name", "3")),
        (("a", "t", 1, 1), {"prompt_text": 3, "response_text": "x"}, ("prompt_text", "3")),
        (("a", "t", 1, 1), {"prompt_text": "x", "response_text": 3}, ("response_text", "3")),
        (("a", "t", 1, 1), {"cached_tokens": 2}, ("cached_tokens", "2", "at most input_tokens")),
        (("a", "t", 1, 1), {"reasoning_tokens": 2}, ("reasoning_tokens", "2", "at most output_tokens")),
        (("a", "t", 1, 1, "m"), {"model_name": "n"}, ("model_name", "'n'", "'m'")),
        (("a", "t", 1, 1, "m", 0, 0.0, 0.3), {"output_quality_score": 0.4}, ("output_quality_score", "0.4", "0.3")),
        (("a", "t", 1, 1, "m", 0, 0.0, 0.3, "p"), {"prompt_text": "q"}, ("prompt_text", "'q'")),
    ],
)
def test_wrong_values_are_named(tracker, arguments, keywords, words):
    """A ValueError names the field, the value and what is allowed, and nothing is recorded."""
    with pytest.raises(ValueError, match="allowed is") as caught:
        tracker.record_token_usage(*arguments, **keywords)
    assert all(word in str(caught.value) for word in words)
    assert tracker.get_metrics() == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: t.record_cache_hit("a", "t", -1, 0, "m"), ("cached_input_tokens", "-1")),
        (lambda t: t.record_cache_hit("a", "t", 0, None, "m"), ("cached_output_tokens", "None")),
        (lambda t: t.record_cache_hit("a", "t", 0, 0, 3), ("model_name", "3")),
        (lambda t: t.set_cost_model("m", -1), ("'m'", "-1")),
        (lambda _: TokenUtilizationTracker(max_history=0), ("max_history", "0")),
        (lambda _: TokenUtilizationTracker(cost_models={"m": "x"}), ("'m'", "'x'")),
        (lambda _: TokenMetrics("a", "t", 1.0, -3), ("input_tokens", "-3")),
        (lambda _: TokenMetrics("a", "t", 1.0, output_quality_score=2), ("output_quality_score", "2")),
        (lambda _: TokenMetrics("a", "t", 1.0, cost_per_token=-1), ("cost_per_token", "-1")),
        (lambda _: TokenMetrics("a", "t", 1.0, cost_usd=math.inf), ("cost_usd", "inf")),
    ],
)
def test_other_wrong_values_are_named(tracker, call, words):
    """Each constructor and setter says which field, what was given, and what is allowed."""
    with pytest.raises(ValueError, match="allowed") as caught:
        call(tracker)
    assert all(word in str(caught.value) for word in words)


def test_callers_share_nothing_with_the_tracker(tracker):
    """What is given and what comes back are copies, so that changing them changes no answer."""
    categories = {REASONING: 5}
    made = tracker.record_token_usage("a", "t", 5, 0, categories)
    categories[REASONING] = 50
    made.input_tokens = 7
    for found in (made, tracker.get_metrics()[0], tracker.get_agent_token_summary("a")["latest_metrics"]):
        found.category_breakdown[POLICY] = 9
    kept = tracker.get_metrics()[0]
    assert (kept.input_tokens, kept.category_breakdown) == (5, {REASONING: 5})


def test_history_is_bounded_and_counted():
    """Beyond the bound the oldest goes and is counted; the default bound is the documented one."""
    tracker = TokenUtilizationTracker(max_history=2, prices=NoPrices())
    for number in range(5):
        tracker.record_token_usage("a", f"t{number}", 1, 1)
    assert [m.turn_id for m in tracker.get_metrics()] == ["t3", "t4"]
    assert (tracker.dropped, tracker.max_history, TokenUtilizationTracker().max_history) == (3, 2, 10_000)


def test_cache_hits_of_many_agents_are_bounded(tracker):
    """Savings add up whatever the number of agents; those of the oldest can no longer be told apart."""
    for number in range(10_003):
        tracker.record_cache_hit(f"agent{number}", "t", 1000, 0, "default")
    tracker.record_token_usage("a", "t", 1, 1)
    assert tracker.get_system_overview()["overview"]["total_cost_saved_by_caching_usd"] == pytest.approx(20.006)
    assert len(tracker._cache_hits) == 10_000


def test_many_threads_record_at_once():
    """No record is lost."""
    tracker = TokenUtilizationTracker(prices=NoPrices())

    def work(thread):
        for number in range(200):
            tracker.record_token_usage(f"agent{thread}", f"{thread}-{number}", 1, 2, {REASONING: 3})
            tracker.record_cache_hit(f"agent{thread}", "t", 1000, 0, "default")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    overview = tracker.get_system_overview()["overview"]
    assert overview["total_tokens_processed"] == 8 * 200 * 3
    assert overview["total_cost_saved_by_caching_usd"] == pytest.approx(8 * 200 * 0.002)
    assert len({m.turn_id for m in tracker.get_metrics()}) == 1600


def test_the_shared_tracker_is_one_and_takes_arguments_once():
    """Each call gives the same tracker, whatever arguments later calls have; own trackers are others."""
    shared = get_token_tracker()
    assert get_token_tracker(max_history=5) is shared
    assert shared.max_history == 10_000
    assert TokenUtilizationTracker() is not shared


def test_a_benchmark_prices_calls_whose_engine_told_no_cost():
    """By the rates of the harness's tracker and the installed prices, without `instrument()`; its limit is judged."""
    harness = PerformanceHarness()
    harness.token_tracker.set_cost_model("mine", 1.0)

    async def operation(_, prompt):
        with agentnet_otel.turn("planner", prompt=prompt) as planned:
            for model in ("mine", "gpt-4"):
                with planned.component("inference", model=model) as call:
                    call.record_tokens(input=1000, output=1000)

    config = BenchmarkConfig("costs", BenchmarkType.SINGLE_TURN, iterations=1, warmup_iterations=0, max_cost_usd=1.0)
    result = asyncio.run(harness.run_benchmark(config, object, operation))
    assert result.avg_cost_usd == pytest.approx(2.09)
    assert not result.passed_thresholds
    assert [m.cost_usd for m in harness.token_tracker.get_metrics()] == [pytest.approx(2.09)]
