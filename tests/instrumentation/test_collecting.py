"""Collectors: which turn belongs to which piece of work, wherever it runs."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import context as otel_context

import agentnet_otel
from agentnet_otel.instrumentation import collecting
from agentnet_otel.instrumentation.collecting import TurnCollector, collector_in, with_collector
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.measuring import measuring
from agentnet_otel.instrumentation.runtime import recorder
from agentnet_otel.instrumentation.thread_carrying import carrying
from agentnet_otel.model import LatencyComponent, Outcome


def one_turn(agent="a", tokens=5):
    """A turn that uses tokens."""
    with agentnet_otel.turn(agent) as turn, turn.component(LatencyComponent.INFERENCE) as call:
        call.record_tokens(input=tokens)


def working_for(collector, function, *args):
    """Call a function as a piece of work that the collector is for."""
    context = contextvars.copy_context()
    context.run(otel_context.attach, with_collector(collector))
    return context.run(function, *args)


def agents_of(collector):
    """The agents whose turns it has."""
    return [collected.turn.agent for collected in collector.turns]


@pytest.fixture
def collector():
    """A collector."""
    return TurnCollector()


@pytest.fixture
def carried():
    """Collectors go into threads."""
    carrying.install()
    yield
    carrying.uninstall()


def test_turns_below_are_collected_and_no_others(collector):
    """With `instrument()` off, too: the facts of a turn do not need spans."""
    one_turn("before")
    working_for(collector, one_turn, "inside")
    one_turn("after")
    assert agents_of(collector) == ["inside"]
    assert collector.turns[0].turn.tokens.input == 5
    assert collector_in() is None


def test_each_piece_of_work_gets_its_own(collector, handle):
    """Tasks that run at the same time, with `instrument()` on: its listener still hears them all."""
    other = TurnCollector()

    async def work(agent):
        await asyncio.sleep(0)
        one_turn(agent)

    async def main():
        contexts = []
        for one in (collector, other):
            context = contextvars.copy_context()
            context.run(otel_context.attach, with_collector(one))
            contexts.append(context)
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            loop.create_task(work("a"), context=contexts[0]), loop.create_task(work("b"), context=contexts[1])
        )

    asyncio.run(main())
    assert (agents_of(collector), agents_of(other)) == (["a"], ["b"])
    assert {turn.agent for turn in handle.turns()} == {"a", "b"}


def test_a_turn_inside_another_is_marked_as_nested(collector):
    """Only below a turn of the same work."""

    def work():
        with agentnet_otel.turn("outer"):
            one_turn("inner")

    with agentnet_otel.turn("around all"):
        working_for(collector, work)
    assert [(c.turn.agent, c.nested) for c in collector.turns] == [("inner", True), ("outer", False)]


def test_calls_outside_any_turn_are_collected_once(collector):
    """The leaf tells; the call around it does not speak for the same tokens again, nor does one without any."""

    def work():
        with ComponentSpan(recorder(), LatencyComponent.INFERENCE, model="m") as outer:
            outer.record_tokens(input=7, output=3)
            with ComponentSpan(recorder(), LatencyComponent.INFERENCE, model="m") as leaf:
                leaf.record_tokens(input=7, output=3, estimated=True)
                leaf.record_cost(0.5)
        with ComponentSpan(recorder(), LatencyComponent.TOOL_EXECUTION, "t"):
            pass

    working_for(collector, work)
    (call,) = collector.calls
    assert (call.tokens.total, call.cost_usd, call.estimated) == (10, 0.5, True)


def test_what_ends_after_closing_is_late(collector):
    """Counted, not taken."""
    collector.close()
    working_for(collector, one_turn)

    def call():
        with ComponentSpan(recorder(), LatencyComponent.INFERENCE) as leaf:
            leaf.record_tokens(input=1)

    working_for(collector, call)
    assert (len(collector.turns), len(collector.calls), collector.late) == (0, 0, 2)


def test_a_collector_is_bounded(collector, monkeypatch):
    """The newest are kept, the others counted."""
    monkeypatch.setattr(collecting, "MAX_COLLECTED", 2)
    bounded = TurnCollector()
    for agent in "abc":
        working_for(bounded, one_turn, agent)
    assert (agents_of(bounded), bounded.dropped) == (["b", "c"], 1)

    def call():
        with ComponentSpan(recorder(), LatencyComponent.INFERENCE) as leaf:
            leaf.record_tokens(input=1)

    for _ in range(3):
        working_for(bounded, call)
    assert (len(bounded.calls), bounded.dropped) == (2, 2)


def test_letting_go_ends_the_open_turns_as_timed_out(collector, telemetry, handle):
    """The turn ends once, at the time-out, although its work goes on in a thread."""
    begun, go_on = threading.Event(), threading.Event()

    def work():
        with agentnet_otel.turn("slow") as turn:
            begun.set()
            go_on.wait(10)
            turn.set_outcome(Outcome.SUCCESS)

    thread = threading.Thread(target=working_for, args=(collector, work))
    with agentnet_otel.turn("bystander"):
        thread.start()
        begun.wait(10)
        collector.time_out()
        go_on.set()
        thread.join()
    (slow,) = (c.turn for c in collector.turns)
    assert (slow.agent, slow.outcome, slow.error_type) == ("slow", Outcome.TIMEOUT, "timeout")
    assert [t.outcome for t in handle.turns() if t.agent == "slow"] == [Outcome.TIMEOUT]
    assert [t.outcome for t in handle.turns() if t.agent == "bystander"] == [Outcome.SUCCESS]
    assert len(telemetry.spans("invoke_agent slow")) == 1


def test_a_timed_out_turn_is_not_its_owners_mistake(handle, collector, warnings_of_ours):
    """What the work does with its turn after the time-out is left out, and is no misuse."""
    turn = agentnet_otel.turn("a").start()
    turn.time_out()
    turn.record_quality(0.5)
    with turn.component(LatencyComponent.TOOL_EXECUTION, "t"):
        pass
    turn.end()
    assert [t.outcome for t in handle.turns()] == [Outcome.TIMEOUT]
    assert warnings_of_ours() == []


@pytest.mark.parametrize("start", ["thread", "subclass", "executor", "run_in_executor", "to_thread"])
def test_threads_and_executors_take_the_collector_along(start, collector, carried):
    """Whatever starts the thread; the thread keeps no trace of it."""

    class Work(threading.Thread):
        def run(self):
            one_turn()

    async def in_loop():
        loop = asyncio.get_running_loop()
        await (asyncio.to_thread(one_turn) if start == "to_thread" else loop.run_in_executor(None, one_turn))

    def work():
        if start in {"thread", "subclass"}:
            thread = Work() if start == "subclass" else threading.Thread(target=one_turn)
            thread.start()
            thread.join()
            assert "run" not in vars(thread)
        elif start == "executor":
            with ThreadPoolExecutor() as pool:
                pool.submit(one_turn).result()
        else:
            asyncio.run(in_loop())

    working_for(collector, work)
    assert agents_of(collector) == ["a"]


def test_a_pool_that_is_shared_serves_each_piece_of_work(collector, carried):
    """A thread of the pool that one work started does not belong to it for ever."""
    other = TurnCollector()
    with ThreadPoolExecutor(1) as pool:
        working_for(collector, lambda: pool.submit(one_turn, "a").result())
        working_for(other, lambda: pool.submit(one_turn, "b").result())
        pool.submit(one_turn, "c").result()
    assert (agents_of(collector), agents_of(other)) == (["a"], ["b"])


def test_a_wrong_submission_is_the_executors_own_error(collector, carried):
    """As without us."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(TypeError, match="submit"):
        working_for(collector, pool.submit)


def test_measuring_takes_back_what_it_wrapped():
    """Threads, executors and the recorder are as before, also when measurements overlap."""
    originals = (vars(threading.Thread)["start"], vars(ThreadPoolExecutor)["submit"], recorder())
    with measuring():
        with measuring():
            assert vars(threading.Thread)["start"] is not originals[0]
        assert vars(threading.Thread)["start"] is not originals[0]
        assert recorder() is not originals[2]
    assert (vars(threading.Thread)["start"], vars(ThreadPoolExecutor)["submit"], recorder()) == originals


def test_a_measured_turn_has_ids_without_any_provider(collector):
    """Where nothing is configured the spans stay in a provider of our own."""
    with measuring():
        working_for(collector, one_turn)
    assert len(collector.turns[0].turn.trace_id) == 32


def test_instrument_goes_before_a_measurement(collector, telemetry, handle):
    """Its recorder stays in use, and writes as ever."""
    mine = recorder()
    with measuring():
        assert recorder() is mine
        working_for(collector, one_turn)
    assert len(telemetry.spans("invoke_agent")) == 1
    assert agents_of(collector) == ["a"]
