"""Nested instrumentation does not double a span: the keys by which instrumentations tell each other."""

import asyncio

import pytest
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation

import agentnet_otel
from agentnet_otel import LatencyComponent
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import runtime
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.hooks.driver import Hook, async_wrapper, stream_wrapper, sync_wrapper

GENAI = "opentelemetry.genai.client.inference.context"
OPENLLMETRY = "suppress_language_model_instrumentation"


def claims():
    """Which of the two keys are set now."""
    return tuple(bool(otel_context.get_value(key)) for key in (GENAI, OPENLLMETRY))


class EachCall(Hook):
    """Makes each call a tool execution."""

    def open(self, call):
        return ComponentSpan(runtime.recorder(), LatencyComponent.TOOL_EXECUTION, "hooked")


def test_an_inference_claims_the_model_call(telemetry, handle):
    """Both keys are set while it is current and unset after it; other spans claim nothing."""
    assert claims() == (False, False)
    with agentnet_otel.session("debate"), agentnet_otel.turn("a") as turn:
        for kind in LatencyComponent:
            if kind is LatencyComponent.TOTAL:
                continue
            with turn.component(kind, "x"):
                assert claims() == ((True, True) if kind is LatencyComponent.INFERENCE else (False, False)), kind
        assert claims() == (False, False)
        with pytest.raises(ValueError, match="x"), turn.component(LatencyComponent.INFERENCE):
            raise ValueError("x")
        assert claims() == (False, False)
    assert claims() == (False, False)


def test_the_claim_reaches_tasks_and_leaves_http_alone(telemetry, handle):
    """A task below the call sees the claim; instrumentation of other libraries stays on."""

    async def ask():
        return claims(), is_instrumentation_enabled()

    async def main():
        async with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE):
            return await asyncio.create_task(ask())

    assert asyncio.run(main()) == ((True, True), True)


@pytest.mark.parametrize(("key", "value"), [(GENAI, object()), (OPENLLMETRY, True)])
def test_claims_of_others_are_seen(telemetry, handle, key, value):
    """A call that another instrumentation tells is theirs; our own claim is not another's."""
    assert not ctx.inference_claimed_by_others()
    with agentnet_otel.turn("a") as turn, turn.component(LatencyComponent.INFERENCE):
        assert not ctx.inference_claimed_by_others()
    token = otel_context.attach(otel_context.set_value(key, value))
    assert ctx.inference_claimed_by_others()
    otel_context.detach(token)


def test_hooks_are_still_while_instrumentation_is_suppressed(telemetry, handle):
    """Wrapped calls run as they are and leave no span; after it they do again."""

    def work():
        return "done"

    async def work_async():
        return "done"

    async def stream():
        yield "done"

    async def main():
        generator = stream_wrapper(EachCall(), lambda _span, _item: None)(stream, None, (), {})
        return [await async_wrapper(EachCall())(work_async, None, (), {}), *[item async for item in generator]]

    with suppress_instrumentation():
        assert sync_wrapper(EachCall())(work, None, (), {}) == "done"
        assert asyncio.run(main()) == ["done", "done"]
    assert telemetry.spans() == []
    assert sync_wrapper(EachCall())(work, None, (), {}) == "done"
    assert asyncio.run(main()) == ["done", "done"]
    assert [span.name for span in telemetry.spans()] == ["execute_tool hooked"] * 3


def test_exporting_makes_no_spans_of_ours(telemetry, handle):
    """The manual API is explicit: it records also where automatic instrumentation is suppressed."""
    with suppress_instrumentation(), agentnet_otel.turn("a"):
        pass
    assert [span.name for span in telemetry.spans()] == ["invoke_agent a"]


def test_late_work_is_told_from_work_in_time(telemetry, handle):
    """Work that a turn handed over is late once the turn has ended, and only then."""
    turn = agentnet_otel.turn("a").start(current=False)
    attachment = ctx.Attachment(ctx.handed_over_to(turn, turn.context))
    assert not ctx.is_late()
    turn.end()
    assert ctx.is_late()
    assert sync_wrapper(EachCall())(lambda: "late", None, (), {}) == "late"
    attachment.detach()
    assert not ctx.is_late()
    assert [span.name for span in telemetry.spans()] == ["invoke_agent a"]
    assert telemetry.metric("agentnet.otel.late.work") == {(): 1}


def test_a_context_is_given_back_once(telemetry, handle):
    """Detaching again, or leaving what was never entered, does nothing."""
    attachment = ctx.Attachment(otel_context.set_value("k", 1))
    attachment.detach()
    attachment.detach()
    assert otel_context.get_value("k") is None
    turn = agentnet_otel.turn("a")
    assert turn.attach() is None
    turn.leave()
    turn.end()
    assert telemetry.spans() == []
    assert (turn.trace_id, turn.span_id, turn.now_ns()) == (None, None, 0)
