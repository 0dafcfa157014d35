"""Writes everything that can be written, by the manual API and on the stand-in of AgentNet, and prints what came out.

The test of the attributes' page runs it in a process of its own, with the stand-in on PYTHONPATH. Printed is one JSON
object: ``spans`` (attributes with their types by kind of span), ``events``, ``logs`` and ``metrics``.
"""

import asyncio
import json
import logging
import sys
import time
from contextlib import suppress

import agentnet.core.agent
from agentnet.core.orchestration import dag_planner, scheduler, turn_engine
from agentnet.core.policy import engine as policy_engine
from agentnet.core.policy import rules
from agentnet.core.types import CognitiveFault
from agentnet.providers.example import ExampleEngine
from agentnet.tools import base, registry
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

import agentnet_otel
from agentnet_otel import LatencyComponent, semconv
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.testing import InMemoryTelemetry

COMPONENTS = [kind for kind in LatencyComponent if kind is not LatencyComponent.TOTAL]
TYPES = {str: "string", int: "int", float: "double", bool: "boolean", tuple: "string[]"}


def by_hand():
    """All of the manual API."""
    with agentnet_otel.session("round_robin", "c-1"):
        with agentnet_otel.turn("planner", prompt="p", model="m", turn_id="t-1") as turn:
            with turn.component(LatencyComponent.INFERENCE, model="m", provider="openai") as call:
                call.record_attempt()
                call.record_first_token()
                call.record_tokens(input=10, output=5, cached=3, reasoning=2, estimated=True)
                call.record_cost(usd=0.001)
                call.record_response(model="m-1", response_id="r", finish_reasons=["stop"], text="answer", batch=True)
            with turn.component(LatencyComponent.TOOL_EXECUTION, "search") as tool:
                tool.record_tool_call(call_id="c", arguments={"q": "x"}, result="y", outcome="error")
            with turn.component(LatencyComponent.MEMORY_ACCESS) as memory:
                memory.record_records(2, store="episodic")
            with turn.component(LatencyComponent.POLICY_CHECK, "rules") as check:
                check.record_policy_violation("no-secrets", "major", "because of this")
            with turn.component(LatencyComponent.RESPONSE_PROCESSING, "format"):
                pass
            for kind in COMPONENTS:
                turn.component(kind, "left open").start(current=False)
            turn.record_quality(0.9)
            turn.record_confidence(0.7)
            turn.record_cost(usd=0.01)
            turn.set_response("answer")
        with agentnet_otel.turn("planner") as turn:
            turn.record_tokens(input=10, output=5, cached=3, reasoning=2, estimated=True)
    for kind in COMPONENTS:
        with suppress(ValueError), agentnet_otel.turn("failing") as turn, turn.component(kind, "x"):
            raise ValueError
    with suppress(ValueError), agentnet_otel.session("failing"):
        raise ValueError


def interrupted():
    """A session and a turn that are open at the end of the process."""
    session = agentnet_otel.session("single_agent").start(current=False)
    turn = agentnet_otel.turn("late").start(current=False)
    lifecycle.end_all()
    assert not session.is_open
    assert not turn.is_open


def objects(_agent, _task, _result):
    """A monitor that objects."""
    raise CognitiveFault("not like this")


class Search(base.Tool):
    """A tool."""

    async def execute(self, parameters, context=None):
        """Answer."""
        return base.ToolResult(status=base.ToolStatus.SUCCESS, data={})


class SlowEngine:
    """A synchronous engine that answers after the time-out of its turn."""

    def infer(self, prompt, agent_name=None):
        """Answer late."""
        time.sleep(0.2)
        return {"content": "late", "confidence": 0.5}


async def on_the_framework():
    """Sessions, graphs, tools, memory, monitors, streams."""
    tools = registry.ToolRegistry()
    tools.register_tool(Search(base.ToolSpec(name="search", description="d", schema={"type": "object"})))
    engine = ExampleEngine({"model": "m"})
    made = agentnet.core.agent.AgentNet(
        "ag", {"logic": 0.8}, engine=engine, memory_config={"memory": {}}, tool_registry=tools
    )
    faulty = agentnet.core.agent.AgentNet("faulty", {"logic": 0.8}, engine=engine, monitors=[objects])
    policies = policy_engine.PolicyEngine([rules.ConstraintRule("never", lambda context: False)], name="strict")
    sessions = turn_engine.TurnEngine(max_rounds=1, policy_engine=policies)
    await sessions.execute_multi_agent_session([made, faulty], "topic")
    await made.execute_tool("search", {})
    made.store_memory("x")
    made.retrieve_memory("x")
    async for _chunk in engine.stream_infer("hello"):
        pass
    graph = dag_planner.DAGPlanner().create_graph_from_nodes([dag_planner.TaskNode("one", "p", "ag", deps=[])])
    tasks = scheduler.TaskScheduler(max_retries=0, retry_delay=0.0)
    tasks.set_task_executor(lambda task_id, prompt, agent, context: {"content": prompt})
    await tasks.execute_graph(graph)
    slow = agentnet.core.agent.AgentNet("slow", {"logic": 0.8}, engine=SlowEngine())
    await turn_engine.TurnEngine(max_turns=1, turn_timeout=0.05).execute_single_agent_session(slow, "hi")
    agentnet.core.agent.AgentNet("bare", {"logic": 0.8}).generate_reasoning_tree("hi")


def kind_of(span):
    """Which span of the page it is."""
    operation = span.attributes.get(semconv.OPERATION_NAME)
    component = span.attributes.get(semconv.LATENCY_COMPONENT)
    return component or {semconv.OP_INVOKE_WORKFLOW: "session", semconv.OP_INVOKE_AGENT: "turn"}[operation]


def attribute_types(spans):
    """Kind of span -> attribute -> type."""
    found = {}
    for span in spans:
        known = found.setdefault(kind_of(span), {})
        known.update({key: TYPES[type(value)] for key, value in span.attributes.items()})
    return found


def metric_facts(reader):
    """Metric -> instrument, unit, labels."""
    found = {}
    data = reader.get_metrics_data()
    for metric in [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]:
        kind = type(metric.data).__name__.lower()
        if kind == "sum":
            kind = "counter" if metric.data.is_monotonic else "up-down counter"
        points = [point.attributes or {} for point in metric.data.data_points]
        always = set.intersection(*map(set, points))
        found[metric.name] = {
            "instrument": kind,
            "unit": metric.unit,
            "labels": sorted(always),
            "sometimes": sorted(set.union(*map(set, points)) - always),
        }
    return found


def main():
    """Write all, then print it."""
    logging.disable(logging.CRITICAL)
    telemetry, reader = InMemoryTelemetry(ALWAYS_ON), InMemoryMetricReader()
    agentnet_otel.instrument(
        tracer_provider=telemetry.tracer_provider,
        meter_provider=MeterProvider([reader], shutdown_on_exit=False),
        logger_provider=telemetry.logger_provider,
        capture_content="SPAN_AND_EVENT",
    )
    by_hand()
    interrupted()
    asyncio.run(on_the_framework())
    open_turn = agentnet_otel.turn("open").start(current=False)
    metrics = metric_facts(reader)
    open_turn.end()
    spans = telemetry.spans()
    events = {}
    for event in [event for span in spans for event in span.events]:
        events.setdefault(event.name, set()).update(event.attributes)
    logs = sorted({record.log_record.event_name for record in telemetry.logs()})
    json.dump(
        {
            "spans": attribute_types(spans),
            "events": {name: sorted(keys) for name, keys in events.items()},
            "logs": logs,
            "metrics": metrics,
        },
        sys.stdout,
    )
    agentnet_otel.uninstrument()


if __name__ == "__main__":
    main()
