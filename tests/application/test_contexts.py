"""What is current: in generators, tasks, executors and copied contexts, whoever ends what when."""

import asyncio
import contextvars
import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

import agentnet_otel
from agentnet_otel import LatencyComponent

TOOL, INFERENCE = LatencyComponent.TOOL_EXECUTION, LatencyComponent.INFERENCE


@pytest.fixture(autouse=True)
def silent(caplog):
    """Nothing is logged: neither "Failed to detach context" nor an exception that nobody retrieved."""
    caplog.set_level(logging.WARNING)
    yield
    gc.collect()
    assert not caplog.records, caplog.text


@agentnet_otel.traced_turn("decorated")
async def decorated():
    """A turn that is an async generator."""
    turn = agentnet_otel.current_turn()
    with turn.component(TOOL, "one"):
        yield 1
    with turn.component(TOOL, "two"):
        yield 2


async def around_yields():
    """A turn around the yields of an async generator."""
    with agentnet_otel.turn("around") as turn:
        with turn.component(TOOL, "one"):
            yield 1
        with turn.component(TOOL, "two"):
            yield 2


GENERATORS = pytest.mark.parametrize("make", [decorated, around_yields])


def outcomes(telemetry):
    """Outcomes of the turns."""
    return [span.attributes["agentnet.turn.outcome"] for span in telemetry.spans("invoke_agent")]


def parents(telemetry):
    """Names of the spans above each span."""
    names = {span.context.span_id: span.name for span in telemetry.spans()}
    return {span.name: span.parent and names[span.parent.span_id] for span in telemetry.spans()}


def nothing_current():
    """Whether no span is current here."""
    return agentnet_otel.current_turn() is None and trace.get_current_span() is trace.INVALID_SPAN


@GENERATORS
def test_a_generator_to_its_end(telemetry, handle, make):
    """Both parts stand below the turn, though each lasts over a yield."""

    async def main():
        assert [item async for item in make()] == [1, 2]
        assert nothing_current()

    asyncio.run(main())
    assert outcomes(telemetry) == ["success"]
    turn = telemetry.spans("invoke_agent")[0].name
    assert parents(telemetry) == {"execute_tool one": turn, "execute_tool two": turn, turn: None}


@GENERATORS
def test_a_generator_closed_late(telemetry, handle, make):
    """The consumer does other work, with a turn of its own, before it closes."""

    async def main():
        generator = make()
        await anext(generator)
        await asyncio.sleep(0.001)
        with agentnet_otel.turn("other"):
            await asyncio.sleep(0)
        await generator.aclose()

    asyncio.run(main())
    assert outcomes(telemetry) == ["success", "cancelled"]


@GENERATORS
def test_a_generator_closed_in_another_task(telemetry, handle, make):
    """Begun in one task, gone on with in a second, closed in a third."""

    async def main():
        generator = make()
        assert await asyncio.create_task(first_of(generator)) == 1
        assert await asyncio.create_task(first_of(generator)) == 2
        await asyncio.create_task(close(generator))
        assert nothing_current()

    async def first_of(generator):
        return await anext(generator)

    async def close(generator):
        await generator.aclose()

    asyncio.run(main())
    assert outcomes(telemetry) == ["cancelled"]
    turn = telemetry.spans("invoke_agent")[0].name
    assert parents(telemetry) == {"execute_tool one": turn, "execute_tool two": turn, turn: None}


@GENERATORS
@pytest.mark.parametrize("inside", [True, False], ids=["loop runs", "loop ends"])
def test_a_generator_that_is_dropped(telemetry, handle, make, inside):
    """The garbage collector, or the end of the loop, closes it."""

    async def main():
        generator = make()
        await anext(generator)
        if inside:
            del generator
            gc.collect()
            await asyncio.sleep(0.01)
            assert outcomes(telemetry) == ["cancelled"]
        else:
            kept.append(generator)

    kept = []
    asyncio.run(main())
    assert outcomes(telemetry) == ["cancelled"]


def test_many_generators_at_the_end_of_the_loop(telemetry, handle):
    """The loop closes them all at once, in any order: each once, and each has the time to clean up."""
    cleaned, kept = [], []

    @agentnet_otel.traced_turn("slow to close")
    async def slow_to_close():
        try:
            yield 1
        finally:
            await asyncio.sleep(0.001)
            cleaned.append(1)

    async def main():
        for _ in range(50):
            kept.append(slow_to_close())
            await anext(kept[-1])

    asyncio.run(main())
    assert len(cleaned) == 50
    assert outcomes(telemetry) == ["cancelled"] * 50


def test_generators_that_end_in_the_order_in_which_they_began(telemetry, handle):
    """Of two generators of one thread the first ends first: afterwards neither is current."""

    def work(name):
        with agentnet_otel.turn(name):
            yield agentnet_otel.current_turn().agent

    before = otel_context.get_current()
    one, two = work("one"), work("two")
    assert [next(one), next(two)] == ["one", "two"]
    one.close()
    assert agentnet_otel.current_turn().agent == "two"
    two.close()
    assert otel_context.get_current() == before


def test_turns_that_end_in_any_order(telemetry, handle):
    """Begun and ended by hand: what is still open stays current, what has ended never comes back."""
    made = [agentnet_otel.turn(name).start() for name in "abcd"]
    for place, current in ((2, "d"), (0, "d"), (3, "b"), (1, None)):
        made[place].end()
        here = agentnet_otel.current_turn()
        assert (here and here.agent) == current
    assert nothing_current()


def test_a_forgotten_component_does_not_stay(telemetry, handle):
    """A turn that ends takes with it what was begun inside and never ended."""
    with agentnet_otel.turn("a") as turn:
        turn.component(TOOL, "forgotten").start()
    assert nothing_current()


def test_a_task_that_outlives_the_component_it_was_started_in(telemetry, handle):
    """It is still in the turn: what it does stands below the turn, not below what has ended."""

    async def later(go_on):
        await go_on.wait()
        with agentnet_otel.current_turn().component(INFERENCE, model="m"):
            return agentnet_otel.current_turn().agent

    async def main():
        go_on = asyncio.Event()
        async with agentnet_otel.turn("a") as turn:
            async with turn.component(TOOL, "t"):
                task = asyncio.create_task(later(go_on))
                await asyncio.sleep(0)
            go_on.set()
            assert await task == "a"

    asyncio.run(main())
    assert parents(telemetry) == {
        "execute_tool t": "invoke_agent a",
        "chat m": "invoke_agent a",
        "invoke_agent a": None,
    }


async def steps(count=3):
    """A turn with components, with an await in each."""
    async with agentnet_otel.turn("worker") as turn:
        for step in range(count):
            async with turn.component(TOOL, str(step)):
                await asyncio.sleep(0.001)


def test_cancelled_at_every_await(telemetry, handle):
    """Wherever a task is cancelled, its turn ends as cancelled."""

    async def main():
        for number in range(1, 8):
            task = asyncio.create_task(steps())
            for _ in range(number):
                await asyncio.sleep(0.0005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert set(outcomes(telemetry)) <= {"cancelled", "success"}
    assert outcomes(telemetry).count("cancelled") >= 3


def test_a_task_group_whose_member_fails(telemetry, handle):
    """The group cancels the others; the failure arrives in its group."""

    async def fail():
        async with agentnet_otel.turn("failing"):
            await asyncio.sleep(0.001)
            raise LookupError

    async def main():
        async with agentnet_otel.turn("outer"), asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(steps(99))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert [type(error) for error in caught.value.exceptions] == [LookupError]
    assert sorted(outcomes(telemetry)) == ["cancelled"] * 5 + ["error"] * 2
    above = {span.name: span.parent for span in telemetry.spans("invoke_agent")}
    assert above["invoke_agent outer"] is None
    assert above["invoke_agent worker"].span_id == telemetry.spans("invoke_agent outer")[0].context.span_id


@pytest.mark.parametrize("way", ["timeout", "wait_for"])
def test_time_outs_of_asyncio(telemetry, handle, way):
    """Inside it is a cancellation, outside a time-out."""

    async def main():
        async with agentnet_otel.turn("outer"):
            if way == "wait_for":
                await asyncio.wait_for(steps(99), 0.01)
            async with asyncio.timeout(0.01):
                await steps(99)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert outcomes(telemetry) == ["cancelled", "timeout"]


def test_anyio(telemetry, handle):
    """Its task groups, cancel scopes and worker threads."""

    def in_thread():
        with agentnet_otel.current_turn().component(INFERENCE, model="m"):
            return agentnet_otel.current_turn().agent

    async def main():
        async with agentnet_otel.turn("outer"), anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(steps)
            with anyio.move_on_after(0.005):
                await steps(99)
            assert await anyio.to_thread.run_sync(in_thread) == "outer"

    anyio.run(main)
    assert sorted(outcomes(telemetry)) == ["cancelled", "success", "success", "success", "success"]
    assert parents(telemetry)["chat m"] == "invoke_agent outer"
    assert parents(telemetry)["invoke_agent worker"] == "invoke_agent outer"


def test_executors(telemetry, handle):
    """With the context carried along the turn is found; without it only the turn itself leads there."""

    def look():
        here = agentnet_otel.current_turn()
        return here and here.agent

    def use(turn):
        with turn.component(TOOL, "t"):
            return look()

    async def main(pool):
        loop = asyncio.get_running_loop()
        async with agentnet_otel.turn("a") as turn:
            plain = await loop.run_in_executor(pool, look)
            carried = await loop.run_in_executor(pool, contextvars.copy_context().run, look)
            return plain, carried, await loop.run_in_executor(pool, use, turn), await asyncio.to_thread(look)

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(main(pool)) == (None, "a", "a", "a")
        assert pool.submit(nothing_current).result()
    assert parents(telemetry) == {"execute_tool t": "invoke_agent a", "invoke_agent a": None}


def test_copied_contexts(telemetry, handle):
    """A turn begun in a copy and ended outside, and the other way round."""
    turn = agentnet_otel.turn("inside")
    contextvars.copy_context().run(turn.start)
    assert nothing_current()
    turn.end()
    with agentnet_otel.turn("outside") as outer:
        copy = contextvars.copy_context()
        copy.run(outer.end)
        assert copy.run(nothing_current)
    assert nothing_current()
    assert outcomes(telemetry) == ["success", "success"]


def test_ended_by_many_at_once(telemetry, handle):
    """Threads that end the same turns and components at the same time end each once."""
    for _ in range(50):
        turn = agentnet_otel.turn("a").start(current=False)
        part = turn.component(TOOL, "t").start(current=False)
        barrier = threading.Barrier(6)

        def end(what, barrier=barrier):
            barrier.wait()
            what.end()

        threads = [threading.Thread(target=end, args=(what,)) for what in (turn, part) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(telemetry.spans()) == 100
    assert sum(telemetry.metric("agentnet.turns").values()) == 50
    assert set(telemetry.metric("agentnet.turn.active").values()) == {0}
    assert sum(telemetry.metric("agentnet.tool.calls").values()) == 50
