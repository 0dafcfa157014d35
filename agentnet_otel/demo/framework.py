"""The workload on the real AgentNet: sessions of its turn engine, its tools, memory, monitors, policies and providers.

The plan is that of the built-in workload. What goes wrong in a turn goes wrong in the framework: a tool raises, an
engine hangs, a monitor refuses; nothing here tells the instrumentation about it.
"""

import asyncio
import importlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from agentnet_otel.demo.plan import AGENTS, SMALL_MODEL, SessionPlan, Trouble, TurnPlan, make_plan

CONCURRENT_SESSIONS: Final = 32
_TIMEOUT_S: Final = 4.0
"""Far above the slowest turn of the plan, so that only those time out that hang."""
_TOOL_S: Final = 0.01
_NEVER: Final = 1.1
"""A consensus that no confidence reaches, so that sessions run all their rounds."""
_STYLE: Final = {"logic": 0.8, "creativity": 0.4, "analytical": 0.6}
_UNREVIEWED: Final = "unreviewed"
_CONTRADICTION: Final = "contradictory"
_WORD_OF: Final = {Trouble.VIOLATION: _UNREVIEWED, Trouble.FAULT: _CONTRADICTION}
"""What stands in an answer that a policy or a monitor objects to."""


class EngineError(Exception):
    """What the demo's engine raises now and then."""


def framework_problem() -> str | None:
    """Why AgentNet cannot be imported; None if it can. What it logs, here and later, stays off the terminal."""
    logging.getLogger("agentnet").setLevel(logging.CRITICAL + 1)
    try:
        importlib.import_module("agentnet.core.agent")
    except Exception as error:  # noqa: BLE001 - whatever keeps it from being imported
        return f"{type(error).__name__}: {error}"
    return None


class DemoEngine:
    """An engine as users write them: a coroutine, with usage in its answer, that uses memory and tools of its agent."""

    provider_name = "demo"

    def __init__(self, plans: Sequence[TurnPlan]) -> None:
        self.model = plans[0].model
        self.agent: Any = None
        self._plans = iter(plans)

    async def infer(self, prompt: str, agent_name: str = "") -> dict[str, Any]:
        """Answer as the next turn of the plan says."""
        plan = next(self._plans)
        if plan.uses_memory:
            self.agent.store_memory(prompt[:100])
            self.agent.retrieve_memory("risks")
        if plan.trouble is Trouble.ENGINE_ERROR:
            message = "the engine is overloaded"
            raise EngineError(message)
        if plan.trouble is Trouble.TIMEOUT:
            await asyncio.sleep(2 * _TIMEOUT_S)
        if plan.uses_tool:
            await self.agent.execute_tool("search", {"broken": plan.trouble is Trouble.TOOL_FAILS})
        if plan.streams:
            await self._stream(prompt)
        await asyncio.sleep(plan.inference_s)
        return {
            "content": " ".join(filter(None, (agent_name, f"step-{plan.number}", _WORD_OF.get(plan.trouble)))),
            "confidence": plan.confidence,
            "usage": {
                "prompt_tokens": plan.input_tokens,
                "completion_tokens": plan.output_tokens,
                "model": self.model,
            },
            "cost_usd": plan.cost_usd,
        }

    async def _stream(self, prompt: str) -> None:
        """A streamed answer of the framework's own example provider."""
        example = importlib.import_module("agentnet.providers.example")
        async for _item in example.ExampleEngine({"model": self.model}).stream_infer(prompt[:100]):
            await asyncio.sleep(0)


async def run_framework(turns: int, seed: int, tick: Callable[[], None]) -> None:
    """Run ``turns`` turns on AgentNet, in a folder of its own, for it writes where it runs."""
    with _own_folder():
        await _Workload(turns, seed, tick).run()


class _Workload:
    def __init__(self, turns: int, seed: int, tick: Callable[[], None]) -> None:
        self._turns = turns
        self._seed = seed
        self._tick = tick
        self._started = 0

    async def run(self) -> None:
        """Sessions, `CONCURRENT_SESSIONS` at a time, and at least one turn outside of any, up to the number asked."""
        slots = asyncio.Semaphore(CONCURRENT_SESSIONS)

        async def run(plan: SessionPlan) -> None:
            async with slots:
                await self._session(plan)

        sessions = make_plan((self._turns - 1) // len(AGENTS) * len(AGENTS), self._seed)
        await asyncio.gather(*(run(plan) for plan in sessions))
        await asyncio.gather(*(self._single(place) for place in range(self._turns - self._started)))

    async def _session(self, plan: SessionPlan) -> None:
        turn_engine = importlib.import_module("agentnet.core.orchestration.turn_engine")
        engine = turn_engine.TurnEngine(
            max_rounds=len(plan.rounds),
            turn_timeout=_TIMEOUT_S,
            consensus_threshold=_NEVER,
            policy_engine=_policy_engine(),
            event_callbacks={"on_turn_start": self._count},
        )
        await engine.execute_multi_agent_session(_team(plan), "the next release", mode=turn_engine.TurnMode(plan.mode))

    async def _single(self, place: int) -> None:
        """A turn outside any session, with memory and the framework's own example engine."""
        example = importlib.import_module("agentnet.providers.example")
        agent_module = importlib.import_module("agentnet.core.agent")
        engine = example.ExampleEngine({"model": SMALL_MODEL})
        agent = agent_module.AgentNet("writer", _STYLE, engine=engine, memory_config={"memory": {}})
        self._count()
        await agent.async_generate_reasoning_tree(f"Write paragraph {place + 1}.")

    def _count(self, *_args: Any, **_kwargs: Any) -> None:
        self._started += 1
        self._tick()


def _team(plan: SessionPlan) -> list[Any]:
    agent_module = importlib.import_module("agentnet.core.agent")
    team = []
    for name in AGENTS:
        engine = DemoEngine([turn for turn in plan.turns if turn.agent == name])
        engine.agent = agent_module.AgentNet(
            name,
            _STYLE,
            engine=engine,
            monitors=[_no_contradiction],
            memory_config={"memory": {}},
            tool_registry=_tools(),
        )
        team.append(engine.agent)
    return team


def _no_contradiction(agent: Any, task: str, result: Any) -> None:
    """A monitor that objects to some answers."""
    del agent, task
    content = result.get("content") if isinstance(result, dict) else None
    if isinstance(content, str) and _CONTRADICTION in content:
        types = importlib.import_module("agentnet.core.types")
        message = "an answer may not contradict itself"
        raise types.CognitiveFault(message, violations=[{"rule_name": "no-contradiction", "severity": "severe"}])


def _policy_engine() -> Any:
    rules = importlib.import_module("agentnet.core.policy.rules")
    engine = importlib.import_module("agentnet.core.policy.engine")
    rule = rules.ConstraintRule("no-unreviewed-release", _is_reviewed, severity=rules.Severity.MAJOR)
    return engine.PolicyEngine(rules=[rule], name="release-rules")


def _is_reviewed(context: Any) -> bool:
    result = context.get("result") if isinstance(context, dict) else None
    return _UNREVIEWED not in str(result.get("content", "") if isinstance(result, dict) else "")


def _tools() -> Any:
    base = importlib.import_module("agentnet.tools.base")
    registry = importlib.import_module("agentnet.tools.registry").ToolRegistry()

    class Search(base.Tool):  # type: ignore[misc, name-defined]
        """A tool that is fast, and fails when told to."""

        async def execute(self, parameters: dict[str, Any], context: Any = None) -> Any:
            """Look something up."""
            del context
            await asyncio.sleep(_TOOL_S)
            if parameters["broken"]:
                message = "the index is being rebuilt"
                raise LookupError(message)
            return base.ToolResult(status=base.ToolStatus.SUCCESS, data={"hits": 3})

    spec = base.ToolSpec(name="search", description="Looks something up.", schema={"type": "object"})
    registry.register_tool(Search(spec))
    return registry


@contextmanager
def _own_folder() -> Iterator[None]:
    before = os.getcwd()  # noqa: PTH109 - chdir below takes it back as it is
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
