"""The agent's reasoning: one turn a call, whatever entry points call each other, and its steps."""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.hooks.driver import Call, Hook, component_here, run_within
from agentnet_otel.instrumentation.hooks.engines import adopt_engine
from agentnet_otel.instrumentation.hooks.proxies import Proxy
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.runtime import recorder
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import LatencyComponent, Outcome

REASONING_UNAVAILABLE: Final = "reasoning_unavailable"
"""error.type where advanced reasoning was asked for and a canned answer came."""
TREE_ERROR: Final = "agent_error"
"""error.type of an error tree whose exception nobody saw."""
COGNITIVE_FAULT: Final = "CognitiveFault"

_SYNC_ENTRY: Final = "generate_reasoning_tree"


def turn_of(agent: Any, prompt: Any, *, turn_id: str | None = None, conversation_id: str | None = None) -> TurnSpan:
    """A turn of an agent of the framework; a stand-in for an agent, as proxies are, is that agent."""
    return TurnSpan(
        recorder(),
        str(getattr(agent, "name", "unknown")),
        prompt=prompt if isinstance(prompt, str) else None,
        conversation_id=conversation_id,
        turn_id=turn_id,
        owner=getattr(agent, "__wrapped__", agent),
    )


def own_turn(agent: Any) -> TurnSpan | None:
    """The turn of this agent that the call stands directly in: entry points call each other."""
    here = ctx.open_position()
    return here if isinstance(here, TurnSpan) and here.owner is agent else None


class Reasoning(Hook):
    """An entry point of the agent's reasoning."""

    def open(self, call: Call) -> OpenSpan | None:
        around = own_turn(call.instance)
        turn = around or turn_of(call.instance, call.argument(0, "task"))
        turn.fallback = not adopt_engine(call.instance)
        return None if around is not None else turn

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        turn = own_turn(call.instance)
        if turn is not None:
            read_tree(turn, result)


class AsyncReasoning(Reasoning):
    """The coroutine entry point, which hands a synchronous engine's work to a thread and loses the context there."""

    def target(self, call: Call, span: OpenSpan | None) -> Callable[..., Any]:
        turn = own_turn(call.instance)
        infer = getattr(getattr(call.instance, "engine", None), "infer", None)
        if turn is None or inspect.iscoroutinefunction(infer) or type(call.wrapped) is not types.MethodType:
            return call.wrapped
        return types.MethodType(call.wrapped.__func__, _Carrying(call.instance, turn))


class _Carrying(Proxy):
    """The agent, whose synchronous entry point runs in the turn's context whatever thread calls it."""

    def __init__(self, agent: Any, turn: TurnSpan) -> None:
        super().__init__(agent)
        self._self_turn = turn

    def generate_reasoning_tree(self, *args: Any, **kwargs: Any) -> Any:
        """The agent's own, in the turn's context; once the turn has ended, what it does is late."""
        return run_within(_handed_over(self._self_turn), getattr(self.__wrapped__, _SYNC_ENTRY), *args, **kwargs)


@faults.guarded
def _handed_over(turn: TurnSpan) -> ctx.Attachment | None:
    return None if turn.context is None else ctx.Attachment(ctx.handed_over_to(turn, turn.context))


class AdvancedReasoning(Reasoning):
    """Advanced and hybrid reasoning, which answer with a canned text where they are not available."""

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        if not isinstance(span, TurnSpan):
            return
        if isinstance(result, Mapping) and result.get("phase7_available") is False:
            span.fallback = True
            span.set_outcome(Outcome.ERROR, REASONING_UNAVAILABLE)
        read_tree(span, result)


class Step(Hook):
    """A step of a turn; outside any turn it is nobody's latency, and left alone."""

    def __init__(self, component: LatencyComponent, name: str) -> None:
        self._component = component
        self._name = name

    def open(self, call: Call) -> OpenSpan | None:
        del call
        component = component_here(self._component, self._name)
        return None if component is None or component.turn is None else component


def read_tree(turn: TurnSpan, tree: Any) -> None:
    """What the returned tree says: outcome, confidence, response."""
    if not isinstance(tree, Mapping):
        return
    result = tree.get("result")
    body: Mapping[str, Any] = result if isinstance(result, Mapping) else tree
    confidence = body.get("confidence")
    if isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1:
        turn.confidence = float(confidence)
    content = body.get("content")
    if isinstance(content, str):
        turn.note_response(content)
    if turn.outcome is None:
        _judge_tree(turn, body, str(tree.get("root", "")))


def _judge_tree(turn: TurnSpan, body: Mapping[str, Any], root: str) -> None:
    """Errors and faults come back as trees: the exception that a hook saw on the way says which."""
    if body.get("fault") is True or root.endswith("_fault"):
        turn.set_outcome(Outcome.FAULT, COGNITIVE_FAULT)
    elif turn.answer_error is not None:
        turn.set_outcome(Outcome.ERROR, turn.answer_error)
    elif body.get("error"):
        ending = turn.failure
        outcome = Outcome.ERROR if ending is None else ending.outcome
        turn.set_outcome(outcome, TREE_ERROR if ending is None else ending.error_type)
