"""The workload on the real AgentNet: sessions of its turn engine, its tools, memory, monitors and providers."""

import asyncio
import importlib
import importlib.util
import itertools
import logging
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from agentnet_otel.demo.plan import LARGE_MODEL, SLOW_AGENT, SMALL_MODEL, usd_of

_WAVE: Final = 16
"""Sessions that run at the same time."""
_ROUNDS: Final = 3
_TIMEOUT_S: Final = 2.9
_ERROR_EVERY: Final = 67
_HANG_EVERY: Final = 89
_OFFSET: Final = 11
"""Every so many calls of engines, counted over the whole run from this one, one fails or hangs."""
_NEVER: Final = 1.1
"""A consensus that no confidence reaches, so that sessions run all their rounds."""
_STYLE: Final = {"logic": 0.8, "creativity": 0.4, "analytical": 0.6}


def framework_available() -> bool:
    """Whether AgentNet can be imported."""
    if importlib.util.find_spec("agentnet") is None:
        return False
    try:
        importlib.import_module("agentnet.core.agent")
    except Exception:  # noqa: BLE001 - whatever keeps it from being imported, it is not available
        return False
    return True


class DemoEngine:
    """An engine as users write them: a coroutine, with usage in its answer, and troubles of its own."""

    provider_name = "demo"

    def __init__(self, name: str, seed: int, calls: Iterator[int]) -> None:
        self.model = LARGE_MODEL if name in {"planner", "critic"} else SMALL_MODEL
        self.agent: Any = None
        self._draw = random.Random(seed)  # noqa: S311 - a reproducible workload, not cryptography
        self._slow = name == SLOW_AGENT and seed % 4 != 0
        self._streams = name == "writer"
        self._calls = calls

    async def infer(self, prompt: str, agent_name: str = "") -> dict[str, Any]:
        """Answer after a while; now and then fail, hang, or use a tool first."""
        number = next(self._calls)
        if number % _ERROR_EVERY == _OFFSET:
            message = "the engine is overloaded"
            raise ConnectionError(message)
        if number % _HANG_EVERY == _OFFSET:
            await asyncio.sleep(2 * _TIMEOUT_S)
        if self.agent is not None and self.agent.tool_executor is not None:
            await self.agent.execute_tool("search", {"query": "risks"})
        if self._streams:
            await self._stream(prompt)
        slow, self._slow = self._slow, False
        await asyncio.sleep(self._draw.uniform(2.05, 2.5) if slow else self._draw.lognormvariate(-3.2, 0.5))
        tokens_in, tokens_out = self._draw.randint(200, 900), self._draw.randint(120, 600)
        return {
            "content": f"{agent_name} considers {len(prompt)} characters.",
            "confidence": round(self._draw.uniform(0.55, 0.75), 2),
            "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "model": self.model},
            "cost_usd": usd_of(self.model, tokens_in, tokens_out),
        }

    async def _stream(self, prompt: str) -> None:
        """A streamed answer of the framework's own example provider."""
        example = importlib.import_module("agentnet.providers.example")
        async for _item in example.ExampleEngine({"model": self.model}).stream_infer(prompt):
            await asyncio.sleep(0)


def run_framework(turns: int, seed: int, tick: Callable[[], None]) -> None:
    """Run ``turns`` turns on AgentNet, in a folder of its own, for it writes where it runs."""
    logging.getLogger("agentnet").setLevel(logging.CRITICAL)
    with _own_folder():
        asyncio.run(_Workload(turns, seed, tick).run())


class _Workload:
    def __init__(self, turns: int, seed: int, tick: Callable[[], None]) -> None:
        self._turns = turns
        self._seed = seed
        self._tick = tick
        self._started = 0
        self._calls = itertools.count()

    async def run(self) -> None:
        """Waves of sessions, then single turns up to the number asked for."""
        session_turns = 4 * _ROUNDS
        while self._turns - self._started >= session_turns:
            wave = min(_WAVE, (self._turns - self._started) // session_turns)
            await asyncio.gather(*(self._session(self._started + place) for place in range(wave)))
        while self._started < self._turns:
            await self._single(self._started)

    async def _session(self, place: int) -> None:
        engine_module = importlib.import_module("agentnet.core.orchestration.turn_engine")
        turn_engine = engine_module.TurnEngine(
            max_rounds=_ROUNDS,
            turn_timeout=_TIMEOUT_S,
            consensus_threshold=_NEVER,
            policy_engine=_policy_engine(),
            event_callbacks={"on_turn_start": self._count},
        )
        modes = list(engine_module.TurnMode)
        await turn_engine.execute_multi_agent_session(
            self._team(place), "the next release", mode=modes[1 + place % (len(modes) - 1)]
        )

    async def _single(self, place: int) -> None:
        """A turn outside any session, with memory and the framework's own example engine."""
        example = importlib.import_module("agentnet.providers.example")
        agent_module = importlib.import_module("agentnet.core.agent")
        engine = example.ExampleEngine({"model": SMALL_MODEL})
        agent = agent_module.AgentNet("writer", _STYLE, engine=engine, memory_config={"memory": {}})
        self._count()
        await agent.async_generate_reasoning_tree(f"Write paragraph {place}.")

    def _count(self, *_args: Any, **_kwargs: Any) -> None:
        self._started += 1
        self._tick()

    def _team(self, place: int) -> list[Any]:
        agent_module = importlib.import_module("agentnet.core.agent")
        team = []
        for number, name in enumerate(("planner", "researcher", "critic", "writer")):
            engine = DemoEngine(name, self._seed * 1000 + place * 10 + number, self._calls)
            agent = agent_module.AgentNet(
                name,
                _STYLE,
                engine=engine,
                monitors=[_careful] if name == "critic" else None,
                memory_config={"memory": {}},
                tool_registry=_tools() if name == "researcher" else None,
            )
            engine.agent = agent
            team.append(agent)
        return team


def _careful(agent: Any, task: str, result: Any) -> None:
    """A monitor that objects to some answers."""
    del agent, task
    content = str(result.get("content", "")) if isinstance(result, dict) else ""
    if content.endswith("7 characters."):
        types = importlib.import_module("agentnet.core.types")
        message = "an answer may not end like this"
        raise types.CognitiveFault(message, violations=[{"rule_name": "no-unlucky-lengths"}])


def _policy_engine() -> Any:
    rules = importlib.import_module("agentnet.core.policy.rules")
    engine = importlib.import_module("agentnet.core.policy.engine")
    confident = rules.ConstraintRule("confident-enough", lambda context: _confidence(context) > 0.3)  # noqa: PLR2004
    return engine.PolicyEngine(rules=[confident], name="release-rules")


def _confidence(context: Any) -> float:
    result = context.get("result") if isinstance(context, dict) else None
    return float(result.get("confidence", 1.0)) if isinstance(result, dict) else 1.0


def _tools() -> Any:
    base = importlib.import_module("agentnet.tools.base")
    registry = importlib.import_module("agentnet.tools.registry").ToolRegistry()

    class Search(base.Tool):  # type: ignore[misc, name-defined]
        """A tool that is fast, and fails now and then."""

        calls = 0

        async def execute(self, parameters: dict[str, Any], context: Any = None) -> Any:
            """Look something up."""
            del parameters, context
            await asyncio.sleep(0.01)
            type(self).calls += 1
            if self.calls % 3 == 0:
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
