"""What ``instrument()`` writes of the real AgentNet. ``AGENTNET_SRC`` names its tree: it is on no package index."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.insert(0, os.environ["AGENTNET_SRC"])
os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"

import agentnet.core.agent
from agentnet.core.orchestration.turn_engine import TurnEngine, TurnMode
from agentnet.core.policy.engine import PolicyEngine
from agentnet.core.policy.rules import ConstraintRule, Severity
from agentnet.tools.base import Tool, ToolResult, ToolSpec, ToolStatus
from agentnet.tools.registry import ToolRegistry

import agentnet_otel

handle = agentnet_otel.instrument()


class Weather(Tool):
    """Knows the weather of every town but one."""

    async def execute(self, parameters, context=None):
        """Look it up."""
        await asyncio.sleep(0.01)
        if parameters["city"] == "Nowhere":
            raise LookupError("no such town")
        return ToolResult(status=ToolStatus.SUCCESS, data="sunny")


class Engine:
    """Answers after a while; on the way it uses what its agent has, as ``does`` names it."""

    provider_name = "example"

    def __init__(self, *does, model="m-large", tokens=(100, 40), cost_usd=0.002):
        self.model, self.agent = model, None
        self._does, self._tokens, self._cost_usd = does, tokens, cost_usd

    async def infer(self, prompt, agent_name=""):
        """Answer."""
        for thing in self._does:
            await getattr(self, thing)(prompt)
        await asyncio.sleep(0.02)
        read, written = self._tokens
        return {
            "content": f"{agent_name} says: {self._does}",
            "confidence": 0.75,
            "usage": {"prompt_tokens": read, "completion_tokens": written, "model": self.model},
            "cost_usd": self._cost_usd,
        }

    async def memory(self, prompt):
        """Remember the question, and look for others like it."""
        self.agent.store_memory(prompt)
        self.agent.retrieve_memory("weather")

    async def tool(self, prompt):
        """Ask for the weather."""
        await self.agent.execute_tool("get_weather", {"city": "Paris"})

    async def lost(self, prompt):
        """Ask for the weather of no town."""
        await self.agent.execute_tool("get_weather", {"city": "Nowhere"})

    async def refused(self, prompt):
        """Fail."""
        raise RuntimeError("the request was refused")


def team(*engines):
    """An agent for each engine."""
    agents = []
    for name, engine in engines:
        tools = ToolRegistry()
        tools.register_tool(Weather(ToolSpec(name="get_weather", description="tells it", schema={"type": "object"})))
        agent = agentnet.core.agent.AgentNet(
            name, {"logic": 0.8}, engine=engine, memory_config={"memory": {}}, tool_registry=tools
        )
        engine.agent = agent
        agents.append(agent)
    return agents


def is_allowed(context):
    """Whether an answer used no lost tool."""
    return "lost" not in str(context.get("result"))


async def debate():
    """A session of two agents, the second of which breaks a rule."""
    rules = PolicyEngine(rules=[ConstraintRule("no-lost-tools", is_allowed, severity=Severity.MAJOR)], name="rules")
    engine = TurnEngine(max_rounds=1, policy_engine=rules)
    agents = team(
        ("planner", Engine("memory", "tool")),
        ("critic", Engine("lost", model="m-small", tokens=(70, 30), cost_usd=0.001)),
    )
    await engine.execute_multi_agent_session(agents, "the weather?", mode=TurnMode.DEBATE)


async def alone(name, conversation_id, engine):
    """A turn of one agent, in a session that is marked by hand."""
    (agent,) = team((name, engine))
    with agentnet_otel.session("single", conversation_id):
        await agent.async_generate_reasoning_tree("the weather?")


async def delegation():
    """An agent in a turn of another, which is marked by hand."""
    with agentnet_otel.session("single", "trip-4"), agentnet_otel.turn("coordinator", "the weather?") as turn:
        (writer,) = team(("writer", Engine("memory")))
        await writer.async_generate_reasoning_tree("the weather?")
        with turn.component("inference", model="m-small") as call:
            await asyncio.sleep(0.01)
            call.record_tokens(input=10, output=5, cached=4)


asyncio.run(debate())
asyncio.run(alone("planner", "trip-2", Engine("memory", "tool", "tool")))
asyncio.run(alone("breaker", "trip-3", Engine("refused")))
asyncio.run(delegation())
handle.shutdown()
