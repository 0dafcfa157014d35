"""One run of a benchmark: the warm-up, then the measured operations by workers that overlap.

Without a rate each worker takes the next operation as soon as it is free. With one, operation k is due k / rate
seconds after the start, whether or not the ones before it have ended; a worker that comes late to it starts at once,
and how late it was is part of the response time. So a stall is seen by all operations that were due during it, and
not only by the one that it hit.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import context as otel_context

from agentnet_otel.core.cost import PriceBook
from agentnet_otel.instrumentation.collecting import with_collector
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.performance.agents import AgentFactory, Lease
from agentnet_otel.performance.benchmark import MAX_KEPT_TURNS, BenchmarkConfig
from agentnet_otel.performance.calls import Caller
from agentnet_otel.performance.evaluation import EndedOperation, evaluate
from agentnet_otel.performance.operation import Operation, OperationFailedError, name_of
from agentnet_otel.performance.responses import describe
from agentnet_otel.performance.samples import OperationSample
from agentnet_otel.performance.workloads import TEAMS, WORKLOADS, Task, calling

GRACE_S: Final = 1.0
"""How long a cancelled operation may take to end; then it is left alone, and told."""
MAX_ROUND_OPERATIONS: Final = 100_000
"""Operations of one round that is to last a while; beyond it the round ends earlier."""
_NANOS: Final = 1_000_000_000

_left_alone: Final[set[asyncio.Task[Any]]] = set()
"""Operations that ignored their cancellation; asyncio itself only remembers tasks weakly."""


@dataclass(slots=True)
class Recording:
    """What was measured so far, readable whenever the run ends. Times are monotonic; the start is ``epoch_ns``, too."""

    epoch_ns: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    samples: list[OperationSample] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    individual: list[dict[str, Any]] = field(default_factory=list)
    dropped_turns: int = 0
    warmup_failures: list[str] = field(default_factory=list)
    troubles: dict[str, int] = field(default_factory=dict)
    let_go: list[Operation] = field(default_factory=list)

    def trouble(self, text: str) -> None:
        """Count something that went wrong beside the operations."""
        self.troubles[text] = self.troubles.get(text, 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    outcome: Outcome
    reason: str | None = None
    returned: object = None


class BenchmarkRun:
    """Runs the operations of one benchmark. ``progress`` hears how many measured operations have ended, of how many."""

    def __init__(
        self,
        config: BenchmarkConfig,
        factory: AgentFactory,
        operation: Callable[..., Any] | None,
        caller: Caller,
        prices: PriceBook,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._config = config
        self._factory = factory
        self._caller = caller
        self._prices = prices
        self._progress = progress
        self._workload = WORKLOADS[config.benchmark_type] if operation is None else calling(operation)
        self._needs_team = operation is None and config.benchmark_type in TEAMS
        self._epoch_offset_ns = time.time_ns() - time.perf_counter_ns()
        self.recording = Recording(epoch_ns=time.time_ns())

    async def warm_up(self) -> None:
        """Run the operations that are not measured; they all get the first prompt."""
        numbers = iter(range(self._config.warmup_operations))
        await self._work(numbers, self._config.warmup_operations, self._warm_up_once)

    async def measure(self) -> None:
        """Run the operations that are measured, round by round."""
        recording = self.recording
        recording.started_ns = recording.ended_ns = time.perf_counter_ns()
        recording.epoch_ns = recording.started_ns + self._epoch_offset_ns
        iteration = 0
        for operations in self._config.rounds:
            round_ends_ns = time.perf_counter_ns() + round((self._config.min_time_per_round_s or 0.0) * _NANOS)
            numbers = _numbers(iteration, operations, round_ends_ns)
            await self._work(numbers, operations, self._measure_once)
            iteration = len(recording.samples)

    async def _work(self, numbers: Iterator[int], operations: int, once: Callable[[int], Any]) -> None:
        """Have the workers take numbers until there are none; cancelled, all of them end first."""

        async def worker() -> None:
            for number in numbers:
                await once(number)

        workers = [
            asyncio.ensure_future(worker()) for _ in range(min(self._config.concurrency_level, max(operations, 1)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for one in workers:
                one.cancel()
            await asyncio.wait(workers)

    async def _warm_up_once(self, number: int) -> None:
        del number
        ended = await self._run(0, self._config.test_prompts[0], None)
        outcome = evaluate(ended, self._prices).sample
        if not outcome.succeeded:
            self.recording.warmup_failures.append(outcome.reason or outcome.outcome.value)

    async def _measure_once(self, iteration: int) -> None:
        recording = self.recording
        due_ns = None
        if self._config.rate_per_second is not None:
            due_ns = recording.started_ns + round(iteration * _NANOS / self._config.rate_per_second)
        prompts = self._config.test_prompts
        ended = await self._run(iteration, prompts[iteration % len(prompts)], due_ns)
        evaluation = evaluate(ended, self._prices)
        recording.ended_ns = max(recording.ended_ns, ended.ended_ns)
        recording.samples.append(evaluation.sample)
        recording.individual.append(_individual(evaluation.sample, ended))
        kept = evaluation.turns[: MAX_KEPT_TURNS - len(recording.turns)]
        recording.turns.extend(kept)
        recording.dropped_turns += len(evaluation.turns) - len(kept) + ended.operation.collector.dropped
        if self._progress is not None:
            self._progress(len(recording.samples), sum(self._config.rounds))

    async def _run(self, iteration: int, prompt: str, due_ns: int | None) -> EndedOperation:
        """Run one operation with agents of its own, which are given back whatever happens."""
        operation = Operation(self._caller)
        lease = Lease(self._factory, self._caller)
        agents: Any = None
        begun_ns = time.perf_counter_ns()
        try:
            try:
                agents = await (lease.take_team(self._config.agent_count) if self._needs_team else lease.take())
                await _until(due_ns)
                begun_ns = time.perf_counter_ns()
                task = Task(config=self._config, agents=agents, prompt=prompt, operation=operation)
                ended = await self._supervise(task)
            except Exception as error:  # noqa: BLE001 - the factory is the user's: its error fails the operation
                ended = _Ended(outcome=Outcome.ERROR, reason=describe(error))
        finally:
            operation.close()
            await lease.give_back()
            for trouble in lease.troubles:
                self.recording.trouble(trouble)
        watch = operation.watch
        started_ns = begun_ns if watch.started_ns is None else watch.started_ns
        is_over = watch.ended_ns is not None and ended.outcome is not Outcome.TIMEOUT
        ended_ns = watch.ended_ns if is_over and watch.ended_ns is not None else time.perf_counter_ns()
        return EndedOperation(
            operation=operation,
            iteration=iteration,
            agent=_team_name(agents),
            prompt=prompt,
            outcome=ended.outcome,
            reason=ended.reason,
            returned=ended.returned,
            scheduled_ns=started_ns if due_ns is None else due_ns,
            started_ns=started_ns,
            ended_ns=ended_ns,
            epoch_offset_ns=self._epoch_offset_ns,
            began=watch.started_ns is not None,
        )

    async def _supervise(self, task: Task) -> _Ended:
        """Run the workload in a task and a context of its own, and cancel it when its time is over."""
        operation, timeout_s = task.operation, self._config.timeout_seconds
        context = contextvars.copy_context()
        context.run(otel_context.attach, with_collector(operation.collector))
        running = asyncio.get_running_loop().create_task(self._workload(task), context=context)
        try:
            await asyncio.wait({running}, timeout=timeout_s)
        except asyncio.CancelledError:
            operation.close()
            await self._end(running)
            raise
        if not running.done():
            operation.let_go()
            self.recording.let_go.append(operation)
            await self._end(running)
            return _timed_out(timeout_s)
        if operation.watch.elapsed_ns > timeout_s * _NANOS:
            return _timed_out(timeout_s)  # it held the loop all the while, so that nobody could cancel it
        return _ended(running)

    async def _end(self, running: asyncio.Task[Any]) -> None:
        """Cancel a task and give it a moment; one that does not end is left alone."""
        running.cancel()
        await asyncio.wait({running}, timeout=GRACE_S)
        if not running.done():
            self.recording.trouble(
                f"an operation went on after it was cancelled and was left alone after {GRACE_S:g} s"
            )
            _left_alone.add(running)
            running.add_done_callback(_forget)
        elif not running.cancelled():
            running.exception()  # looked at: asyncio would tell it as never retrieved


def _ended(running: asyncio.Task[Any]) -> _Ended:
    """How a task that is done has ended.

    Raises:
        BaseException: what it raised, if that is no `Exception`: such are not for the harness.
    """
    if running.cancelled():
        return _Ended(outcome=Outcome.ERROR, reason="the operation was cancelled from within")
    error = running.exception()
    if error is None:
        return _Ended(outcome=Outcome.SUCCESS, returned=running.result())
    if isinstance(error, OperationFailedError):
        return _Ended(outcome=error.failure.outcome, reason=error.failure.reason, returned=error.returned)
    if isinstance(error, Exception):
        return _Ended(outcome=Outcome.ERROR, reason=describe(error))
    raise error


def _timed_out(timeout_s: float) -> _Ended:
    return _Ended(outcome=Outcome.TIMEOUT, reason=f"timed out after {timeout_s:g} s")


def _forget(task: asyncio.Task[Any]) -> None:
    _left_alone.discard(task)
    if not task.cancelled():
        task.exception()


async def _until(due_ns: int | None) -> None:
    """Wait until an operation is due."""
    if due_ns is not None:
        wait_ns = due_ns - time.perf_counter_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / _NANOS)


def _numbers(first: int, at_least: int, round_ends_ns: int) -> Iterator[int]:
    """Numbers of the operations of a round: at least so many, and more until its time is over."""
    for number in range(max(at_least, MAX_ROUND_OPERATIONS)):
        if number >= at_least and time.perf_counter_ns() >= round_ends_ns:
            return
        yield first + number


def _individual(sample: OperationSample, ended: EndedOperation) -> dict[str, Any]:
    """The documented dictionary of one operation."""
    individual = {
        "iteration": sample.iteration,
        "duration_ms": sample.service_ms,
        "prompt": ended.prompt,
        "result": ended.returned,
        "success": sample.succeeded,
    }
    if not sample.succeeded:
        individual["error"] = sample.reason or sample.outcome.value
    return individual


def _team_name(agents: Any) -> str:
    if isinstance(agents, list | tuple):
        return "+".join(name_of(agent) for agent in agents) or "nobody"
    return name_of(agents)
