"""Runs the tasks of a graph."""

import asyncio
import inspect
import time
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class TaskStatus(str, Enum):
    """How a task or a graph stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass
class TaskResult:
    """The outcome of one task."""

    task_id: str
    status: TaskStatus
    attempt: int = 0
    error: str | None = None
    result: Any = None
    agent_used: str | None = None
    start_time: float = 0.0
    end_time: float = 0.0


@dataclass
class ExecutionResult:
    """The outcome of a graph; tasks after a failed one have no entry."""

    execution_id: str
    status: TaskStatus = TaskStatus.RUNNING
    task_results: dict = field(default_factory=dict)
    start_time: float = field(default_factory=time.time)
    end_time: float | None = None
    metadata: dict = field(default_factory=dict)


class TaskScheduler:
    """Runs ready tasks together and tries failing ones again."""

    def __init__(
        self, max_retries=3, retry_delay=1.0, *, execution_timeout=300.0, parallel_execution=True
    ):
        self.max_retries = max_retries
        self.retry_delay = retry_delay
        self.execution_timeout = execution_timeout
        self.parallel_execution = parallel_execution
        self.task_executor = None

    def set_task_executor(self, executor):
        """Set the function, sync or async, that gets (task_id, prompt, agent, context)."""
        self.task_executor = executor

    async def execute_graph(self, task_graph, context=None):
        """Run a graph until nothing more is ready."""
        if self.task_executor is None:
            raise ValueError("no task executor is set")
        execution = ExecutionResult(f"exec_{uuid.uuid4().hex[:8]}")
        results = execution.task_results
        while True:
            done = [key for key, item in results.items() if item.status is TaskStatus.COMPLETED]
            ready = task_graph.ready(done, results)
            if not ready:
                break
            batch = ready if self.parallel_execution else ready[:1]
            await asyncio.gather(
                *(self._execute_single_task(key, task_graph, execution, context) for key in batch)
            )
        complete = len(done) == len(task_graph.nodes)
        execution.status = TaskStatus.COMPLETED if complete else TaskStatus.FAILED
        execution.end_time = time.time()
        return execution

    async def _execute_single_task(self, task_id, task_graph, execution, context):
        """Try one task up to max_retries times more and note the outcome."""
        node = task_graph.nodes[task_id]
        before = {dep: execution.task_results[dep].result for dep in node.deps}
        ctx = {**(context or {}), "dependency_results": before}
        outcome = TaskResult(task_id, TaskStatus.FAILED, agent_used=node.agent, start_time=time.time())
        for attempt in range(1, self.max_retries + 2):
            outcome.attempt = attempt
            try:
                call = asyncio.create_task(
                    self._call_task_executor(task_id, node.prompt, node.agent, ctx)
                )
                outcome.result = await asyncio.wait_for(call, timeout=self.execution_timeout)
                outcome.status, outcome.error = TaskStatus.COMPLETED, None
                break
            except asyncio.TimeoutError:
                outcome.error = f"task {task_id} timed out"
            except Exception as exc:
                outcome.error = str(exc)
            if attempt <= self.max_retries:
                await asyncio.sleep(self.retry_delay)
        outcome.end_time = time.time()
        execution.task_results[task_id] = outcome

    async def _call_task_executor(self, task_id, prompt, agent, ctx):
        """Await a coroutine executor; a sync one loses the context (trap 26)."""
        if inspect.iscoroutinefunction(self.task_executor):
            return await self.task_executor(task_id, prompt, agent, ctx)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.task_executor, task_id, prompt, agent, ctx)
