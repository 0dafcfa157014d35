"""Jaeger's query API, spoken by a small server that cuts at the limit as Jaeger does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.sources import jaeger_api
from agentnet_otel.sources.jaeger_api import parse_jaeger_source, read_jaeger
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import rebuild

NOW_US = 1_700_000_000_000_000


def trace_at(number, start_us):
    """A trace with one turn."""
    span = {
        "traceID": format(number, "x"), "spanID": format(number, "x"), "operationName": "invoke_agent a",
        "references": [], "startTime": start_us, "duration": 1000, "logs": [], "processID": "p",
        "tags": [{"key": "gen_ai.operation.name", "value": "invoke_agent"}, {"key": "gen_ai.agent.name", "value": "a"}],
    }  # fmt: skip
    return {"traceID": span["traceID"], "spans": [span], "processes": {"p": {"serviceName": "shop"}}}


class FakeJaeger:
    """Answers like Jaeger: the newest traces of a window, at most ``limit``, without a word on the rest."""

    def __init__(self):
        self.starts = {}
        self.asked = []
        self.failures = []
        self.override = None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler):
        """One request."""
        parts = urlsplit(handler.path)
        self.asked.append((parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()}))
        status, body = 200, {"data": ["shop", "other"]}
        if self.failures:
            status, body = self.failures.pop(0)
        elif self.override is not None:
            body = self.override
        elif parts.path == "/api/traces":
            body = {"data": self.search(self.asked[-1][1]), "errors": None}
        elif parts.path != "/api/services":
            status = 404
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def search(self, query):
        """Newest first."""
        low, high, limit = int(query["start"]), int(query["end"]), int(query["limit"])
        found = sorted(((at, n) for n, at in self.starts.items() if low <= at <= high), reverse=True)
        return [trace_at(number, at) for at, number in found[:limit]]

    def close(self):
        """Stop."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def jaeger():
    """A fake Jaeger."""
    made = FakeJaeger()
    yield made
    made.close()


def read(jaeger, parameters, report=None):
    """Trace ids of a query at a fixed time, without pauses."""
    query = parse_jaeger_source(f"jaeger+{jaeger.base}?{parameters}")
    spans = read_jaeger(query, report or ReadReport(), now_us=NOW_US, pause=lambda seconds: None)
    return [int(span.trace_id, 16) for span in spans]


@pytest.mark.parametrize("limit", [1, 3, 10, 200])
def test_a_limit_never_cuts(jaeger, limit):
    """Whatever the limit and however the traces lie in time, all of the window come, and no other."""
    jaeger.starts = {n: NOW_US - n * n * 9_000 for n in range(1, 60)}
    jaeger.starts[1000] = NOW_US - 3_600_000_001
    report = ReadReport()
    assert sorted(set(read(jaeger, f"service=shop&limit={limit}", report))) == list(range(1, 60))
    assert not report.problems


def test_a_window_that_cannot_be_halved_is_told(jaeger):
    """More traces in one millisecond than the limit: that is said."""
    jaeger.starts = dict.fromkeys(range(1, 9), NOW_US - 500)
    report = ReadReport()
    assert len(set(read(jaeger, "service=shop&limit=5", report))) == 6
    assert "raise limit=" in report.problems[0]


def test_what_is_asked(jaeger):
    """Service, window, limit, operation and tags reach Jaeger in its own words."""
    read(jaeger, "service=shop&lookback=30m&limit=7&operation=op&tags=error:true,a:b%3Ac")
    path, query = jaeger.asked[-1]
    assert path == "/api/traces"
    assert (query["service"], query["limit"], query["operation"]) == ("shop", "8", "op")
    assert int(query["end"]) - int(query["start"]) == 1800 * 10**6
    assert json.loads(query["tags"]) == {"error": "true", "a": "b:c"}
    read(jaeger, 'service=shop&tags={"a":"b"}')
    assert json.loads(jaeger.asked[-1][1]["tags"]) == {"a": "b"}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("jaeger+ftp://x", "not an address"), ("jaeger+http://", "not an address"),
        ("jaeger+http://h?service=a&lookback=x", "not a duration"), ("jaeger+http://h?lookback=-1h", "not a duration"),
        ("jaeger+http://h?lookback=1y", "not a duration"), ("jaeger+http://h?limit=0", "not a number of traces"),
        ("jaeger+http://h?limit=1500", "not a number of traces"), ("jaeger+http://h?nope=1", "unknown parameter"),
        ("jaeger+http://h?tags=x", "neither"), ("jaeger+http://h?tags={", "neither"),
        ("jaeger+http://me:pw@h", "password"),
    ],
)  # fmt: skip
def test_wrong_addresses(source, told):
    """Each names what is wrong and what is right."""
    with pytest.raises(ConfigurationError, match=told):
        parse_jaeger_source(source)


def test_an_unknown_service_names_those_that_are_known(jaeger):
    """A typing error is found at once; without a service the same list comes."""
    with pytest.raises(ConfigurationError, match=r"no traces of service 'shpo'; there are: other, shop"):
        read(jaeger, "service=shpo")
    with pytest.raises(ConfigurationError, match=r"name a service with service=...; there are: other, shop"):
        read(jaeger, "")


def test_failures_that_pass_are_tried_again(jaeger):
    """Busy and broken gateways are asked again, with growing pauses; others are not."""
    jaeger.starts = {1: NOW_US - 5}
    jaeger.failures = [(503, b"busy"), (429, b""), (502, b"")]
    assert read(jaeger, "service=shop") == [1]
    jaeger.failures = [(503, b"busy")] * jaeger_api.TRIES
    with pytest.raises(BackendError, match=r"answers 503 .*: busy"):
        read(jaeger, "service=shop")
    assert not jaeger.failures
    jaeger.failures = [(400, b"bad tags"), (200, b"")]
    with pytest.raises(BackendError, match=r"answers 400 .*: bad tags"):
        read(jaeger, "service=shop")


def test_what_is_not_jaeger(jaeger):
    """A page, another API, nobody, and plain HTTP where TLS was asked for."""
    jaeger.override = b"<html>"
    with pytest.raises(BackendError, match="not as Jaeger's query API"):
        read(jaeger, "service=shop")
    jaeger.failures = [(404, b"")]
    with pytest.raises(BackendError, match="has no /api/services"):
        read(jaeger, "service=shop")
    base = jaeger.base
    jaeger.base = "http://127.0.0.1:1"
    with pytest.raises(BackendError, match="cannot be reached"):
        read(jaeger, "service=shop")
    jaeger.base = base.replace("http:", "https:")
    with pytest.raises(BackendError, match=r"TLS fails|cannot be reached"):
        read(jaeger, "service=shop")
    jaeger.base = base


def test_a_server_that_is_silent(jaeger, monkeypatch):
    """A time-out is told with its length."""
    monkeypatch.setattr(jaeger_api, "TIMEOUT_S", 0.2)
    silent = threading.Event()
    jaeger.answer = lambda handler: silent.wait(5)
    with pytest.raises(BackendError, match=r"did not answer within 0.2 s"):
        read(jaeger, "service=shop")
    silent.set()


def test_commands_read_it_like_a_file(jaeger):
    """Turns come out; a failure is a problem of this source, not the end."""
    now_us = jaeger_api.time.time_ns() // 1000
    jaeger.starts = {5: now_us - 2_000_000}
    rebuilt = rebuild([f"jaeger+{jaeger.base}?service=shop&lookback=1m", f"jaeger+{jaeger.base}?service=none"])
    assert [turn.agent for turn in rebuilt.turns] == ["a"]
    assert rebuilt.read.unreadable_sources == 1
    assert "there are: other, shop" in rebuilt.read.problems[0]
