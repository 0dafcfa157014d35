"""What can be saved: findings, and advice with its evidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.columns import columns_of
from agentnet_otel.model import CostSource, LatencyComponent, Outcome, TokenCategory, TokenUsage, ToolCall, Turn
from agentnet_otel.outputs.reports.opportunities import opportunities_of
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.opportunities import DOCUMENTED_KINDS, OpportunityKind, TokenLimits
from agentnet_otel.performance.tokens import TokenUtilizationTracker
from agentnet_otel.prices import NoPrices

REASONING, POLICY = TokenCategory.REASONING, TokenCategory.POLICY
EMPTY = {kind.value: [] for kind in DOCUMENTED_KINDS}


@pytest.fixture
def tracker():
    """A tracker without prices but the documented ones."""
    return TokenUtilizationTracker(prices=NoPrices())


def good(tracker, turn_id, **facts):
    """Record a turn in which nothing is to be found."""
    return tracker.record_token_usage(
        "a", turn_id, 0, 100, **{"output_quality_score": 1.0, "processing_time": 1.0, **facts}
    )


def test_without_data_every_kind_is_empty(tracker):
    """The five documented keys are always there, and there is no advice without evidence."""
    assert tracker.identify_optimization_opportunities() == EMPTY
    assert list(EMPTY) == [
        "high_redundancy", "low_efficiency", "expensive_turns", "context_bloat", "category_imbalance",
    ]  # fmt: skip
    assert tracker.generate_optimization_recommendations() == []
    assert tracker.find_recommendations() == []


def test_good_turns_give_no_advice(tracker):
    """However many there are."""
    for number in range(50):
        good(tracker, f"t{number}")
    assert tracker.identify_optimization_opportunities() == EMPTY
    assert tracker.generate_optimization_recommendations() == []


@pytest.mark.parametrize(
    ("kind", "at", "over", "text"),
    [
        ("high_redundancy", {"output_quality_score": 0.7}, {"output_quality_score": 0.69}, "a/over: 31.0% redundancy"),
        (
            "expensive_turns",
            {"model_name": "half"},
            {"model_name": "more"},
            "a/over: $0.051",
        ),
        ("context_bloat", {"context_length": 8000}, {"context_length": 8001}, "a/over: 8001 context tokens"),
    ],
)
def test_findings_are_strictly_beyond_their_limits(tracker, kind, at, over, text):
    """A turn at a limit is none, one beyond it is; texts begin with agent and turn."""
    tracker.set_cost_model("half", 0.5)
    tracker.set_cost_model("more", 0.51)
    good(tracker, "at", **at)
    good(tracker, "over", **over)
    assert tracker.identify_optimization_opportunities() == {**EMPTY, kind: [text]}
    assert tracker.identify_optimization_opportunities("a") == {**EMPTY, kind: [text]}
    assert tracker.identify_optimization_opportunities("b") == EMPTY


def test_low_efficiency_is_below_its_limit(tracker):
    """A score at the limit is no finding."""
    tracker.limits = TokenLimits(redundancy=1.0)
    tracker.record_token_usage("a", "at", 0, 100, processing_time=0.0, output_quality_score=0.625)
    tracker.record_token_usage("a", "below", 0, 100, processing_time=0.0, output_quality_score=0.62)
    assert tracker.identify_optimization_opportunities()["low_efficiency"] == ["a/below: 0.496 efficiency"]


def test_an_assumed_price_is_said_to_be_one(tracker):
    """A turn is expensive by the documented table only: the text says so."""
    tracker.record_token_usage("a", "t", 0, 2000, model_name="gpt-4")
    assert tracker.identify_optimization_opportunities()["expensive_turns"] == ["a/t: $0.060 (assumed price)"]


def test_category_imbalance_is_of_the_whole_system(tracker):
    """One category above its share of all category tokens; of one agent there is none; all zero is none."""
    good(tracker, "zero", category_breakdown={REASONING: 0})
    assert tracker.identify_optimization_opportunities()["category_imbalance"] == []
    good(tracker, "t1", category_breakdown={REASONING: 39})
    tracker.record_token_usage("b", "t2", 0, 100, {POLICY: 61}, 0, 1.0, "default", 1.0)
    assert tracker.identify_optimization_opportunities()["category_imbalance"] == [
        "policy: 61.0% of all category tokens"
    ]
    assert tracker.identify_optimization_opportunities("b")["category_imbalance"] == []
    advice = tracker.find_recommendations()
    assert [r.turn_ids for r in advice if r.kind is OpportunityKind.CATEGORY_IMBALANCE] == [("b/t2",), ("b/t2",)]


def test_limits_can_be_configured():
    """Every limit of the findings is the user's."""
    strict = TokenLimits(redundancy=0.0, efficiency=1.0, cost_usd=0.0, context_tokens=0, category_share=0.0)
    tracker = TokenUtilizationTracker(prices=NoPrices(), limits=strict)
    tracker.record_token_usage("a", "t", 10, 10, {REASONING: 20}, context_length=1)
    assert all(tracker.identify_optimization_opportunities().values())
    lax = TokenLimits(redundancy=1.0, efficiency=0.0, cost_usd=9.0, context_tokens=9, category_share=1.0)
    tracker.limits = lax
    assert tracker.identify_optimization_opportunities() == EMPTY
    with pytest.raises(ValueError, match="redundancy cannot be 2"):
        TokenLimits(redundancy=2)


def test_two_pieces_of_advice_a_kind_in_order(tracker):
    """Each names its evidence: turns, figures, saving in tokens and money."""
    tracker.set_cost_model("m", 1.0)
    tracker.record_token_usage("a", "t", 9000, 1000, {REASONING: 10}, 9000, 0.0, "m", 0.1)
    found = tracker.find_recommendations("a")
    assert [r.kind.value for r in found] == [
        kind for kind in ("high_redundancy", "low_efficiency", "expensive_turns", "context_bloat") for _ in range(2)
    ]
    assert len({r.advice for r in found}) == 8
    assert all(r.turn_ids == ("a/t",) and r.figures and r.saving_tokens > 0 and r.saving_usd > 0 for r in found)
    texts = tracker.generate_optimization_recommendations("a")
    assert texts == [r.text for r in found]
    assert all("a/t" in text and "tokens, $" in text for text in texts)
    assert all("context" in text.lower() for text in texts[6:])


def test_savings_by_hand(tracker):
    """What is saved if a value came back to its limit."""
    tracker.set_cost_model("m", 10.0)
    tracker.record_token_usage("a", "t", 1000, 1000, None, 8500, 0.0, "m", 0.7)
    savings = {r.kind.value: (r.saving_tokens, r.saving_usd) for r in tracker.find_recommendations("a")}
    assert savings["high_redundancy"] == pytest.approx((1000, 10.0))  # 700 of 1,000 are 70 %
    assert savings["low_efficiency"] == pytest.approx((2000 - 700 / 0.58, 20 - 7 / 0.58))  # .5 x 700/n + .21 = .5
    assert savings["expensive_turns"] == pytest.approx((2000 * (1 - 0.05 / 20), 19.95))
    assert savings["context_bloat"] == pytest.approx((500, 5.0))


def test_evidence_is_told_worst_first_and_in_short(tracker):
    """The text names three turns and the number of the others; the evidence has them all."""
    for number in range(1, 6):
        good(tracker, f"t{number}", output_quality_score=0.6 - number / 100)
    advice = next(r for r in tracker.find_recommendations() if r.kind is OpportunityKind.HIGH_REDUNDANCY)
    assert advice.turn_ids == ("a/t5", "a/t4", "a/t3", "a/t2", "a/t1")
    assert "a/t5, a/t4, a/t3 and 2 more" in advice.text
    assert "at assumed prices" in advice.text
    assert advice.figures["findings"] == 5


@given(
    turns=st.lists(
        st.tuples(
            st.integers(0, 20_000), st.integers(0, 20_000), st.floats(0, 1), st.floats(0, 100), st.integers(0, 20_000)
        ),
        max_size=8,
    )
)
def test_no_advice_saves_more_than_was_spent(turns):
    """Savings are never negative and never more than the turns' own tokens and cost."""
    tracker = TokenUtilizationTracker(prices=NoPrices())
    for number, (input_, output, quality, seconds, context) in enumerate(turns):
        tracker.record_token_usage(
            "a", f"t{number}", input_, output, {REASONING: output}, context, seconds, "gpt-4", quality
        )
    tokens = sum(m.total_tokens for m in tracker.get_metrics())
    cost = sum(m.turn_cost_usd for m in tracker.get_metrics())
    for advice in tracker.find_recommendations():
        assert 0 <= advice.saving_tokens <= tokens + 1e-6
        assert 0 <= advice.saving_usd <= cost + 1e-9
        assert advice.turn_ids


# --- the newer dialect -----------------------------------------------------------------------------------


def kinds(tracker):
    """Kinds of advice on the system as a whole, beyond the documented ones."""
    return [r.kind.value for r in tracker.find_recommendations() if r.kind not in DOCUMENTED_KINDS]


def test_advice_of_the_newer_dialect(tracker):
    """Repeated input, low mean efficiency, costly models and missing cache hits, each with its turns."""
    tracker.set_cost_model("dear", 1.0)
    for number in range(2):
        tracker.record_token_usage("a", f"t{number}", 100, 100, "dear", 0, 0.0, 0.1, "same prompt", "same prompt")
    assert kinds(tracker) == ["repeated_input", "low_mean_efficiency", "costly_models", "no_cache_hits"]
    found = {r.kind.value: r for r in tracker.find_recommendations()}
    assert found["repeated_input"].saving_tokens == 200
    assert "dear" in found["costly_models"].advice
    assert found["costly_models"].saving_usd == pytest.approx(2 * (0.2 - 0.05))
    assert found["no_cache_hits"].saving_tokens == 100  # the second turn's input, if it is that of the first
    assert found["no_cache_hits"].figures == {"turns": 2, "cache hits": 0, "input tokens": 200}
    texts = tracker.get_system_overview()["recommendations"]
    assert texts == [r.text for r in tracker.find_recommendations() if r.kind.value in kinds(tracker)]


def test_a_cache_hit_ends_the_advice_to_cache(tracker):
    """So does having only one turn."""
    tracker.record_token_usage("a", "t1", 1, 100, processing_time=1.0)
    good(tracker, "without a prompt")
    assert kinds(tracker) == []
    tracker.record_token_usage("a", "t2", 1, 100, processing_time=1.0)
    assert kinds(tracker) == ["no_cache_hits"]
    tracker.record_cache_hit("a", "t3", 10, 10, "default")
    assert kinds(tracker) == []


def test_means_are_strictly_beyond_their_limits(tracker):
    """At the limit there is no advice."""
    tracker.limits = TokenLimits(mean_io_redundancy=0.5, mean_efficiency=0.5, min_uncached_turns=5, redundancy=1)
    tracker.record_token_usage("a", "t1", 0, 100, output_quality_score=0.625, prompt_text="p", response_text="pp")
    assert kinds(tracker) == []
    tracker.record_token_usage("a", "t2", 0, 100, output_quality_score=0.6, prompt_text="p", response_text="p")
    assert kinds(tracker) == ["repeated_input", "low_mean_efficiency"]


def test_a_report_finds_what_the_trackers_find():
    """The documented limits stand in one place: reports and trackers name the same turns."""
    turns = [
        Turn(
            turn_id=f"t{number}", trace_id=format(number + 1, "032x"), span_id=format(number + 1, "016x"), agent="a",
            start_ns=0, end_ns=(900 + number) * 1_000_000, outcome=Outcome.SUCCESS, quality=0.5,
            component_self_ns={LatencyComponent.MEMORY_ACCESS: (250 + number) * 1_000_000},
            tokens=TokenUsage(input=80 * number, output=100), context_tokens=80 * number, efficiency=None,
            tool_calls=tuple(ToolCall(name="search") for _ in range(number % 5)), policy_violations=number % 4,
            cost_usd=number / 2000, cost_source=CostSource.ENGINE,
        )
        for number in range(120)
    ]  # fmt: skip
    rows = {row.kind: row.turns for row in opportunities_of(columns_of(turns))}
    issues = LatencyTracker.from_turns(turns).identify_performance_issues()
    found = TokenUtilizationTracker.from_turns(turns).identify_optimization_opportunities()
    for kind in ("high_redundancy", "expensive_turns", "context_bloat"):
        assert rows[kind] == len(found[kind]) > 0
    assert {kind: rows[kind] for kind in issues} == {kind: len(turn_ids) for kind, turn_ids in issues.items()}
