"""A bit of everything that is hooked, and what an application sees of it."""

import asyncio

import agentnet.core.agent
from agentnet.core.orchestration.dag_planner import DAGPlanner, TaskNode
from agentnet.core.orchestration.scheduler import TaskScheduler
from agentnet.core.orchestration.turn_engine import TurnEngine, TurnMode
from agentnet.core.policy.engine import PolicyEngine
from agentnet.core.policy.rules import ConstraintRule
from agentnet.core.types import CognitiveFault
from agentnet.providers.example import ExampleEngine
from agentnet.tools.base import Tool, ToolResult, ToolSpec, ToolStatus
from agentnet.tools.registry import ToolRegistry
from engines import CoroutineEngine, DictEngine, HangingEngine, RaisingEngine

MEMORY = {"memory": {}}


class Echo(Tool):
    """A tool that answers with what it is given."""

    def __init__(self):
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        super().__init__(ToolSpec(name="echo", description="says it again", schema=schema))

    async def execute(self, parameters, context=None):
        """Answer."""
        return ToolResult(status=ToolStatus.SUCCESS, data=parameters["text"])


def watch(agent, task, result):
    """A monitor that has nothing to say."""


def object_to(agent, task, result):
    """A monitor that objects."""
    raise CognitiveFault("no", violations=[{"rule_name": "r", "severity": "major"}])


def make(engine=None, name="ag", **given):
    """An agent."""
    return agentnet.core.agent.AgentNet(name, {"logic": 0.8}, engine=engine, **given)


async def consume(adapter):
    """All items of a stream."""
    return [item async for item in adapter.stream_infer("a b")]


async def run_graph():
    """A graph of two tasks with a synchronous executor."""
    scheduler = TaskScheduler(max_retries=1)
    scheduler.set_task_executor(lambda task_id, prompt, agent, context: prompt.upper())
    graph = DAGPlanner().create_graph_from_nodes([TaskNode("one", "a", "ag"), TaskNode("two", "b", "ag", deps=["one"])])
    execution = await scheduler.execute_graph(graph)
    return sorted((key, str(done.status), done.attempt) for key, done in execution.task_results.items())


def run_everything():
    """Returns what the application saw: results without what differs from run to run."""
    registry = ToolRegistry()
    registry.register_tool(Echo())
    full = make(
        ExampleEngine({"model": "m", "simulated_delay_ms": 1}),
        memory_config=MEMORY,
        monitors=[watch],
        tool_registry=registry,
    )
    quick = ExampleEngine({"model": "m", "simulated_delay_ms": 0})
    policy = PolicyEngine(rules=[ConstraintRule("never", lambda context: (False, "because"))], name="rules")
    sessions = TurnEngine(max_turns=2, max_rounds=1, policy_engine=policy)
    hasty = TurnEngine(max_turns=1, turn_timeout=0.02)
    team = [make(DictEngine(), name=name) for name in ("a", "b")]
    trees = [
        full.generate_reasoning_tree("hi"),
        full.generate_reasoning_tree_enhanced("hi"),
        asyncio.run(make(quick, memory_config=MEMORY).async_generate_reasoning_tree("hi")),
        asyncio.run(make(CoroutineEngine()).async_generate_reasoning_tree("hi")),
        make(None).generate_reasoning_tree("hi"),
        make(RaisingEngine()).generate_reasoning_tree("hi"),
        make(DictEngine(), monitors=[object_to]).generate_reasoning_tree("hi"),
    ]
    told = [
        asyncio.run(sessions.execute_single_agent_session(team[0], "hi")),
        asyncio.run(sessions.execute_multi_agent_session(team, "hi", mode=TurnMode.DEBATE)),
        asyncio.run(hasty.execute_single_agent_session(make(HangingEngine()), "hi")),
    ]
    return [
        *[(t["root"], t["agent"], str(t["result"]["content"])[:9], t["result"]["confidence"]) for t in trees],
        *[(s.session_id[:6], str(s.status), [(t.content[:9], t.turn_number) for t in s.turns]) for s in told],
        full.advanced_reason("hi")["content"][:9],
        full.hybrid_reasoning("hi", ["deductive"])["content"][:9],
        full.store_memory("x"),
        type(full.retrieve_memory("x")),
        asyncio.run(full.execute_tool("echo", {"text": "t"}))["data"],
        asyncio.run(full.execute_tool("none", {}))["status"],
        quick.infer("hi").model_name,
        [sorted(item) for item in asyncio.run(consume(quick))],
        asyncio.run(run_graph()),
    ]  # fmt: skip
