"""What OpenLIT writes of LangChain, LangGraph and the OpenAI client: an agent, a nested one, a failure, a stream."""

import contextlib
import json
import os
import time
from pathlib import Path

import openlit
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import OpenAI

# Its prices come from a file: there is no network here. USD for a million tokens in and out.
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

model = ChatOpenAI(model="gpt-4o-mini", max_retries=0, stream_usage=True)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


researcher = create_agent(model, tools=[], name="researcher")


@tool
def ask_researcher(question: str) -> str:
    """Ask the researcher."""
    return str(researcher.invoke({"messages": [("user", question)]})["messages"][-1].content)


planner = create_agent(model, tools=[get_weather], name="planner")
coordinator = create_agent(model, tools=[ask_researcher], name="coordinator")


def session(name: str) -> dict:
    """How LangGraph is told of a conversation."""
    return {"configurable": {"thread_id": name}}


planner.invoke({"messages": [("user", "the weather?")]}, session("trip-1"))
coordinator.invoke({"messages": [("user", "ask for the weather")]}, session("trip-2"))
with contextlib.suppress(Exception):  # it has to fail
    planner.invoke({"messages": [("user", "FAIL please")]})
for _ in planner.stream({"messages": [("user", "the weather?")]}, session("trip-3"), stream_mode="messages"):
    pass
client = OpenAI(max_retries=0)
client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
