"""Each trap of the framework's contract, and what telemetry says in spite of it."""

import asyncio
import inspect
import logging

import pytest
from agentnet.core.orchestration.dag_planner import DAGPlanner, TaskNode
from agentnet.core.orchestration.scheduler import TaskScheduler
from agentnet.core.orchestration.turn_engine import TurnEngine
from agentnet.core.policy.engine import PolicyEngine
from agentnet.core.policy.rules import ConstraintRule
from agentnet.core.types import CognitiveFault
from agentnet.dialogue.enhanced_modes import OuterDialogue
from agentnet.monitors.base import MonitorSpec
from agentnet.monitors.factory import MonitorFactory
from agentnet.providers import base as providers_base
from agentnet.providers import instrumented
from agentnet.providers.example import ExampleEngine
from agentnet.tools.base import Tool, ToolResult, ToolSpec, ToolStatus
from agentnet.tools.executor import ToolExecutor
from agentnet.tools.registry import ToolRegistry
from engines import (
    CallingEngine,
    CoroutineEngine,
    DictEngine,
    HangingEngine,
    RaisingCoroutineEngine,
    RaisingEngine,
    WaitingEngine,
)

import agentnet_otel

MEMORY = {"memory": {}}


def turns_of(telemetry):
    """Attributes of the turns, in order of ending."""
    return [dict(span.attributes) for span in telemetry.spans("invoke_agent")]


def names_below(telemetry, turn):
    """Names of the spans below a turn, sorted."""
    spans = {span.context.span_id: span for span in telemetry.spans()}

    def inside(span):
        while span is not None:
            if span is turn:
                return True
            span = spans.get(span.parent.span_id) if span.parent else None
        return False

    return sorted(span.name for span in telemetry.spans() if span is not turn and inside(span))


def fault_monitor(agent, task, result):
    """A monitor that objects."""
    raise CognitiveFault("a secret text", violations=[{"rule_name": "no-hello"}])


def test_t01_the_response_is_flattened_to_its_repr(telemetry, handle, agent):
    """Tokens, model and cost come from the engine's own answer, and so does the response length."""
    engine = ExampleEngine({"model": "m"})
    tree = agent(engine).generate_reasoning_tree("hi")
    content = asyncio.run(engine.async_infer("hi", agent_name="ag")).content
    assert len(tree["result"]["content"]) > len(content)
    (turn,) = handle.turns()
    assert turn.response_length == len(content)
    assert turn.tokens.input > 0
    assert turn.tokens.output > 0
    assert turn.models == ("m",)
    assert turn.cost_source == "engine"
    assert not turn.estimated


@pytest.mark.parametrize("entry", ["sync", "async"])
def test_t02_errors_come_back_as_trees(telemetry, handle, agent, entry):
    """The outcome is error, with the type of the exception that nobody got to see; an engine's own error counts too."""
    if entry == "sync":
        agent(RaisingEngine()).generate_reasoning_tree("hi")
        agent(DictEngine(error="quota")).generate_reasoning_tree("hi")
    else:
        asyncio.run(agent(RaisingCoroutineEngine()).async_generate_reasoning_tree("hi"))
        asyncio.run(agent(CoroutineEngine(error="quota")).async_generate_reasoning_tree("hi"))
    assert [(t["agentnet.turn.outcome"], t["error.type"]) for t in turns_of(telemetry)] == [
        ("error", "ConnectionError"),
        ("error", "engine_error"),
    ]
    assert [t.outcome.failed for t in handle.turns()] == [True, True]


def test_t03_a_provider_called_on_a_running_loop(telemetry, handle, agent, recwarn):
    """The failure that the tree hides is told, and nothing of ours runs a synchronous turn on a loop."""

    async def main():
        return agent(ExampleEngine({"model": "m"})).generate_reasoning_tree("hi")

    tree = asyncio.run(main())
    assert tree["result"].get("error") is True
    (turn,) = turns_of(telemetry)
    assert (turn["agentnet.turn.outcome"], turn["error.type"]) == ("error", "RuntimeError")
    recwarn.clear()


def test_t04_an_async_turn_with_a_synchronous_engine(telemetry, handle, agent):
    """In the pool thread the context is lost; the components still hang below the one turn."""

    async def main():
        made = [agent(DictEngine(), name=f"a{i}", memory_config=MEMORY) for i in range(8)]
        await asyncio.gather(*(a.async_generate_reasoning_tree("hi") for a in made))

    asyncio.run(main())
    turns = telemetry.spans("invoke_agent")
    assert sorted(t.name for t in turns) == [f"invoke_agent a{i}" for i in range(8)]
    assert {t.parent for t in turns} == {None}
    for turn in turns:
        assert "chat m0" in names_below(telemetry, turn)
        assert len(names_below(telemetry, turn)) == len(telemetry.spans()) / 8 - 1


@pytest.mark.parametrize("engine", [DictEngine, CoroutineEngine])
def test_t05_a_fault_on_the_coroutine_path_looks_like_an_error(telemetry, handle, agent, engine):
    """The monitor hook saw the fault: the outcome is fault on both paths."""
    asyncio.run(agent(engine(), monitors=[fault_monitor]).async_generate_reasoning_tree("hi"))
    (turn,) = turns_of(telemetry)
    assert (turn["agentnet.turn.outcome"], turn["error.type"]) == ("fault", "CognitiveFault")


class FlakyAdapter(ExampleEngine):
    """A provider adapter that fails twice with what is retried."""

    calls = 0

    async def _infer(self, prompt, **kwargs):
        type(self).calls += 1
        if self.calls < 3:
            raise OSError("try again")
        return await super()._infer(prompt, **kwargs)


def test_t06_retries_are_one_component(telemetry, handle, agent):
    """Three tries are one inference, which says how many there were."""
    FlakyAdapter.calls = 0
    agent(FlakyAdapter({"model": "m"})).generate_reasoning_tree("hi")
    (call,) = telemetry.spans("chat")
    assert call.attributes["agentnet.inference.attempts"] == 3
    (turn,) = handle.turns()
    assert turn.inference_attempts == 3
    assert turn.outcome == "success"


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_t07_a_coroutine_engine_called_synchronously(telemetry, handle, agent):
    """The answer never existed: that is an error, and the coroutine is left alone."""
    tree = agent(CoroutineEngine()).generate_reasoning_tree("hi")
    assert "coroutine object" in tree["result"]["content"]
    (turn,) = turns_of(telemetry)
    assert (turn["agentnet.turn.outcome"], turn["error.type"]) == ("error", "engine_not_awaited")
    assert "agentnet.turn.response.length" not in turn
    (call,) = telemetry.spans("chat")
    assert "gen_ai.usage.input_tokens" not in call.attributes


def test_t08_turns_of_the_turn_engine_have_its_ids(telemetry, handle, agent):
    """Turn id and session reach the turn and everything below it."""
    result = asyncio.run(TurnEngine(max_turns=2).execute_single_agent_session(agent(DictEngine()), "hi"))
    turns = telemetry.spans("invoke_agent")
    assert [t.attributes["agentnet.turn.id"] for t in turns] == [t.turn_id for t in result.turns]
    below = [s for s in telemetry.spans() if not s.name.startswith("invoke_workflow")]
    assert {s.attributes["gen_ai.conversation.id"] for s in below} == {result.session_id}
    (session,) = telemetry.spans("invoke_workflow")
    assert session.attributes["gen_ai.conversation.id"] == result.session_id
    assert {t.session for t in handle.turns()} == {result.session_id}


def test_t09_a_time_out_of_the_turn_engine(telemetry, handle, agent):
    """The reasoning sees a cancellation, the turn is a time-out, and ends at once."""
    engine = TurnEngine(max_turns=1, turn_timeout=0.05)
    result = asyncio.run(engine.execute_single_agent_session(agent(HangingEngine()), "hi"))
    assert result.turns[0].metadata["timeout"] is True
    (turn,) = telemetry.spans("invoke_agent")
    assert turn.attributes["agentnet.turn.outcome"] == "timeout"
    assert turn.attributes["error.type"] == "timeout"
    assert turn.end_time - turn.start_time < 2e9


def test_t10_what_a_timed_out_thread_does_later(telemetry, handle, agent):
    """It is neither a second turn nor part of the first; it is counted."""
    waiting = WaitingEngine()

    async def main():
        engine = TurnEngine(max_turns=1, turn_timeout=0.05)
        made = agent(waiting, memory_config=MEMORY)
        await engine.execute_single_agent_session(made, "hi")
        told = len(telemetry.spans())
        waiting.go_on.set()
        await asyncio.to_thread(waiting.ended.wait, 10)
        return told, made

    told, made = asyncio.run(main())
    assert len(made.interaction_history) == 1
    assert len(telemetry.spans()) == told
    (turn,) = handle.turns()
    assert turn.outcome == "timeout"
    assert telemetry.metric("agentnet.otel.late.work")[()] > 0
    assert telemetry.metric("agentnet.turns") == {
        (
            ("agentnet.turn.outcome", "timeout"),
            ("gen_ai.agent.name", "ag"),
            ("gen_ai.request.model", "unknown"),
        ): 1
    }


def test_t11_the_reasoning_cache_re_enters(telemetry, handle, agent):
    """A turn that calls itself is one turn, cached or not."""
    made = agent(DictEngine(), enable_reasoning_cache=True)
    made.generate_reasoning_tree("hi")
    made.generate_reasoning_tree("hi")
    assert len(telemetry.spans("invoke_agent")) == 2
    with pytest.raises(TypeError):
        made.generate_reasoning_tree("hi", metadata={"a": []})
    last = turns_of(telemetry)[-1]
    assert (last["agentnet.turn.outcome"], last["error.type"]) == ("error", "TypeError")


def test_t12_the_async_entry_calls_the_public_sync_one(telemetry, handle, agent):
    """One turn, one span; an agent that is called by another inside its turn has its own."""
    asyncio.run(agent(DictEngine()).async_generate_reasoning_tree("hi"))
    assert len(telemetry.spans("invoke_agent")) == 1
    inner = agent(DictEngine(), name="inner")
    agent(CallingEngine(lambda: inner.generate_reasoning_tree("go")), name="outer").generate_reasoning_tree("hi")
    spans = {s.name: s for s in telemetry.spans("invoke_agent")}
    outer = next(t for t in handle.turns() if t.agent == "outer")
    assert "invoke_agent inner" in names_below(telemetry, spans["invoke_agent outer"])
    assert outer.component_self_ns["orchestration"] > 0


def test_t13_contexts_do_not_leak_from_turn_to_turn(telemetry, handle, agent):
    """Whether `wait_for` makes a task or not: turns of a session are siblings."""
    asyncio.run(TurnEngine(max_turns=3).execute_single_agent_session(agent(CoroutineEngine()), "hi"))
    (session,) = telemetry.spans("invoke_workflow")
    spans = {s.context.span_id: s for s in telemetry.spans()}
    turns = telemetry.spans("invoke_agent")
    assert len(turns) == 3
    for turn in turns:
        above = [turn]
        while above[-1].parent is not None:
            above.append(spans[above[-1].parent.span_id])
        assert [s.name.split()[0] for s in above[1:-1]] in ([], ["orchestration"])
        assert above[-1] is session


def test_t14_monitors_of_the_factory_fail_on_their_own(telemetry, handle, agent):
    """They raise inside the framework and report nothing: no violation, no failure."""
    monitor = MonitorFactory.build(MonitorSpec("words", "keyword", {"keywords": ["hello"]}, "minor"))
    agent(DictEngine(), monitors=[monitor]).generate_reasoning_tree("hi")
    (turn,) = handle.turns()
    assert (turn.outcome, turn.policy_violations) == ("success", 0)
    assert telemetry.spans("policy_check monitor")


@pytest.mark.parametrize("stage", ["monitors", "pre_monitors"])
def test_t15_a_fault_that_is_traced_twice_is_one_violation(telemetry, handle, agent, stage):
    """One violation, with rule and severity, wherever the monitor stands."""
    agent(DictEngine(), **{stage: [fault_monitor]}).generate_reasoning_tree("hi", include_monitor_trace=True)
    (turn,) = handle.turns()
    assert [(v.rule, v.severity) for v in turn.violations] == [("no-hello", "minor")]
    assert turn.policy_violations == 1
    assert sum(telemetry.metric("agentnet.policy.violations").values()) == 1


def test_t16_policy_results_that_the_turn_engine_ignores(telemetry, handle, agent):
    """The evaluation itself is seen, inside the turn, with its violations."""
    policy = PolicyEngine(rules=[ConstraintRule("never", lambda context: False)], name="rules")
    result = asyncio.run(
        TurnEngine(max_turns=1, policy_engine=policy).execute_single_agent_session(agent(DictEngine()), "hi")
    )
    assert result.turns[0].policy_violations == []
    (turn,) = handle.turns()
    assert [v.rule for v in turn.violations] == ["never"]
    (own,) = telemetry.spans("invoke_agent")
    assert "policy_check rules" in names_below(telemetry, own)
    assert turn.outcome == "success"


def test_t17_agent_errors_inside_the_turn_engine(telemetry, handle, agent):
    """Its result has no word of the error: the tree has."""
    for engine in (RaisingEngine(), RaisingCoroutineEngine()):
        result = asyncio.run(TurnEngine(max_turns=1).execute_single_agent_session(agent(engine), "hi"))
        assert result.turns[0].metadata == {}
    assert [(t["agentnet.turn.outcome"], t["error.type"]) for t in turns_of(telemetry)] == [
        ("error", "ConnectionError")
    ] * 2


class Lookup(Tool):
    """A tool."""

    async def execute(self, parameters, context=None):
        """Look up, or fail."""
        if parameters.get("fail"):
            raise LookupError("a secret text")
        return ToolResult(status=ToolStatus.SUCCESS, data={"found": 1})


def registry(**given):
    """A registry with one tool."""
    made = ToolRegistry()
    made.register_tool(Lookup(ToolSpec(name="lookup", description="Looks up.", schema={"type": "object"}, **given)))
    return made


def test_t18_a_cached_tool_gives_the_same_result_again(telemetry, handle):
    """Each call has its own span and its own outcome; the result that is shared is not kept."""
    executor = ToolExecutor(registry(cached=True))

    async def main():
        return [await executor.execute_tool("lookup", {}) for _ in range(2)]

    first, second = asyncio.run(main())
    assert first is second
    calls = telemetry.spans("execute_tool lookup")
    assert [c.attributes["agentnet.tool.outcome"] for c in calls] == ["success", "success"]


def test_t19_a_cost_of_zero_is_no_price(telemetry, handle, agent):
    """Unknown is not zero: a cost of 0.0 is not a cost."""

    class Free(ExampleEngine):
        def _calculate_cost(self, input_tokens, output_tokens):
            return 0.0

    agent(Free({"model": "m"})).generate_reasoning_tree("hi")
    agent(DictEngine()).generate_reasoning_tree("hi")
    assert [t.cost_usd for t in handle.turns()] == [None, None]
    assert telemetry.metric("agentnet.turn.cost.usd") == {}


@pytest.mark.parametrize("changes", [{"metadata": None}, {"tokens": None, "usage": None}])
def test_t20_missing_values_in_an_engines_dict(telemetry, handle, agent, changes):
    """Whatever the framework makes of them, telemetry neither fails nor invents tokens."""
    agent(DictEngine(**changes)).generate_reasoning_tree("hi")
    (turn,) = handle.turns()
    assert turn.tokens.known is (changes == {"metadata": None})
    assert not agentnet_otel.instrumentation.faults.log.faults


def test_t21_the_double_of_the_provider_base(telemetry, handle):
    """The other base class is hooked too; that it fails after each answer is told."""

    class Doubled(instrumented.ProviderAdapter):
        def _create_client(self):
            return None

        async def _infer(self, prompt, **kwargs):
            return providers_base.InferenceResponse(content="x", model_name="m", input_tokens=3, output_tokens=4)

        def _calculate_cost(self, input_tokens, output_tokens):
            return 0.0

    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it fails with
        Doubled({"model": "m"}).infer("hi")
    (call,) = telemetry.spans("chat m")
    assert call.attributes["error.type"] == type(caught.value).__qualname__
    assert (call.attributes["gen_ai.usage.input_tokens"], call.attributes["gen_ai.usage.output_tokens"]) == (3, 4)


def test_t22_wrapped_engines_keep_their_kind(handle, agent):
    """Coroutine-ness decides the framework's path; signatures and docstrings stay."""
    agent(CoroutineEngine())
    adapter = ExampleEngine({"model": "m"})
    assert inspect.iscoroutinefunction(adapter.async_infer)
    assert not inspect.iscoroutinefunction(adapter.infer)
    assert inspect.iscoroutinefunction(adapter._infer)
    assert "prompt" in inspect.signature(adapter.infer).parameters
    streamed = vars(type(adapter))["stream_infer"]
    assert streamed.__doc__ == streamed.__wrapped__.__doc__
    assert inspect.iscoroutinefunction(agent().async_generate_reasoning_tree)


def test_t23_reasoning_that_is_not_available(telemetry, handle, agent):
    """A canned text is no answer: the reasoning that was asked for did not happen."""
    made = agent(DictEngine())
    made.advanced_reason("hi")
    made.hybrid_reasoning("hi", ["deductive"])
    for turn in turns_of(telemetry):
        assert (turn["agentnet.turn.outcome"], turn["error.type"]) == ("error", "reasoning_unavailable")
        assert turn["agentnet.turn.fallback"] is True
    assert not telemetry.spans("chat")


def test_an_agent_without_an_engine_is_no_inference_of_zero_tokens(telemetry, handle, agent):
    """Outcome success, marked as fallback, without an inference; alone and in a session."""
    agent().generate_reasoning_tree("hi")
    asyncio.run(TurnEngine(max_turns=1).execute_single_agent_session(agent(), "hi"))
    assert [(t.outcome, t.fallback, t.tokens.known) for t in handle.turns()] == [("success", True, False)] * 2
    assert not telemetry.spans("chat")


def test_t24_an_async_dialogue_runs_sync_turns_on_the_loop(telemetry, handle, agent, recwarn):
    """The turns that fail there are told as failed, in the dialogue's span."""
    agents = [agent(ExampleEngine({"model": "m"}), name=n) for n in ("a", "b")]
    asyncio.run(OuterDialogue().conduct_async_dialogue(agents, "topic", rounds=1))
    (dialogue,) = telemetry.spans("invoke_workflow")
    turns = telemetry.spans("invoke_agent")
    assert {t.name for t in turns} == {"invoke_agent a", "invoke_agent b"}
    assert {t.parent.span_id for t in turns} == {dialogue.context.span_id}
    assert {t.attributes["error.type"] for t in turns} == {"RuntimeError"}
    recwarn.clear()


def test_t25_trackers_that_the_framework_bound_at_import_are_left_alone(handle, agent):
    """Its own trackers stay what they are, and its providers work with ours beside them."""
    names = [name for name in ("get_latency_tracker", "get_token_tracker") if hasattr(providers_base, name)]
    before = [getattr(providers_base, name) for name in names]
    assert asyncio.run(ExampleEngine({"model": "m"}).async_infer("hi")).content
    assert [getattr(providers_base, name) for name in names] == before


def test_t26_synchronous_executors_of_a_graph_lose_the_context(telemetry, handle, agent):
    """Turns in the threads hang below their tasks, and parallel tasks keep theirs apart."""

    def execute(task_id, prompt, agent_name, context):
        agent(DictEngine(), name=f"agent-{task_id}").generate_reasoning_tree(prompt)
        return {"content": "done"}

    async def main():
        nodes = [TaskNode(id=f"n{i}", prompt="go", agent="a", deps=[]) for i in range(4)]
        graph = DAGPlanner().create_graph_from_nodes(nodes)
        scheduler = TaskScheduler()
        scheduler.set_task_executor(execute)
        return await scheduler.execute_graph(graph)

    asyncio.run(main())
    spans = {s.context.span_id: s for s in telemetry.spans()}
    turns = telemetry.spans("invoke_agent")
    assert len(turns) == 4
    for turn in turns:
        task = spans[turn.parent.span_id]
        assert task.name == "orchestration task"
        assert turn.name == f"invoke_agent agent-{task.attributes['agentnet.task.id']}"


def test_t27_hooks_that_nest_give_one_component(telemetry, handle, agent):
    """Agent over executor, agent over memory manager, infer over async_infer: one component each."""
    made = agent(ExampleEngine({"model": "m"}), memory_config=MEMORY, tool_registry=registry())
    made.generate_reasoning_tree("hi")
    assert len(telemetry.spans("chat")) == 1
    asyncio.run(made.execute_tool("lookup", {}))
    assert [s.attributes["gen_ai.agent.name"] for s in telemetry.spans("execute_tool")] == ["ag"]
    made.store_memory("text")
    made.retrieve_memory("text")
    assert len(telemetry.spans("create_memory")) == 2
    (search,) = telemetry.spans("search_memory")
    assert search.attributes["gen_ai.memory.record.count"] >= 1


def test_t28_tools_and_streams_belong_to_a_turn_only_if_its_engine_calls_them(telemetry, handle, agent):
    """Inside the engine they are the turn's, outside they stand alone."""
    executor = ToolExecutor(registry())
    failing = CallingEngine(lambda: asyncio.run(executor.execute_tool("lookup", {"fail": True})))
    agent(failing).generate_reasoning_tree("hi")
    (turn,) = handle.turns()
    assert [(c.name, c.outcome) for c in turn.tool_calls] == [("lookup", "error")]
    assert turn.outcome == "success"
    asyncio.run(executor.execute_tool("lookup", {}))
    assert telemetry.spans("execute_tool")[-1].parent is None
    adapter = ExampleEngine({"model": "m"})

    async def consume():
        return [item async for item in adapter.stream_infer("a b c")]

    items = asyncio.run(consume())
    streamed = telemetry.spans("chat m")[-1]
    assert items
    assert streamed.attributes["gen_ai.request.stream"] is True
    assert streamed.attributes["gen_ai.response.time_to_first_chunk"] >= 0
    assert streamed.parent is None
    agent(CallingEngine(lambda: asyncio.run(consume())), name="streamer").generate_reasoning_tree("hi")
    assert handle.turns()[-1].time_to_first_token_ns > 0


def test_nothing_of_the_content_is_recorded(telemetry, handle, agent, caplog):
    """Prompts, answers, error texts, fault texts and rationales stand nowhere."""
    caplog.set_level(logging.CRITICAL)
    agent(RaisingEngine()).generate_reasoning_tree("a secret text")
    agent(DictEngine(content="a secret text"), monitors=[fault_monitor]).generate_reasoning_tree("hi")
    for span in telemetry.spans():
        told = [str(span.attributes), span.status.description or "", *(str(e.attributes) for e in span.events)]
        assert "secret" not in "".join(told)
