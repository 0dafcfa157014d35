"""Many turns at once: exactly the right spans, and none below another's turn."""

import asyncio
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import agentnet_otel
from agentnet_otel import LatencyComponent

THREADS, TURNS_A_THREAD = 50, 200
ASYNC_TURNS = 1000
INFERENCE, TOOL = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION


def check(telemetry, names):
    """Each turn has its own span and exactly its own two components below it."""
    spans = telemetry.spans()
    turns = {s.context.span_id: s for s in spans if s.name.startswith("invoke_agent")}
    assert Counter(t.attributes["agentnet.turn.id"] for t in turns.values()) == Counter(names)
    assert all(t.parent is None for t in turns.values())
    children = Counter()
    for span in spans:
        if span.context.span_id not in turns:
            turn = turns[span.parent.span_id]
            assert span.attributes["agentnet.turn.id"] == turn.attributes["agentnet.turn.id"]
            assert span.context.trace_id == turn.context.trace_id
            assert turn.start_time <= span.start_time <= span.end_time <= turn.end_time
            children[(span.parent.span_id, span.name)] += 1
    assert set(children.values()) == {1}
    assert len(children) == 2 * len(names)


def test_50_threads_with_200_turns_each(telemetry, handle):
    """10,000 turns from 50 threads: 30,000 spans, each where it belongs; metrics are exact."""
    barrier = threading.Barrier(THREADS)

    def work(number):
        barrier.wait()
        for place in range(TURNS_A_THREAD):
            with agentnet_otel.turn(f"a{number % 7}", turn_id=f"{number}-{place}") as turn:
                with turn.component(INFERENCE, model="m") as call:
                    call.record_tokens(input=1, output=2)
                with turn.component(TOOL, "t"):
                    pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(telemetry, [f"{n}-{p}" for n in range(THREADS) for p in range(TURNS_A_THREAD)])
    assert sum(telemetry.metric("agentnet.turns").values()) == THREADS * TURNS_A_THREAD
    assert sum(telemetry.metric("agentnet.tokens").values()) == 3 * THREADS * TURNS_A_THREAD
    assert set(telemetry.metric("agentnet.turn.active").values()) == {0}
    assert len(handle.turns()) == THREADS * TURNS_A_THREAD


def test_1000_concurrent_asyncio_turns(telemetry, handle, caplog):
    """1,000 turns open at the same time on one loop, with work in an executor: no cross-parenting."""
    draw = random.Random(5)
    waits = [draw.random() / 100 for _ in range(ASYNC_TURNS)]

    async def one(number, opened, pool):
        async with agentnet_otel.turn(f"a{number % 5}", turn_id=str(number)) as turn:
            opened.release()
            await all_open.wait()
            async with turn.component(INFERENCE):
                await asyncio.sleep(waits[number])
            await asyncio.get_running_loop().run_in_executor(pool, use_tool, turn)

    def use_tool(turn):
        with turn.component(TOOL, "t"):
            pass

    all_open = asyncio.Event()

    async def main():
        opened = asyncio.Semaphore(0)
        with ThreadPoolExecutor(8) as pool:
            tasks = [asyncio.create_task(one(number, opened, pool)) for number in range(ASYNC_TURNS)]
            for _ in range(ASYNC_TURNS):
                await opened.acquire()
            all_open.set()
            await asyncio.gather(*tasks)

    asyncio.run(main())
    check(telemetry, [str(number) for number in range(ASYNC_TURNS)])
    assert "Failed to detach" not in caplog.text


def test_cancelled_tasks_and_abandoned_generators(telemetry, handle, caplog):
    """Tasks cancelled at every await, generators dropped half-way: turns end as cancelled, nothing is logged."""

    @agentnet_otel.traced_turn("streamer")
    async def stream():
        yield 1
        yield 2

    async def turn_of(number):
        async with agentnet_otel.turn("worker") as turn:
            for step in range(3):
                async with turn.component(TOOL, str(step)):
                    await asyncio.sleep(0.001)

    async def main():
        for number in range(30):
            task = asyncio.create_task(turn_of(number))
            for _ in range(number % 6):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            generator = stream()
            await anext(generator)
            if number % 2:
                await generator.aclose()
            del generator
        await asyncio.get_running_loop().shutdown_asyncgens()

    asyncio.run(main())
    assert "Failed to detach" not in caplog.text
    outcomes = Counter(t.attributes["agentnet.turn.outcome"] for t in telemetry.spans("invoke_agent"))
    assert outcomes["cancelled"] >= 50
    assert set(outcomes) <= {"cancelled", "success"}
