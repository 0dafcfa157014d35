"""What OpenInference writes of smolagents: an agent with a tool, a managed agent, a failure, a stream."""

import contextlib
import os
import time

from openinference.instrumentation import using_session
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from smolagents import LogLevel, OpenAIServerModel, ToolCallingAgent, tool

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
SmolagentsInstrumentor().instrument(tracer_provider=provider)

model = OpenAIServerModel(
    "gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"], api_key="none", client_kwargs={"max_retries": 0}
)


@tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name
    """
    time.sleep(0.01)
    return f"sunny in {city}"


def agent(name, **given):
    """An agent that says nothing on the terminal."""
    return ToolCallingAgent(
        model=model, name=name, description=f"The {name}", verbosity_level=LogLevel.OFF, max_steps=4, **given
    )


planner = agent("planner", tools=[get_weather])
researcher = agent("researcher", tools=[])
coordinator = agent("coordinator", tools=[], managed_agents=[researcher])
unnamed = ToolCallingAgent(model=model, tools=[], verbosity_level=LogLevel.OFF, max_steps=4)

with using_session("trip-1"):
    planner.run("the weather?")
with using_session("trip-2"):
    coordinator.run("ask for the weather")
with contextlib.suppress(Exception):  # it has to fail
    planner.run("FAIL please")
with using_session("trip-3"):
    for _ in planner.run("the weather?", stream=True):
        pass
unnamed.run("hello")
provider.shutdown()
