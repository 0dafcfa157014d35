"""What MLflow writes: traced functions, its OpenAI and LangChain loggers, a failure, a stream."""

import contextlib
import json
import os
import time

os.environ["OTEL_SERVICE_NAME"] = "recording"
os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = os.environ["RECORDING_URL"] + "/v1/traces"
os.environ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"

import mlflow
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from mlflow.entities import SpanType
from openai import OpenAI

mlflow.openai.autolog()
client = OpenAI(max_retries=0)
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(messages, tools=()):
    """One call of the model."""
    given = {"tools": list(tools)} if tools else {}
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **given).choices[0].message


@mlflow.trace(name="get_weather", span_type=SpanType.TOOL)
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


@mlflow.trace(name="notes", span_type=SpanType.RETRIEVER)
def notes(query: str) -> list:
    """Notes on a topic."""
    time.sleep(0.005)
    return []


@mlflow.trace(name="planner", span_type=SpanType.AGENT)
def planner(question: str, session: str | None = None) -> str:
    """Asks for the weather."""
    if session:
        mlflow.update_current_trace(session_id=session)
    messages = [{"role": "user", "content": question}]
    first = ask(messages, [WEATHER_TOOL])
    call = first.tool_calls[0]
    result = get_weather(**json.loads(call.function.arguments))
    messages += [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": result}]
    return ask(messages, [WEATHER_TOOL]).content


@mlflow.trace(name="researcher", span_type=SpanType.AGENT)
def researcher(question: str) -> str:
    """Answers."""
    notes(question)
    return ask([{"role": "user", "content": question}]).content


@mlflow.trace(name="coordinator", span_type=SpanType.AGENT)
def coordinator(question: str) -> str:
    """Asks the researcher, then answers."""
    return ask([{"role": "user", "content": researcher(question)}]).content


@mlflow.trace(name="parse", span_type=SpanType.PARSER)
def parse(text: str) -> str:
    """Reads an answer."""
    time.sleep(0.005)
    return text


@mlflow.trace(name="digest", span_type=SpanType.CHAIN)
def digest(text: str) -> str:
    """A chain without an agent."""
    return parse(ask([{"role": "user", "content": text}]).content)


@mlflow.trace(name="streamer", span_type=SpanType.AGENT)
def streamer(question: str) -> str:
    """Answers piece by piece."""
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


planner("the weather?", "trip-1")
coordinator("ask for the weather")
with contextlib.suppress(Exception):  # it has to fail
    planner("FAIL please")
digest("a long text")
streamer("the weather?")
ask([{"role": "user", "content": "hello"}])


@tool("get_weather")
def weather_tool(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


mlflow.openai.autolog(disable=True)
mlflow.langchain.autolog()
model = ChatOpenAI(model="gpt-4o-mini", max_retries=0, stream_usage=True)
create_agent(model, tools=[weather_tool], name="travel_agent").invoke({"messages": [("user", "the weather?")]})
mlflow.flush_trace_async_logging()
time.sleep(1)
