"""`opentelemetry-instrument python app.py`: no line of code, and every standard variable keeps its meaning."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.application.conftest import attributes_of

COMMAND = (Path(sys.executable).parent / "opentelemetry-instrument", sys.executable)

PLAIN = """
import asyncio, logging, warnings
warnings.simplefilter("ignore")
logging.disable()
from agentnet.core.agent import AgentNet
from agentnet.core.orchestration.turn_engine import TurnEngine
from agentnet.providers.example import ExampleEngine

agent = AgentNet("planner", {"logic": 0.8}, engine=ExampleEngine({"model": "m"}), memory_config={"memory": {}})
for _ in range(20):
    agent.generate_reasoning_tree("a question that is a little longer than thirty characters")
asyncio.run(TurnEngine(max_turns=1).execute_single_agent_session(agent, "hi"))
"""
WITH_CODE = "import agentnet_otel\nagentnet_otel.instrument()\n" + PLAIN
TURNS = 21


@pytest.fixture(params=["no line of code", "instrument()"])
def export(request, run_application, receiver):
    """Runs the application with variables that make it export to the receiver; what it wrote to standard error."""

    def run(**variables):
        zero = request.param == "no line of code"
        given = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            **variables,
        }
        command = {"command": COMMAND} if zero else {"command": (sys.executable,)}
        return run_application(PLAIN if zero else WITH_CODE, **command, **given).stderr

    return run


def test_spans_and_metrics_arrive(export, receiver):
    """Turns with their components, and the session, as spans; the same turns in the metrics."""
    assert export() == ""
    assert receiver.agents() == {"planner": TURNS}
    names = Counter(span.name for span in receiver.spans())
    assert {"chat m", "orchestration configure_scenario", "response_processing", "create_memory"} <= set(names)
    assert names["invoke_workflow single_agent"] == 1
    assert sum(receiver.metric("agentnet.turns").values()) == TURNS
    assert sum(receiver.metric("agentnet.turn.duration").values()) == TURNS


def test_console(run_application):
    """With the exporter of the SDK that writes to standard output, each turn is there."""
    out = run_application(PLAIN, command=COMMAND, OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="none").stdout
    decoder, told = json.JSONDecoder(), []
    while out.strip():
        span, end = decoder.raw_decode(out := out.lstrip())
        told.append(span)
        out = out[end:]
    assert sum(span["name"] == "invoke_agent planner" for span in told) == TURNS


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, agentnet"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
        {"OTEL_SDK_DISABLED": "true"},
    ],
)
def test_switched_off(export, receiver, variables):
    """Nothing is instrumented, nothing is exported."""
    assert export(**variables) == ""
    assert receiver.spans() == []
    assert receiver.metric("agentnet.turns") == {}


@pytest.mark.slow
def test_the_resource(export, receiver):
    """The service's name and further attributes are those of the variables."""
    export(OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,team=red")
    for resource in receiver.resources():
        assert (resource["service.name"], resource["deployment.environment.name"], resource["team"]) == (
            "shop", "test", "red",
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "fewest", "most", "probability"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0, 0, None),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, TURNS, TURNS, 1.0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, 0, 12, 0.1),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, 1, 20, 0.5),
    ],
)
def test_sampling(export, receiver, variables, fewest, most, probability):
    """Spans follow the sampler and say its rate; the metrics are exact whatever it does."""
    export(**variables)
    turns = receiver.spans("invoke_agent")
    assert fewest <= len(turns) <= most
    assert {attributes_of(turn.attributes)["agentnet.sampling.probability"] for turn in turns} <= {probability}
    assert sum(receiver.metric("agentnet.turns").values()) == TURNS
    assert sum(receiver.metric("gen_ai.client.operation.duration").values()) == TURNS


@pytest.mark.slow
def test_limits(export, receiver):
    """Spans have no more attributes, and no longer values, than allowed."""
    export(OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="7", OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="4")
    (turn, *_) = receiver.spans("invoke_agent")
    assert len(turn.attributes) == 7
    assert turn.dropped_attributes_count > 0
    assert {len(value) for value in attributes_of(turn.attributes).values() if isinstance(value, str)} == {4}
    assert sum(receiver.metric("agentnet.turns").values()) == TURNS


@pytest.mark.slow
def test_batching(export, receiver):
    """Batches are as large as the variables say."""
    export(OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5", OTEL_BSP_SCHEDULE_DELAY="60000")
    sizes = [
        sum(len(scope.spans) for rs in request.resource_spans for scope in rs.scope_spans)
        for request in receiver.traces
    ]
    assert max(sizes) == 5
    assert receiver.agents() == {"planner": TURNS}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "spans", "metrics"),
    [({"OTEL_METRICS_EXPORTER": "none"}, True, False), ({"OTEL_TRACES_EXPORTER": "none"}, False, True)],
)
def test_a_signal_that_is_not_wanted(export, receiver, variables, spans, metrics):
    """`none` switches one signal off, and leaves the other alone."""
    assert export(**variables) == ""
    assert bool(receiver.traces) is spans
    assert bool(receiver.metric("agentnet.turns")) is metrics
