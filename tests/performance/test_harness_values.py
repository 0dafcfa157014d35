"""The configuration of a benchmark, its result, and the figures that are derived from samples."""

import inspect
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from agentnet_otel.model import Outcome, TokenUsage
from agentnet_otel.performance import figures
from agentnet_otel.performance.harness import BenchmarkConfig, BenchmarkResult, BenchmarkType
from agentnet_otel.performance.host_sampling import HostSample, HostUsage
from agentnet_otel.performance.samples import OperationSample

DOCUMENTED_CONFIG = [
    "name",
    "benchmark_type",
    "iterations",
    "concurrency_level",
    "warmup_iterations",
    "timeout_seconds",
    "agent_count",
    "turn_count",
    "test_prompts",
    "max_turn_latency_ms",
    "max_tokens_per_turn",
    "min_success_rate",
    "metadata",
]
DOCUMENTED_RESULT = [
    "config",
    "start_time",
    "end_time",
    "total_duration",
    "avg_turn_latency_ms",
    "min_turn_latency_ms",
    "max_turn_latency_ms",
    "p95_turn_latency_ms",
    "total_tokens_consumed",
    "avg_tokens_per_turn",
    "token_efficiency_score",
    "total_operations",
    "successful_operations",
    "failed_operations",
    "success_rate",
    "operations_per_second",
    "tokens_per_second",
    "individual_results",
    "error_details",
]
NOT_A_NUMBER = float("nan")
INFINITE = float("inf")


def config(**changes):
    """A configuration."""
    return BenchmarkConfig("c", BenchmarkType.SINGLE_TURN, **changes)


def result(**changes):
    """A result with the documented fields."""
    given = {
        "config": config(),
        "start_time": 1.0,
        "end_time": 3.0,
        "total_duration": 2.0,
        "avg_turn_latency_ms": 100.0,
        "min_turn_latency_ms": 50.0,
        "max_turn_latency_ms": 200.0,
        "p95_turn_latency_ms": 190.0,
        "total_tokens_consumed": 1000,
        "avg_tokens_per_turn": 100.0,
        "token_efficiency_score": 0.6,
        "total_operations": 10,
        "successful_operations": 10,
        "failed_operations": 0,
        "success_rate": 1.0,
        "operations_per_second": 5.0,
        "tokens_per_second": 500.0,
    }
    return BenchmarkResult(**{**given, **changes})


def sample(iteration=0, *, latencies=(100.0,), outcome=Outcome.SUCCESS, tokens=None, **facts):
    """A sample whose turns took so many milliseconds."""
    whole = sum(latencies)
    return OperationSample(
        iteration=iteration,
        scheduled_ns=0,
        start_ns=0,
        service_ms=facts.pop("service_ms", whole),
        response_ms=facts.pop("response_ms", whole),
        outcome=outcome,
        tokens=TokenUsage() if tokens is None else TokenUsage(input=tokens, output=0),
        turns=len(latencies) or 1,
        turn_latencies_ms=latencies,
        **facts,
    )


def test_an_instrumented_application_does_not_load_the_harness():
    """It is loaded when it is first used, by any of its names."""
    program = (
        "import sys, agentnet_otel.wiring, agentnet_otel.performance as p\n"
        "assert not [m for m in sys.modules if m.startswith('agentnet_otel.performance.') and 'harness' in m]\n"
        "assert set(p.__all__) <= set(dir(p))\n"
        "for name in p.__all__: getattr(p, name)\n"
        "assert 'agentnet_otel.performance.harness' in sys.modules\n"
        "assert not hasattr(p, 'Unknown')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_documented_fields_come_first_in_their_order():
    """Both dataclasses can be made by position as documented; what is new stands behind."""
    assert [f.name for f in fields(BenchmarkConfig)][: len(DOCUMENTED_CONFIG)] == DOCUMENTED_CONFIG
    assert [f.name for f in fields(BenchmarkConfig)][len(DOCUMENTED_CONFIG)] == "max_cost_usd"
    assert [f.name for f in fields(BenchmarkConfig)][-1] == "rate_per_second"
    assert [f.name for f in fields(BenchmarkResult)][: len(DOCUMENTED_RESULT)] == DOCUMENTED_RESULT
    required = [p.name for p in inspect.signature(BenchmarkResult).parameters.values() if p.default is p.empty]
    assert required == DOCUMENTED_RESULT[: DOCUMENTED_RESULT.index("individual_results")]


def test_the_defaults_are_the_documented_ones():
    """A configuration of name and type alone."""
    made = config()
    assert (made.iterations, made.concurrency_level, made.warmup_iterations, made.timeout_seconds) == (10, 1, 2, 30.0)
    assert (made.agent_count, made.turn_count, len(made.test_prompts), made.metadata) == (1, 3, 3, {})
    assert (made.max_turn_latency_ms, made.max_tokens_per_turn, made.min_success_rate) == (5000.0, 1000, 0.95)
    assert (made.max_cost_usd, made.cost_limit_usd, made.rate_per_second, made.max_p95_latency_ms) == (None,) * 4
    assert (made.rounds, made.warmup_operations) == ((10,), 2)


def test_the_members_of_the_types_are_the_documented_ones():
    """Six types, each found by its value too."""
    assert [kind.name for kind in BenchmarkType] == [kind.value.upper() for kind in BenchmarkType]
    assert [kind.value for kind in BenchmarkType] == (
        ["single_turn", "multi_turn", "multi_agent", "concurrent_agents", "tool_heavy", "memory_intensive"]
    )
    assert BenchmarkConfig("c", "tool_heavy").benchmark_type is BenchmarkType.TOOL_HEAVY


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("name", "", "a text"),
        ("name", 5, "text"),
        ("benchmark_type", "stress", "'single_turn', 'multi_turn'"),
        ("benchmark_type", None, "single_turn"),
        ("iterations", -1, "at least 0"),
        ("iterations", 2.5, "whole number"),
        ("iterations", True, "whole number"),
        ("iterations", "10", "whole number"),
        ("concurrency_level", 0, "at least 1"),
        ("warmup_iterations", -1, "at least 0"),
        ("timeout_seconds", 0, "above 0"),
        ("timeout_seconds", -1.0, "above 0"),
        ("timeout_seconds", NOT_A_NUMBER, "above 0"),
        ("timeout_seconds", INFINITE, "above 0"),
        ("timeout_seconds", "30", "above 0"),
        ("timeout_seconds", None, "above 0"),
        ("agent_count", 0, "at least 1"),
        ("turn_count", 0, "at least 1"),
        ("test_prompts", [], "at least one text"),
        ("test_prompts", "a prompt", "a list"),
        ("test_prompts", [1], "text"),
        ("test_prompts", None, "a list"),
        ("max_turn_latency_ms", -1, "at least 0"),
        ("max_turn_latency_ms", NOT_A_NUMBER, "at least 0"),
        ("max_turn_latency_ms", None, "at least 0"),
        ("max_tokens_per_turn", -1, "at least 0"),
        ("min_success_rate", 1.5, "from 0 to 1"),
        ("min_success_rate", -0.1, "from 0 to 1"),
        ("min_success_rate", NOT_A_NUMBER, "from 0 to 1"),
        ("metadata", [], "a dictionary"),
        ("max_cost_usd", -0.01, "at least 0"),
        ("max_cost_usd", "free", "at least 0"),
        ("max_avg_cost_usd", -0.01, "at least 0"),
        ("max_p95_latency_ms", -1, "at least 0"),
        ("min_time_per_round_s", -1, "at least 0"),
        ("min_rounds", 0, "at least 1"),
        ("warmup_rounds", -1, "at least 0"),
        ("rate_per_second", 0, "above 0"),
        ("rate_per_second", INFINITE, "above 0"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_allowed(field, value, allowed):
    """Every field of a configuration is checked, when it is made and when it is used."""
    given = {"name": "c", "benchmark_type": "single_turn", field: value}
    with pytest.raises(ValueError, match=field) as told:
        BenchmarkConfig(**given)
    assert repr(value[0] if isinstance(value, list) and value else value) in str(told.value)
    assert allowed in str(told.value)
    changed = config()
    setattr(changed, field, value)
    with pytest.raises(ValueError, match=field):
        changed.validate()


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize(
    "field", ["iterations", "turn_count", "timeout_seconds", "max_cost_usd", "min_success_rate", "rate_per_second"]
)
def test_a_number_beyond_all_floats_is_refused_in_a_short_sentence(field, digits):
    """It is a ValueError like any other, also where Python does not write the number."""
    with pytest.raises(ValueError, match=f"^{field} cannot be .*; allowed is ") as told:
        BenchmarkConfig(**{"name": "c", "benchmark_type": "single_turn", field: 10**digits})
    assert len(str(told.value)) < 400


def test_limits_may_be_infinite_and_counts_of_iterations_zero():
    """What is allowed at the edges."""
    made = config(max_turn_latency_ms=INFINITE, iterations=0, warmup_iterations=0, min_success_rate=0)
    assert made.rounds == (0,)


def test_lists_and_dictionaries_are_copied():
    """What the caller changes later does not change the configuration, nor one configuration another."""
    prompts, metadata = ["one"], {"a": 1}
    made = config(test_prompts=prompts, metadata=metadata)
    prompts.append("two")
    metadata["b"] = 2
    assert (made.test_prompts, made.metadata) == (["one"], {"a": 1})
    config().test_prompts.clear()
    assert len(config().test_prompts) == 3


def test_rounds_grow_up_to_eight_operations():
    """The newer dialect: three rounds are seven operations, and it goes before iterations."""
    assert config(min_rounds=3).rounds == (1, 2, 4)
    assert config(min_rounds=6, iterations=2).rounds == (1, 2, 4, 8, 8, 8)
    assert config(warmup_rounds=2).warmup_operations == 3
    assert config(warmup_rounds=0).warmup_operations == 0


def test_the_two_names_of_the_cost_limit_are_one_limit():
    """Either name sets it; two different values are refused."""
    assert config(max_avg_cost_usd=0.05).cost_limit_usd == 0.05
    assert config(max_cost_usd=0.05, max_avg_cost_usd=0.05).cost_limit_usd == 0.05
    assert replace(config(max_avg_cost_usd=0.05), iterations=3).cost_limit_usd == 0.05
    with pytest.raises(ValueError, match=r"max_cost_usd is 0\.01, and max_avg_cost_usd is 0\.05"):
        config(max_cost_usd=0.01, max_avg_cost_usd=0.05)


@pytest.mark.parametrize(
    ("limits", "figure", "at_limit", "beyond"),
    [
        ({"max_turn_latency_ms": 100.0}, "avg_turn_latency_ms", 100.0, 100.1),
        ({"max_tokens_per_turn": 100}, "avg_tokens_per_turn", 100.0, 100.1),
        ({"min_success_rate": 0.9}, "success_rate", 0.9, 0.89),
        ({"max_cost_usd": 0.05}, "avg_cost_usd", 0.05, 0.051),
        ({"max_avg_cost_usd": 0.05}, "avg_cost_usd", 0.05, 0.051),
        ({"max_p95_latency_ms": 190.0}, "p95_turn_latency_ms", 190.0, 190.1),
    ],
)
def test_each_limit_decides_and_holds_its_own_value(limits, figure, at_limit, beyond):
    """A figure at its limit passes, a figure beyond it does not, in both dialects."""
    asked = config(**limits)
    assert result(config=asked, **{figure: at_limit}).passed_thresholds
    assert not result(config=asked, **{figure: beyond}).passed_thresholds
    assert not result(config=asked, **{figure: beyond}).passed


def test_a_cost_that_nobody_told_is_not_judged():
    """Unknown is neither free nor too dear."""
    assert result(config=config(max_cost_usd=0.0)).passed_thresholds


def test_the_newer_names_show_the_same_result():
    """Properties of the newer dialect."""
    made = result(successful_operations=9, failed_operations=1)
    assert (made.total_duration_s, made.total_iterations) == (2.0, 10)
    assert (made.successful_iterations, made.failed_iterations) == (9, 1)


@pytest.mark.parametrize(
    ("field", "value"), [("total_operations", -1), ("successful_operations", 1.5), ("success_rate", 95)]
)
def test_an_impossible_result_is_refused(field, value):
    """A count or share that cannot be."""
    with pytest.raises(ValueError, match=field):
        result(**{field: value})


def test_figures_are_per_turn_not_per_operation():
    """An operation of two turns counts twice; failed ones give tokens and cost, but no latency."""
    samples = [
        sample(0, latencies=(10.0, 30.0), tokens=100, cost_usd=0.02, turn_efficiencies=(0.4, 0.6)),
        sample(1, latencies=(50.0,), tokens=50, cost_usd=0.04, outcome=Outcome.ERROR),
        sample(2, latencies=(20.0,)),
    ]
    assert figures.turn_latencies_ms(samples) == [10.0, 30.0, 20.0]
    assert figures.total_tokens(samples) == 150
    assert figures.tokens_per_turn(samples) == 50.0
    assert figures.cost_per_turn_usd(samples) == pytest.approx(0.02)
    assert figures.token_efficiency(samples) == pytest.approx(0.5)


def test_what_nobody_told_is_unknown():
    """No tokens, no cost, no efficiency: None, not zero."""
    samples = [sample(0)]
    assert figures.tokens_per_turn(samples) is None
    assert figures.cost_per_turn_usd(samples) is None
    assert figures.token_efficiency(samples) is None
    assert result().service_time_ms == {}
    assert result().latency_stats == {}


def test_intervals_hold_the_figures_and_need_enough_values():
    """Means by bootstrap, p95 by order statistics from 72 values on, the rate by Wilson's score."""
    samples = [
        sample(i, latencies=(float(i),), tokens=i, cost_usd=i / 1000, turn_efficiencies=(i / 100,)) for i in range(100)
    ]
    found = result(samples=samples).confidence_intervals
    assert found["avg_turn_latency_ms"].low < 49.5 < found["avg_turn_latency_ms"].high
    assert found["p95_turn_latency_ms"].low <= 95 <= found["p95_turn_latency_ms"].high
    assert found["success_rate"].low < 1.0 == found["success_rate"].high
    assert found["avg_tokens_per_turn"].low < 49.5 < found["avg_tokens_per_turn"].high
    assert found["avg_cost_usd"].low < 0.0495 < found["avg_cost_usd"].high
    assert found["token_efficiency_score"].low < 0.495 < found["token_efficiency_score"].high
    few = figures.confidence_intervals(samples[:1])
    assert few["avg_turn_latency_ms"] is None
    assert few["p95_turn_latency_ms"] is None
    assert figures.confidence_intervals([])["success_rate"] is None


def test_turns_of_one_conversation_are_resampled_together():
    """Values that agree within a conversation say less than as many independent ones: the interval is wider."""
    alone = [sample(i, latencies=(float(i // 5),)) for i in range(50)]
    together = [sample(i, latencies=(float(i // 5),), session=f"s{i // 5}") for i in range(50)]
    spans = [figures.confidence_intervals(s)["avg_turn_latency_ms"] for s in (alone, together)]
    assert spans[1].high - spans[1].low > 1.5 * (spans[0].high - spans[0].low)


def test_service_and_response_time_are_both_told():
    """The response time has the wait in it."""
    made = result(samples=[sample(0, response_ms=150.0), sample(1, outcome=Outcome.TIMEOUT)])
    assert made.service_time_ms["mean"] == 100.0
    assert made.response_time_ms["mean"] == 150.0
    assert made.response_time_ms["count"] == 1


def test_the_use_of_the_host_is_summed_up():
    """Processor time between looks becomes per cent; counters run since the beginning; unknown stays unknown."""
    looks = (
        HostSample(at_ns=0, process_cpu_s=0.0, process_memory_bytes=100, host_network_sent_bytes=0),
        HostSample(at_ns=10**9, process_cpu_s=0.25, process_memory_bytes=300, host_network_sent_bytes=7),
        HostSample(at_ns=2 * 10**9, process_cpu_s=1.25, process_memory_bytes=200, host_network_sent_bytes=9),
    )
    usage = HostUsage(samples=looks)
    assert (usage.process_cpu_percent_mean, usage.process_cpu_percent_max) == (62.5, 100.0)
    assert (usage.process_memory_bytes_mean, usage.process_memory_bytes_max) == (200.0, 300)
    assert usage.host_network_sent_bytes == 9
    assert (usage.host_network_received_bytes, usage.host_disk_read_bytes, usage.host_disk_written_bytes) == (None,) * 3
    empty = HostUsage(samples=())
    assert (empty.process_cpu_percent_mean, empty.process_cpu_percent_max, empty.process_memory_bytes_mean) == (
        (None,) * 3
    )
    assert (empty.host_network_sent_bytes, empty.host_network_received_bytes) == (None, None)
    assert (empty.host_disk_read_bytes, empty.host_disk_written_bytes) == (None, None)
    assert HostUsage(samples=looks[:1]).process_cpu_percent_mean is None
