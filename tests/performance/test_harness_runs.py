"""A run as a whole: warm-up, rounds, load by a rate, figures, cancellation, surroundings, files."""

import asyncio
import gc
import json
import os
import sys
import threading
import time
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from harness_agents import TREE, Agent, AsyncAgent, config, fresh, run, traced

from agentnet_otel.errors import ConfigurationError, MissingExtraError
from agentnet_otel.instrumentation import environment as surroundings
from agentnet_otel.instrumentation.environment import environment
from agentnet_otel.model import Outcome, TokenUsage
from agentnet_otel.performance import PerformanceHarness
from agentnet_otel.performance import harness as harness_module
from agentnet_otel.performance import run as run_module
from agentnet_otel.performance.benchmark import BenchmarkConfig, BenchmarkType
from agentnet_otel.performance.host_sampling import HostSampler
from agentnet_otel.performance.result_files import RESULT_SCHEMA, as_json, safe_name


def run_with(harness, *arguments, **changes):
    """Run a benchmark by this harness."""
    return asyncio.run(harness.run_benchmark(config(**changes), *arguments))


async def pausing(agent, prompt):
    """An operation of 50 ms."""
    await asyncio.sleep(0.05)


# --- warm-up and rounds ------------------------------------------------------------------------------------


def test_the_warm_up_runs_first_and_is_left_out_of_everything():
    """It gets the first prompt; neither its time nor its tokens, failures and turns count."""
    prompts = []

    def operation(agent, prompt):
        prompts.append(prompt)
        if len(prompts) <= 3:
            time.sleep(0.2)
            traced(tokens=(1000, 0))
            raise ValueError("cold")
        return traced()

    result = run(Agent, operation, iterations=4, warmup_iterations=3, test_prompts=["x", "y"])
    assert prompts == ["x", "x", "x", "x", "y", "x", "y"]
    assert (result.total_operations, result.success_rate, result.total_tokens_consumed) == (4, 1.0, 60)
    assert (len(result.turns), len(result.individual_results), result.error_details) == (4, 4, [])
    assert result.min_turn_latency_ms < 200
    assert result.total_duration < 0.6
    assert "3 of 3 warm-up operations failed: cold" in result.warnings


def test_too_few_operations_and_no_warm_up_are_told():
    """A warning in the result, not a refusal; twenty operations after a warm-up are fine."""
    few = run(Agent, iterations=19)
    assert "19 operations are too few for reliable statistics; use at least 20 iterations" in few.warnings
    assert "there was no warm-up: the first operations may be slower than the others" in few.warnings
    quiet = run(Agent, lambda agent, prompt: traced(), iterations=20, warmup_iterations=1)
    assert quiet.warnings == []


def test_rounds_of_the_newer_dialect_last_as_long_as_asked():
    """Round i has 2**i operations, or more until its time is over; the prompts go on round the clock."""
    assert run(Agent, min_rounds=3, warmup_rounds=2).total_operations == 7
    kind = fresh(AsyncAgent)
    result = run(lambda: kind(0.01), min_rounds=2, min_time_per_round_s=0.3)
    assert result.total_duration >= 0.6
    assert 3 < result.total_operations <= 60
    assert [sample.iteration for sample in result.samples] == list(range(result.total_operations))


def test_a_round_that_is_to_last_is_bounded(monkeypatch):
    """It ends earlier rather than without an end."""
    monkeypatch.setattr(run_module, "MAX_ROUND_OPERATIONS", 5)
    assert run(Agent, iterations=1, min_time_per_round_s=60.0).total_operations == 5
    assert run(Agent, iterations=7, min_time_per_round_s=60.0).total_operations == 7


def test_no_iterations_give_an_empty_result():
    """Nothing is divided by nothing."""
    result = run(Agent, iterations=0)
    assert (result.total_operations, result.success_rate, result.avg_turn_latency_ms) == (0, 0.0, 0.0)
    assert not result.passed_thresholds


def test_progress_is_told():
    """After each measured operation."""
    heard = []

    async def main():
        harness = PerformanceHarness()
        await harness.run_benchmark(config(warmup_iterations=1), Agent, progress=lambda *given: heard.append(given))

    asyncio.run(main())
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


# --- load --------------------------------------------------------------------------------------------------


def test_without_a_rate_response_and_service_time_are_one():
    """Each operation is due when its worker is free."""
    result = run(Agent, pausing)
    assert result.response_time_ms == result.service_time_ms
    assert all(sample.scheduled_ns == sample.start_ns for sample in result.samples)


def test_with_a_rate_operations_start_by_the_clock():
    """A worker that is early waits."""
    result = run(Agent, pausing, iterations=5, rate_per_second=10.0)
    scheduled = [sample.scheduled_ns for sample in result.samples]
    assert [round((at - scheduled[0]) / 1e6) for at in scheduled] == [0, 100, 200, 300, 400]
    assert all(sample.start_ns >= sample.scheduled_ns for sample in result.samples)
    assert result.total_duration >= 0.45
    assert result.operations_per_second <= 11.2


def test_the_wait_for_a_worker_is_in_the_response_time_only():
    """Twice as many operations are due as one worker can serve: the queue grows, the service does not slow down."""
    result = run(Agent, pausing, iterations=8, rate_per_second=40.0)
    assert result.service_time_ms["min"] >= 50
    waits = [sample.response_ms - sample.service_ms for sample in result.samples]
    assert waits[-1] >= 7 * 25
    assert waits[-1] >= waits[0] + 7 * 25 - 1
    assert result.avg_turn_latency_ms == pytest.approx(result.service_time_ms["mean"])
    assert any(text.startswith("operations waited: at 40 a second, 1 at a time, one took") for text in result.warnings)
    unhurried = run(Agent, pausing, iterations=2, rate_per_second=2.0)
    assert not any(text.startswith("operations waited") for text in unhurried.warnings)


def test_a_stall_is_seen_by_all_that_were_due_during_it():
    """Coordinated omission: one slow operation of ten is one slow service, but many slow responses."""

    async def operation(agent, prompt):
        await asyncio.sleep(0.4 if prompt == "stall" else 0.001)

    prompts = ["stall", *["quick"] * 9]
    result = run(Agent, operation, iterations=10, rate_per_second=50.0, test_prompts=prompts)
    assert sum(sample.service_ms > 150 for sample in result.samples) <= 3
    assert sum(sample.response_ms > 150 for sample in result.samples) >= 8


def test_more_workers_take_what_one_cannot():
    """Then hardly anything has to wait."""
    result = run(Agent, pausing, iterations=8, rate_per_second=40.0, concurrency_level=4)
    waits = sorted(sample.response_ms - sample.service_ms for sample in result.samples)
    assert waits[4] < 75


# --- figures -----------------------------------------------------------------------------------------------


def test_results_are_in_order_of_their_iteration():
    """Though a later one ended first."""

    async def operation(agent, prompt):
        await asyncio.sleep(0.1 if prompt == "slow" else 0.0)
        if prompt == "slow":
            raise ValueError("slow")

    result = run(Agent, operation, concurrency_level=2, test_prompts=["slow", "quick"])
    assert [individual["iteration"] for individual in result.individual_results] == [0, 1, 2, 3]
    assert list(result.individual_results[1]) == ["iteration", "duration_ms", "prompt", "result", "success"]
    assert list(result.individual_results[0])[-1] == "error"
    assert result.error_details == ["Iteration 0 failed: slow", "Iteration 2 failed: slow"]


def test_rates_count_all_operations_and_tokens_against_the_time_of_the_run():
    """Failed operations took time and tokens too."""

    def operation(agent, prompt):
        traced(seconds=0.01)
        if prompt == "bad":
            raise ValueError("bad")

    result = run(Agent, operation, test_prompts=["good", "bad"])
    assert result.operations_per_second == pytest.approx(4 / result.total_duration)
    assert result.tokens_per_second == pytest.approx(60 / result.total_duration)
    assert (result.total_tokens_consumed, result.avg_tokens_per_turn) == (60, 15.0)
    assert result.end_time - result.start_time == pytest.approx(result.total_duration, abs=1e-5)
    assert abs(result.start_time - time.time()) < 60


@pytest.mark.parametrize(
    ("limits", "passed"),
    [
        ({}, True),
        ({"max_turn_latency_ms": 1.0}, False),
        ({"max_tokens_per_turn": 15}, True),
        ({"max_tokens_per_turn": 14}, False),
        ({"max_cost_usd": 0.02}, True),
        ({"max_cost_usd": 0.009}, False),
        ({"max_avg_cost_usd": 0.009}, False),
        ({"max_p95_latency_ms": 1.0}, False),
        ({"min_success_rate": 1.0}, True),
    ],
)
def test_each_limit_decides_whether_a_run_passed(limits, passed):
    """Latency, tokens, success, cost."""
    result = run(Agent, lambda agent, prompt: traced(seconds=0.005), **limits)
    assert (result.passed_thresholds, result.passed) == (passed, passed)


def test_turns_beyond_the_bound_are_counted_in_the_figures_only(monkeypatch):
    """And told."""
    monkeypatch.setattr(run_module, "MAX_KEPT_TURNS", 3)
    result = run(Agent, lambda agent, prompt: traced())
    assert (len(result.turns), result.total_tokens_consumed) == (3, 60)
    assert any(warning.startswith("1 turns beyond") for warning in result.warnings)


# --- history and cancellation ------------------------------------------------------------------------------


def test_the_history_is_the_callers_own_copy(monkeypatch):
    """Oldest first, bounded; the latest is None before the first."""
    monkeypatch.setattr(harness_module, "MAX_HISTORY", 2)
    harness = PerformanceHarness()
    assert (harness.get_latest_result(), harness.get_results_history()) == (None, [])
    results = [run_with(harness, Agent) for _ in range(3)]
    assert harness.get_results_history() == results[1:]
    harness.get_results_history().clear()
    assert harness.get_latest_result() is results[-1]
    assert len(harness.get_results_history()) == 2


@pytest.mark.parametrize("kind", [Agent, AsyncAgent])
def test_a_cancelled_run_keeps_what_it_had_and_leaves_nothing_pending(kind):
    """By `asyncio.wait_for`, in the middle of operations; fixtures are closed, threads and tasks are gone."""
    harness = PerformanceHarness()
    go_on, closed = threading.Event(), []
    asked = []

    class Slow(kind):
        def generate_reasoning_tree(self, prompt):
            asked.append(prompt)
            if len(asked) > 4:
                go_on.wait(10)
            return TREE

    class AsyncSlow(AsyncAgent):
        async def process(self, prompt):
            asked.append(prompt)
            if len(asked) > 4:
                await asyncio.sleep(10)
            return TREE

    async def fixture():
        try:
            yield Slow() if kind is Agent else AsyncSlow()
        finally:
            closed.append(1)

    async def main():
        running = asyncio.ensure_future(
            harness.run_benchmark(config(iterations=100, concurrency_level=2), fixture),
        )
        while len(asked) < 6:  # noqa: ASYNC110 - threads count here
            await asyncio.sleep(0.01)
        begun = time.perf_counter()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(running, timeout=0.05)
        assert len(asyncio.all_tasks()) == 1
        return begun

    begun = asyncio.run(main())
    assert time.perf_counter() - begun < 5  # what hangs would do so for 10 s
    go_on.set()
    partial = harness.get_latest_result()
    assert (partial.total_operations, partial.success_rate, partial.completed) == (4, 1.0, False)
    assert partial.warnings[0].startswith("the run ended early, after 4 of 100 operations")
    assert len(closed) == len(asked) == 6
    assert len(harness.latency_tracker.get_measurements()) == 4
    for thread in threading.enumerate():
        if thread.name.startswith("agentnet-otel"):
            thread.join(10)


def test_a_run_that_is_cancelled_in_its_warm_up_has_an_empty_result():
    """It is there all the same."""
    harness = PerformanceHarness()

    async def main():
        given = config(warmup_iterations=1, iterations=1)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(harness.run_benchmark(given, lambda: AsyncAgent(10.0)), timeout=0.05)

    asyncio.run(main())
    assert harness.get_latest_result().total_operations == 0
    assert harness.get_latest_result().total_duration == 0.0


def test_cancelling_while_the_agent_is_made_leaves_nothing_behind():
    """Its factory is let go as well."""
    harness = PerformanceHarness()
    made = []

    async def factory():
        made.append(1)
        await asyncio.sleep(10)

    async def main():
        running = asyncio.ensure_future(harness.run_benchmark(config(), factory))
        while not made:  # noqa: ASYNC110 - an event would have to be made on the loop
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    gc.collect()
    assert made == [1]


# --- surroundings ------------------------------------------------------------------------------------------


def test_the_environment_is_in_the_result():
    """Versions, processor, cores and load, as text."""
    found = run(Agent, iterations=1).environment
    assert {"python", "implementation", "system", "machine", "agentnet_otel", "cpu_cores"} <= set(found)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(isinstance(value, str) and value for value in found.values())
    assert environment()["cpu_cores"] == str(os.cpu_count())


def test_what_the_system_does_not_know_is_missing(monkeypatch, tmp_path):
    """No package, no processor's name, no load: no entry, and no error."""
    monkeypatch.delattr(os, "getloadavg")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.setattr(surroundings, "_CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(surroundings, "_GOVERNOR", tmp_path / "none")
    monkeypatch.setattr(surroundings.platform, "processor", lambda: "")
    monkeypatch.setattr(surroundings, "version", raising_not_found)
    found = environment()
    assert not {"load_average_1m", "cpu_cores", "cpu_cores_usable", "cpu_governor", "opentelemetry_sdk"} & set(found)
    assert "cpu_model" not in found
    assert "python" in found


def raising_not_found(package):
    """No package is installed."""
    raise PackageNotFoundError(package)


def test_processor_and_governor_are_read_where_the_system_has_them(monkeypatch, tmp_path):
    """As Linux tells them."""
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Big Machine 9\nmodel name\t: other\n")
    (tmp_path / "governor").write_text("performance\n")
    monkeypatch.setattr(surroundings, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(surroundings, "_GOVERNOR", tmp_path / "governor")
    assert environment()["cpu_model"] == "Big Machine 9"
    assert environment()["cpu_governor"] == "performance"


def test_process_and_host_are_sampled_during_the_run():
    """Processor and memory of the process, network and disk of the host."""

    def operation(agent, prompt):
        until = time.perf_counter() + 0.1
        while time.perf_counter() < until:
            pass

    host = run(Agent, operation).host
    assert len(host.samples) >= 3
    assert host.process_cpu_percent_mean > 1
    assert host.process_cpu_percent_max >= host.process_cpu_percent_mean / 2
    assert host.process_memory_bytes_max >= host.process_memory_bytes_mean > 1_000_000
    assert host.host_network_sent_bytes is None or host.host_network_sent_bytes >= 0
    assert host.samples[-1].at_ns > host.samples[0].at_ns


def test_samples_of_the_host_are_bounded():
    """Every second one goes, and the next ones are farther apart; the first and the last stay."""
    sampler = HostSampler(interval_s=0.001, max_samples=4)
    sampler.start()
    time.sleep(0.1)
    usage = sampler.stop()
    assert len(usage.samples) <= 5
    assert usage.samples[0].process_cpu_s == 0.0


def test_what_the_system_does_not_tell_is_unknown():
    """A container without disk counters, or a process that may not be looked at."""
    sampler = HostSampler()

    class Refusing:
        def cpu_times(self):
            raise sampler._psutil.AccessDenied

        def memory_info(self):
            raise PermissionError

    sampler._process = Refusing()
    look = sampler._look()
    assert (look.process_cpu_s, look.process_memory_bytes) == (None, None)


def test_without_psutil_the_host_is_not_sampled_and_it_is_said(monkeypatch):
    """The run goes on; the warning has the line that installs it."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(MissingExtraError):
        HostSampler()
    result = run(Agent)
    assert result.host is None
    assert any("pip install 'agentnet-otel[bench]'" in warning for warning in result.warnings)


# --- files -------------------------------------------------------------------------------------------------


def test_each_result_is_a_file_in_a_folder_that_was_given(tmp_path):
    """The folder and its parents are made; names are safe and never taken twice; answers are not written."""
    folder = tmp_path / "made" / "here"
    harness = PerformanceHarness(output_dir=folder)
    assert harness.output_dir is folder
    given = BenchmarkConfig("../Ünsafe: name/?", BenchmarkType.SINGLE_TURN, iterations=4, warmup_iterations=0)
    agent = lambda: Agent(answer={**TREE, "result": {"content": "a secret answer"}})  # noqa: E731 - short
    for _ in range(2):
        asyncio.run(harness.run_benchmark(given, agent))
    files = sorted(folder.iterdir())
    assert len(files) == 2
    assert all(file.name.startswith("nsafe_name_") for file in files)
    text = files[0].read_text(encoding="utf-8")
    written = json.loads(text)
    assert "secret" not in text
    assert (written["schema"], written["total_operations"], written["success_rate"]) == (RESULT_SCHEMA, 4, 1.0)
    assert written["config"]["name"] == given.name
    assert written["config"]["benchmark_type"] == "single_turn"
    assert len(written["samples"]) == len(written["individual_results"]) == 4
    assert written["samples"][0]["outcome"] == "success"
    assert {"confidence_intervals", "environment", "warnings", "host", "passed_thresholds"} <= set(written)


def test_the_default_folder_is_only_documented(tmp_path, monkeypatch):
    """Nothing is written into it, unless it is given."""
    monkeypatch.chdir(tmp_path)
    harness = PerformanceHarness()
    assert harness.output_dir == "benchmark_results"
    run_with(harness, Agent)
    assert list(tmp_path.iterdir()) == []
    run_with(PerformanceHarness("benchmark_results"), Agent)
    assert len(list((tmp_path / "benchmark_results").iterdir())) == 1


@pytest.mark.parametrize("folder", ["", None, 5])
def test_a_folder_that_is_none_is_refused(folder):
    """When the harness is made."""
    with pytest.raises(ValueError, match="output_dir"):
        PerformanceHarness(folder)


def test_a_folder_that_cannot_be_made_is_told_before_the_run(tmp_path):
    """Not after it."""
    (tmp_path / "file").write_text("")
    asked = []
    with pytest.raises(ConfigurationError, match="output_dir"):
        run_with(PerformanceHarness(tmp_path / "file" / "below"), lambda: asked.append(1))
    assert asked == []


def test_a_result_that_cannot_be_written_is_not_lost(tmp_path):
    """It is returned, and says so."""
    folder = tmp_path / "results"
    harness = PerformanceHarness(str(folder))

    def operation(agent, prompt):
        if folder.is_dir():
            folder.rmdir()
            folder.write_text("")

    result = run_with(harness, Agent, operation)
    assert result.total_operations == 4
    assert "could not be written" in result.warnings[-1]


def test_a_file_is_strict_json():
    """Numbers that are none become null, members their values, what JSON does not know text."""
    result = run(Agent, max_turn_latency_ms=float("inf"), metadata={"path": Path("x"), "set": {1}})
    result.avg_turn_latency_ms = float("nan")
    result.samples[0] = replace(result.samples[0], tokens=TokenUsage(input=1), outcome=Outcome.FAULT)
    text = json.dumps(as_json(result), allow_nan=False)
    written = json.loads(text)
    assert (written["avg_turn_latency_ms"], written["config"]["max_turn_latency_ms"]) == (None, None)
    assert written["config"]["metadata"] == {"path": "x", "set": [1]}
    assert written["samples"][0]["tokens"]["input"] == 1
    assert written["samples"][0]["outcome"] == "fault"
    result.host = None
    assert as_json(result)["host"] is None


@pytest.mark.parametrize(
    ("name", "safe"), [("Basic Test", "Basic_Test"), ("../..", "benchmark"), ("x" * 200, "x" * 80), ("a/b\\c", "a_b_c")]
)
def test_a_name_becomes_part_of_a_file_name(name, safe):
    """On any system."""
    assert safe_name(name) == safe
