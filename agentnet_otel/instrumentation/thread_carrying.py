"""Carrying the collector into threads: neither threads nor executors take the context of who starts them along.

Only the collector goes: the spans of the thread stay where they would be without us. Wrapped for as long as a
measurement runs, and taken back after it.
"""

import functools
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation.collecting import TurnCollector, collector_in, with_collector
from agentnet_otel.instrumentation.hooks.patching import Patches, Target

_FOREIGN_EXECUTORS: Final = frozenset({"InterpreterPoolExecutor"})
"""Executors of that family whose work leaves the interpreter (Python 3.14): a collector cannot follow it."""
_submitting: ContextVar[bool] = ContextVar("agentnet_otel_submitting", default=False)


def run_with(collector: TurnCollector | None, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` in the current context with ``collector`` in it."""
    attachment = ctx.Attachment(with_collector(collector))
    try:
        return function(*args, **kwargs)
    finally:
        attachment.detach()


def _start(wrapped: Callable[..., Any], thread: threading.Thread, args: Any, kwargs: Any) -> Any:
    """A thread that is started for one piece of work belongs to it; one of an executor's pool serves many."""
    collector = collector_in()
    if collector is not None and not _submitting.get():
        thread.run = functools.partial(_run_once, thread, collector, thread.run)  # type: ignore[method-assign]
    return wrapped(*args, **kwargs)


def _run_once(thread: threading.Thread, collector: TurnCollector, run: Callable[[], None]) -> None:
    vars(thread).pop("run", None)  # a circle: the thread would only be freed by the garbage collector
    run_with(collector, run)


def _submit(wrapped: Callable[..., Any], executor: object, args: Any, kwargs: Any) -> Any:
    collector = collector_in()
    token = _submitting.set(True)
    try:
        if collector is None or not args or type(executor).__name__ in _FOREIGN_EXECUTORS:
            return wrapped(*args, **kwargs)
        return wrapped(functools.partial(run_with, collector, args[0]), *args[1:], **kwargs)
    finally:
        _submitting.reset(token)


carrying: Final = Patches(
    (
        Target(module="threading", owner="Thread", name="start", wrapper=_start),
        Target(module="concurrent.futures.thread", owner="ThreadPoolExecutor", name="submit", wrapper=_submit),
    )
)
"""What is wrapped."""
