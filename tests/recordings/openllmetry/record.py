"""What OpenLLMetry writes of decorated functions and the OpenAI client: agents, a nested one, a failure, a stream."""

import contextlib
import json
import os
import time

from openai import OpenAI
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, task, tool, workflow

Traceloop.init(
    app_name="recording",
    api_endpoint=os.environ["RECORDING_URL"],
    api_key="none",
    disable_batch=True,
    telemetry_enabled=False,
)
client = OpenAI(max_retries=0)
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@tool(name="get_weather")
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


def ask(messages, tools=()):
    """One call of the model."""
    given = {"tools": list(tools)} if tools else {}
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **given).choices[0].message


@agent(name="planner")
def planner(question: str) -> str:
    """Asks for the weather."""
    messages = [{"role": "user", "content": question}]
    first = ask(messages, [WEATHER_TOOL])
    call = first.tool_calls[0]
    result = get_weather(**json.loads(call.function.arguments))
    messages += [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": result}]
    return ask(messages, [WEATHER_TOOL]).content


@agent(name="researcher")
def researcher(question: str) -> str:
    """Answers."""
    return ask([{"role": "user", "content": question}]).content


@agent(name="coordinator")
def coordinator(question: str) -> str:
    """Asks the researcher, then answers."""
    found = researcher(question)
    return ask([{"role": "user", "content": found}]).content


@agent(name="streamer")
def streamer(question: str) -> str:
    """Answers piece by piece."""
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@task(name="summarise")
def summarise(text: str) -> str:
    """A step of a workflow."""
    return ask([{"role": "user", "content": text}]).content


@workflow(name="trip")
def trip(question: str) -> str:
    """A workflow around an agent."""
    return planner(question)


@workflow(name="digest")
def digest(text: str) -> str:
    """A workflow without an agent."""
    return summarise(text)


Traceloop.set_association_properties({"session_id": "trip-1"})
trip("the weather?")
Traceloop.set_association_properties({"session_id": "trip-2"})
coordinator("ask for the weather")
with contextlib.suppress(Exception):  # it has to fail
    planner("FAIL please")
Traceloop.set_association_properties({"session_id": "trip-3"})
streamer("the weather?")
digest("a long text")
ask([{"role": "user", "content": "hello"}])
