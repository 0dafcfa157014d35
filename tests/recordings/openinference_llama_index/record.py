"""What OpenInference writes of LlamaIndex: an agent with a tool, one in a team, a failure, a stream."""

import asyncio
import contextlib
import os
import time

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai_like import OpenAILike
from openinference.instrumentation import using_session
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
LlamaIndexInstrumentor().instrument(tracer_provider=provider)

model = OpenAILike(
    model="gpt-4o-mini",
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key="none",
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
)


def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


def agent(name, *tools, streaming=False):
    """An agent."""
    return FunctionAgent(
        name=name, description=f"The {name}", tools=list(tools), llm=model, streaming=streaming, verbose=False
    )


async def main() -> None:
    """Run it all."""
    with using_session("trip-1"):
        await agent("planner", get_weather).run("the weather?")
    researcher = agent("researcher")

    async def ask_researcher(question: str) -> str:
        """Ask the researcher."""
        return str(await researcher.run(question))

    with using_session("trip-2"):
        await agent("coordinator", ask_researcher).run("ask for the weather")
    with contextlib.suppress(Exception):  # it has to fail
        await agent("planner", get_weather).run("FAIL please")
    with using_session("trip-3"):
        handler = agent("streamer", get_weather, streaming=True).run("the weather?")
        async for _ in handler.stream_events():
            pass
        await handler


asyncio.run(main())
provider.shutdown()
