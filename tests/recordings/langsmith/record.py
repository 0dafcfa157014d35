"""What LangSmith's own OpenTelemetry export writes of LangChain, LangGraph and traced functions."""

import contextlib
import os
import time

os.environ["LANGSMITH_OTEL_ENABLED"] = "true"
os.environ["LANGSMITH_OTEL_ONLY"] = "true"
os.environ["LANGSMITH_TRACING"] = "true"
os.environ["LANGSMITH_API_KEY"] = "none"
os.environ["LANGSMITH_ENDPOINT"] = os.environ["RECORDING_URL"]

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langsmith import Client, traceable

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
    """How LangSmith is told of a conversation."""
    return {"metadata": {"session_id": name}}


planner.invoke({"messages": [("user", "the weather?")]}, session("trip-1"))
coordinator.invoke({"messages": [("user", "ask for the weather")]}, session("trip-2"))
with contextlib.suppress(Exception):  # it has to fail
    planner.invoke({"messages": [("user", "FAIL please")]})
for _ in planner.stream({"messages": [("user", "the weather?")]}, session("trip-3"), stream_mode="messages"):
    pass
chain = (ChatPromptTemplate.from_template("On {topic}") | model).with_config(run_name="notes")
chain.invoke({"topic": "Paris"}, session("trip-3"))
model.invoke("hello")


@traceable(run_type="chain", name="pipeline", metadata={"session_id": "trip-4"})
def pipeline(question: str) -> str:
    """A traced function around a call."""
    return str(model.invoke(question).content)


pipeline("hello")
Client().flush()
time.sleep(3)
