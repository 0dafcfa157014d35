"""What OpenInference writes of functions that are decorated by hand, and of its OpenAI client."""

import contextlib
import json
import time

from openai import OpenAI
from openinference.instrumentation import OITracer, TraceConfig, using_session
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
tracer = OITracer(provider.get_tracer("own.agents"), config=TraceConfig())
OpenAIInstrumentor().instrument(tracer_provider=provider)
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


@tracer.tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


@tracer.agent
def planner(question: str) -> str:
    """Asks for the weather."""
    messages = [{"role": "user", "content": question}]
    first = ask(messages, [WEATHER_TOOL])
    call = first.tool_calls[0]
    result = get_weather(**json.loads(call.function.arguments))
    messages += [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": result}]
    return ask(messages, [WEATHER_TOOL]).content


@tracer.agent
def researcher(question: str) -> str:
    """Answers."""
    return ask([{"role": "user", "content": question}]).content


@tracer.agent(name="coordinator")
def coordinator(question: str) -> str:
    """Asks the researcher, then answers."""
    return ask([{"role": "user", "content": researcher(question)}]).content


@tracer.chain
def digest(text: str) -> str:
    """A chain without an agent."""
    return ask([{"role": "user", "content": text}]).content


@tracer.agent
def streamer(question: str) -> str:
    """Answers piece by piece."""
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


with using_session("trip-1"):
    planner("the weather?")
with using_session("trip-2"):
    coordinator("ask for the weather")
with contextlib.suppress(Exception):  # it has to fail
    planner("FAIL please")
with using_session("trip-3"):
    digest("a long text")
    streamer("the weather?")
ask([{"role": "user", "content": "hello"}])

provider.shutdown()
