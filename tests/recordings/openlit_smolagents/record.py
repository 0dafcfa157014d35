"""What OpenLIT writes of smolagents: an agent with a tool, a managed agent, a failure, a stream."""

import contextlib
import json
import os
import time
from pathlib import Path

import openlit
from smolagents import LogLevel, OpenAIServerModel, ToolCallingAgent, tool

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

planner.run("the weather?")
coordinator.run("ask for the weather")
with contextlib.suppress(Exception):  # it has to fail
    planner.run("FAIL please")
for _ in planner.run("the weather?", stream=True):
    pass
unnamed.run("hello")
