"""What OpenTelemetry's present instrumentation of the OpenAI client writes, inside agents that are marked by hand."""

import asyncio
import contextlib
import time

from openai import AsyncOpenAI, OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = OpenAI(max_retries=0)
tracer = provider.get_tracer("own.agents")
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def operation(name: str, subject: str, **attributes: str):
    """A span as the conventions want it."""
    named = {f"gen_ai.{key.replace('_', '.')}": value for key, value in attributes.items()}
    return tracer.start_as_current_span(f"{name} {subject}", attributes={"gen_ai.operation.name": name, **named})


def ask(messages, tools=()):
    """One call of the model."""
    given = {"tools": list(tools)} if tools else {}
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **given).choices[0].message


def planner(question: str, session: str) -> None:
    """Looks into its memory, asks for the weather, checks the answer."""
    with operation("invoke_agent", "planner", agent_name="planner", conversation_id=session):
        with operation("search_memory", "notes"):
            client.embeddings.create(model="text-embedding-3-small", input=question)
        messages = [{"role": "user", "content": question}]
        first = ask(messages, [WEATHER_TOOL])
        call = first.tool_calls[0]
        with operation("execute_tool", "get_weather", tool_name="get_weather"):
            time.sleep(0.01)
        messages += [first.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        ask(messages, [WEATHER_TOOL])
        with operation("apply_guardrail", "polite"):
            time.sleep(0.005)


def coordinator(question: str) -> None:
    """A workflow of two agents, one called by the other."""
    with (
        operation("invoke_workflow", "desk", workflow_name="desk", conversation_id="trip-2"),
        operation("invoke_agent", "coordinator", agent_name="coordinator"),
    ):
        with operation("invoke_agent", "researcher", agent_name="researcher"):
            ask([{"role": "user", "content": question}])
        ask([{"role": "user", "content": question}])


async def parallel() -> None:
    """Two calls at once."""
    asynchronous = AsyncOpenAI(max_retries=0)
    with operation("invoke_agent", "parallel", agent_name="parallel", conversation_id="trip-4"):
        calls = [
            asynchronous.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
            for _ in range(2)
        ]
        await asyncio.gather(*calls)


planner("the weather?", "trip-1")
coordinator("the weather?")
with contextlib.suppress(Exception):  # it has to fail
    planner("FAIL please", "trip-1")
with operation("invoke_agent", "streamer", agent_name="streamer", conversation_id="trip-3"):
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "the weather?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for _ in stream:
        pass
asyncio.run(parallel())
with operation("invoke_workflow", "digest", workflow_name="digest", conversation_id="trip-5"):
    ask([{"role": "user", "content": "a long text"}])
ask([{"role": "user", "content": "hello"}])
provider.shutdown()
