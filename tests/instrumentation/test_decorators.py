"""Decorated functions, coroutines, generators and async generators."""

import asyncio
import inspect

import pytest

import agentnet_otel
from agentnet_otel import LatencyComponent


@agentnet_otel.traced_turn("planner", model="m")
def plan(prompt, extra=None):
    """Plan."""
    remember("x")
    return f"{prompt} done"


@agentnet_otel.traced_component(LatencyComponent.MEMORY_ACCESS)
def remember(key):
    """Remember."""
    return key


@agentnet_otel.traced_turn("async-planner", prompt="question")
async def plan_async(*, question):
    """Plan, later."""
    await asyncio.sleep(0)
    return question


@agentnet_otel.traced_turn("streamer")
def stream(prompt):
    """Give items, take what is sent, and return."""
    got = yield prompt
    try:
        got = yield got
    except KeyError:
        yield "caught"
    return "end"


@agentnet_otel.traced_turn("async-streamer")
async def stream_async(prompt):
    """Give items, take what is sent."""
    assert agentnet_otel.current_turn() is not None
    got = yield prompt
    try:
        yield got
    except KeyError:
        yield "caught"


@agentnet_otel.traced_component("tool_execution", "named")
def use_tool():
    """A tool."""


class Agent:
    """Methods can be decorated."""

    @agentnet_otel.traced_turn("method")
    def answer(self, prompt):
        """Answer."""
        return prompt * 2

    @staticmethod
    @agentnet_otel.traced_turn("static")
    def answer_static(prompt):
        """Answer."""
        return prompt


def outcomes(telemetry):
    """Names and outcomes of the turns."""
    return [(s.name.split()[1], s.attributes["agentnet.turn.outcome"]) for s in telemetry.spans("invoke_agent")]


def test_functions(telemetry, handle):
    """A call is a turn; prompt and response lengths are known; kind, name and docstring stay."""
    assert plan("abc") == "abc done"
    (turn,) = handle.turns()
    assert (turn.prompt_length, turn.response_length, turn.models) == (3, 8, ("m",))
    assert plan.__name__ == "plan"
    assert plan.__doc__ == "Plan."
    assert list(inspect.signature(plan).parameters) == ["prompt", "extra"]
    assert telemetry.spans("search_memory")[0].parent.span_id == telemetry.spans("invoke_agent")[0].context.span_id
    assert Agent().answer("x") == "xx"
    assert Agent.answer_static("y") == "y"
    assert len(handle.turns()) == 3


def test_components_outside_any_turn(telemetry, handle, warnings_of_ours):
    """They are recorded on their own; an unknown component is told, and the function runs."""
    use_tool()
    assert [s.name for s in telemetry.spans()] == ["execute_tool named"]
    assert agentnet_otel.traced_component("nonsense")(len)([1]) == 1
    assert "nonsense" in warnings_of_ours()[0]


def test_coroutines(telemetry, handle):
    """Coroutine functions stay such, and take the prompt from the named parameter."""
    assert inspect.iscoroutinefunction(plan_async)
    assert asyncio.run(plan_async(question="why")) == "why"
    (turn,) = handle.turns()
    assert turn.prompt_length == 3


def test_generators(telemetry, handle):
    """Items, sends, throws and the return value pass; the turn lasts until the end."""
    generator = stream("p")
    assert next(generator) == "p"
    assert agentnet_otel.current_turn() is None
    assert generator.send("s") == "s"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "end"
    generator = stream("p")
    next(generator)
    next(generator)
    assert generator.throw(KeyError) == "caught"
    generator.close()
    broken = stream("p")
    next(broken)
    with pytest.raises(ValueError, match="x"):
        broken.throw(ValueError("x"))
    assert outcomes(telemetry) == [("streamer", "success"), ("streamer", "cancelled"), ("streamer", "error")]
    assert telemetry.spans("invoke_agent")[0].attributes["agentnet.turn.time_to_first_token"] >= 0


def test_async_generators(telemetry, handle, caplog):
    """The same, and no token of a context is held while the consumer has the item."""

    async def main():
        generator = stream_async("p")
        assert await anext(generator) == "p"
        assert agentnet_otel.current_turn() is None
        assert await generator.asend("s") == "s"
        with pytest.raises(StopAsyncIteration):
            await anext(generator)
        thrown = stream_async("p")
        await anext(thrown)
        await anext(thrown)
        assert await thrown.athrow(KeyError) == "caught"
        await asyncio.create_task(close(thrown))
        broken = stream_async("p")
        await anext(broken)
        with pytest.raises(ValueError, match="x"):
            await broken.athrow(ValueError("x"))

    async def close(generator):
        await generator.aclose()

    asyncio.run(main())
    assert [o for _, o in outcomes(telemetry)] == ["success", "cancelled", "error"]
    assert "Failed to detach" not in caplog.text
