"""How operations are run: where, how many at once, for how long, and what counts as failed."""

import asyncio
import functools
import gc
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from unittest.mock import AsyncMock, MagicMock

import pytest
from harness_agents import TREE, Agent, AsyncAgent, config, fresh, run

import agentnet_otel
from agentnet_otel.model import Outcome
from agentnet_otel.performance import PerformanceHarness
from agentnet_otel.performance import run as run_module
from agentnet_otel.performance.calls import Caller, _step_through, runs_through
from agentnet_otel.performance.daemon_threads import DaemonThreads

ERROR_TREE = {
    "root": "a_error",
    "result": {"content": "[a] Unexpected error: no route", "confidence": 0.0, "error": True},
    "metadata": {"error": "no route"},
}
FAULT_TREE = {
    "root": "a_fault",
    "result": {"content": "said something", "confidence": 0.1, "fault": True},
    "metadata": {"cognitive_fault": {"message": "not allowed", "severity": "major"}},
}


class Odd:
    """An object whose properties fail."""

    @property
    def success(self):
        raise RuntimeError("not now")


@dataclass
class Answer:
    """An object that says whether it succeeded."""

    success: bool
    error_message: str | None = None


# --- where calls run ---------------------------------------------------------------------------------------


def on_loop():
    """Whether the caller runs on an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def awaits_nothing(agent, prompt):
    """A synchronous turn in the clothes of a coroutine."""
    return agent.generate_reasoning_tree(prompt)


async def awaits(agent, prompt):
    """A coroutine."""
    await asyncio.sleep(0)
    return {"on_loop": on_loop()}


async def enters(agent, prompt):
    """Awaits by ``async with``."""
    async with asyncio.Lock():
        return {"on_loop": on_loop()}


async def iterates(agent, prompt):
    """Awaits by ``async for``."""

    async def numbers():
        yield 1

    async for _ in numbers():
        pass
    return {"on_loop": on_loop()}


async def comprehends(agent, prompt):
    """Awaits in a comprehension."""

    async def numbers():
        yield 1

    return {"on_loop": on_loop(), "numbers": [n async for n in numbers()]}


async def makes_task(agent, prompt):
    """Awaits nothing, but needs the loop."""
    return asyncio.create_task(asyncio.sleep(0, {"on_loop": on_loop()}))


@pytest.mark.parametrize("operation", [awaits, enters, iterates, comprehends, makes_task])
def test_a_coroutine_that_awaits_stays_on_the_loop(operation):
    """However it awaits, and where it needs the loop without awaiting."""
    result = run(Agent, operation, iterations=1)
    assert result.individual_results[0]["result"]["on_loop"] is True


def test_a_synchronous_turn_in_a_coroutine_runs_in_a_thread():
    """The trap of the documented samples: an engine that starts a loop of its own would fail on ours."""

    class LoopStarting(Agent):
        def generate_reasoning_tree(self, prompt):
            return asyncio.run(asyncio.sleep(0.001, TREE))

    result = run(LoopStarting, awaits_nothing)
    assert (result.success_rate, result.individual_results[0]["result"]) == (1.0, TREE)


@pytest.mark.parametrize(
    "operation",
    [
        None,
        awaits_nothing,
        lambda agent, prompt: agent.generate_reasoning_tree(prompt),
        lambda *given: awaits_nothing(*given),  # noqa: PLW0108 - synchronous, and gives a coroutine
        functools.partial(awaits_nothing),
        agentnet_otel.traced_turn("decorated")(awaits_nothing),
    ],
)
def test_a_synchronous_turn_never_runs_on_the_loop(operation):
    """Neither the default operation, nor one of the user's, whatever it is dressed in."""
    kind = fresh(Agent)
    result = run(kind, operation)
    assert result.success_rate == 1.0
    assert [loop for _, loop in kind.asked] == [False] * 4


def test_awaiting_nothing_is_told_from_the_code():
    """With and without an instruction that awaits; other awaitables have no code to look at."""

    async def waiting():
        await asyncio.sleep(0)

    for function, through in ((waiting, False), (awaits_nothing, True)):
        coroutine = function(*[None, None][: function.__code__.co_argcount])
        assert runs_through(coroutine) is through
        coroutine.close()
    assert runs_through(object()) is False


def test_a_coroutine_that_stops_though_it_awaits_nothing_is_told():
    """It cannot be, by its code; if it were, it would not be left half done."""
    coroutine = awaits(None, "p")
    with pytest.raises(RuntimeError, match="stopped on its way"):
        _step_through(coroutine)


@pytest.mark.parametrize("kind", ["function", "method", "callable", "mock", "returns coroutine", "awaitable"])
def test_an_operation_may_be_anything_that_can_be_called(kind):
    """Synchronous or not, plain or wrapped; what it gives in the end is the result."""

    async def function(agent, prompt):
        await asyncio.sleep(0)
        return prompt

    class Callable:
        async def __call__(self, agent, prompt):
            return await function(agent, prompt)

        async def method(self, agent, prompt):
            return await function(agent, prompt)

    class Awaitable:
        def __await__(self):
            return asyncio.sleep(0, "p").__await__()

    operation = {
        "function": function,
        "method": Callable().method,
        "callable": Callable(),
        "mock": AsyncMock(return_value="p"),
        "returns coroutine": lambda *given: function(*given),  # noqa: PLW0108 - as above
        "awaitable": lambda agent, prompt: Awaitable(),
    }[kind]
    result = run(MagicMock, operation, iterations=1, test_prompts=["p"])
    assert (result.error_details, result.individual_results[0]["result"]) == ([], "p")


@pytest.mark.parametrize("kind", [Agent, AsyncAgent])
@pytest.mark.parametrize("level", [1, 4])
def test_workers_really_overlap(kind, level):
    """As many as the level says, of synchronous and of coroutine agents; waiting for a worker is no latency."""
    agent = fresh(kind)
    result = run(lambda: agent(0.1), iterations=8, concurrency_level=level)
    assert agent.most_busy == level
    assert 100 <= result.min_turn_latency_ms < 300
    assert result.total_duration >= 0.8 / level
    assert result.total_duration < 0.8 or level == 1


def test_an_agent_is_asked_by_its_best_method():
    """A tree, else process, else infer."""

    class Process:
        def process(self, prompt):
            return f"processed {prompt}"

        infer = None

    class Infer:
        async def infer(self, prompt):
            return f"inferred {prompt}"

    class All(Process, Agent):
        pass

    answers = [run(k, iterations=1, test_prompts=["p"]).individual_results[0]["result"] for k in (All, Process, Infer)]
    assert answers == [TREE, "processed p", "inferred p"]


def test_an_agent_with_a_coroutine_engine_is_asked_by_its_coroutine_entry():
    """The other one would not await the engine, and give the text of a coroutine as its answer."""

    class Engine:
        async def infer(self, prompt):
            """Never called here."""

    class Framework(Agent):
        engine = Engine()

        async def async_generate_reasoning_tree(self, prompt):
            return {"result": {"content": "async"}}

    assert run(Framework, iterations=1).individual_results[0]["result"]["result"]["content"] == "async"


# --- what counts as failed ---------------------------------------------------------------------------------


def raising(error):
    """An operation that raises."""

    def operation(agent, prompt):
        raise error

    return operation


FAILED_ANSWERS = [
    (ERROR_TREE, "no route", Outcome.ERROR),
    (FAULT_TREE, "not allowed", Outcome.FAULT),
    ({"error": "broken"}, "broken", Outcome.ERROR),
    ({"error": True}, "error is True", Outcome.ERROR),
    ({"fault": "refused"}, "refused", Outcome.FAULT),
    ({"result": {"error": "inner"}}, "inner", Outcome.ERROR),
    ({"result": {"error": True, "content": "it broke"}}, "it broke", Outcome.ERROR),
    ({"success": False}, "success is False", Outcome.ERROR),
    ({"success": False, "error": None, "reason": "too late"}, "too late", Outcome.ERROR),
    ({"success": True, "error": "broken"}, "broken", Outcome.ERROR),
    ({"error": ValueError("inside")}, "inside", Outcome.ERROR),
    ({"status": "timeout", "error_message": "slow tool"}, "slow tool", Outcome.ERROR),
    (ValueError("returned"), "returned", Outcome.ERROR),
    (Answer(success=False), "it says so", Outcome.ERROR),
    (Answer(success=False, error_message="told"), "told", Outcome.ERROR),
    ([TREE, ERROR_TREE], "no route", Outcome.ERROR),
    ({"error": "x" * 600}, "x" * 500 + "...", Outcome.ERROR),
]


@pytest.mark.parametrize(("answer", "reason", "outcome"), FAILED_ANSWERS)
def test_what_says_that_it_failed_has_failed(answer, reason, outcome):
    """Trees of errors and faults, at the top or under their result, and answers that deny success."""
    for result in (run(Agent, lambda agent, prompt: answer), run(lambda: Agent(answer=answer))):
        assert (result.failed_operations, result.successful_operations, result.success_rate) == (4, 0, 0.0)
        assert result.error_details[1] == f"Iteration 1 failed: {reason}"
        assert result.samples[0].outcome is outcome
        told = result.individual_results[0]
        assert (told["success"], told["error"], told["result"]) == (False, reason, answer)
        assert not result.passed_thresholds


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        0,
        {},
        TREE,
        {"success": True},
        {"success": 0, "error": None},
        {"result": None},
        Answer(success=True),
        Odd(),
    ],
)
def test_everything_else_that_is_returned_is_a_success(answer):
    """Of any type."""
    result = run(Agent, lambda agent, prompt: answer)
    assert (result.success_rate, result.error_details) == (1.0, [])
    assert "error" not in result.individual_results[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("wrong"), "wrong"),
        (KeyError(), "KeyError"),
        (TimeoutError("theirs"), "theirs"),
        (StopIteration(), ""),
    ],
)
def test_what_raises_has_failed_with_the_text_of_its_exception(error, reason):
    """In a thread and on the loop; a time-out of the operation's own is not one of ours."""

    async def operation(agent, prompt):
        await asyncio.sleep(0)
        raise error

    results = [run(Agent, raising(error)), run(Agent, operation)]
    for result in results:
        assert result.success_rate == 0.0
        assert reason in result.individual_results[0]["error"]
        assert result.samples[0].outcome is Outcome.ERROR


def test_a_failure_takes_the_time_that_it_took():
    """It is not instantaneous, but it is no latency either."""

    def operation(agent, prompt):
        time.sleep(0.02)
        raise ValueError

    result = run(Agent, operation)
    assert result.individual_results[0]["duration_ms"] >= 20
    assert result.avg_turn_latency_ms == 0.0


def test_an_agent_without_a_method_has_failed():
    """The reason says what it lacks."""
    result = run(object)
    assert result.success_rate == 0.0
    assert "generate_reasoning_tree, process, infer" in result.error_details[0]
    assert result.turns == []


def test_an_operation_that_cancels_itself_has_failed():
    """Nobody else did."""

    async def operation(agent, prompt):
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    assert run(Agent, operation).error_details[0].endswith("cancelled from within")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_the_end_of_the_process_is_no_failure(error):
    """It passes, and what was measured is kept."""
    harness = PerformanceHarness()

    def operation(agent, prompt):
        if prompt == "last":
            raise error
        return "fine"

    with pytest.raises(error):
        asyncio.run(harness.run_benchmark(config(test_prompts=["first", "last"]), Agent, operation))
    assert harness.get_latest_result().total_operations == 1
    assert not harness.get_latest_result().completed


# --- time-outs ---------------------------------------------------------------------------------------------


def test_a_coroutine_that_takes_too_long_is_cancelled():
    """It counts as timed out, and hears of it."""
    cancelled = []

    async def operation(agent, prompt):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(prompt)
            raise

    begun = time.perf_counter()
    result = run(Agent, operation, iterations=2, timeout_seconds=0.05)
    assert time.perf_counter() - begun < 2
    assert len(cancelled) == 2
    assert result.error_details[0] == "Iteration 0 failed: timed out after 0.05 s"
    assert {sample.outcome for sample in result.samples} == {Outcome.TIMEOUT}
    assert 40 <= result.individual_results[0]["duration_ms"] < 1000  # its clock starts a little after the limit's
    assert [turn.outcome for turn in result.turns] == [Outcome.TIMEOUT] * 2


def test_a_thread_that_takes_too_long_is_left_to_itself():
    """Nobody waits for it, and what it answers later counts nowhere."""
    go_on = threading.Event()

    class Hanging(Agent):
        def generate_reasoning_tree(self, prompt):
            go_on.wait(10)
            return {**TREE, "cost_record": {"tokens_input": 5, "tokens_output": 5}}

    begun = time.perf_counter()
    result = run(Hanging, iterations=2, timeout_seconds=0.05)
    took = time.perf_counter() - begun
    go_on.set()
    wait_for_threads()
    assert took < 2
    assert (result.failed_operations, result.total_tokens_consumed) == (2, 0)
    assert result.error_details[0].endswith("timed out after 0.05 s")


def wait_for_threads():
    """Until the threads that were let go have ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("agentnet-otel"):
            thread.join(10)


def test_what_holds_the_loop_for_too_long_is_timed_out_all_the_same():
    """Nobody can cancel it, but it took too long."""

    async def operation(agent, prompt):
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - that is the point

    result = run(Agent, operation, iterations=1, timeout_seconds=0.05)
    assert result.samples[0].outcome is Outcome.TIMEOUT


def test_a_coroutine_that_ignores_its_cancellation_holds_nobody(monkeypatch):
    """It is left alone after a moment, and told."""
    monkeypatch.setattr(run_module, "GRACE_S", 0.05)
    ended = []

    async def main():
        release = asyncio.Event()

        async def operation(agent, prompt):
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            ended.append(prompt)

        harness = PerformanceHarness()
        result = await harness.run_benchmark(config(iterations=1, timeout_seconds=0.05), Agent, operation)
        assert not ended
        release.set()
        await asyncio.sleep(0.01)
        return result

    result = asyncio.run(main())
    assert ended
    assert any("was left alone" in warning for warning in result.warnings)


def test_a_hanging_agent_does_not_hold_the_exit_of_the_process():
    """A program whose agent hangs for a minute ends at once."""
    program = (
        "import asyncio, time\n"
        "from agentnet_otel.performance import *\n"
        "class Agent:\n"
        "    def process(self, prompt): time.sleep(60)\n"
        "config = BenchmarkConfig('c', 'single_turn', iterations=1, warmup_iterations=0, timeout_seconds=0.1)\n"
        "print(asyncio.run(PerformanceHarness().run_benchmark(config, Agent)).error_details)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout == "['Iteration 0 failed: timed out after 0.1 s']\n"
    assert ended.stderr == ""


# --- agents ------------------------------------------------------------------------------------------------


def test_the_factory_is_called_once_an_operation_and_not_timed():
    """Warm-up included; synchronous or not."""
    made = []

    def factory():
        made.append(1)
        time.sleep(0.03)
        return Agent()

    async def coroutine_factory():
        await asyncio.sleep(0)
        return factory()

    for one in (factory, coroutine_factory):
        made.clear()
        result = run(one, warmup_iterations=2)
        assert len(made) == 6
        assert result.min_turn_latency_ms < 30 <= 1000 * result.total_duration / 4


@pytest.mark.parametrize("error", [ValueError("no agent"), None])
def test_an_error_of_the_factory_fails_the_operation(error):
    """And only that."""
    made = []

    def factory():
        made.append(1)
        if len(made) == 2:
            raise error or ConnectionError
        return Agent()

    result = run(factory)
    assert (result.successful_operations, result.failed_operations) == (3, 1)
    assert result.error_details == [f"Iteration 1 failed: {error or 'ConnectionError'}"]
    assert len(result.turns) == 3


def test_a_fixture_is_closed_after_each_operation():
    """What stands behind the yield runs, also after a failure."""
    opened, closed = [], []

    async def fixture():
        opened.append(1)
        yield Agent()
        await asyncio.sleep(0)
        closed.append(1)

    result = run(fixture, warmup_iterations=1)
    assert (len(opened), len(closed), result.success_rate) == (5, 5, 1.0)
    run(fixture, raising(ValueError("x")))
    assert (len(opened), len(closed)) == (9, 9)


def test_troubles_of_a_fixture_are_told_and_are_no_failures(monkeypatch):
    """One that yields nothing fails its operation; what goes wrong in closing does not."""
    monkeypatch.setattr("agentnet_otel.performance.agents.CLOSING_TIME_S", 0.05)

    async def nothing():
        return
        yield

    async def twice():
        yield Agent()
        yield Agent()

    async def breaking():
        yield Agent()
        raise ValueError("left open")

    async def hanging():
        yield Agent()
        await asyncio.sleep(10)

    assert "yielded no agent" in run(nothing).error_details[0]
    assert run(twice).success_rate == 1.0
    broken = run(breaking)
    assert (broken.success_rate, broken.warnings[-1]) == (1.0, "a fixture failed to close: left open (4 times)")
    assert "did not close within 0.05 s" in run(hanging).warnings[-1]


def test_the_newer_dialect_calls_it_a_fixture():
    """The same argument by its other name; both at once are refused."""

    async def fixture():
        yield Agent()

    harness = PerformanceHarness()
    result = asyncio.run(harness.run_benchmark(config(min_rounds=3), agent_fixture=fixture, operation_func=awaits))
    assert (result.total_iterations, result.passed) == (7, True)
    with pytest.raises(ValueError, match="agent_fixture"):
        asyncio.run(harness.run_benchmark(config(), Agent, agent_fixture=fixture))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (({}, Agent), "config"),
        ((config(), None), "agent_factory"),
        ((config(), Agent()), "agent_factory"),
        ((config(), Agent, "operation"), "operation_func"),
    ],
)
def test_a_wrong_argument_is_named(arguments, field):
    """Before anything runs."""
    with pytest.raises(ValueError, match=field):
        asyncio.run(PerformanceHarness().run_benchmark(*arguments))


def test_a_configuration_that_was_spoilt_later_is_refused():
    """It is checked again before it is used."""
    spoilt = config()
    spoilt.iterations = -1
    with pytest.raises(ValueError, match="iterations cannot be -1"):
        asyncio.run(PerformanceHarness().run_benchmark(spoilt, Agent))


def test_an_operation_gets_what_the_factory_gave_and_each_prompt_in_turn():
    """An agent or a list; the prompts go round."""
    seen = []
    team = [Agent(), Agent()]
    run(lambda: team, lambda agents, prompt: seen.append((agents, prompt)), kind="multi_agent", agent_count=3)
    run(Agent, lambda agent, prompt: seen.append((type(agent), prompt)), iterations=3, test_prompts=["x", "y"])
    assert [agents is team for agents, _ in seen[:4]] == [True] * 4
    assert seen[4:] == [(Agent, "x"), (Agent, "y"), (Agent, "x")]


def test_agents_are_released_with_their_operation():
    """Nothing of ours keeps them: not the result, not a failure's traceback."""
    alive = []

    def factory():
        agent = Agent()
        alive.append(weakref.ref(agent))
        return agent

    def failing(agent, prompt):
        raise ValueError(prompt)

    for operation in (None, failing):
        alive.clear()
        result = run(factory, operation)
        gc.collect()
        assert result.total_operations == 4
        assert [reference() for reference in alive] == [None] * 4


# --- threads -----------------------------------------------------------------------------------------------


def test_threads_are_used_again_and_end_with_the_run():
    """One is enough for calls one after the other."""

    async def main():
        threads = DaemonThreads()
        caller = Caller(threads)
        used = {await caller.call(threading.get_ident) for _ in range(5)}
        threads.close()
        return used

    assert len(asyncio.run(main())) == 1


def test_a_thread_that_outlives_its_loop_ends_quietly():
    """There is nobody left to tell."""
    go_on = threading.Event()

    async def main():
        threads = DaemonThreads()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(threads.run(go_on.wait, 10), 0.05)
        threads.close()

    asyncio.run(main())
    go_on.set()
    wait_for_threads()


def test_a_late_answer_of_a_thread_is_dropped():
    """The call was given up while its loop still runs; then the thread serves others again."""
    go_on = threading.Event()

    async def main():
        threads = DaemonThreads()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(threads.run(go_on.wait, 10), 0.05)
        go_on.set()
        await asyncio.sleep(0.1)
        assert await threads.run(lambda: "again") == "again"
        threads.close()

    asyncio.run(main())
