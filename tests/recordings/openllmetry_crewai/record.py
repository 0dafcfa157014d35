"""What OpenLLMetry writes of CrewAI: a crew of two agents with a tool, and a crew that fails."""

import contextlib
import os
import time

os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from traceloop.sdk import Traceloop

Traceloop.init(
    app_name="recording",
    api_endpoint=os.environ["RECORDING_URL"],
    api_key="none",
    disable_batch=True,
    telemetry_enabled=False,
)

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
Traceloop.set_association_properties({"session_id": "trip-1"})
Crew(
    name="travel desk", agents=[planner, writer], tasks=[task("the weather?", planner), task("write", writer)]
).kickoff()
with contextlib.suppress(Exception):  # it has to fail
    breaker = agent("breaker")
    Crew(name="broken desk", agents=[breaker], tasks=[task("FAIL please", breaker)]).kickoff()
