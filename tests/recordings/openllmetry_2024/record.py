"""What OpenLLMetry's instrumentation of the OpenAI client wrote at the end of 2024, with the former names of keys."""

import contextlib

from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = OpenAI(max_retries=0)
tracer = provider.get_tracer("traceloop.tracer")


def agent(name: str, session: str):
    """An agent as the SDK of that time marked it."""
    return tracer.start_as_current_span(
        f"{name}.agent",
        attributes={
            "traceloop.span.kind": "agent",
            "traceloop.entity.name": name,
            "traceloop.association.properties.session_id": session,
        },
    )


def ask(text: str, **given):
    """One call of the model."""
    return client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **given)


with agent("planner", "trip-1"):
    ask("the weather?")
    client.embeddings.create(model="text-embedding-3-small", input="Paris")
    ask("and tomorrow?")
with agent("streamer", "trip-2"):
    for _ in ask("the weather?", stream=True, stream_options={"include_usage": True}):
        pass
with tracer.start_as_current_span(
    "digest.workflow", attributes={"traceloop.span.kind": "workflow", "traceloop.entity.name": "digest"}
):
    ask("a long text")
with contextlib.suppress(Exception), agent("breaker", "trip-2"):  # it has to fail
    ask("FAIL please")
ask("hello")
provider.shutdown()
