"""Sessions, rounds, dialogues and tasks: what stands around turns."""

import inspect
import types
from collections.abc import Callable
from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.hooks.answers import field_of
from agentnet_otel.instrumentation.hooks.driver import Call, Hook, component_here, run_within
from agentnet_otel.instrumentation.hooks.proxies import Proxy
from agentnet_otel.instrumentation.hooks.reasoning import read_tree, turn_of
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.runtime import recorder
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.instrumentation.workflow_span import WorkflowSpan
from agentnet_otel.model import LatencyComponent, Outcome

TIMEOUT: Final = "timeout"
_EXECUTOR: Final = "task_executor"


class Session(Hook):
    """A session of the turn engine, or a dialogue. ``mode`` names it where the call does not."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def open(self, call: Call) -> OpenSpan | None:
        here = ctx.open_position()
        if isinstance(here, WorkflowSpan) and here.owner is call.instance:
            return None  # one entry point calls the other
        asked = call.kwargs.get("mode") or next((a for a in call.args if type(a).__name__ == "TurnMode"), None)
        mode = self._mode if asked is None else str(getattr(asked, "value", asked))
        return WorkflowSpan(recorder(), mode, owner=call.instance)

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        if not isinstance(span, WorkflowSpan):
            return
        session_id, status = field_of(result, "session_id"), field_of(result, "status")
        if isinstance(session_id, str):
            span.note_conversation(session_id)
        if status is not None:
            span.attributes[semconv.WORKFLOW_STATUS] = str(getattr(status, "value", status))
        for key, name in ((semconv.WORKFLOW_TURNS, "total_turns"), (semconv.WORKFLOW_ROUNDS, "total_rounds")):
            count = field_of(result, name)
            if isinstance(count, int):
                span.attributes[key] = count


class Round(Hook):
    """A round of a session."""

    def open(self, call: Call) -> OpenSpan | None:
        _tell_session(call.kwargs.get("session"))
        component = component_here(LatencyComponent.ORCHESTRATION, "round")
        number = call.kwargs.get("round_number")
        if component is not None and isinstance(number, int):
            component.attributes[semconv.ROUND_NUMBER] = number
        return component


class EngineTurn(Hook):
    """A turn of the turn engine: the reasoning below it is the same turn, and so is the policy check after it."""

    def open(self, call: Call) -> OpenSpan | None:
        agent = call.argument(0, "agent")
        session_id = call.argument(2, "session_id")
        number, round_number = call.argument(4, "turn_number"), call.argument(3, "round_number")
        if isinstance(session_id, str):
            _note_conversation(session_id)
        turn = turn_of(
            agent,
            call.argument(1, "prompt"),
            turn_id=f"{session_id}_t{number}",
            conversation_id=session_id if isinstance(session_id, str) else None,
        )
        for key, value in ((semconv.TURN_NUMBER, number), (semconv.ROUND_NUMBER, round_number)):
            if isinstance(value, int):
                turn.attributes[key] = value
        return turn

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        if not isinstance(span, TurnSpan):
            return
        metadata = getattr(result, "metadata", None) or {}
        if metadata.get(TIMEOUT) is True:
            span.set_outcome(Outcome.TIMEOUT, TIMEOUT)
            return
        read_tree(span, getattr(result, "raw_response", None))
        if span.outcome is None and metadata.get("error"):
            span.set_outcome(Outcome.ERROR, "agent_error" if span.failure is None else span.failure.error_type)


class GraphTask(Hook):
    """A task of a graph. A synchronous executor runs in a thread and would lose the context: it is carried there."""

    def open(self, call: Call) -> OpenSpan | None:
        component = component_here(LatencyComponent.ORCHESTRATION, "task")
        if component is not None:
            component.attributes[semconv.TASK_ID] = str(call.argument(0, "task_id"))
        return component

    def target(self, call: Call, span: OpenSpan | None) -> Callable[..., Any]:
        executor = getattr(call.instance, _EXECUTOR, None)
        carries = executor is not None and not inspect.iscoroutinefunction(executor)
        if span is None or not carries or type(call.wrapped) is not types.MethodType:
            return call.wrapped
        return types.MethodType(call.wrapped.__func__, _CarryingScheduler(call.instance, span))

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        del result
        outcome = getattr(call.argument(2, "execution"), "task_results", {}).get(call.argument(0, "task_id"))
        status = getattr(outcome, "status", None)
        if isinstance(span, ComponentSpan) and str(getattr(status, "value", status)) == "failed":
            span.set_error("task_failed")


class _CarryingScheduler(Proxy):
    """The scheduler, whose executor runs in the task's context whatever thread calls it."""

    def __init__(self, scheduler: Any, span: OpenSpan) -> None:
        super().__init__(scheduler)
        self._self_span = span

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if name == _EXECUTOR:
            return _in_context_of(self._self_span, found)
        if type(found) is types.MethodType and found.__self__ is self.__wrapped__:
            return types.MethodType(found.__func__, self)  # its own methods are to see the executor as it is here
        return found


def _in_context_of(span: OpenSpan, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return run_within(span.attach(), function, *args, **kwargs)

    return run


def _tell_session(session: Any) -> None:
    session_id = getattr(session, "session_id", None)
    if isinstance(session_id, str):
        _note_conversation(session_id)


def _note_conversation(session_id: str) -> None:
    """The session around learns its id from the first thing that names it."""
    here = ctx.open_position()
    while here is not None:
        if isinstance(here, WorkflowSpan):
            here.note_conversation(session_id)
            return
        here = here.parent
