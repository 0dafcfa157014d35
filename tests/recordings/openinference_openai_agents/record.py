"""What OpenInference writes of the OpenAI Agents SDK: an agent, one as a tool, a hand-over, a guardrail, ...

Besides a failure and a stream.
"""

import asyncio
import contextlib

from agents import (
    Agent,
    GuardrailFunctionOutput,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    input_guardrail,
    set_tracing_disabled,
    trace,
)
from openai import AsyncOpenAI
from openinference.instrumentation import using_session
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
set_tracing_disabled(False)
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)

client = AsyncOpenAI(max_retries=0)


def chat_model() -> OpenAIChatCompletionsModel:
    """The chat completions API instead of the responses API."""
    return OpenAIChatCompletionsModel(model="gpt-4o-mini", openai_client=client)


@function_tool
async def get_weather(city: str) -> str:
    """The weather in a city."""
    await asyncio.sleep(0.01)
    return f"sunny in {city}"


@input_guardrail
async def polite(context: object, agent: object, text: object) -> GuardrailFunctionOutput:
    """Whether the question is polite."""
    return GuardrailFunctionOutput(output_info="polite", tripwire_triggered=False)


researcher = Agent(name="researcher", model=chat_model())
planner = Agent(name="planner", model="gpt-4o-mini", tools=[get_weather], input_guardrails=[polite])
coordinator = Agent(
    name="coordinator",
    model=chat_model(),
    tools=[researcher.as_tool(tool_name="ask_researcher", tool_description="Ask the researcher")],
)
writer = Agent(name="writer", model=chat_model())
triage = Agent(name="triage", model=chat_model(), handoffs=[writer])


async def main() -> None:
    """Run it all."""
    with using_session("trip-1"):
        await Runner.run(planner, "the weather?")
    with using_session("trip-2"):
        await Runner.run(coordinator, "ask for the weather")
    with using_session("trip-3"), trace("travel desk"):
        await Runner.run(triage, "write")
    with contextlib.suppress(Exception):  # it has to fail
        await Runner.run(planner, "FAIL please")
    with using_session("trip-4"):
        result = Runner.run_streamed(planner, "the weather?")
        async for _ in result.stream_events():
            pass


asyncio.run(main())
provider.shutdown()
