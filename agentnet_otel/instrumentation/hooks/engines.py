"""Engines and provider adapters: inference components, their tokens, model, cost, attempts and first token."""

import inspect
from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.hooks.answers import Answer, read_answer
from agentnet_otel.instrumentation.hooks.driver import (
    Call,
    Hook,
    async_wrapper,
    component_here,
    current_component,
    sync_wrapper,
)
from agentnet_otel.instrumentation.hooks.patching import late_patches
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import CostSource, LatencyComponent

_PROVIDERS: Final = {
    "openai": "openai",
    "azure": "azure.ai.openai",
    "anthropic": "anthropic",
    "huggingface": "huggingface",
    "example": semconv.EXAMPLE_PROVIDER,
}
"""Parts of adapter names, and the provider names of the GenAI conventions where they have one."""


def provider_of(engine: Any) -> str | None:
    """What the engine is, as ``gen_ai.provider.name``; None where it does not tell."""
    told = getattr(engine, "provider_name", None) or getattr(engine, "provider", None)
    if isinstance(told, str) and told:
        return told
    name = type(engine).__name__.lower()
    found = [provider for part, provider in _PROVIDERS.items() if part in name]
    return found[-1] if found and "azure" not in name else next((p for p in found if "azure" in p), None)


def model_of(engine: Any) -> str | None:
    """The model that the engine asks, where it tells."""
    told = getattr(engine, "model_name", None) or getattr(engine, "model", None)
    return told if isinstance(told, str) and told else None


def inference_on(engine: Any, agent: str | None = None) -> ComponentSpan | None:
    """The component of a call of ``engine``; None where an outer hook, or another instrumentation, has it open."""
    if ctx.inference_claimed_by_others():
        return None
    return component_here(
        LatencyComponent.INFERENCE,
        merge_key=id(engine),
        model=model_of(engine),
        provider=provider_of(engine),
        agent=agent,
    )


AGENT_STEP: Final = "_engine_infer_sync"
"""The agent's step around its engine. Where a version lacks it, the engine's own method is hooked."""


def adopt_engine(agent: Any) -> bool:
    """Hook the engine of an agent that has no step of its own around it (versions before October 2025).

    Returns:
        Whether the agent has an engine.
    """
    engine = getattr(agent, "engine", None)
    if engine is not None and not hasattr(type(agent), AGENT_STEP):
        _hook_engine(type(engine))
    return engine is not None


@faults.guarded
def _hook_engine(kind: type) -> None:
    owner = next((cls for cls in kind.__mro__ if "infer" in vars(cls)), kind)
    coroutine = inspect.iscoroutinefunction(vars(owner).get("infer"))
    hook = EngineCall()
    late_patches.wrap(owner, "infer", async_wrapper(hook) if coroutine else sync_wrapper(hook))


class AgentInference(Hook):
    """The agent's own step around its engine; without an engine there is no inference."""

    def open(self, call: Call) -> OpenSpan | None:
        engine = getattr(call.instance, "engine", None)
        return None if engine is None else inference_on(engine)

    def raised(self, call: Call, span: OpenSpan | None, error: BaseException) -> None:
        turn = ctx.enclosing_turn()
        if turn is not None:
            turn.note_failure(error)


class RawAnswer(Hook):
    """The step that flattens an engine's answer: the last place where tokens, model and cost can be seen."""

    def open(self, call: Call) -> OpenSpan | None:
        answer = read_answer(call.args[-1] if call.args else call.kwargs.get("raw"))
        component = current_component(LatencyComponent.INFERENCE)
        if component is not None:
            take_answer(component, answer)
        elif ctx.inference_claimed_by_others():
            take_whole(ctx.enclosing_turn(), answer)
        return None


class EngineCall(Hook):
    """A call of an engine that is not (or not only) seen by the agent's own step."""

    def open(self, call: Call) -> OpenSpan | None:
        return inference_on(call.instance, call.kwargs.get("agent_name"))

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        component = current_component(LatencyComponent.INFERENCE)
        if component is not None and component.merge_key == id(call.instance):
            take_answer(component, read_answer(result))


class Attempt(Hook):
    """One try of a call that is retried: counted on the call, no component of its own.

    An adapter's ``_infer`` may call that of its base class, which is hooked as well: the same try.
    """

    def open(self, call: Call) -> OpenSpan | None:
        component = self._component(call)
        if component is not None and component.attempt is None:
            component.attempt = call
            component.record_attempt()
        return None

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        component = self._component(call)
        if component is not None:
            take_answer(component, read_answer(result))  # paid for, even if what follows fails
        self._ended(call)

    def raised(self, call: Call, span: OpenSpan | None, error: BaseException) -> None:
        self._ended(call)

    def _ended(self, call: Call) -> None:
        component = self._component(call)
        if component is not None and component.attempt is call:
            component.attempt = None

    def _component(self, call: Call) -> ComponentSpan | None:
        component = current_component(LatencyComponent.INFERENCE)
        return component if component is not None and component.merge_key == id(call.instance) else None


class Streaming(Hook):
    """A streamed call; the first item is the first token."""

    def open(self, call: Call) -> OpenSpan | None:
        component = inference_on(call.instance, call.kwargs.get("agent_name"))
        if component is not None:
            component.mark_streamed()
        return component


def take_item(span: OpenSpan, item: Any) -> None:
    """What an item of a stream tells besides its text."""
    if isinstance(span, ComponentSpan) and isinstance(item, dict):
        reason = item.get("finish_reason")
        if isinstance(reason, str):
            span.record_response(finish_reasons=[reason])
        answer = read_answer(item)
        if answer.has_tokens and not span.tokens:
            take_answer(span, answer)


def take_whole(turn: TurnSpan | None, answer: Answer) -> None:
    """Put on the turn what is known of a call whose span another instrumentation writes: its tokens are spent, too."""
    if turn is None:
        return
    if answer.text is not None:
        turn.note_answer(len(answer.text))
    turn.answer_error = answer.error_type or turn.answer_error
    if answer.has_tokens:
        turn.record_tokens(
            input=answer.input_tokens,
            output=answer.output_tokens,
            cached=answer.cached_tokens,
            reasoning=answer.reasoning_tokens,
            estimated=answer.estimated,
        )


def take_answer(component: ComponentSpan, answer: Answer) -> None:
    """Put an answer on its component, once: hooks nest, and each sees the same answer."""
    turn = component.turn
    if turn is not None and answer.text is not None:
        turn.note_answer(len(answer.text))
    if answer.error_type is not None:
        component.set_error(answer.error_type)
        if turn is not None:
            turn.answer_error = answer.error_type
    if answer.has_tokens and not component.tokens:
        component.record_tokens(
            input=answer.input_tokens,
            output=answer.output_tokens,
            cached=answer.cached_tokens,
            reasoning=answer.reasoning_tokens,
            estimated=answer.estimated,
        )
    if answer.cost_usd is not None and component.cost_usd is None:
        component.note_cost(answer.cost_usd, CostSource.ENGINE)
    component.record_response(
        model=answer.model,
        response_id=answer.response_id,
        finish_reasons=[answer.finish_reason] if answer.finish_reason else None,
        text=None if component.answered else answer.text,
    )
    component.answered = component.answered or answer.text is not None
