"""A small real OTLP/HTTP server on loopback, which keeps what it gets, and can refuse or be slow."""

import gzip
import http.server
import threading
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass
class OtlpServer:
    """What it got, decoded, in order; ``status`` is its answer, given once ``open`` is set."""

    port: int = 0
    status: int = 200
    requests: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self):
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"

    def of(self, kind):
        """The requests of one kind."""
        return [request for request in self.requests if isinstance(request, kind)]

    def span_names(self):
        """Names of all spans that came."""
        return [
            span.name
            for request in self.of(ExportTraceServiceRequest)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metric_names(self):
        """Names of all metrics that came."""
        return {
            metric.name
            for request in self.of(ExportMetricsServiceRequest)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def otlp_server():
    """Runs while the test does."""
    state = OtlpServer()
    state.open.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            state.open.wait(20)
            state.headers.append(dict(self.headers.items()))
            state.requests.append(REQUESTS[self.path].FromString(body))
            self.send_response(state.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # so that closing waits for those who answer
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield state
        state.open.set()
        server.shutdown()
        thread.join()
