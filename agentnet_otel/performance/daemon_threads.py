"""Threads for synchronous calls that nobody has to wait for.

A synchronous call cannot be stopped. The threads of asyncio and of executors are waited for when the loop closes and
when the process exits, so that one hanging call would hold both. These are daemons: who gives up waiting leaves the
thread to itself, it ends with its call or with the process.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, TypeVar

R = TypeVar("R")

THREAD_NAME: Final = "agentnet-otel-benchmark"
_JOIN_TIMEOUT_S: Final = 1.0
"""An idle thread ends at once; this is only reached on a machine that stands still."""


@dataclass(frozen=True, slots=True)
class _Returned:
    value: Any
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class _Job:
    """A call to make, and where its end is told."""

    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[_Returned]"
    context: contextvars.Context
    function: Callable[..., Any]
    args: tuple[Any, ...]

    def call(self) -> _Returned:
        """Make the call."""
        try:
            return _Returned(self.context.run(self.function, *self.args), None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is awaited
            return _Returned(None, error)

    def tell(self, returned: _Returned) -> None:
        """Say how it ended to whoever still waits."""
        try:
            self.loop.call_soon_threadsafe(_tell, self.done, returned)
        except RuntimeError:
            return  # the loop was closed meanwhile: nobody does


def _tell(done: "asyncio.Future[_Returned]", returned: _Returned) -> None:
    if not done.done():
        done.set_result(returned)


class DaemonThreads:
    """As many threads as there are calls at the same time; an idle one is used again. Used from one event loop."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[_Job | None]] = []
        self._threads: dict[SimpleQueue[_Job | None], threading.Thread] = {}
        self._lock = threading.Lock()
        self._closed = False

    async def run(self, function: Callable[..., R], *args: Any) -> R:
        """Call ``function`` in a thread, in a copy of the current context; cancelling it leaves the thread to itself.

        Raises:
            BaseException: what the call raised.
        """
        loop = asyncio.get_running_loop()
        job = _Job(loop, loop.create_future(), contextvars.copy_context(), function, args)
        self._free_thread().put(job)
        returned = await job.done
        try:
            if returned.error is not None:
                raise returned.error
            value: R = returned.value
            return value
        finally:
            del returned, job  # an error's traceback holds this frame: without this it would hold itself

    def close(self) -> None:
        """End the idle threads now, and the others as soon as their calls end. Waits for no call."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for queue in idle:
            queue.put(None)
        for queue in idle:
            self._threads.pop(queue).join(_JOIN_TIMEOUT_S)

    def _free_thread(self) -> "SimpleQueue[_Job | None]":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        queue: SimpleQueue[_Job | None] = SimpleQueue()
        thread = threading.Thread(target=self._serve, args=(queue,), name=THREAD_NAME, daemon=True)
        self._threads[queue] = thread
        contextvars.Context().run(thread.start)  # the thread serves many callers: it is to take nothing of this one
        return queue

    def _serve(self, queue: "SimpleQueue[_Job | None]") -> None:
        while (job := queue.get()) is not None:
            returned = job.call()
            with self._lock:
                closed = self._closed
                if not closed:
                    self._idle.append(queue)  # before it is told, so that the next call finds this thread
            job.tell(returned)
            del job, returned
            if closed:
                return
