"""Calling what a user brings, synchronous or not, so that nothing of it blocks the event loop.

A synchronous call runs in a thread. So does a coroutine that awaits nothing: it is a synchronous call in the clothes
of a coroutine, often around an agent's synchronous turn, which blocks the loop and, with engines that start a loop of
their own, fails on it. Its code tells: awaiting, also by ``async with``, ``async for`` and asynchronous comprehensions,
compiles to one of two instructions (Python 3.11 to 3.14). Without them one step runs it from start to end.
"""

import dis
import functools
import inspect
import time
from collections.abc import Callable, Coroutine
from types import CodeType
from typing import Any, Final

from agentnet_otel.instrumentation.manual import is_traced_call
from agentnet_otel.performance.daemon_threads import DaemonThreads

_AWAITING: Final = frozenset({"GET_AWAITABLE", "GET_ANEXT"})
_NEEDS_LOOP: Final = frozenset(
    {"create_task", "current_task", "ensure_future", "gather", "get_event_loop", "get_running_loop"}
)
"""Names in a coroutine that only work on the loop's own thread; such a coroutine stays there."""


class Stopwatch:
    """When the first of some calls began and the last one ended, nanoseconds of the monotonic clock."""

    __slots__ = ("ended_ns", "started_ns")

    def __init__(self) -> None:
        self.started_ns: int | None = None
        self.ended_ns: int | None = None

    def start(self) -> None:
        """A call begins."""
        if self.started_ns is None:
            self.started_ns = time.perf_counter_ns()

    def stop(self) -> None:
        """A call ended, or is no longer waited for."""
        self.ended_ns = time.perf_counter_ns()

    @property
    def elapsed_ns(self) -> int:
        """From the first start to the last end; 0 if nothing began."""
        if self.started_ns is None or self.ended_ns is None:
            return 0
        return self.ended_ns - self.started_ns


class Caller:
    """Calls functions and coroutine functions alike. The watches run while the call does, not while it is queued."""

    def __init__(self, threads: DaemonThreads) -> None:
        self._threads = threads

    async def call(self, function: Callable[..., Any], *args: Any, watches: tuple[Stopwatch, ...] = ()) -> Any:
        """What the call returns; if that can be awaited, what it gives in the end.

        Raises:
            BaseException: what the call raised.
        """
        if is_coroutine_function(function):
            value = function(*args)
        else:
            value = await self._threads.run(_timed, watches, function, *args)
        while inspect.isawaitable(value):
            if inspect.iscoroutine(value) and runs_through(value, function):
                value = await self._threads.run(_timed, watches, _step_through, value)
            else:
                value = await _timed_await(watches, value)
        return value


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling it runs nothing yet, but makes a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def runs_through(coroutine: Coroutine[Any, Any, Any], function: Callable[..., Any] | None = None) -> bool:
    """Whether the coroutine awaits nothing, and needs no loop. ``function`` made it.

    A decorator of ours awaits what it wraps, and nothing else; so the code of that one counts.
    """
    code = getattr(coroutine, "cr_code", None)
    if is_traced_call(code):
        code = getattr(inspect.unwrap(function), "__code__", None) if function is not None else None
    return isinstance(code, CodeType) and _runs_through(code)


@functools.lru_cache(maxsize=256)
def _runs_through(code: CodeType) -> bool:
    if not _NEEDS_LOOP.isdisjoint(code.co_names):
        return False
    return all(instruction.opname not in _AWAITING for instruction in dis.get_instructions(code))


def _step_through(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    message = "a coroutine that awaits nothing stopped on its way"
    raise RuntimeError(message)


def _timed(watches: tuple[Stopwatch, ...], function: Callable[..., Any], *args: Any) -> Any:
    for watch in watches:
        watch.start()
    try:
        return function(*args)
    finally:
        for watch in watches:
            watch.stop()


async def _timed_await(watches: tuple[Stopwatch, ...], awaitable: Any) -> Any:
    for watch in watches:
        watch.start()
    try:
        return await awaitable
    finally:
        for watch in watches:
            watch.stop()
