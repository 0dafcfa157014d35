"""What OpenInference writes of CrewAI and its OpenAI client: a crew of two with a tool, and one that fails."""

import contextlib
import os
import time

os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from openinference.instrumentation import using_session
from openinference.instrumentation.crewai import CrewAIInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
CrewAIInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
OpenAIInstrumentor().instrument(tracer_provider=provider)

model = LLM(model="gpt-4o-mini", base_url=os.environ["OPENAI_BASE_URL"], api_key="none", max_retries=0)


@tool("get_weather")
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


def agent(role, tools=()):
    """An agent."""
    return Agent(role=role, goal="answer", backstory="none", llm=model, tools=list(tools), max_retry_limit=0)


def task(text, by):
    """A task of an agent."""
    return Task(description=text, expected_output="an answer", agent=by)


planner, writer = agent("planner", [get_weather]), agent("writer")
desk = Crew(name="travel desk", agents=[planner, writer], tasks=[task("the weather?", planner), task("write", writer)])
with using_session("trip-1"):
    desk.kickoff()
with contextlib.suppress(Exception):  # it has to fail
    breaker = agent("breaker")
    Crew(name="broken desk", agents=[breaker], tasks=[task("FAIL please", breaker)]).kickoff()
provider.shutdown()
