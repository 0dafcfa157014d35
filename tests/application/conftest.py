"""Applications as processes of their own, and a receiver of what they export."""

import gzip
import os
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

STANDIN = Path(__file__).parent.parent / "agentnet" / "standin"
AGENTNET = os.environ.get("AGENTNET_SRC") or str(STANDIN)
"""The tree of AgentNet that applications import: the real one where AGENTNET_SRC names it."""


def value_of(value):
    """An attribute's value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(value_of(item) for item in value.array_value.values)
    return getattr(value, kind)


def attributes_of(attributes):
    """Attributes as a dict."""
    return {pair.key: value_of(pair.value) for pair in attributes}


class Receiver:
    """Receives OTLP over HTTP on the loopback interface."""

    def __init__(self):
        self.traces, self.metrics = [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
                if self.path.endswith("/v1/traces"):
                    receiver.traces.append(ExportTraceServiceRequest.FromString(body))
                elif self.path.endswith("/v1/metrics"):
                    receiver.metrics.append(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def spans(self, prefix=""):
        """The spans whose names begin so."""
        return [
            span
            for request in list(self.traces)
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
            if span.name.startswith(prefix)
        ]

    def agents(self):
        """How many turns each agent had."""
        return Counter(attributes_of(span.attributes)["gen_ai.agent.name"] for span in self.spans("invoke_agent"))

    def resources(self):
        """Attributes of the resources of the spans."""
        return [attributes_of(rs.resource.attributes) for request in list(self.traces) for rs in request.resource_spans]

    def metric(self, name):
        """The last value of each series of a metric: by instance and attributes, a number or a histogram's count."""
        found = {}
        for request in list(self.metrics):
            for resource_metrics in request.resource_metrics:
                instance = attributes_of(resource_metrics.resource.attributes).get("service.instance.id")
                for scope_metrics in resource_metrics.scope_metrics:
                    for metric in scope_metrics.metrics:
                        if metric.name == name:
                            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                                key = (instance, *sorted(attributes_of(point.attributes).items()))
                                found[key] = point.count if hasattr(point, "count") else point.as_int
        return found

    def close(self):
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver():
    """Receives OTLP."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def run_application(tmp_path):
    """Runs the source of an application as a process of its own, in an empty folder."""

    def run(source, *arguments, command=(sys.executable, "-W", "error"), code=0, **environment):
        path = tmp_path / "app.py"
        path.write_text(source)
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTNET_"))}
        done = subprocess.run(
            [*command, path, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**usual, "PYTHONPATH": AGENTNET, **environment},
            timeout=900,  # against a hang only: the longest takes minutes on a busy machine
        )
        assert done.returncode == code, done.stderr
        assert "Failed to detach" not in done.stderr
        return done

    return run
