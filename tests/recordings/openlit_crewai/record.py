"""What OpenLIT writes of CrewAI: a crew of two agents with a tool, and a crew that fails."""

import contextlib
import json
import os
import time
from pathlib import Path

os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"

import openlit
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

# Its prices come from a file: there is no network here.
prices = Path("prices.json")
prices.write_text(json.dumps({"chat": {"gpt-4o-mini": {"promptPrice": 0.00015, "completionPrice": 0.0006}}}))
openlit.init(
    service_name="recording",
    application_name="recording",
    environment="test",
    otlp_endpoint=os.environ["RECORDING_URL"],
    disable_batch=True,
    disable_metrics=True,
    disable_events=True,
    pricing_json=str(prices),
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
Crew(
    name="travel desk", agents=[planner, writer], tasks=[task("the weather?", planner), task("write", writer)]
).kickoff()
with contextlib.suppress(Exception):  # it has to fail
    breaker = agent("breaker")
    Crew(name="broken desk", agents=[breaker], tasks=[task("FAIL please", breaker)]).kickoff()
