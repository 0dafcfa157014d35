"""What OpenTelemetry's present instrumentations of the OpenAI Agents SDK and of its client write together."""

import asyncio
import contextlib

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, trace
from openai import AsyncOpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
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
    with trace("Agent workflow", group_id="trip-1"):
        await Runner.run(planner, "the weather?")
    await Runner.run(coordinator, "ask for the weather")
    with trace("travel desk", group_id="trip-3"):
        await Runner.run(triage, "write")
    with contextlib.suppress(Exception):  # it has to fail
        await Runner.run(planner, "FAIL please")
    result = Runner.run_streamed(planner, "the weather?")
    async for _ in result.stream_events():
        pass


asyncio.run(main())
provider.shutdown()
