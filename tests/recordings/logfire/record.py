"""What Logfire and Pydantic AI write: a tool, a nested agent, a failure, a stream, a retried tool, a bare call."""

import asyncio
import contextlib
import os

import logfire
from openai import AsyncOpenAI
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

# What is sent to a Logfire server is what holds the pending twins of spans; here the server is the receiver.
os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT")
logfire.configure(
    service_name="recording",
    send_to_logfire=True,
    token="none",
    console=False,
    inspect_arguments=False,
    advanced=logfire.AdvancedOptions(base_url=os.environ["RECORDING_URL"]),
)
logfire.instrument_pydantic_ai()

model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=os.environ["OPENAI_BASE_URL"], api_key="none"))
planner = Agent(model, name="planner")
researcher = Agent(model, name="researcher")
coordinator = Agent(model, name="coordinator")
retrier = Agent(model, name="retrier", retries=2)


@planner.tool_plain
async def get_weather(city: str) -> str:
    """The weather in a city."""
    await asyncio.sleep(0.01)
    return f"sunny in {city}"


@coordinator.tool_plain
async def ask_researcher(question: str) -> str:
    """Ask the researcher."""
    return (await researcher.run(question)).output


@retrier.tool
async def flaky(context: RunContext[None], city: str) -> str:
    """Fails the first time."""
    if context.retry == 0:
        raise ModelRetry("once more")
    return f"sunny in {city}"


STREAMED = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def by_hand(agent: str, conversation: str) -> dict[str, str]:
    """The attributes of an agent that is instrumented by hand."""
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": conversation,
    }


async def main() -> None:
    """Run it all."""
    await planner.run("the weather?", conversation_id="trip-1")
    await coordinator.run("ask for the weather", conversation_id="trip-2")
    await retrier.run("the weather?")
    with contextlib.suppress(Exception):  # it has to fail
        await planner.run("FAIL please")
    async with planner.run_stream("the weather?", conversation_id="trip-3") as result:
        async for _ in result.stream_text():
            pass
    with logfire.span("batch job"):
        await asyncio.sleep(0.001)
    client = AsyncOpenAI()
    logfire.instrument_openai(client)
    with logfire.span("invoke_agent {agent}", agent="writer", **by_hand("writer", "trip-4")):
        stream = await client.chat.completions.create(**STREAMED)
        async for _ in stream:
            pass
    await client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])


asyncio.run(main())
logfire.force_flush()
