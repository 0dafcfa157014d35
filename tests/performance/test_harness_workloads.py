"""The six benchmark types do six different things."""

import asyncio
import itertools
import time

import pytest
from harness_agents import TREE, Agent, AsyncAgent, fresh, run, traced

from agentnet_otel.model import Outcome
from agentnet_otel.performance import BenchmarkType
from agentnet_otel.performance.tool_parameters import parameters_for

KINDS = [kind.value for kind in BenchmarkType]


class Equipped(Agent):
    """An agent with tools and a memory; ``log`` has what was done, in order."""

    tools = ({"name": "search", "schema": {"required": ["query"]}}, "plain")
    log = []  # noqa: RUF012 - shared on purpose: the factory makes many
    stored = True
    found = {"entries": [1]}  # noqa: RUF012 - never changed

    def generate_reasoning_tree(self, prompt):
        self.log.append("answer")
        return super().generate_reasoning_tree(prompt)

    def list_available_tools(self):
        return list(self.tools)

    async def execute_tool(self, name, parameters):
        await asyncio.sleep(0.01)
        self.log.append((name, parameters))
        return {"status": "success", "data": 1}

    def store_memory(self, content):
        self.log.append(("store", content))
        return self.stored

    def retrieve_memory(self, query):
        self.log.append(("retrieve", query))
        return self.found


def equipped(**changes):
    """A new class of equipped agents."""
    return type("Equipped", (Equipped,), {"log": [], "asked": [], "busy": 0, "most_busy": 0, **changes})


def test_a_single_turn_is_one_turn():
    """One agent, one prompt."""
    kind = fresh(Agent)
    result = run(kind, test_prompts=["x", "y"])
    assert [prompt for prompt, _ in kind.asked] == ["x", "y", "x", "y"]
    assert (result.total_operations, len(result.turns), result.samples[0].turns) == (4, 4, 1)


@pytest.mark.parametrize("agent", [Agent, AsyncAgent])
def test_multi_turn_is_one_conversation_whose_prompt_grows(agent):
    """As many turns as asked for; each prompt holds the ones before it and the answers; each turn is timed."""
    kind = fresh(agent)
    made = []

    def factory():
        made.append(kind(0.02))
        return made[-1]

    result = run(factory, kind="multi_turn", iterations=2, turn_count=3, test_prompts=["begin"])
    prompts = [prompt for prompt, _ in kind.asked]
    assert (len(made), len(prompts), result.total_operations) == (2, 6, 2)
    for earlier, later in itertools.pairwise(prompts[:3]):
        assert later.startswith(f"{earlier}\n\na: hello")
    assert prompts[0] == prompts[3] == "begin"
    assert 20 <= result.min_turn_latency_ms < 60 <= result.samples[0].service_ms
    assert [len(result.samples[0].turn_latencies_ms), result.samples[0].turns] == [3, 3]
    sessions = {turn.session for turn in result.turns}
    assert sessions == {sample.session for sample in result.samples}
    assert len(sessions) == 2
    assert len(result.individual_results[0]["result"]) == 3


def test_a_failed_turn_fails_its_operation():
    """And the conversation ends there."""
    kind = fresh(Agent)
    answers = iter([TREE, {"error": "second"}])
    result = run(lambda: kind(answer=next(answers)), kind="multi_agent", iterations=1, agent_count=3)
    assert result.success_rate == 0.0
    answers = iter([TREE, {"error": "second"}, TREE])
    team = [kind(answer=answer) for answer in answers]
    kind.asked.clear()
    result = run(lambda: team, kind="multi_agent", iterations=1)
    assert result.error_details == ["Iteration 0 failed: second"]
    assert len(kind.asked) == 2
    assert [turn.outcome for turn in result.turns] == [Outcome.SUCCESS, Outcome.ERROR]
    assert result.avg_turn_latency_ms == 0.0


@pytest.mark.parametrize("agent", [Agent, AsyncAgent])
def test_multi_agent_is_a_team_that_speaks_one_after_the_other(agent):
    """Each hears what was said before; the factory is called once an agent, unless it gives the team."""
    kind = fresh(agent)
    made = []

    def factory():
        made.append(kind(0.02))
        return made[-1]

    result = run(factory, kind="multi_agent", iterations=2, agent_count=3, test_prompts=["topic"])
    prompts = [prompt for prompt, _ in kind.asked]
    assert (len(made), len(prompts), kind.most_busy, result.total_operations) == (6, 6, 1, 2)
    assert prompts[0] == "topic"
    assert prompts[2].count("a: hello") == 2
    assert result.samples[0].turns == 3
    assert 20 <= result.min_turn_latency_ms < 60 <= result.samples[0].service_ms
    assert len({turn.session for turn in result.turns}) == 2
    team = [kind(), kind()]
    kind.asked.clear()
    result = run(lambda: team, kind="multi_agent", iterations=1, agent_count=5)
    assert len(kind.asked) == result.samples[0].turns == 2


@pytest.mark.parametrize("agent", [Agent, AsyncAgent])
def test_concurrent_agents_answer_at_the_same_time(agent):
    """All of them, the same prompt; workers multiply."""
    kind = fresh(agent)
    result = run(lambda: kind(0.1), kind="concurrent_agents", iterations=2, agent_count=3, test_prompts=["p"])
    assert (kind.most_busy, [prompt for prompt, _ in kind.asked]) == (3, ["p"] * 6)
    assert 100 <= result.min_turn_latency_ms < 300
    assert 0.2 <= result.total_duration < 0.6
    assert result.samples[0].turns == 3
    kind = fresh(agent)
    run(lambda: kind(0.1), kind="concurrent_agents", iterations=2, agent_count=2, concurrency_level=2)
    assert kind.most_busy == 4


def test_one_of_the_concurrent_agents_that_fails_fails_the_operation():
    """The others are waited for."""
    team = [Agent(0.05), Agent(answer={"error": "one"})]
    result = run(lambda: team, kind="concurrent_agents", iterations=1)
    assert result.error_details == ["Iteration 0 failed: one"]
    assert sorted(turn.outcome.value for turn in result.turns) == ["error", "success"]


def test_nothing_concurrent_is_told():
    """One agent and one worker are not concurrent."""
    text = "agent_count and concurrency_level are 1: nothing runs at the same time"
    assert text in run(Agent, kind="concurrent_agents").warnings
    assert text not in run(Agent, kind="concurrent_agents", agent_count=2).warnings


def test_tool_heavy_runs_every_tool_once():
    """After the answer; both together are one turn."""
    kind = equipped()
    result = run(kind, kind="tool_heavy", iterations=2, test_prompts=["find it"])
    assert result.success_rate == 1.0
    assert kind.log[:3] == ["answer", ("search", {"query": "find it"}), ("plain", {})]
    assert len(kind.log) == 6
    assert (result.samples[0].turns, result.avg_turn_latency_ms >= 20) == (1, True)
    assert set(result.individual_results[0]["result"]) == {"answer", "tools"}


def test_the_parameters_of_a_tool_can_be_given():
    """By its name, in the configuration's metadata."""
    kind = equipped()
    run(kind, kind="tool_heavy", iterations=1, metadata={"tool_parameters": {"search": {"query": "q", "limit": 2}}})
    assert kind.log[1] == ("search", {"query": "q", "limit": 2})


def test_memory_intensive_stores_answers_and_searches():
    """All together is one turn."""
    kind = equipped()
    result = run(kind, kind="memory_intensive", iterations=1, test_prompts=["note"])
    assert kind.log == [("store", "note"), "answer", ("retrieve", "note")]
    assert (result.success_rate, result.samples[0].turns) == (1.0, 1)
    assert result.individual_results[0]["result"]["retrieved"] == {"entries": [1]}


@pytest.mark.parametrize("kind", ["tool_heavy", "memory_intensive"])
def test_what_has_tools_or_memory_need_not_answer(kind):
    """Then it is these alone."""
    tools = equipped(generate_reasoning_tree=None)
    result = run(tools, kind=kind, iterations=1)
    assert (result.success_rate, "answer" in tools.log, len(result.turns)) == (1.0, False, 1)


@pytest.mark.parametrize(
    ("kind", "agent", "reason"),
    [
        ("tool_heavy", Agent, "a (Agent) has no method execute_tool"),
        ("tool_heavy", equipped(tools=()), "a has no tools; tool_heavy needs an agent with tools"),
        (
            "tool_heavy",
            equipped(execute_tool=lambda self, name, given: {"status": "error", "error_message": "index down"}),
            "tool search: index down",
        ),
        ("tool_heavy", equipped(execute_tool=lambda self, name, given: None), "tool search gave no result"),
        ("memory_intensive", Agent, "a (Agent) has no method store_memory"),
        (
            "memory_intensive",
            equipped(stored=False),
            "a stored nothing; memory_intensive needs an agent with a memory",
        ),
        ("memory_intensive", equipped(stored={"error": "disk full"}), "store_memory: disk full"),
        (
            "memory_intensive",
            equipped(found=None),
            "retrieve_memory gave nothing; memory_intensive needs an agent with a memory",
        ),
        ("memory_intensive", equipped(found={"error": "lost"}), "retrieve_memory: lost"),
        *[
            (kind, lambda: [Agent(), Agent()], f"the factory gave 2 agents; {kind} without an operation")
            for kind in ("single_turn", "multi_turn", "tool_heavy", "memory_intensive")
        ],
    ],
)
def test_what_a_type_needs_and_does_not_find_is_a_failure(kind, agent, reason):
    """It is said what was missing."""
    result = run(agent, kind=kind, iterations=1)
    assert result.success_rate == 0.0
    assert reason in result.error_details[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_takes_its_own_time(kind):
    """Turns are timed, whatever else goes on; the warm-up is not in it."""
    made = equipped()
    result = run(lambda: made(0.02), kind=kind, agent_count=2, turn_count=2, warmup_iterations=1, iterations=2)
    assert (result.success_rate, result.total_operations) == (1.0, 2)
    per_turn = 40 if kind == "tool_heavy" else 20
    assert per_turn <= result.min_turn_latency_ms < per_turn + 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("synchronous", [True, False])
def test_an_agent_that_raises_fails_every_type(kind, synchronous):
    """With the text of what it raised; its turn is one that failed."""

    class Raising(Equipped):
        def generate_reasoning_tree(self, prompt):
            raise ConnectionError("down")

    class AsyncRaising(Equipped):
        generate_reasoning_tree = None

        async def process(self, prompt):
            raise ConnectionError("down")

    result = run(Raising if synchronous else AsyncRaising, kind=kind, iterations=1, agent_count=2)
    assert result.error_details == ["Iteration 0 failed: down"]
    assert {turn.outcome for turn in result.turns} == {Outcome.ERROR}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("synchronous", [True, False])
def test_every_type_can_time_out(kind, synchronous):
    """The turn that ran then is one that timed out."""

    class Slow(Equipped):
        def generate_reasoning_tree(self, prompt):
            time.sleep(0.4)
            return TREE

    class AsyncSlow(Equipped):
        generate_reasoning_tree = None

        async def process(self, prompt):
            await asyncio.sleep(5)

    result = run(Slow if synchronous else AsyncSlow, kind=kind, iterations=1, agent_count=2, timeout_seconds=0.1)
    assert result.error_details == ["Iteration 0 failed: timed out after 0.1 s"]
    assert {turn.outcome for turn in result.turns} == {Outcome.TIMEOUT}
    time.sleep(0.4)  # the threads that were let go end


@pytest.mark.parametrize("kind", KINDS)
def test_an_operation_of_the_users_goes_before_the_type(kind):
    """It is called once an operation, whatever the type."""
    called = []
    result = run(Agent, lambda agent, prompt: called.append(1), kind=kind, agent_count=3, turn_count=3)
    assert (len(called), result.total_operations, result.success_rate) == (4, 4, 1.0)


def test_turns_that_agents_tell_themselves_are_their_turns():
    """The manual API inside an agent: its spans count, and no second turn is made up."""

    class Telling:
        name = "telling"

        def process(self, prompt):
            return traced("inside", seconds=0.01)

    for kind, turns in (("single_turn", 1), ("multi_turn", 3), ("multi_agent", 2), ("concurrent_agents", 2)):
        result = run(Telling, kind=kind, iterations=2, agent_count=2)
        assert [turn.agent for turn in result.turns] == ["inside"] * 2 * turns
        assert (result.total_tokens_consumed, result.avg_tokens_per_turn) == (15 * 2 * turns, 15.0)
        assert result.avg_cost_usd == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}, {"q": "prompt"}),
        ({"properties": {"q": {"type": "string", "maxLength": 3}, "r": {}}, "required": ["q"]}, {"q": "pro"}),
        ({"properties": {"n": {"type": "integer", "minimum": 5}}, "required": ["n"]}, {"n": 5}),
        ({"properties": {"n": {"type": "number"}}, "required": ["n"]}, {"n": 1}),
        ({"properties": {"b": {"type": "boolean"}}, "required": ["b"]}, {"b": False}),
        ({"properties": {"z": {"type": "null"}}, "required": ["z"]}, {"z": None}),
        ({"properties": {"e": {"enum": ["a", "b"]}}, "required": ["e"]}, {"e": "a"}),
        ({"properties": {"e": {"examples": [7]}}, "required": ["e"]}, {"e": 7}),
        ({"properties": {"d": {"type": "integer", "default": 9}}, "required": ["d"]}, {"d": 9}),
        ({"properties": {"c": {"const": "x"}}, "required": ["c"]}, {"c": "x"}),
        ({"properties": {"s": {"type": ["string", "null"]}}, "required": ["s"]}, {"s": "prompt"}),
        (
            {"properties": {"l": {"type": "array", "items": {"type": "integer"}, "minItems": 2}}, "required": ["l"]},
            {"l": [1, 1]},
        ),
        ({"properties": {"o": {"type": "object", "required": ["i"]}}, "required": ["o"]}, {"o": {"i": "prompt"}}),
        ({"required": ["unknown"]}, {"unknown": "prompt"}),
        ({"properties": [], "required": ["q"]}, {"q": "prompt"}),
        ({"type": "string"}, {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_parameters_are_the_least_that_a_schema_asks_for(schema, made):
    """Only what is required; what the schema itself names goes first."""
    assert parameters_for(schema, "prompt") == made
