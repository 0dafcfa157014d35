"""The performance harness: runs a benchmark on agents and says how long, how much, and how well.

It serves both dialects of the documentation. Where they contradict each other the first one, of the API reference,
holds: a failed operation is a failure only, results come from the operations themselves and not from shared trackers.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from agentnet_otel.core.statistics import MIN_MEAN_N, quantile
from agentnet_otel.errors import ConfigurationError, MissingExtraError
from agentnet_otel.instrumentation.environment import environment
from agentnet_otel.instrumentation.measuring import measuring
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance import figures
from agentnet_otel.performance.agents import AgentFactory
from agentnet_otel.performance.benchmark import (
    MAX_KEPT_TURNS,
    BenchmarkConfig,
    BenchmarkResult,
    BenchmarkType,
)
from agentnet_otel.performance.calls import Caller
from agentnet_otel.performance.daemon_threads import DaemonThreads
from agentnet_otel.performance.host_sampling import HostSampler, HostUsage
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.result_files import write_result
from agentnet_otel.performance.run import BenchmarkRun, Recording
from agentnet_otel.performance.samples import OperationSample
from agentnet_otel.performance.tokens import TokenUtilizationTracker
from agentnet_otel.prices import installed

__all__ = ["BenchmarkConfig", "BenchmarkResult", "BenchmarkType", "PerformanceHarness"]

MAX_HISTORY: Final = 1000
"""Results that a harness keeps; beyond it the oldest goes."""
_NANOS: Final = 1_000_000_000
_KEPT_UP: Final = 1.2
"""How many times as long as the work a response may take before the wait is told."""


class _DefaultFolder(str):
    """The documented default, told apart from the same words of a caller: nothing is written into it."""

    __slots__ = ()


class PerformanceHarness:
    """Runs benchmarks and keeps their results, the newest `MAX_HISTORY` of them.

    Args:
        output_dir: each result is written into this folder as JSON (it is made where it is missing). Nothing is
            written unless a folder is given; the default only stands there because it is documented.

    ``latency_tracker`` and ``token_tracker`` hold the turns of the benchmark that ended last; they are the harness's
    own.

    Raises:
        ValueError: ``output_dir`` is no path.
    """

    def __init__(self, output_dir: str | os.PathLike[str] = _DefaultFolder("benchmark_results")) -> None:  # noqa: B008 - a constant
        if not isinstance(output_dir, str | os.PathLike) or not str(output_dir):
            check.refuse("output_dir", output_dir, "a path")
        self.output_dir = output_dir
        self.latency_tracker = LatencyTracker()
        self.token_tracker = TokenUtilizationTracker()
        self._results: deque[BenchmarkResult] = deque(maxlen=MAX_HISTORY)

    async def run_benchmark(
        self,
        config: BenchmarkConfig,
        agent_factory: AgentFactory | None = None,
        operation_func: Callable[[Any, str], Any] | None = None,
        *,
        agent_fixture: AgentFactory | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> BenchmarkResult:
        """Run a benchmark: its warm-up, which is left out of all figures, then the operations that are measured.

        Args:
            config: what to do, and the limits that decide whether it passed.
            agent_factory: makes the agents of one operation, untimed: a function, a coroutine function, or an async
                generator function that yields an agent (a fixture; it is closed when the operation is over). It gives
                an agent or a list of agents. Types with a team call it ``agent_count`` times, unless it gives a list.
                Synchronous ones run in a thread.
            operation_func: called with what the factory gave, and a prompt, once an operation, in place of what
                `BenchmarkType` says. Synchronous or not. The call is what is timed; where spans show several turns in
                it, the latencies are those of these turns.
            agent_fixture: another name of ``agent_factory``, in the newer dialect.
            progress: hears how many measured operations have ended, and how many there will be (at least).

        Failed is an operation that raised, took longer than ``timeout_seconds``, gave an error or a fault (also as a
        tree or as ``{"success": False}``), or held a turn that failed and was not made good by a later one of the same
        agent. What is synchronous never runs on the event loop, and neither does a coroutine that awaits nothing. A
        synchronous call cannot be stopped: when its time is over its (daemon) thread is left to itself, and what it
        does later counts nowhere.

        Tokens and cost come from the spans of each operation, of AgentNet and of the manual API, whether or not
        `agentnet_otel.instrument` is on: for the time of the run AgentNet is hooked, and threads take along which
        operation they belong to. Afterwards all of that is taken back. Where no span tells, what was returned does.

        Cancelled (by `asyncio.wait_for`, for example) it cancels its operations, gives their agents back, and keeps
        what had been measured: `get_latest_result` gives it.

        Raises:
            ValueError: an argument is wrong.
            ConfigurationError: the given ``output_dir`` cannot be made.
        """
        factory = _checked(config, agent_factory, operation_func, agent_fixture)
        folder = self._folder()
        threads = DaemonThreads()
        prices = self.token_tracker.prices
        run = BenchmarkRun(config, factory, operation_func, Caller(threads), prices, progress)
        surroundings, sampler = environment(), _host_sampler()
        host: HostUsage | None = None
        completed = False
        try:
            installed().load()  # now, and not in an operation that is timed
            with measuring(prices):
                await run.warm_up()
                self.latency_tracker.clear_measurements()
                self.token_tracker.clear_metrics()
                if sampler is not None:
                    sampler.start()
                try:
                    await run.measure()
                    completed = True
                finally:
                    host = None if sampler is None else sampler.stop()
        finally:
            threads.close()
            result = _result(config, run.recording, dict(surroundings), host, completed=completed)
            self._keep(result, folder)
        return result

    def get_results_history(self) -> list[BenchmarkResult]:
        """The results so far, oldest first, as a list of the caller's own."""
        return list(self._results)

    def get_latest_result(self) -> BenchmarkResult | None:
        """The newest result, None before the first one. Of a benchmark that was cancelled it is what it had by then."""
        return self._results[-1] if self._results else None

    def _folder(self) -> Path | None:
        """The folder to write into, made now: a run is too dear to find out at its end that it cannot be."""
        if isinstance(self.output_dir, _DefaultFolder):
            return None
        folder = Path(self.output_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"output_dir {str(folder)!r} cannot be made ({reason}); give a folder that can be written to"
            raise ConfigurationError(message) from error
        return folder

    def _keep(self, result: BenchmarkResult, folder: Path | None) -> None:
        for turn in result.turns:
            self.latency_tracker.record_turn(turn)
            self.token_tracker.record_turn(turn)
        self._results.append(result)
        if folder is not None:
            try:
                write_result(result, folder)
            except OSError as error:
                result.warnings.append(f"the result could not be written into {str(folder)!r}: {error}")


def _checked(
    config: object,
    agent_factory: AgentFactory | None,
    operation_func: Callable[[Any, str], Any] | None,
    agent_fixture: AgentFactory | None,
) -> AgentFactory:
    if not isinstance(config, BenchmarkConfig):
        check.refuse("config", config, "a BenchmarkConfig")
    config.validate()
    if agent_factory is not None and agent_fixture is not None:
        check.refuse(
            "agent_fixture", agent_fixture, "None where agent_factory is given: they are two names of one argument"
        )
    factory = agent_fixture if agent_factory is None else agent_factory
    if not callable(factory):
        check.refuse("agent_factory", factory, "a function that makes an agent")
    if operation_func is not None and not callable(operation_func):
        check.refuse("operation_func", operation_func, "a function of an agent and a prompt, or None")
    return factory


def _host_sampler() -> HostSampler | None:
    try:
        return HostSampler()
    except MissingExtraError:
        return None


def _result(
    config: BenchmarkConfig,
    recording: Recording,
    surroundings: dict[str, str],
    host: HostUsage | None,
    *,
    completed: bool,
) -> BenchmarkResult:
    """The result of what was recorded, by iteration."""
    samples = sorted(recording.samples, key=lambda sample: sample.iteration)
    latencies_ms = sorted(figures.turn_latencies_ms(samples))
    duration_s = (recording.ended_ns - recording.started_ns) / _NANOS
    tokens = figures.total_tokens(samples)
    failed = [sample for sample in samples if not sample.succeeded]
    return BenchmarkResult(
        config=config,
        start_time=recording.epoch_ns / _NANOS,
        end_time=recording.epoch_ns / _NANOS + duration_s,
        total_duration=duration_s,
        avg_turn_latency_ms=sum(latencies_ms) / len(latencies_ms) if latencies_ms else 0.0,
        min_turn_latency_ms=latencies_ms[0] if latencies_ms else 0.0,
        max_turn_latency_ms=latencies_ms[-1] if latencies_ms else 0.0,
        p95_turn_latency_ms=quantile(latencies_ms, figures.P95) if latencies_ms else 0.0,
        total_tokens_consumed=tokens,
        avg_tokens_per_turn=figures.tokens_per_turn(samples) or 0.0,
        token_efficiency_score=figures.token_efficiency(samples) or 0.0,
        total_operations=len(samples),
        successful_operations=len(samples) - len(failed),
        failed_operations=len(failed),
        success_rate=(len(samples) - len(failed)) / len(samples) if samples else 0.0,
        operations_per_second=len(samples) / duration_s if duration_s else 0.0,
        tokens_per_second=tokens / duration_s if duration_s else 0.0,
        individual_results=sorted(recording.individual, key=lambda individual: individual["iteration"]),
        error_details=[f"Iteration {sample.iteration} failed: {sample.reason}" for sample in failed],
        avg_cost_usd=figures.cost_per_turn_usd(samples),
        samples=samples,
        turns=sorted(recording.turns, key=lambda turn: turn.start_ns),
        environment=surroundings,
        host=host,
        warnings=_warnings(config, recording, host, completed=completed),
        completed=completed,
    )


def _warnings(config: BenchmarkConfig, recording: Recording, host: HostUsage | None, *, completed: bool) -> list[str]:
    """What keeps the figures from being reliable, worst first."""
    planned, measured = sum(config.rounds), len(recording.samples)
    found = []
    if not completed:
        found.append(f"the run ended early, after {measured} of {planned} operations; the figures are those of these")
    if measured < MIN_MEAN_N:
        found.append(f"{measured} operations are too few for reliable statistics; use at least {MIN_MEAN_N} iterations")
    if config.warmup_operations == 0:
        found.append("there was no warm-up: the first operations may be slower than the others")
    if recording.warmup_failures:
        failures = len(recording.warmup_failures)
        found.append(
            f"{failures} of {config.warmup_operations} warm-up operations failed: {recording.warmup_failures[0]}"
        )
    if config.benchmark_type is BenchmarkType.CONCURRENT_AGENTS and config.agent_count * config.concurrency_level == 1:
        found.append("agent_count and concurrency_level are 1: nothing runs at the same time")
    found.extend(_waits(config, recording.samples))
    found.extend(_data_warnings(config, recording))
    late = sum(operation.late for operation in recording.let_go)
    if late:
        found.append(f"not counted are turns that ended after their operation had timed out: {late}")
    if host is None:
        found.append(f"the host was not sampled: {MissingExtraError('psutil', 'bench')}")
    found.extend(f"{text} ({times} times)" if times > 1 else text for text, times in recording.troubles.items())
    return found


def _waits(config: BenchmarkConfig, samples: Sequence[OperationSample]) -> list[str]:
    """With a rate: how much longer those who asked waited than the agents worked, which the latencies do not tell."""
    if config.rate_per_second is None or not samples:
        return []
    service_ms, response_ms = (
        quantile(sorted(values), figures.P95)
        for values in ([one.service_ms for one in samples], [one.response_ms for one in samples])
    )
    if response_ms <= _KEPT_UP * service_ms:
        return []
    told = (
        f"operations waited: at {config.rate_per_second:,g} a second, {config.concurrency_level} at a time, one took "
        f"{response_ms:,.0f} ms (p95) from when it was due, and worked {service_ms:,.0f} ms (p95) of them; latencies "
        "are those of the work"
    )
    return [told]


def _data_warnings(config: BenchmarkConfig, recording: Recording) -> list[str]:
    """What the operations did not tell."""
    samples = recording.samples
    found = []
    silent = sum(not sample.tokens.known for sample in samples if sample.succeeded)
    if silent:
        found.append(f"{silent} of {len(samples)} operations told no tokens; they count as 0 in the total")
    estimated = sum(sample.estimated for sample in samples)
    if estimated:
        found.append(f"the tokens of {estimated} operations are estimates of the engine")
    if samples and config.cost_limit_usd is not None and figures.cost_per_turn_usd(samples) is None:
        found.append("the cost limit was not judged: no operation told what it cost")
    if recording.dropped_turns:
        found.append(f"{recording.dropped_turns} turns beyond {MAX_KEPT_TURNS} were not kept; the figures hold them")
    return found
