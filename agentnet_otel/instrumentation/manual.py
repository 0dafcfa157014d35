"""The manual API, for agents that are not AgentNet: a turn, its parts, and decorators for both."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar

from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.checks import checked_member, checked_text
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.labels import UNKNOWN
from agentnet_otel.instrumentation.open_span import OpenSpan, text_of
from agentnet_otel.instrumentation.runtime import recorder
from agentnet_otel.instrumentation.stepping import step_async_generator, step_generator
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.instrumentation.workflow_span import WorkflowSpan
from agentnet_otel.instrumentation.wrapping import wrap
from agentnet_otel.model import LatencyComponent

P = ParamSpec("P")
R = TypeVar("R")


def turn(
    agent: str,
    prompt: str | None = None,
    model: str | None = None,
    conversation_id: str | None = None,
    turn_id: str | None = None,
) -> TurnSpan:
    """One turn of ``agent``, to be used as ``with`` or ``async with``.

    Args:
        agent: name of the agent; it becomes the span's name and a metric label, so keep it from a small set.
        prompt: what the agent is asked. Its length in characters is recorded; its text only under the capture mode.
        model: the model that will be asked, if there is one for the whole turn.
        conversation_id: the conversation that the turn belongs to.
        turn_id: an id of yours; without it one is made.
    """
    return TurnSpan(
        recorder(),
        _agent_name(agent) or UNKNOWN,
        prompt=_prompt_text(prompt),
        model=text_of(model),
        conversation_id=text_of(conversation_id),
        turn_id=text_of(turn_id),
    )


@faults.guarded
def _agent_name(agent: object) -> str:
    if isinstance(agent, str) and agent:
        return agent
    _misuse(f"a turn needs the name of its agent, not {agent!r}; it is recorded as 'unknown'")
    return UNKNOWN


@faults.guarded
def _prompt_text(prompt: object) -> str | None:
    return None if prompt is None else checked_text(prompt, _misuse, "prompt")


def session(mode: str, conversation_id: str | None = None) -> WorkflowSpan:
    """A conversation of one or more agents, to be used around their turns as ``with`` or ``async with``."""
    return WorkflowSpan(recorder(), str(text_of(mode)), text_of(conversation_id))


@faults.guarded
def current_turn() -> TurnSpan | None:
    """The innermost open turn around the running code, or None."""
    return ctx.enclosing_turn()


def traced_turn(
    agent: str,
    *,
    model: str | None = None,
    prompt: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make each call of a function, coroutine function, generator or async generator one turn of ``agent``.

    ``prompt`` names the parameter that holds the prompt (default: the first one, or the one after ``self``, if it is
    text). A result that is text is the response.
    """

    def started_by(function: Callable[..., object]) -> Starter:
        place, name = _prompt_parameter(function, prompt)

        def start(args: tuple[object, ...], kwargs: Mapping[str, object]) -> OpenSpan:
            given = args[place] if place < len(args) else kwargs.get(name)
            return turn(agent, prompt=given if isinstance(given, str) else None, model=model)

        return start

    return _traced(started_by)


def _prompt_parameter(function: Callable[..., object], asked: str | None) -> tuple[int, str]:
    """Place and name of the parameter that holds the prompt."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # functions of C, some of which tell no signature
        return (0, asked or "")
    if asked is not None and asked not in names:
        _misuse(f"prompt={asked!r} names no parameter of {function!r}; its prompts are not recorded")
    default = names[1:2] if names[:1] in (["self"], ["cls"]) else names[:1]
    name = asked if asked is not None else next(iter(default), "")
    return (names.index(name) if name in names else len(names), name)


def traced_component(
    component: LatencyComponent | str,
    name: str | None = None,
    *,
    model: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make each call of a function, coroutine function, generator or async generator one component.

    It belongs to the turn around the call; without one it is recorded as work outside any turn. ``name`` defaults to
    the function's own.
    """

    def started_by(function: Callable[..., object]) -> Starter:
        label = name if name is not None else getattr(function, "__name__", None)

        def start(_args: tuple[object, ...], _kwargs: Mapping[str, object]) -> OpenSpan:
            around = current_turn()
            if around is not None:
                return around.component(component, label, model)
            checked = checked_member(LatencyComponent, component, _misuse, "component")
            return ComponentSpan(recorder(), checked, text_of(label), model=text_of(model))

        return start

    return _traced(started_by)


Starter = Callable[[tuple[object, ...], Mapping[str, object]], OpenSpan | None]
"""Makes the span of one call from its arguments; None, after a fault of ours, runs the call as it is."""


def _traced(started_by: Callable[[Callable[..., object]], Starter]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that keeps the kind, signature and binding of what it decorates."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        plain = function.__func__ if isinstance(function, staticmethod | classmethod) else function
        start = faults.guarded(started_by(plain), "traced call")
        wrapped: Callable[P, R] = wrap(function, partial(_call_of_kind(plain), start))
        return wrapped

    return decorate


def _call_of_kind(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):
        return _call_async_generator
    if inspect.isgeneratorfunction(function):
        return _call_generator
    if inspect.iscoroutinefunction(function):
        return _call_coroutine
    return _call


def _call(
    start: Starter, wrapped: Callable[..., R], _instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    span = start(args, kwargs)
    if span is None:
        return wrapped(*args, **kwargs)
    with span:
        result = wrapped(*args, **kwargs)
        _take_result(span, result)
        return result


async def _call_coroutine(
    start: Starter,
    wrapped: Callable[..., Awaitable[R]],
    _instance: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> R:
    span = start(args, kwargs)
    if span is None:
        return await wrapped(*args, **kwargs)
    with span:
        result = await wrapped(*args, **kwargs)
        _take_result(span, result)
        return result


def is_traced_call(code: object) -> bool:
    """Whether a coroutine with this code is a call of a decorated coroutine function."""
    return code is _call_coroutine.__code__


def _call_generator(
    start: Starter,
    wrapped: Callable[..., Generator[Any, Any, R]],
    _instance: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Generator[Any, Any, R]:
    generator, span = wrapped(*args, **kwargs), start(args, kwargs)
    return generator if span is None else step_generator(generator, span)


def _call_async_generator(
    start: Starter,
    wrapped: Callable[..., AsyncGenerator[Any, Any]],
    _instance: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> AsyncGenerator[Any, Any]:
    generator, span = wrapped(*args, **kwargs), start(args, kwargs)
    return generator if span is None else step_async_generator(generator, span)


def _take_result(span: OpenSpan, result: object) -> None:
    if isinstance(span, TurnSpan) and span.is_open and span.response_length is None and isinstance(result, str):
        span.set_response(result)


def _misuse(text: str) -> None:
    faults.log.misuse(text, strict=recorder().strict)
