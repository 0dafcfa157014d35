"""The manual API, for agents that are not AgentNet: a turn, its parts, and decorators for both."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ParamSpec, TypeVar

import wrapt

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
        _agent_name(agent),
        prompt=_prompt_text(prompt),
        model=text_of(model),
        conversation_id=text_of(conversation_id),
        turn_id=text_of(turn_id),
    )


def _agent_name(agent: object) -> str:
    if isinstance(agent, str) and agent:
        return agent
    _tell_misuse(f"a turn needs the name of its agent, not {agent!r}; it is recorded as 'unknown'")
    return UNKNOWN


def _prompt_text(prompt: object) -> str | None:
    return None if prompt is None else checked_text(prompt, _tell_misuse, "prompt")


def session(mode: str, conversation_id: str | None = None) -> WorkflowSpan:
    """A conversation of one or more agents, to be used around their turns as ``with`` or ``async with``."""
    return WorkflowSpan(recorder(), str(text_of(mode)), text_of(conversation_id))


def current_turn() -> TurnSpan | None:
    """The innermost open turn around the running code, or None."""
    here = ctx.open_position()
    while here is not None:
        if isinstance(here, TurnSpan):
            return here
        if isinstance(here, ComponentSpan) and here.turn is not None and here.turn.is_open:
            return here.turn
        here = here.parent
    return None


def traced_turn(
    agent: str,
    *,
    model: str | None = None,
    prompt: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make each call of a function, coroutine function, generator or async generator one turn of ``agent``.

    ``prompt`` names the parameter that holds the prompt (default: the first one, if it is text). A result that is
    text is the response.
    """

    def start(function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> OpenSpan:
        del function
        given = kwargs.get(prompt) if prompt is not None else None
        text = given if isinstance(given, str) else next((a for a in args[:2] if isinstance(a, str)), None)
        return turn(agent, prompt=text, model=model)

    return _traced(start)


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

    def start(function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> OpenSpan:
        del args, kwargs
        label = name if name is not None else getattr(function, "__name__", None)
        around = current_turn()
        if around is not None:
            return around.component(component, label, model)
        checked = checked_member(LatencyComponent, component, _tell_misuse, "component")
        return ComponentSpan(recorder(), checked, text_of(label), model=text_of(model))

    return _traced(start)


Starter = Callable[[Callable[..., object], tuple[object, ...], Mapping[str, object]], OpenSpan]


def _traced(start: Starter) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that keeps the kind, signature and binding of what it decorates."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        wrapped: Callable[P, R] = wrapt.FunctionWrapper(function, _wrapper_for(function, start))
        return wrapped

    return decorate


def _wrapper_for(function: Callable[..., Any], start: Starter) -> Callable[..., Any]:
    if isasyncgenfunction(function):
        return functools.partial(_call_async_generator, start)
    if isgeneratorfunction(function):
        return functools.partial(_call_generator, start)
    if iscoroutinefunction(function):
        return functools.partial(_call_coroutine, start)
    return functools.partial(_call, start)


def _call(
    start: Starter, wrapped: Callable[..., R], _instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    with start(wrapped, args, kwargs) as span:
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
    async with start(wrapped, args, kwargs) as span:
        result = await wrapped(*args, **kwargs)
        _take_result(span, result)
        return result


def _call_generator(
    start: Starter,
    wrapped: Callable[..., Generator[Any, Any, R]],
    _instance: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Generator[Any, Any, R]:
    return step_generator(wrapped(*args, **kwargs), start(wrapped, args, kwargs))


def _call_async_generator(
    start: Starter,
    wrapped: Callable[..., AsyncGenerator[Any, Any]],
    _instance: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> AsyncGenerator[Any, Any]:
    return step_async_generator(wrapped(*args, **kwargs), start(wrapped, args, kwargs))


def _take_result(span: OpenSpan, result: object) -> None:
    if isinstance(span, TurnSpan) and span.is_open and span.response_length is None and isinstance(result, str):
        span.set_response(result)


def _tell_misuse(text: str) -> None:
    faults.log.misuse(text, strict=recorder().strict)
