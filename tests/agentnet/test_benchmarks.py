"""The benchmark harness on AgentNet's agents."""

import asyncio
import importlib
import sys
import threading
import time

import pytest
from agentnet.core.agent import AgentNet
from agentnet.core.orchestration.turn_engine import SessionResult, TurnEngine, TurnMode
from agentnet.core.types import CognitiveFault
from agentnet.providers.base import ProviderAdapter
from agentnet.providers.example import ExampleEngine
from agentnet.tools.base import Tool, ToolResult, ToolSpec, ToolStatus
from agentnet.tools.registry import ToolRegistry
from engines import ANSWER, CoroutineEngine, DictEngine, HangingEngine, RaisingEngine, WaitingEngine

import agentnet_otel
from agentnet_otel import semconv
from agentnet_otel.instrumentation import runtime
from agentnet_otel.model import LatencyComponent, Outcome
from agentnet_otel.performance import BenchmarkConfig, BenchmarkType, PerformanceHarness

KINDS = [kind.value for kind in BenchmarkType]
HOOKED = [
    (AgentNet, "generate_reasoning_tree"),
    (AgentNet, "async_generate_reasoning_tree"),
    (ProviderAdapter, "infer"),
    (TurnEngine, "_execute_agent_turn"),
    (threading.Thread, "start"),
]


class Search(Tool):
    """A tool that takes a moment."""

    async def execute(self, parameters, context=None):
        await asyncio.sleep(0.01)
        return ToolResult(status=ToolStatus.SUCCESS, data=dict(parameters))


def tools():
    """A registry with one tool."""
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    registry = ToolRegistry()
    registry.register_tool(Search(ToolSpec(name="search", description="Looks up.", schema=schema)))
    return registry


@pytest.fixture
def factory(agent):
    """Makes factories of agents with tools and memory."""

    def make(engine, **given):
        made = {"memory_config": {"memory": {}}, "tool_registry": tools(), **given}
        return lambda: agent(engine(), **made)

    return make


def run(factory, kind="single_turn", operation=None, **changes):
    """Run a benchmark on a loop of its own."""
    given = {"iterations": 2, "warmup_iterations": 1, "agent_count": 2, "turn_count": 2, **changes}
    config = BenchmarkConfig("c", kind, **given)
    return asyncio.run(PerformanceHarness().run_benchmark(config, factory, operation))


def originals():
    """What the classes themselves define."""
    return [vars(owner)[name] for owner, name in HOOKED]


TURNS = {"multi_turn": 2, "multi_agent": 2, "concurrent_agents": 2}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", [DictEngine, CoroutineEngine])
def test_every_type_takes_tokens_from_the_engine(kind, engine, factory):
    """Without `instrument()`: each turn once, with its tokens; afterwards nothing is wrapped."""
    before = originals()
    result = run(factory(engine), kind)
    turns = TURNS.get(kind, 1)
    assert (result.success_rate, result.error_details) == (1.0, [])
    assert len(result.turns) == 2 * turns == sum(sample.turns for sample in result.samples)
    assert (result.total_tokens_consumed, result.avg_tokens_per_turn) == (2 * turns * 15, 15.0)
    assert {turn.model for turn in result.turns} == {"m1"}
    assert all(turn.trace_id for turn in result.turns)
    assert originals() == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_runs_the_framework_s_own_provider(kind, factory):
    """Which starts a loop of its own, and fails on a running one."""
    result = run(factory(lambda: ExampleEngine({"model": "m", "simulated_delay_ms": 20})), kind)
    assert (result.success_rate, result.error_details) == (1.0, [])
    assert result.total_tokens_consumed > 0
    assert result.avg_cost_usd > 0
    assert 20 <= result.min_turn_latency_ms < 500


def test_the_trap_of_the_documented_samples(factory):
    """A synchronous turn in a coroutine that awaits nothing."""

    async def operation(agent, prompt):
        return agent.generate_reasoning_tree(prompt)

    result = run(factory(ExampleEngine), operation=operation)
    assert (result.success_rate, result.error_details) == (1.0, [])
    assert result.total_tokens_consumed > 0


def test_agents_in_one_session_speak_through_the_turn_engine(factory):
    """Each turn has the session's id; a single agent has a session, too."""
    for agents, prefix in ((3, "multi_"), (1, "single_")):
        result = run(factory(DictEngine), "multi_agent", agent_count=agents)
        sessions = {turn.session for turn in result.turns}
        assert all(session.startswith(prefix) for session in sessions)
        assert sessions == {sample.session for sample in result.samples}
        assert (len(sessions), len(result.turns)) == (2, 2 * agents)
        assert result.individual_results[0]["result"].total_turns == agents


def test_without_a_turn_engine_they_speak_one_after_the_other(factory, monkeypatch):
    """Older versions have none."""
    monkeypatch.setitem(sys.modules, "agentnet.core.orchestration.turn_engine", None)
    result = run(factory(DictEngine), "multi_agent")
    assert (result.success_rate, len(result.turns)) == (1.0, 4)
    assert all(turn.session.startswith("bench_") for turn in result.turns)


def test_agents_that_are_not_the_framework_s_do_without_it(factory):
    """One of them is enough."""

    class Other:
        name = "other"

        def process(self, prompt):
            return "said"

    def team():
        return [factory(DictEngine)(), Other()]

    result = run(team, "multi_agent")
    assert (result.success_rate, [turn.agent for turn in result.turns]) == (1.0, ["ag", "other"] * 2)


class RaisingAgent(AgentNet):
    """As agents of older versions do: they raise where newer ones answer with a tree."""

    def generate_reasoning_tree(self, task, **given):
        raise ConnectionError("down")


def test_an_agent_that_raises_fails_its_session():
    """Though the turn engine makes an answer of it."""
    result = run(lambda: RaisingAgent("ag", {"logic": 0.8}, engine=DictEngine()), "multi_agent", iterations=1)
    assert result.error_details == ["Iteration 0 failed: down"]
    assert Outcome.ERROR in {turn.outcome for turn in result.turns}


def test_a_session_that_ends_early_is_a_failure(factory, monkeypatch):
    """Not every agent has spoken."""

    async def ended(engine, agents, topic):
        return SessionResult(session_id="multi_1", mode=TurnMode.ROUND_ROBIN, status="timeout")

    monkeypatch.setattr(TurnEngine, "execute_multi_agent_session", ended)
    result = run(factory(DictEngine), "multi_agent", iterations=1)
    assert result.error_details == ["Iteration 0 failed: the session ended as timeout before every agent had spoken"]


def test_tools_and_memory_are_part_of_the_turn(factory):
    """Where the framework itself runs them outside."""
    for kind, component in (
        ("tool_heavy", LatencyComponent.TOOL_EXECUTION),
        ("memory_intensive", LatencyComponent.MEMORY_ACCESS),
    ):
        result = run(factory(DictEngine), kind)
        assert all(component in turn.component_self_ns for turn in result.turns)
        assert all(LatencyComponent.INFERENCE in turn.component_self_ns for turn in result.turns)
        assert component.value in result.component_latency_breakdown


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("tool_heavy", {"tool_registry": None}, "ag has no tools"),
        ("memory_intensive", {"memory_config": None}, "ag stored nothing"),
    ],
)
def test_an_agent_without_what_its_type_needs_has_failed(kind, given, reason, factory):
    """It is said what it lacks."""
    result = run(factory(DictEngine, **given), kind)
    assert result.success_rate == 0.0
    assert reason in result.error_details[0]


def object_to(agent, task, result):
    """A monitor that objects."""
    message = "not like this"
    raise CognitiveFault(message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("engine", "given", "outcome", "reason"),
    [
        (RaisingEngine, {}, Outcome.ERROR, "a secret text"),
        (DictEngine, {"monitors": [object_to]}, Outcome.FAULT, "not like this"),
    ],
)
def test_trees_of_errors_and_faults_are_failures(kind, engine, given, outcome, reason, factory):
    """With their reason, in every type."""
    result = run(factory(engine, **given), kind)
    assert result.success_rate == 0.0
    assert reason in result.error_details[0]
    assert {sample.outcome for sample in result.samples} == {outcome}
    assert outcome in {turn.outcome for turn in result.turns}


@pytest.mark.parametrize("kind", KINDS)
def test_a_synchronous_engine_that_hangs_holds_nobody(kind, agent):
    """The turn ends as timed out; what its thread does later is no turn, and the loop closes at once."""
    engines = []

    def factory():
        engines.append(WaitingEngine())
        return agent(engines[-1], memory_config={"memory": {}}, tool_registry=tools())

    begun = time.perf_counter()
    result = run(factory, kind, iterations=1, warmup_iterations=0, timeout_seconds=0.2)
    took = time.perf_counter() - begun
    for engine in engines:
        engine.go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("agentnet-otel"):
            thread.join(10)
    assert took < 3
    assert result.error_details == ["Iteration 0 failed: timed out after 0.2 s"]
    assert {turn.outcome for turn in result.turns} == {Outcome.TIMEOUT}
    assert len(result.turns) == (2 if kind == "concurrent_agents" else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_coroutine_engine_that_hangs_is_cancelled(kind, factory):
    """And its turn ends as timed out."""
    result = run(factory(HangingEngine), kind, iterations=1, warmup_iterations=0, timeout_seconds=0.2)
    assert result.error_details == ["Iteration 0 failed: timed out after 0.2 s"]
    assert {turn.outcome for turn in result.turns} == {Outcome.TIMEOUT}


def test_what_goes_on_after_a_time_out_leaves_no_spans(agent, telemetry, handle):
    """It is counted as late work, as after the turn engine's own time-outs."""
    engine = WaitingEngine()

    def operation(made, prompt):
        made.generate_reasoning_tree(prompt)
        made.generate_reasoning_tree("late")

    run(lambda: agent(engine), operation=operation, iterations=1, warmup_iterations=0, timeout_seconds=0.2)
    engine.go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("agentnet-otel"):
            thread.join(10)
    assert [turn.outcome for turn in handle.turns()] == [Outcome.TIMEOUT]
    assert len(telemetry.spans("invoke_agent")) == 1
    assert sum(telemetry.metric(semconv.METRIC_SELF_LATE_WORK).values()) >= 1


def test_hooks_stay_while_anybody_needs_them(factory):
    """`instrument()` switched off during a run, or on and left on."""
    before = originals()
    done = []

    async def operation(agent, prompt):
        await asyncio.sleep(0)
        done.append(1)
        if len(done) == 1:
            agentnet_otel.instrument()
        elif len(done) == 2:
            agentnet_otel.uninstrument()
        return await asyncio.to_thread(agent.generate_reasoning_tree, prompt)

    result = run(factory(DictEngine), operation=operation, iterations=4, warmup_iterations=0)
    assert result.total_tokens_consumed == 60
    assert originals() == before
    done.clear()

    async def switching_on(agent, prompt):
        agentnet_otel.instrument()
        return agent.generate_reasoning_tree(prompt)

    assert run(factory(DictEngine), operation=switching_on).total_tokens_consumed == 30
    assert originals()[0] is not before[0]
    assert runtime._runtime.recorder is not None
    agentnet_otel.uninstrument()
    assert originals() == before


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_an_engine_that_is_not_awaited_is_a_failure(factory):
    """Its answer never existed, though a tree came back."""
    result = run(factory(CoroutineEngine), operation=lambda agent, prompt: agent.generate_reasoning_tree(prompt))
    assert result.success_rate == 0.0
    assert "engine_not_awaited" in result.error_details[0]


def test_an_engine_may_be_benchmarked_alone():
    """Its calls stand outside any turn; their tokens count once, though it returns them as well."""
    result = run(lambda: ExampleEngine({"model": "m"}))
    assert result.success_rate == 1.0
    sample = result.samples[0]
    assert sample.tokens.total == result.turns[0].tokens.total > 0
    assert result.avg_cost_usd > 0


def test_the_framework_is_not_imported_to_find_out(monkeypatch):
    """Agents of others run where it is not installed."""
    sessions = importlib.import_module("agentnet_otel.performance.sessions")
    monkeypatch.setitem(sys.modules, "agentnet.core.agent", None)
    assert sessions.is_agentnet(object()) is False
    assert ANSWER["usage"]["prompt_tokens"] == 10
