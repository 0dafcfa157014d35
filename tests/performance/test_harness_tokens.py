"""Tokens, cost and efficiency: from the spans of each operation, else from what it returned, never from its text."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from harness_agents import TREE, Agent, config, run, traced

import agentnet_otel
from agentnet_otel.instrumentation import runtime
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.model import CostSource, LatencyComponent, Outcome, QualitySource
from agentnet_otel.performance import PerformanceHarness
from agentnet_otel.performance import run as run_module


def told(answer, **changes):
    """The result of an operation that returns ``answer``."""
    return run(Agent, lambda agent, prompt: answer, **changes)


@dataclass
class Response:
    """An engine's response."""

    content: str = "text"
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    metadata: dict = field(default_factory=dict)


# --- spans -------------------------------------------------------------------------------------------------


def test_turns_of_the_manual_api_count_without_instrument():
    """Their tokens, cost and components; they have trace ids of their own, and nothing stays changed."""
    before = (runtime.recorder(), vars(threading.Thread)["start"], vars(ThreadPoolExecutor)["submit"])
    result = run(Agent, lambda agent, prompt: traced(seconds=0.01), warmup_iterations=2)
    assert (result.total_tokens_consumed, result.avg_tokens_per_turn) == (60, 15.0)
    assert result.avg_cost_usd == pytest.approx(0.01)
    assert len(result.turns) == 4
    assert all(len(turn.trace_id) == 32 for turn in result.turns)
    assert "inference" in result.component_latency_breakdown
    assert before == (runtime.recorder(), vars(threading.Thread)["start"], vars(ThreadPoolExecutor)["submit"])


def test_turns_count_with_instrument_on_too(telemetry, handle):
    """And the user's telemetry gets its spans as ever, those of the warm-up too."""
    result = run(Agent, lambda agent, prompt: traced(), warmup_iterations=2)
    assert (result.total_tokens_consumed, len(result.turns)) == (60, 4)
    assert len(telemetry.spans("invoke_agent")) == len(handle.turns()) == 6


@pytest.mark.parametrize("first", ["instrument", "uninstrument"])
def test_instrument_may_be_switched_during_a_run(first, telemetry):
    """Switched on or off, every operation keeps its tokens; afterwards it is as the user left it."""
    if first == "uninstrument":
        agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    done = []

    def operation(agent, prompt):
        done.append(1)
        if len(done) == 3 and first == "instrument":
            agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
        elif len(done) == 3:
            agentnet_otel.uninstrument()
        return traced()

    result = run(Agent, operation)
    assert result.total_tokens_consumed == 60
    assert len(telemetry.spans("invoke_agent")) == 2
    assert (runtime._runtime.recorder is not None) is (first == "instrument")


@pytest.mark.parametrize("where", ["loop", "thread", "executor", "run_in_executor", "to_thread", "task"])
def test_each_operation_gets_its_own_tokens(where):
    """Though they overlap, and wherever their turns run."""
    pool = ThreadPoolExecutor(2)

    async def operation(agent, prompt):
        work = (traced, prompt, (int(prompt), 0), None, 0.01)
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.001)
        if where == "thread":
            thread = threading.Thread(target=work[0], args=work[1:])
            thread.start()
            await asyncio.to_thread(thread.join)
        elif where == "executor":
            await asyncio.wrap_future(pool.submit(*work))
        elif where == "run_in_executor":
            await loop.run_in_executor(pool, *work)
        elif where == "to_thread":
            await asyncio.to_thread(*work)
        elif where == "task":
            await asyncio.create_task(asyncio.to_thread(*work))
        else:
            traced(*work[1:])

    prompts = [str(number) for number in range(1, 9)]
    with pool:
        result = run(Agent, operation, iterations=8, concurrency_level=4, test_prompts=prompts)
    assert [sample.tokens.total for sample in result.samples] == list(range(1, 9))
    assert [turn.agent for turn in sorted(result.turns, key=lambda turn: int(turn.agent))] == prompts


def test_several_turns_of_an_operation_are_several_turns():
    """Latency, tokens and cost are per turn; the operation itself took longer."""

    def operation(agent, prompt):
        for _ in range(3):
            traced(seconds=0.02, conversation_id="c1")

    result = run(Agent, operation, iterations=2)
    assert (result.total_tokens_consumed, result.avg_tokens_per_turn) == (90, 15.0)
    assert result.avg_cost_usd == pytest.approx(0.01)
    assert 20 <= result.min_turn_latency_ms < 60 <= result.individual_results[0]["duration_ms"]
    assert (result.samples[0].turns, result.samples[0].session, len(result.turns)) == (3, "c1", 6)


def test_one_turn_is_timed_as_the_whole_operation():
    """What the operation does around its turn is part of what the caller waits for."""

    def operation(agent, prompt):
        time.sleep(0.05)
        traced()

    result = run(Agent, operation)
    assert result.min_turn_latency_ms >= 50


def test_nested_turns_have_their_own_tokens_and_are_not_further_turns():
    """All tokens count; the latency is that of the outermost turn."""

    def operation(agent, prompt):
        with agentnet_otel.turn("outer") as turn:
            traced("inner")
            with turn.component(LatencyComponent.INFERENCE) as call:
                call.record_tokens(input=100, output=0)
                call.record_cost(0.02)

    result = run(Agent, operation, iterations=1)
    assert (result.total_tokens_consumed, result.samples[0].turns, len(result.turns)) == (115, 1, 2)
    assert result.samples[0].cost_usd == pytest.approx(0.03)


def test_calls_outside_any_turn_count():
    """With the turn that the operation is, or beside the turns that it holds."""

    def operation(agent, prompt):
        if prompt == "turn":
            traced()
        with ComponentSpan(runtime.recorder(), LatencyComponent.INFERENCE, model="m") as span:
            span.record_tokens(input=7, output=3, estimated=True)
            span.record_cost(0.5)

    alone = run(Agent, operation, test_prompts=["alone"])
    assert (alone.total_tokens_consumed, alone.avg_cost_usd) == (40, 0.5)
    assert alone.turns[0].tokens.total == 10
    beside = run(Agent, operation, test_prompts=["turn"])
    assert (beside.total_tokens_consumed, beside.samples[0].cost_usd) == (100, pytest.approx(0.51))
    assert all("4 operations are estimates" in " ".join(result.warnings) for result in (alone, beside))


def test_a_cost_that_is_known_in_part_only_is_unknown():
    """A sum without one of its parts would be too small."""

    def operation(agent, prompt):
        traced()
        traced(cost_usd=None)

    result = run(Agent, operation, max_cost_usd=0.001)
    assert result.avg_cost_usd is None
    assert result.passed_thresholds
    assert "the cost limit was not judged: no operation told what it cost" in result.warnings


def test_a_failed_turn_fails_the_operation_whatever_it_returned():
    """Unless the same agent made it good later."""

    def operation(agent, prompt):
        for agent_name, outcome in (part.split(":") for part in prompt.split()):
            with agentnet_otel.turn(agent_name) as turn:
                turn.set_outcome(outcome, "refused" if outcome == "fault" else None)
        return {"success": True}

    prompts = ["a:error a:success", "a:fault", "a:error b:success", "a:cancelled"]
    result = run(Agent, operation, test_prompts=prompts)
    assert [sample.outcome for sample in result.samples] == [
        Outcome.SUCCESS,
        Outcome.FAULT,
        Outcome.ERROR,
        Outcome.SUCCESS,
    ]
    assert result.error_details == [
        "Iteration 1 failed: the turn of a ended with fault (refused)",
        "Iteration 2 failed: the turn of a ended with error (error)",
    ]


def test_what_ends_after_a_time_out_is_not_counted_and_told(monkeypatch):
    """The turn ends as timed out when the operation does; later ones are nobody's."""
    monkeypatch.setattr(run_module, "GRACE_S", 0.05)
    go_on, ended = threading.Event(), threading.Event()
    harness = PerformanceHarness()

    def operation(agent, prompt):
        if prompt == "second":
            go_on.set()
            assert ended.wait(10)
            return traced()
        with agentnet_otel.turn("slow"):
            go_on.wait(10)
        traced("late")
        ended.set()
        return None

    async def main():
        prompts = ["first", "second"]
        given = config(iterations=2, timeout_seconds=0.2, test_prompts=prompts)
        return await harness.run_benchmark(given, Agent, operation)

    result = asyncio.run(main())
    assert [turn.agent for turn in result.turns] == ["slow", "a"]
    assert [turn.outcome for turn in result.turns] == [Outcome.TIMEOUT, Outcome.SUCCESS]
    assert result.total_tokens_consumed == 15
    assert "not counted are turns that ended after their operation had timed out: 1" in result.warnings


def test_two_benchmarks_at_the_same_time_do_not_mix():
    """On one loop, by one harness."""

    async def main():
        harness = PerformanceHarness()
        pairs = [("a", (1, 0)), ("b", (100, 0))]
        return await asyncio.gather(
            *(
                harness.run_benchmark(config(), Agent, lambda agent, prompt, pair=pair: traced(*pair, seconds=0.005))
                for pair in pairs
            )
        )

    results = asyncio.run(main())
    assert [result.total_tokens_consumed for result in results] == [4, 400]
    assert [{turn.agent for turn in result.turns} for result in results] == [{"a"}, {"b"}]


# --- what was returned -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "tokens", "cost_usd"),
    [
        ({**TREE, "cost_record": {"tokens_input": 10, "tokens_output": 5, "total_cost": 0.2}}, 15, 0.2),
        ({**TREE, "cost_record": SimpleNamespace(tokens_input=10, tokens_output=5, total_cost=0.2)}, 15, 0.2),
        ({**TREE, "cost_record": None}, None, None),
        ({"result": {"cost_record": {"tokens_input": 10, "tokens_output": 0}}}, 10, None),
        ({"cost_record": {"tokens_input": 1, "tokens_output": 1, "total_cost": 0.0}, "input_tokens": 9}, 2, None),
        ({"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.2}, 15, 0.2),
        ({"result": {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.2}}, 15, 0.2),
        ({"result": {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}}, 15, None),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5}, "cost_usd": 0.2}, 15, 0.2),
        ({"metadata": {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}}, 15, None),
        ({"result": {"tokens": {"input": 10, "output": 5}}}, 15, None),
        (Response(input_tokens=10, output_tokens=5, cost_usd=0.2), 15, 0.2),
        (Response(), None, None),
        ([Response(input_tokens=10), Response(output_tokens=5, cost_usd=0.2)], 15, 0.2),
        ({"input_tokens": "10", "output_tokens": True, "cost_usd": "much"}, None, None),
        ({"input_tokens": -1, "output_tokens": float("nan"), "cost_usd": -1}, None, None),
        ("a text of thirty-four characters..", None, None),
        (TREE, None, None),
        (None, None, None),
    ],
)
def test_where_no_span_tells_the_response_does(answer, tokens, cost_usd):
    """A cost record, a response's own fields, its usage; else nothing, which counts as 0, whatever its length."""
    for result in (told(answer), run(lambda: Agent(answer=answer))):
        assert (result.total_tokens_consumed, result.avg_tokens_per_turn) == (4 * (tokens or 0), tokens or 0)
        assert result.avg_cost_usd == (None if cost_usd is None else pytest.approx(cost_usd))
        assert result.samples[0].tokens.known is (tokens is not None)
        silent = "4 of 4 operations told no tokens; they count as 0 in the total"
        assert (silent in result.warnings) is (tokens is None)


def test_a_turn_that_nobody_recorded_is_put_together():
    """So that reports and trackers have it; it stands in no trace."""
    answer = {**TREE, "cost_record": {"tokens_input": 10, "tokens_output": 5, "total_cost": 0.2}}
    (turn,) = run(lambda: Agent(answer=answer), iterations=1, test_prompts=["four"]).turns
    assert (turn.agent, turn.trace_id, turn.span_id) == ("a", "", "")
    assert (turn.tokens.input, turn.tokens.output, turn.cost_usd, turn.cost_source) == (10, 5, 0.2, CostSource.ENGINE)
    assert (turn.prompt_length, turn.response_length) == (4, 5)
    assert (turn.quality, turn.quality_source) == (0.9, QualitySource.CONFIDENCE)
    assert turn.unattributed_ns == turn.duration_ns > 0


def test_a_recorded_turn_without_tokens_takes_those_of_the_response():
    """Where it is the only one; its other facts stay."""

    class Telling:
        name = "telling"

        def process(self, prompt):
            with agentnet_otel.turn("inside") as turn:
                turn.record_quality(0.5)
            return Response(input_tokens=10, output_tokens=5, cost_usd=0.2, metadata={"estimated_tokens": True})

    (turn,) = run(Telling, iterations=1).turns
    assert (turn.agent, turn.tokens.total, turn.cost_usd, turn.estimated) == ("inside", 15, 0.2, True)
    assert (turn.quality, len(turn.trace_id)) == (0.5, 32)


def test_a_cost_that_nobody_told_is_priced_by_the_users_rates():
    """Of turns that spans tell, and of those that only a response tells; an engine's own figure goes before."""
    harness = PerformanceHarness()
    harness.token_tracker.set_cost_model("m", 2.0)

    def operation(agent, prompt):
        if prompt == "span":
            return traced(cost_usd=None)
        return {"model": "m", "input_tokens": 10, "output_tokens": 5, **({"cost_usd": 1.0} if prompt == "own" else {})}

    given = config(iterations=3, test_prompts=["span", "response", "own"])
    result = asyncio.run(harness.run_benchmark(given, Agent, operation))
    assert [sample.cost_usd for sample in result.samples] == pytest.approx([0.03, 0.03, 1.0])
    assert [turn.cost_source for turn in result.turns] == [CostSource.USER, CostSource.USER, CostSource.ENGINE]


@pytest.mark.parametrize("confidence", [0.9, None, 2.0, "sure"])
def test_efficiency_is_the_documented_score(confidence):
    """Quality is the confidence that came back, else .8; nothing is truncated."""

    class Slow(Agent):
        def generate_reasoning_tree(self, prompt):
            time.sleep(0.02)
            given = {} if confidence is None else {"confidence": confidence}
            return {"result": given, "cost_record": {"tokens_input": 1, "tokens_output": 1}}

    result = run(Slow, iterations=1)
    quality = 0.9 if confidence == 0.9 else 0.8
    (turn,) = result.turns
    per_second = 2 / (turn.duration_ns / 1e9)
    expected = 0.5 * quality / 2 + 0.3 * quality + 0.2 * min(per_second / 100, 1)
    assert result.token_efficiency_score == pytest.approx(expected)


# --- the newer dialect -------------------------------------------------------------------------------------


def test_the_newer_names_show_statistics_tokens_and_components():
    """With their own keys, and by the harness's own trackers, which hold the turns of the newest run."""
    harness = PerformanceHarness()
    shared = (harness.latency_tracker, harness.token_tracker)

    async def main():
        await harness.run_benchmark(config(), Agent, lambda agent, prompt: traced("old"))
        return await harness.run_benchmark(config(), Agent, lambda agent, prompt: traced("new", seconds=0.005))

    result = asyncio.run(main())
    assert {"mean_ms", "p95_ms", "p95_recent_ms", "trend", "mean"} <= set(result.latency_stats)
    assert result.latency_stats["count"] == 4
    assert result.token_stats["total_tokens_processed"] == 60
    assert result.token_stats["avg_cost_per_turn_usd"] == pytest.approx(0.01)
    assert result.component_latency_breakdown["inference"]["count"] == 4
    assert (harness.latency_tracker, harness.token_tracker) == shared
    assert {m.agent_id for m in harness.latency_tracker.get_measurements()} == {"new"}
    assert harness.token_tracker.get_system_token_overview()["overview"]["total_tokens"] == 60


def test_without_tokens_the_newer_names_are_there_too():
    """A cost that nobody told is None."""
    result = run(Agent, iterations=1)
    assert result.token_stats == {"avg_cost_per_turn_usd": None}
    assert result.component_latency_breakdown == {}
