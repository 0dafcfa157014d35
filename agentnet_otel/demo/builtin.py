"""The workload through the manual API: what an application writes whose agents are not AgentNet."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import agentnet_otel
from agentnet_otel.demo.plan import SMALL_MODEL, SessionPlan, Trouble, TurnPlan, usd_of
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import LatencyComponent, Outcome, TokenCategory

CONCURRENT_SESSIONS: Final = 64
_TIMEOUT_S: Final = 0.25
_CHUNKS: Final = 6
_TOOL_INPUT_TOKENS: Final = 60
_TOOL_OUTPUT_TOKENS: Final = 20
_PROVIDER: Final = "demo"


class EngineError(Exception):
    """What the demo's engine raises now and then."""


async def run_builtin(sessions: tuple[SessionPlan, ...], tick: Callable[[], None]) -> None:
    """Run all sessions, `CONCURRENT_SESSIONS` at a time; ``tick`` is called after each turn."""
    slots = asyncio.Semaphore(CONCURRENT_SESSIONS)

    async def run(session: SessionPlan) -> None:
        async with slots:
            await _session(session, tick)

    await asyncio.gather(*(run(session) for session in sessions))


async def _session(plan: SessionPlan, tick: Callable[[], None]) -> None:
    async with agentnet_otel.session(plan.mode, plan.conversation_id):
        for turns in plan.rounds:
            await _round(turns, tick)


@agentnet_otel.traced_component(LatencyComponent.ORCHESTRATION, "round")
async def _round(turns: tuple[TurnPlan, ...], tick: Callable[[], None]) -> None:
    for turn in turns:
        try:
            await _turn(turn)
        except (EngineError, TimeoutError):
            await asyncio.sleep(0)  # the session goes on with the next agent
        tick()


async def _turn(plan: TurnPlan) -> None:
    async with agentnet_otel.turn(plan.agent, prompt=plan.prompt, model=plan.model) as turn:
        with turn.component(LatencyComponent.ORCHESTRATION, "select_strategy"):
            await asyncio.sleep(0.001)
        if plan.uses_memory:
            with turn.component(LatencyComponent.MEMORY_ACCESS, "recall") as memory:
                await asyncio.sleep(0.004)
                memory.record_records(plan.number % 4, store="episodic")
        async with asyncio.timeout(_TIMEOUT_S if plan.trouble is Trouble.TIMEOUT else None):
            await _infer(plan, turn)
        if plan.uses_tool:
            await _use_tool(plan, turn)
        with turn.component(LatencyComponent.POLICY_CHECK, "release-rules") as check:
            await asyncio.sleep(0.002)
            if plan.trouble is Trouble.VIOLATION:
                check.record_policy_violation("no-unreviewed-release", severity="major")
            if plan.trouble is Trouble.FAULT:
                check.record_policy_violation("no-contradiction", severity="severe")
                turn.set_outcome(Outcome.FAULT, "ContradictionFault")
        with turn.component(LatencyComponent.RESPONSE_PROCESSING):
            await asyncio.sleep(0.001)
            turn.set_response(f"{plan.agent} did step {plan.number + 1}.")
        turn.record_confidence(plan.confidence)


async def _infer(plan: TurnPlan, turn: TurnSpan) -> None:
    with turn.component(LatencyComponent.INFERENCE, model=plan.model, provider=_PROVIDER) as call:
        if plan.trouble is Trouble.ENGINE_ERROR:
            await asyncio.sleep(plan.inference_s / 2)
            message = "the engine is overloaded"
            raise EngineError(message)
        if plan.trouble is Trouble.TIMEOUT:
            await asyncio.sleep(10 * _TIMEOUT_S)
        if plan.streams:
            async for _chunk in _stream(plan.inference_s):
                call.record_first_token()
        else:
            await asyncio.sleep(plan.inference_s)
        call.record_tokens(input=plan.input_tokens, output=plan.output_tokens, cached=plan.cached_tokens)
        call.record_cost(usd=plan.cost_usd)


async def _stream(seconds: float) -> AsyncIterator[str]:
    for chunk in range(_CHUNKS):
        await asyncio.sleep(seconds / _CHUNKS)
        yield f"chunk {chunk}"


async def _use_tool(plan: TurnPlan, turn: TurnSpan) -> None:
    """A tool that runs in a thread and asks a small model itself: these tokens are spent for tools."""
    with turn.component(LatencyComponent.TOOL_EXECUTION, "search") as tool:
        await asyncio.to_thread(_search, plan)
        failed = plan.trouble is Trouble.TOOL_FAILS
        tool.record_tool_call(call_id=f"call-{plan.number}", outcome="error" if failed else "success")


def _search(plan: TurnPlan) -> None:
    around = agentnet_otel.current_turn()
    if around is not None:
        with around.component(LatencyComponent.INFERENCE, model=SMALL_MODEL, provider=_PROVIDER) as call:
            call.record_tokens(
                input=_TOOL_INPUT_TOKENS + plan.number % 7,
                output=_TOOL_OUTPUT_TOKENS,
                category=TokenCategory.TOOL_CALLS,
            )
            call.record_cost(usd=usd_of(SMALL_MODEL, _TOOL_INPUT_TOKENS, _TOOL_OUTPUT_TOKENS))
