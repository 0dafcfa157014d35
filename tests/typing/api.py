"""What users write, for the type checker: it has to accept all of it, and to know the types that are claimed.

Nothing here runs. `make check` goes through it with mypy, strict, as it would go through an application's code; an
ignore that is not needed is an error there, so that each line marked with one has to be refused.
"""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import agentnet_otel
from agentnet_otel import Handle, LatencyComponent, Outcome, TokenCategory
from agentnet_otel.errors import ConfigurationError, MissingExtraError
from agentnet_otel.model import Turn
from agentnet_otel.testing import InMemoryTelemetry


def set_up() -> Handle:
    """Providers, exporters, content."""
    telemetry = InMemoryTelemetry()
    try:
        handle = agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider,
            meter_provider=telemetry.meter_provider,
            logger_provider=telemetry.logger_provider,
            exporter="file:spans.jsonl",
            capture_content="SPAN_ONLY",
            redact=lambda text: text if len(text) < 10 else None,
            content_limit=100,
            strict=True,
        )
    except MissingExtraError as error:
        assert_type(error.extra, str)
        raise
    except ConfigurationError:
        raise
    agentnet_otel.instrument(exporter=1)  # type: ignore[arg-type]
    agentnet_otel.instrument("file:spans.jsonl")  # type: ignore[call-arg, arg-type]
    return handle


def use(handle: Handle) -> None:
    """What the handle gives."""
    assert_type(handle.turns(), list[Turn])
    assert_type(handle.report("json"), str)
    assert_type(handle.flush(1.0), bool)
    for turn in handle.turns():
        assert_type(turn.outcome, Outcome)
        assert_type(turn.cost_usd, float | None)
        assert_type(turn.tokens.input, int | None)
        assert_type(dict(turn.component_self_ns), dict[LatencyComponent, int])
        turn.agent = "other"  # type: ignore[misc]


def by_hand() -> None:
    """The manual API."""
    with (
        agentnet_otel.session("round_robin", conversation_id="c"),
        agentnet_otel.turn("planner", prompt="p", model="m", conversation_id="c", turn_id="t") as turn,
    ):
        with turn.component(LatencyComponent.INFERENCE, model="m") as call:
            call.record_tokens(input=1, output=2, category=TokenCategory.REASONING, estimated=True)
            call.record_cost(usd=0.1)
        turn.component("inference")
        turn.set_outcome("success")
        turn.record_quality(0.5)
        turn.record_quality("good")  # type: ignore[arg-type]
    around = agentnet_otel.current_turn()
    around.record_quality(1.0)  # type: ignore[union-attr]


async def later() -> None:
    """The same in coroutines."""
    async with agentnet_otel.turn("planner") as turn, turn.component(LatencyComponent.MEMORY_ACCESS) as memory:
        memory.record_records(3)


@agentnet_otel.traced_turn("writer")
def write(prompt: str, *, words: int) -> str:
    """A function keeps its parameters and its result."""
    return prompt * words


@agentnet_otel.traced_turn("writer", model="m")
async def write_later(prompt: str) -> str:
    """A coroutine function stays one."""
    return prompt


@agentnet_otel.traced_component(LatencyComponent.TOOL_EXECUTION, "search")
def search(prompt: str) -> Iterator[str]:
    """So does a generator."""
    yield prompt


@agentnet_otel.traced_component("inference", model="m")
async def stream(prompt: str) -> AsyncIterator[str]:
    """And an async generator."""
    yield prompt


async def decorated() -> None:
    """What the decorated functions give."""
    assert_type(write("p", words=2), str)
    assert_type(await write_later("p"), str)
    assert_type(search("p"), Iterator[str])
    async for item in stream("p"):
        assert_type(item, str)
    write("p")  # type: ignore[call-arg]
    write(1, words=2)  # type: ignore[arg-type]
