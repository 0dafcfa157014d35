"""What OpenLLMetry writes of LangChain and LangGraph: an agent, a nested one, a failure, a stream, a plain chain."""

import contextlib
import os
import time

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from traceloop.sdk import Traceloop

Traceloop.init(
    app_name="recording",
    api_endpoint=os.environ["RECORDING_URL"],
    api_key="none",
    disable_batch=True,
    telemetry_enabled=False,
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

Traceloop.set_association_properties({"session_id": "trip-1"})
planner.invoke({"messages": [("user", "the weather?")]})
Traceloop.set_association_properties({"session_id": "trip-2"})
coordinator.invoke({"messages": [("user", "ask for the weather")]})
with contextlib.suppress(Exception):  # it has to fail
    planner.invoke({"messages": [("user", "FAIL please")]})
Traceloop.set_association_properties({"session_id": "trip-3"})
for _ in planner.stream({"messages": [("user", "the weather?")]}, stream_mode="messages"):
    pass
(ChatPromptTemplate.from_template("On {topic}") | model).invoke({"topic": "Paris"})
model.invoke("hello")
