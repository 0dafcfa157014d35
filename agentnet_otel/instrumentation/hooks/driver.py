"""Running a call of the framework inside a span.

A hook says what to open and how to read the result; the driver sees to it that a fault of ours never shows, that
the framework's own exceptions pass unchanged, and that whatever was opened is ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.collecting import is_let_go
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.runtime import recorder
from agentnet_otel.instrumentation.stepping import step_async_generator
from agentnet_otel.model import LatencyComponent


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the bound original, its instance, and its arguments."""

    wrapped: Callable[..., Any]
    instance: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument, however it was given."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[place] if place < len(self.args) else default


class Hook:
    """What a kind of call means. Every method may fail: the call goes on, and what was opened is ended."""

    def open(self, call: Call) -> OpenSpan | None:
        """The span to run the call in, not yet started; None runs it as it is."""
        del call
        return None

    def target(self, call: Call, span: OpenSpan | None) -> Callable[..., Any]:
        """What to call; the original unless the context has to be carried by hand."""
        del span
        return call.wrapped

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        """Read the result, before the span ends."""

    def raised(self, call: Call, span: OpenSpan | None, error: BaseException) -> None:
        """Read what was raised, before the span ends with it."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of a hook, each guarded. Whatever a hook does wrongly is our fault, never misuse by the application."""

    open: Callable[[Call], OpenSpan | None]
    target: Callable[[Call, OpenSpan | None], Callable[..., Any] | None]
    returned: Callable[[Call, OpenSpan | None, Any], None]
    raised: Callable[[Call, OpenSpan | None, BaseException], None]

    @classmethod
    def of(cls, hook: Hook) -> "_Steps":
        """Those of ``hook``; opening includes starting."""

        def open_and_start(call: Call) -> OpenSpan | None:
            span = hook.open(call)
            return None if span is None else span.start()

        def guarded(step: Callable[..., Any], name: str) -> Callable[..., Any]:
            return faults.guarded(step, f"{type(hook).__qualname__}.{name}", misuse_passes=False)

        return cls(
            guarded(open_and_start, "open"),
            guarded(hook.target, "target"),
            guarded(hook.returned, "returned"),
            guarded(hook.raised, "raised"),
        )


class _Running:
    """A call that runs inside what its hook opened; that ends however the call, or our own code, is left."""

    __slots__ = ("_call", "_result", "_span", "_steps", "function")

    def __init__(self, steps: _Steps, call: Call) -> None:
        self._steps = steps
        self._call = call
        self._result: Any = None
        self._span = steps.open(call)
        try:
            self.function: Callable[..., Any] = steps.target(call, self._span) or call.wrapped
        except BaseException as error:
            _end(self._span, error)
            raise

    def __enter__(self) -> Self:
        return self

    def note(self, result: Any) -> Any:
        """Keep what the call returned until its end; returns it."""
        self._result = result
        return result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._steps.returned(self._call, self._span, self._result)
            else:
                self._steps.raised(self._call, self._span, error)
        finally:
            _end(self._span, error)


def sync_wrapper(hook: Hook) -> Callable[..., Any]:
    """A wrapper for functions."""
    steps = _Steps.of(hook)

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if not is_instrumentation_enabled() or _late():
            return wrapped(*args, **kwargs)
        with _Running(steps, Call(wrapped, instance, args, kwargs)) as running:
            return running.note(running.function(*args, **kwargs))

    return wrapper


def async_wrapper(hook: Hook) -> Callable[..., Any]:
    """A wrapper for coroutine functions: the span opens when the coroutine first runs, not when it is made."""
    steps = _Steps.of(hook)

    async def run(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if not is_instrumentation_enabled() or _late():
            return await wrapped(*args, **kwargs)
        with _Running(steps, Call(wrapped, instance, args, kwargs)) as running:
            return running.note(await running.function(*args, **kwargs))

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        coroutine: Any = run(wrapped, instance, args, kwargs)
        coroutine.__name__ = getattr(wrapped, "__name__", coroutine.__name__)
        coroutine.__qualname__ = getattr(wrapped, "__qualname__", coroutine.__qualname__)
        return coroutine

    return wrapper


def stream_wrapper(hook: Hook, on_item: Callable[[OpenSpan, Any], None]) -> Callable[..., Any]:
    """A wrapper for functions that return an async generator."""
    open_ = faults.guarded(hook.open, f"{type(hook).__qualname__}.open", misuse_passes=False)
    take = faults.guarded(on_item, f"{type(hook).__qualname__}.item", misuse_passes=False)

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        generator = wrapped(*args, **kwargs)
        if not is_instrumentation_enabled() or _late() or not hasattr(generator, "asend"):
            return generator
        span = open_(Call(wrapped, instance, args, kwargs))
        return generator if span is None else step_async_generator(generator, span, take)

    return wrapper


def current_component(kind: LatencyComponent) -> ComponentSpan | None:
    """The innermost open span of ours, if it is a component of that kind."""
    here = ctx.open_position()
    return here if isinstance(here, ComponentSpan) and here.component is kind else None


def component_here(
    kind: LatencyComponent,
    name: str | None = None,
    *,
    merge_key: object = None,
    model: str | None = None,
    provider: str | None = None,
    operation: str | None = None,
    agent: str | None = None,
) -> ComponentSpan | None:
    """A component in the turn around the call, or outside any turn.

    None where the innermost open component is the same work, seen by an outer hook (``merge_key`` tells): one piece
    of work is one component.
    """
    here = current_component(kind)
    if here is not None and merge_key is not None and here.merge_key == merge_key:
        return None
    return ComponentSpan(
        recorder(),
        kind,
        name,
        turn=ctx.enclosing_turn(),
        merge_key=merge_key,
        model=model,
        provider=provider,
        operation=operation,
        agent=agent,
    )


def _end(span: OpenSpan | None, error: BaseException | None) -> None:
    if span is not None:
        span.end(error)


@faults.guarded
def _late() -> bool:
    """Whether this is work of a turn that has ended already; it is counted and leaves no span."""
    late = ctx.is_late() or is_let_go()
    if late:
        recorder().count_late_work()
    return late


def run_within(attachment: ctx.Attachment | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` and give the context back after it."""
    try:
        return function(*args, **kwargs)
    finally:
        if attachment is not None:
            attachment.detach()
