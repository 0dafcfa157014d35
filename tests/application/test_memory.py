"""Memory over a long life: after the documented buffers are full, nothing grows."""

import asyncio
import contextlib
import gc
import threading
from collections import Counter

import pytest

import agentnet_otel
from agentnet_otel import LatencyComponent
from agentnet_otel.instrumentation import lifecycle
from agentnet_otel.instrumentation.lifecycle import lifecycle as open_now

INFERENCE, TOOL = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION
ROUND = 400
"""Turns between two looks at the heap."""

LONG_LIFE = """
import gc, sys
import psutil
import agentnet_otel
from agentnet_otel import LatencyComponent
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.metrics import MeterProvider

handle = agentnet_otel.instrument(
    tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=MeterProvider(shutdown_on_exit=False)
)
process = psutil.Process()

def run(turns):
    for number in range(turns):
        with agentnet_otel.turn(f"a{number % 9}", prompt="hi", conversation_id=str(number // 10)) as turn:
            turn.record_tokens(input=10, output=5)
            if number % 10 == 0:
                with turn.component(LatencyComponent.INFERENCE, model="m") as call:
                    call.record_tokens(input=10, output=5)
                with turn.component(LatencyComponent.TOOL_EXECUTION, "t"):
                    pass
    gc.collect()
    return process.memory_info().rss / 1e6

warm = run(20_000)
with agentnet_otel.session("one-session-that-never-ends"):
    session = run(40_000)
end = run(140_000)
assert len(handle.turns()) == 10_000
print(warm, session, end)
assert max(session, end) < warm * 1.1 + 5, (warm, session, end)
"""


@pytest.mark.slow
def test_memory_stays_flat_over_200000_turns(run_application):
    """The process does not grow, neither with traces of their own nor in one session."""
    run_application(LONG_LIFE)


def turns_that_raise(number):
    """Each with an exception class of its own, which holds a large frame."""
    kind = type(f"E{number % 50}", (ValueError,), {})
    with contextlib.suppress(ValueError), agentnet_otel.turn("a", prompt="x" * 1000) as turn, turn.component(TOOL, "t"):
        held = bytearray(10_000)
        raise kind(f"{len(held)} {number}")


def turns_with_content(number):
    """Prompts, arguments and answers that are all different."""
    with agentnet_otel.turn("a", prompt=f"{number} " * 500) as turn:
        with turn.component(TOOL, "t") as tool:
            tool.record_tool_call(arguments={"a": f"{number}" * 500}, result=list(range(200)))
        turn.set_response(f"{number} " * 900)


def turns_with_names_of_their_own(number):
    """Each agent, model, tool, rule, outcome and id is used once."""
    name = f"{number}-{id(number)}"
    with agentnet_otel.turn(f"a{name}", model=f"m{name}", conversation_id=f"c{name}") as turn:
        with turn.component(TOOL, f"t{name}") as tool:
            tool.record_tool_call(call_id=f"i{name}", outcome=f"o{name}")
        with turn.component(INFERENCE, model=f"m{name}", provider=f"p{name}") as call:
            call.record_tokens(input=1, output=2)
        turn.record_policy_violation(f"r{name}", f"s{name}")


def turns_in_threads(number):
    """A thread a turn."""
    thread = threading.Thread(target=turns_with_content, args=(number,))
    thread.start()
    thread.join()


def generators_that_are_dropped(number):
    """Closed by the garbage collector."""

    @agentnet_otel.traced_turn("a")
    def stream():
        yield number
        yield number

    next(stream())


def turns_that_nobody_ends(number):
    """Current in the context for ever, as far as their owner goes."""
    turn = agentnet_otel.turn("a").start()
    turn.component(TOOL, "t").start()


def turns_that_nobody_ends_or_sees(number):
    """The same, without being current."""
    agentnet_otel.turn("a").start(current=False).component(TOOL, "t").start(current=False)


WAYS = [
    turns_that_raise,
    turns_with_content,
    turns_with_names_of_their_own,
    turns_in_threads,
    generators_that_are_dropped,
    turns_that_nobody_ends,
    turns_that_nobody_ends_or_sees,
]


def heap(handle):
    """How many objects there are of each type, without the turns that are kept to be read."""
    handle.live.forget()
    handle.latency.clear_measurements()
    handle.tokens.clear_metrics()
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects())


@pytest.fixture
def bounded(monkeypatch):
    """A bound of open spans that is reached in a test."""
    monkeypatch.setattr(lifecycle, "MAX_OPEN", 50)


@pytest.fixture
def capturing(telemetry, bounded):
    """`instrument()` that records content, without keeping spans."""
    telemetry.close()
    provider = type(telemetry.tracer_provider)(shutdown_on_exit=False)
    handle = agentnet_otel.instrument(tracer_provider=provider, capture_content="SPAN_AND_EVENT")
    yield handle
    handle.shutdown()
    for span in list(open_now.open_spans()):
        span.abandon()


def growth(handle, work):
    """By how many objects the heap grew from one round to the next, after two rounds."""
    looks = []
    for _ in range(4):
        work()
        looks.append(sum(heap(handle).values()))
    return looks[-1] - looks[-2]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_kept(capturing, way):
    """Hundreds of further turns leave no object behind."""

    def work():
        for number in range(ROUND):
            way(number)

    context = contextlib.ExitStack() if way is not turns_that_nobody_ends else in_a_context_of_its_own()
    with context:
        assert growth(capturing, work) < ROUND / 10


@contextlib.contextmanager
def in_a_context_of_its_own():
    """What is never ended stays current: give the context back after the test."""
    from opentelemetry import context as otel_context  # noqa: PLC0415

    token = otel_context.attach(otel_context.get_current())
    yield
    otel_context.detach(token)


def test_tasks_that_start_each_other(capturing):
    """Each is started inside the turn of the one before, and so has a copy of its context."""

    async def main():
        ended = asyncio.Event()
        tasks = set()

        async def step(left):
            async with agentnet_otel.turn("a"):
                if left:
                    start(left - 1)
                else:
                    ended.set()

        def start(left):
            task = asyncio.create_task(step(left))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        start(ROUND)
        await ended.wait()

    assert growth(capturing, lambda: asyncio.run(main())) < ROUND / 10


def test_what_nobody_ends_is_bounded_and_counted(telemetry, handle, monkeypatch):
    """Beyond the bound the oldest is ended, marked, exported and counted; its owner may still end it, silently."""
    monkeypatch.setattr(lifecycle, "MAX_OPEN", 50)
    monkeypatch.setattr(open_now, "abandoned", 0)
    made = [agentnet_otel.turn("a", turn_id=str(number)).start(current=False) for number in range(60)]
    told = telemetry.spans("invoke_agent")
    assert [span.attributes["agentnet.turn.id"] for span in told] == [str(number) for number in range(10)]
    assert {span.attributes["agentnet.turn.interrupted"] for span in told} == {True}
    assert {span.attributes["error.type"] for span in told} == {"interrupted"}
    assert telemetry.metric("agentnet.otel.spans.abandoned") == {(): 10}
    assert set(telemetry.metric("agentnet.turn.active").values()) == {50}
    for turn in made:
        turn.end()
    assert len(telemetry.spans("invoke_agent")) == len(handle.turns()) == 60
    assert set(telemetry.metric("agentnet.turn.active").values()) == {0}
