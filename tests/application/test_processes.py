"""Processes: forked workers and the children of multiprocessing."""

from collections import Counter

import pytest

from agentnet_otel.sources.rebuild import rebuild
from tests.application.conftest import attributes_of

PREFORK = """
import os, sys
import agentnet_otel
from agentnet_otel import LatencyComponent

handle = agentnet_otel.instrument(exporter="file:" + sys.argv[1])

def serve(name, turns):
    for number in range(turns):
        with agentnet_otel.turn(name, turn_id=f"{name}-{number}") as turn:
            with turn.component(LatencyComponent.INFERENCE):
                pass

serve("parent-before", 5)
with agentnet_otel.turn("open-at-fork"):
    workers = []
    for place in range(4):
        child = os.fork()
        if child == 0:
            assert agentnet_otel.current_turn() is None
            assert handle.turns() == []
            serve(f"worker-{place}", 50)
            handle.flush()
            os._exit(0)
        workers.append(child)
    for child in workers:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
serve("parent-after", 5)
handle.shutdown()
"""

CHILDREN = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
import agentnet_otel
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_, endpoint, method, where = sys.argv
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint + "/v1/traces")))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(endpoint + "/v1/metrics"))]))
if where == "module":
    agentnet_otel.instrument()

@agentnet_otel.traced_turn("decorated")
def decorated(number):
    return number * 2

def work(number):
    agentnet_otel.instrument()
    with agentnet_otel.turn("child", turn_id=str(number)) as turn:
        with turn.component("inference", model="m") as call:
            call.record_tokens(input=1, output=2)
    agentnet_otel.turn("open").start()

if __name__ == "__main__":
    agentnet_otel.instrument()
    for number in range(5):
        with agentnet_otel.turn("parent"):
            pass
    context = multiprocessing.get_context(method)
    with agentnet_otel.turn("around"):
        children = [context.Process(target=work, args=(n,)) for n in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert list(pool.map(decorated, range(3))) == [0, 2, 4]
"""

SERVER = """
import http.client, os, signal, socket, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import agentnet_otel
from agentnet_otel import LatencyComponent
from opentelemetry import trace

_, workers, requests = sys.argv
agentnet_otel.instrument(exporter="otlp")

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        with agentnet_otel.turn("server", turn_id=self.path) as turn:
            with turn.component(LatencyComponent.INFERENCE, model="m") as call:
                call.record_tokens(input=1, output=1)
        body = f"{os.getpid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Answer)
with agentnet_otel.turn("warm-up"):
    pass
children = []
for _ in range(int(workers)):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            server.serve_forever()
        finally:
            server.server_close()
    children.append(child)
answered = set()
for number in range(int(requests)):
    connection = http.client.HTTPConnection(*server.server_address)
    connection.request("GET", f"/{number}")
    answered.add(int(connection.getresponse().read()))
    connection.close()
for child in children:
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == 0
assert answered <= set(children)
server.server_close()
"""

FORKED_METRICS = """
import os, sys
import agentnet_otel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

reader = InMemoryMetricReader()
handle = agentnet_otel.instrument(
    tracer_provider=TracerProvider(shutdown_on_exit=False),
    meter_provider=MeterProvider([reader], shutdown_on_exit=False),
)
import logging
logging.disable()

def work(turns):
    for number in range(turns):
        with agentnet_otel.turn(f"a{number}") as turn:
            turn.record_quality(7)

def told():
    found = {}
    (resource,) = reader.get_metrics_data().resource_metrics
    for metric in resource.scope_metrics[0].metrics:
        found[metric.name] = sum(getattr(p, "value", getattr(p, "count", 0)) for p in metric.data.data_points)
    return found, resource.resource.attributes["service.instance.id"]

work(300)
parent, parent_instance = told()
with agentnet_otel.turn("open"):
    child = os.fork()
    if child == 0:
        assert handle.turns() == [] and handle.latency.get_measurements() == []
        work(3)
        found, instance = told()
        assert instance != parent_instance
        assert found["agentnet.turns"] == found["agentnet.turn.duration"] == 3, found
        assert found["agentnet.turn.active"] == found["agentnet.otel.labels.folded"] == 0, found
        assert found["agentnet.otel.misuse"] == 3, found
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
assert parent["agentnet.turns"] == 300 and parent["agentnet.otel.labels.folded"] > 0
assert told()[0]["agentnet.turns"] == 301
"""


def test_a_prefork_server(run_application, tmp_path):
    """Workers forked inside an open turn: their turns are their own, the open one is told once, by its process."""
    spans = tmp_path / "spans.jsonl"
    run_application(PREFORK, spans)
    rebuilt = rebuild([spans])
    assert not rebuilt.read.problems
    agents = Counter(turn.agent for turn in rebuilt.turns)
    assert agents == {
        "parent-before": 5, "parent-after": 5, "open-at-fork": 1, **{f"worker-{place}": 50 for place in range(4)}
    }  # fmt: skip
    assert rebuilt.counts.duplicates == 0
    assert all(turn.spans == (1 if turn.agent == "open-at-fork" else 2) for turn in rebuilt.turns)


@pytest.mark.parametrize("where", ["module", "main"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_of_multiprocessing(run_application, receiver, method, where):
    """They leave without exit handlers; their turns arrive all the same, through the application's own providers."""
    done = run_application(CHILDREN, receiver.endpoint, method, where)
    assert done.stderr == ""
    expected = Counter({"parent": 5, "around": 1, "child": 3, "open": 3, "decorated": 3})
    if (method, where) == ("forkserver", "main") and not receiver.agents()["decorated"]:
        del expected["decorated"]  # nobody called `instrument()` there; who flushes the provider depends on the Python
    assert receiver.agents() == expected
    assert len({span.span_id for span in receiver.spans()}) == len(receiver.spans())
    turns = receiver.metric("agentnet.turns")
    assert sum(turns.values()) == sum(expected.values())
    assert len({instance for instance, *_ in turns}) == 4 + ("decorated" in expected)
    assert set(receiver.metric("agentnet.turn.active").values()) == {0}


def test_a_prefork_http_server(run_application, receiver):
    """Three workers share a listening socket and one exporter each; a SIGTERM that exits flushes them."""
    done = run_application(
        SERVER, 3, 60,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )  # fmt: skip
    assert done.stderr == ""
    assert receiver.agents() == {"warm-up": 1, "server": 60}
    turns = receiver.metric("agentnet.turns")
    assert sum(turns.values()) == 61
    spans = receiver.spans("invoke_agent server")
    assert sorted(int(attributes_of(s.attributes)["agentnet.turn.id"][1:]) for s in spans) == list(range(60))
    instances = {resource["service.instance.id"] for resource in receiver.resources()}
    assert {instance for instance, *_ in turns} <= instances
    assert 2 <= len(instances) <= 4


def test_the_metrics_of_a_child_begin_at_0(run_application):
    """Its counts, also those about ourselves, are its own, under an instance of its own; the parent's go on."""
    run_application(FORKED_METRICS)
