"""What Langfuse writes: observed functions, its OpenAI client and its LangChain handler, a failure, a stream."""

import contextlib
import json
import os
import time

os.environ["LANGFUSE_PUBLIC_KEY"] = os.environ["LANGFUSE_SECRET_KEY"] = "none"
os.environ["LANGFUSE_HOST"] = os.environ["LANGFUSE_BASE_URL"] = os.environ["RECORDING_URL"]

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langfuse import get_client, observe, propagate_attributes
from langfuse.langchain import CallbackHandler
from langfuse.openai import OpenAI

langfuse = get_client()
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


@observe(name="get_weather", as_type="tool")
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


@observe(name="search notes", as_type="retriever")
def search_notes(query: str) -> list[str]:
    """Notes on a topic."""
    time.sleep(0.005)
    return []


@observe(name="polite", as_type="guardrail")
def polite(text: str) -> bool:
    """Whether it is polite."""
    return bool(text)


@observe(name="planner", as_type="agent")
def planner(question: str) -> str:
    """Asks for the weather."""
    polite(question)
    messages = [{"role": "user", "content": question}]
    first = ask(messages, [WEATHER_TOOL])
    call = first.tool_calls[0]
    result = get_weather(**json.loads(call.function.arguments))
    messages += [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": result}]
    return ask(messages, [WEATHER_TOOL]).content


@observe(name="researcher", as_type="agent")
def researcher(question: str) -> str:
    """Answers."""
    return ask([{"role": "user", "content": question}]).content


@observe(name="coordinator", as_type="agent")
def coordinator(question: str) -> str:
    """Asks the researcher, then answers."""
    return ask([{"role": "user", "content": researcher(question)}]).content


@observe(name="digest", as_type="chain")
def digest(text: str) -> str:
    """A chain without an agent."""
    search_notes(text)
    return ask([{"role": "user", "content": text}]).content


@observe(name="handler")
def handler(question: str) -> str:
    """A plain function that asks a model."""
    return ask([{"role": "user", "content": question}]).content


@observe(name="streamer", as_type="agent")
def streamer(question: str) -> str:
    """Answers piece by piece."""
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@observe(name="priced", as_type="agent")
def priced() -> None:
    """A generation that is told by hand, with its costs."""
    with langfuse.start_as_current_observation(name="own model", as_type="generation", model="own-1") as generation:
        time.sleep(0.01)
        generation.update(
            usage_details={
                "input": 60,
                "input_cached_tokens": 40,
                "output": 25,
                "output_reasoning_tokens": 5,
                "total": 130,
            },
            cost_details={"input": 0.001, "output": 0.002, "total": 0.003},
        )


with propagate_attributes(session_id="trip-1"):
    planner("the weather?")
with propagate_attributes(session_id="trip-2"):
    coordinator("ask for the weather")
with contextlib.suppress(Exception):  # it has to fail
    planner("FAIL please")
with propagate_attributes(session_id="trip-3"):
    digest("a long text")
    handler("hello")
    streamer("the weather?")
    priced()
ask([{"role": "user", "content": "hello"}])


@tool("get_weather")
def weather_tool(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


model = ChatOpenAI(model="gpt-4o-mini", max_retries=0, stream_usage=True)
config = {"callbacks": [CallbackHandler()], "metadata": {"langfuse_session_id": "trip-4"}}
create_agent(model, tools=[weather_tool], name="travel_agent").invoke({"messages": [("user", "the weather?")]}, config)
chain = (ChatPromptTemplate.from_template("On {topic}") | model).with_config(run_name="notes")
chain.invoke({"topic": "Paris"}, config)
langfuse.flush()
