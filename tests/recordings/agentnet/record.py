"""What AgentNet's own tracing writes, driven by hand. ``AGENTNET_SRC`` names its tree: it is on no package index."""

import contextlib
import os
import sys
import time

sys.path.insert(0, os.environ["AGENTNET_SRC"])

from agentnet.observability.tracing import TracingManager
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

tracing = TracingManager()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))


def infer(agent, session, tokens, usd):
    """A call of a model, told as the framework's instrumented providers do."""
    with tracing.trace_agent_inference(agent, "m-large", "example", session) as span:
        time.sleep(0.02)
        span.set_attribute("prompt_length", 100)
        if tokens is None:
            raise RuntimeError("the request was refused")
        span.set_attribute("output_tokens", tokens)
        span.set_attribute("cost_usd", usd)
        span.set_attribute("latency_ms", 20.0)


with tracing.trace_session_round("trip-1", 1, "single_agent"):
    with tracing.trace_monitor_sequence("polite", 2, "trip-1"):
        time.sleep(0.005)
    infer("planner", "trip-1", 40, 0.001)
    with tracing.trace_tool_invoke("get_weather", "trip-1"):
        time.sleep(0.01)
    infer("planner", "trip-1", 50, 0.002)
with (
    tracing.trace_session_round("trip-2", 1, "debate"),
    tracing.trace_dag_node("step-1", "agent", "writer", "trip-2"),
):
    infer("writer", "trip-2", 30, 0.001)
with contextlib.suppress(RuntimeError), tracing.trace_session_round("trip-3", 1, "single_agent"):
    infer("breaker", "trip-3", None, None)
infer("lonely", None, 30, 0.001)
trace.get_tracer_provider().shutdown()
