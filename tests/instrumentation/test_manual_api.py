"""The manual API: turns and their parts, right and wrong use."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

import agentnet_otel
from agentnet_otel import LatencyComponent, Outcome, TokenCategory, semconv
from agentnet_otel.errors import MisuseError
from agentnet_otel.instrumentation import faults, runtime
from agentnet_otel.instrumentation.metrics import TurnMetrics, meter_of
from agentnet_otel.instrumentation.providers import TracerChoice
from agentnet_otel.instrumentation.recorder import Recorder
from agentnet_otel.model import QualitySource, TokenUsage
from agentnet_otel.testing import FakeClock

INFERENCE, TOOL = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION


def by_name(telemetry):
    """Spans by name."""
    return {span.name: span for span in telemetry.spans()}


def test_a_whole_turn(telemetry, handle):
    """Every fact of the interface stands where the contract says."""
    with (
        agentnet_otel.session("debate", "c-1"),
        agentnet_otel.turn("planner", prompt="12345", model="m-large", turn_id="t-1") as turn,
    ):
        with turn.component(INFERENCE, model="m-large", provider="openai") as call:
            call.record_attempt()
            call.record_first_token()
            call.record_first_token()
            call.record_tokens(input=100, output=50, cached=40, reasoning=10)
            call.record_response(model="m-large-1", response_id="r-1", finish_reasons=["stop"], text="abc")
        with turn.component(TOOL, "search") as tool:
            tool.record_tool_call(call_id="c", arguments={"q": 1}, result="x", outcome="success")
            with turn.component(INFERENCE, model="m-small") as inner:
                inner.record_tokens(input=5, output=5)
                inner.record_cost(0.001)
        with turn.component("memory_access", "recall") as memory:
            memory.record_records(3, store="episodic")
        with turn.component(LatencyComponent.POLICY_CHECK, "rules") as check:
            check.record_policy_violation("no-secrets", severity="major", rationale="because of the prompt")
        turn.record_policy_violation("late", "minor")
        turn.record_cost(usd=0.002)
        turn.record_confidence(0.6)
        turn.record_quality(0.9)
        turn.set_response("answer")
        turn.set_outcome(Outcome.SUCCESS)
    spans = by_name(telemetry)
    own = spans["invoke_agent planner"]
    assert own.kind is SpanKind.INTERNAL
    assert own.status.status_code is StatusCode.UNSET
    expected = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "planner",
        "gen_ai.conversation.id": "c-1",
        "gen_ai.request.model": "m-large",
        "agentnet.turn.id": "t-1",
        "agentnet.turn.outcome": "success",
        "agentnet.turn.prompt.length": 5,
        "agentnet.turn.response.length": 6,
        "agentnet.turn.policy.violations": 2,
        "agentnet.turn.tools": ("search",),
        "agentnet.turn.confidence": 0.6,
        "agentnet.turn.quality": 0.9,
        "agentnet.quality.source": "evaluated",
        "agentnet.turn.cost.usd": 0.002,
        "agentnet.turn.cost.source": "user",
        "agentnet.turn.tokens.reasoning": 150,
        "agentnet.turn.tokens.tool_calls": 10,
        "agentnet.metrics.recorded": True,
        "agentnet.sampling.probability": 1.0,
    }
    assert expected.items() <= dict(own.attributes).items()
    assert own.attributes["agentnet.turn.time_to_first_token"] >= 0
    assert semconv.USAGE_INPUT_TOKENS not in own.attributes
    call = spans["chat m-large"]
    assert call.kind is SpanKind.CLIENT
    assert {
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.reasoning.output_tokens": 10,
        "gen_ai.response.model": "m-large-1",
        "gen_ai.response.id": "r-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "agentnet.inference.attempts": 1,
        "agentnet.latency.component": "inference",
        "agentnet.turn.id": "t-1",
    }.items() <= dict(call.attributes).items()
    assert spans["chat m-small"].parent.span_id == spans["execute_tool search"].context.span_id
    assert spans["search_memory"].attributes["gen_ai.memory.record.count"] == 3
    assert spans["invoke_workflow debate"].context.span_id == own.parent.span_id
    assert not any("prompt" in str(e.attributes) for e in spans["policy_check rules"].events)
    (turn_again,) = handle.turns()
    assert turn_again.tokens.total == 160


def test_live_and_recorder_tell_the_same(telemetry, handle):
    """What the recorder hands over and what is rebuilt from its spans is equal, field by field."""
    taken = []
    runtime.recorder()._listener = taken.append
    with agentnet_otel.turn("a", model="m") as turn:
        with turn.component(INFERENCE, model="m") as call:
            call.record_tokens(input=1, output=2)
            call.record_cost(0.5)
        with turn.component(TOOL, "t"), agentnet_otel.turn("b"), turn.component(TOOL, "u"):
            pass
    assert sorted(handle.turns(), key=lambda t: t.agent) == sorted(taken, key=lambda t: t.agent)


def test_exceptions_decide_the_outcome_and_pass(telemetry, handle):
    """What the body raises passes, and says how the turn ended; a set failure goes before it."""
    cases = [
        (ValueError("secret"), "error", "ValueError"),
        (TimeoutError(), "timeout", "TimeoutError"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
    ]
    for error, _outcome, _kind in cases:
        with pytest.raises(type(error)) as caught, agentnet_otel.turn("a"):
            raise error
        assert caught.value is error
    for span, (_, outcome, kind) in zip(telemetry.spans(), cases, strict=True):
        assert span.attributes["agentnet.turn.outcome"] == outcome
        assert span.attributes["error.type"] == kind
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, kind)
        assert not span.events
    with pytest.raises(ValueError, match="x"), agentnet_otel.turn("b") as turn:
        turn.set_outcome("fault", "rule")
        raise ValueError("x")
    with pytest.raises(ValueError, match="x"), agentnet_otel.turn("b") as turn:
        turn.set_outcome(Outcome.SUCCESS)
        raise ValueError("x")
    last, former = telemetry.spans()[-1], telemetry.spans()[-2]
    assert (former.attributes["agentnet.turn.outcome"], former.attributes["error.type"]) == ("fault", "rule")
    assert last.attributes["agentnet.turn.outcome"] == "error"


def test_a_failed_component_does_not_fail_the_turn(telemetry, handle):
    """A tool that fails and is handled leaves the turn a success."""
    with agentnet_otel.turn("a") as turn:
        with pytest.raises(OSError, match="disk"), turn.component(TOOL, "save"):
            raise OSError("disk")
        with turn.component(TOOL, "load") as tool:
            tool.set_error("not_found")
    spans = by_name(telemetry)
    assert spans["execute_tool save"].attributes["agentnet.tool.outcome"] == "error"
    assert spans["execute_tool load"].status.description == "not_found"
    assert spans["invoke_agent a"].attributes["agentnet.turn.outcome"] == "success"


def test_wrong_use_is_one_warning_that_names_the_place(telemetry, handle, warnings_of_ours):
    """Each mistake is told once per place, and nothing is raised."""
    for _ in range(3):
        with agentnet_otel.turn("a") as turn:
            with turn.component(INFERENCE) as call:
                call.record_tokens(input=-1, output=2.5, cached=True)
                call.record_tokens(input=3, cached=9, category="nonsense")
                call.record_cost("much")
            with turn.component("thinking") as unknown:
                unknown.record_tokens(input=1)
            with turn.component("total"):
                pass
            turn.record_quality(7)
            turn.set_outcome("fine")
        with turn.component(TOOL, "late"):
            pass
        turn.record_cost(1)
        call.record_tokens(input=1)
        turn.start()
    for text in warnings_of_ours():
        assert "test_manual_api.py:" in text
    told = "\n".join(warnings_of_ours())
    for part in (
        "input=-1",
        "output=2.5",
        "cached=True",
        "more than input=3",
        "'nonsense' is unknown",
        "usd='much'",
        "'thinking' is unknown",
        "total is the turn itself",
        "score=7",
        "'fine' is unknown",
        "outside its turn's lifetime",
        "record_cost() was called after the end",
        "record_tokens() was called after",
        "was started already",
    ):
        assert told.count(part) == 1, part
    assert [s.name for s in telemetry.spans()] == ["chat", "invoke_agent a"] * 3


def test_wrong_arguments_of_a_turn(handle, telemetry, warnings_of_ours):
    """A turn without a name, a prompt that is no text: told, and the body runs."""
    with agentnet_otel.turn("", prompt=5):
        pass
    assert [s.name for s in telemetry.spans()] == ["invoke_agent unknown"]
    assert len(warnings_of_ours()) == 2


def test_strict_mode_raises(telemetry):
    """In strict mode wrong use raises, with the place."""
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider, strict=True)
    with agentnet_otel.turn("a") as turn:
        with pytest.raises(MisuseError, match=r"test_manual_api.py:\d+: input=-1"):
            turn.record_tokens(input=-1)
        with pytest.raises(MisuseError, match="unknown"):
            turn.component("nope")
    with pytest.raises(MisuseError, match="after the end"):
        turn.record_cost(1)
    handle.shutdown()


def test_turn_level_tokens_count_where_no_call_has_any(telemetry, handle):
    """The whole speaks only where no leaf did."""
    with agentnet_otel.turn("a", model="m") as turn:
        turn.record_tokens(input=10, output=20, estimated=True, category=TokenCategory.DIALOGUE)
    with agentnet_otel.turn("b") as turn:
        turn.record_tokens(input=1000)
        with turn.component(INFERENCE) as call:
            call.record_tokens(input=7)
    first, second = handle.turns()
    assert (first.tokens.total, first.estimated, first.tokens_by_category) == (30, True, {"dialogue": 30})
    assert (second.tokens.total, second.estimated) == (7, False)


def test_usage_stands_on_the_leaf(telemetry, handle):
    """A component around another that has usage does not repeat it."""
    with agentnet_otel.turn("a") as turn, turn.component(INFERENCE, model="outer") as outer:
        with turn.component(INFERENCE, model="inner") as inner:
            inner.record_tokens(input=5, output=5)
        outer.record_tokens(input=5, output=5)
    (told,) = handle.turns()
    assert told.tokens.total == 10
    assert "gen_ai.usage.input_tokens" not in by_name(telemetry)["chat outer"].attributes


def test_current_turn(telemetry, handle):
    """It finds the turn from anywhere below, and nothing outside."""
    assert agentnet_otel.current_turn() is None
    with agentnet_otel.turn("a") as outer, agentnet_otel.session("x"):
        assert agentnet_otel.current_turn() is outer
        with outer.component(TOOL, "t"), agentnet_otel.turn("b") as inner:
            assert agentnet_otel.current_turn() is inner
        assert agentnet_otel.current_turn() is outer
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(agentnet_otel.current_turn).result() is None
            assert pool.submit(contextvars.copy_context().run, agentnet_otel.current_turn).result() is outer
    assert agentnet_otel.current_turn() is None


def test_components_from_other_threads_are_of_their_turn(telemetry, handle):
    """A component opened where the context is lost still hangs below its turn."""

    def work(turn):
        with turn.component(TOOL, "t") as tool, turn.component(INFERENCE) as inner:
            inner.record_tokens(input=1)
        assert tool.end_ns

    with agentnet_otel.turn("a") as turn:
        thread = threading.Thread(target=work, args=(turn,))
        thread.start()
        thread.join()
    spans = by_name(telemetry)
    assert spans["execute_tool t"].parent.span_id == spans["invoke_agent a"].context.span_id
    assert spans["chat"].parent.span_id == spans["execute_tool t"].context.span_id


def test_what_still_runs_when_the_turn_ends_is_cut_off(telemetry, handle):
    """An open component ends with its turn, marked; what it does later is nobody's."""
    with agentnet_otel.turn("a") as turn:
        tool = turn.component(TOOL, "slow").start(current=False)
    tool.record_tool_call(outcome="success")
    tool.end()
    span = by_name(telemetry)["execute_tool slow"]
    assert span.attributes["agentnet.component.unfinished"] is True
    assert span.end_time <= by_name(telemetry)["invoke_agent a"].end_time
    assert len(telemetry.spans()) == 2


def test_a_turn_with_a_yield_inside_is_silent_about_foreign_contexts(telemetry, handle, caplog):
    """A user's own `with turn()` in an async generator, closed from another task: no error is logged."""

    async def answers():
        with agentnet_otel.turn("a"):
            yield 1
            yield 2

    async def main():
        generator = answers()
        await asyncio.create_task(anext_of(generator))
        await generator.aclose()

    async def anext_of(generator):
        return await anext(generator)

    asyncio.run(main())
    assert "Failed to detach" not in caplog.text
    assert [s.name for s in telemetry.spans()] == ["invoke_agent a"]


def test_async_turns(telemetry, handle):
    """`async with` works, and concurrent turns do not mix."""

    async def one(name):
        async with agentnet_otel.turn(name) as turn, turn.component(TOOL, name):
            await asyncio.sleep(0.001)

    async def main():
        async with agentnet_otel.session("x"):
            await asyncio.gather(*(one(f"a{i}") for i in range(20)))

    asyncio.run(main())
    spans = by_name(telemetry)
    for i in range(20):
        assert spans[f"execute_tool a{i}"].parent.span_id == spans[f"invoke_agent a{i}"].context.span_id


@pytest.mark.parametrize("count", [2**63, 10**400, 10**5000, float("inf")], ids=["64", "400", "5000", "inf"])
def test_counts_that_no_attribute_can_hold(telemetry, handle, warnings_of_ours, count):
    """They are left out and told: one such value costs an exporter all that it sends with it."""
    with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE) as call:
        call.record_tokens(input=count, output=5)
        call.record_records(count)
    assert [t.tokens for t in handle.turns()] == [TokenUsage(output=5)]
    assert [text for text in warnings_of_ours() if f"input is more than {2**63 - 1}" in text]


@pytest.mark.parametrize("amount", [10**400, 10**5000, float("nan"), -(10**5000)], ids=["400", "5000", "nan", "minus"])
def test_amounts_and_ratios_that_are_none(telemetry, handle, warnings_of_ours, amount):
    """Numbers that Python refuses to turn into a float, or to write, are misuse like any other."""
    with agentnet_otel.turn("a") as turn:
        turn.record_cost(usd=amount)
        turn.record_quality(amount)
    (told,) = handle.turns()
    assert (told.cost_usd, told.quality_source) == (None, QualitySource.ASSUMED)
    assert sum("is not" in text for text in warnings_of_ours()) == 2
    assert faults.log.fault_count() == 0


def test_costs_of_parts_in_parts(telemetry, handle):
    """The innermost cost counts; what is told around calls covers those in it that tell none."""
    tool, chat = LatencyComponent.TOOL_EXECUTION, LatencyComponent.INFERENCE
    with agentnet_otel.turn("outer tells") as turn, turn.component(tool) as outer:
        for _ in range(2):
            with turn.component(chat) as call:
                call.record_tokens(input=1)
        outer.record_cost(0.5)
    with agentnet_otel.turn("both tell") as turn, turn.component(tool) as outer:
        outer.record_cost(0.5)
        with turn.component(chat) as call:
            call.record_tokens(input=1)
            call.record_cost(0.25)
    with agentnet_otel.turn("one of two tells") as turn, turn.component(tool) as outer:
        outer.record_cost(0.5)
        with turn.component(chat) as call:
            call.record_tokens(input=1)
        with turn.component(chat) as call:
            call.record_tokens(input=1)
            call.record_cost(0.25)
    found = {span.attributes["gen_ai.agent.name"]: span.attributes for span in telemetry.spans("invoke_agent")}
    assert {agent: words.get("agentnet.turn.cost.usd") for agent, words in found.items()} == {
        "outer tells": 0.5,
        "both tell": 0.25,
        "one of two tells": None,
    }
    assert [turn.cost_usd for turn in handle.turns()] == [0.5, 0.25, None]


def test_ties_are_decided_alike_without_ids(telemetry):
    """Where no span has an id the breakdown goes by the order of the parts, and so is the same every time."""
    clock, told = FakeClock(), []
    recorder = Recorder(
        TracerChoice(NoOpTracerProvider()),
        lambda: TurnMetrics(meter_of(telemetry.meter_provider, "1"), clock.wall_ns),
        clock=clock,
        listener=told.append,
    )
    runtime.use(recorder)
    for _ in range(20):
        with agentnet_otel.turn("a") as turn:
            parts = [
                turn.component(kind).start(current=False) for kind in (LatencyComponent.MEMORY_ACCESS, "inference")
            ]
            clock.advance(10)
            for part in parts:
                part.end()
    assert {tuple(turn.component_self_ns.items()) for turn in told} == {
        ((LatencyComponent.MEMORY_ACCESS, 10_000_000), (LatencyComponent.INFERENCE, 0))
    }


def test_what_is_told_of_wrong_values_quotes_no_content(telemetry, handle, warnings_of_ours):
    """A text where a number belongs may be a prompt: its type is told; of a wrong name its beginning."""
    with agentnet_otel.turn("a") as turn:
        turn.record_quality("the secret plan")
        turn.record_tokens(input="the secret plan")
        turn.set_outcome("the secret plan" * 1000)
        turn.record_cost(object())
    told = warnings_of_ours()
    assert len(told) == 4
    assert [text for text in told if "score=(str)" in text or "input=(str)" in text or "usd=(object)" in text] == [
        text for text in told if "outcome" not in text
    ]
    assert all(len(text) < 400 for text in told)
