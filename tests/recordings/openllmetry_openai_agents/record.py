"""What OpenLLMetry writes of the OpenAI Agents SDK: an agent, one as a tool, a hand-over, a failure, a stream."""

import asyncio
import contextlib
import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, trace
from openai import AsyncOpenAI
from traceloop.sdk import Traceloop

Traceloop.init(
    app_name="recording",
    api_endpoint=os.environ["RECORDING_URL"],
    api_key="none",
    disable_batch=True,
    telemetry_enabled=False,
)
client = AsyncOpenAI(max_retries=0)


def chat_model() -> OpenAIChatCompletionsModel:
    """The chat completions API instead of the responses API."""
    return OpenAIChatCompletionsModel(model="gpt-4o-mini", openai_client=client)


@function_tool
async def get_weather(city: str) -> str:
    """The weather in a city."""
    await asyncio.sleep(0.01)
    return f"sunny in {city}"


researcher = Agent(name="researcher", model=chat_model())
planner = Agent(name="planner", model="gpt-4o-mini", tools=[get_weather])
coordinator = Agent(
    name="coordinator",
    model=chat_model(),
    tools=[researcher.as_tool(tool_name="ask_researcher", tool_description="Ask the researcher")],
)
writer = Agent(name="writer", model=chat_model())
triage = Agent(name="triage", model=chat_model(), handoffs=[writer])


async def main() -> None:
    """Run it all."""
    Traceloop.set_association_properties({"session_id": "trip-1"})
    await Runner.run(planner, "the weather?")
    Traceloop.set_association_properties({"session_id": "trip-2"})
    await Runner.run(coordinator, "ask for the weather")
    Traceloop.set_association_properties({"session_id": "trip-3"})
    with trace("travel desk"):
        await Runner.run(triage, "write")
    with contextlib.suppress(Exception):  # it has to fail
        await Runner.run(planner, "FAIL please")
    result = Runner.run_streamed(planner, "the weather?")
    async for _ in result.stream_events():
        pass


asyncio.run(main())
