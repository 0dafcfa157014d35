"""Jaeger's query API, spoken by a small server that cuts at the limit as Jaeger does."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from agentnet_otel.cli import run
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
        self.retry_after = ""
        self.breaks = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing waits for those who answer
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
        self.breaks -= 1
        handler.send_header("Content-Length", str(len(data) + (self.breaks >= 0)))
        if self.retry_after:
            handler.send_header("Retry-After", self.retry_after)
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


@pytest.mark.parametrize("traces", [5, 5000])
def test_a_server_that_does_not_care_for_time_is_given_up(jaeger, traces):
    """It answers the same traces to whatever is asked, more than the limit or as many as it allows."""
    jaeger.search = lambda query: [trace_at(n, NOW_US - 1) for n in range(1, min(traces, int(query["limit"])) + 1)]
    with pytest.raises(BackendError, match="whatever time is asked for"):
        read(jaeger, "service=shop&limit=2")
    assert len(jaeger.asked) < 250


def test_answers_that_are_always_too_large_are_given_up(jaeger, monkeypatch):
    """As where one trace is larger than any answer may be, and lies in all windows."""
    monkeypatch.setattr(jaeger_api, "MAX_ANSWER_BYTES", 100)
    jaeger.search = lambda query: [trace_at(1, NOW_US - 1)]
    with pytest.raises(BackendError, match="too much whatever time"):
        read(jaeger, "service=shop")
    assert len(jaeger.asked) < 250


def test_one_long_trace_among_short_ones_costs_nothing(jaeger):
    """It lies in every window, and is no sign of a server that does not care."""
    short = {n: NOW_US - n * 7_000_000 for n in range(2, 200)}

    def search(query):
        low, high, limit = (int(query[key]) for key in ("start", "end", "limit"))
        return [trace_at(1, low), *(trace_at(n, at) for n, at in short.items() if low <= at <= high)][:limit]

    jaeger.search = search
    assert set(read(jaeger, "service=shop&limit=1")) == set(range(1, 200))


def test_only_where_http_is_spoken_is_followed_to(jaeger, monkeypatch):
    """A server that points to another protocol is told, and nobody is asked there."""

    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", "ftp://127.0.0.1:1/x")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    monkeypatch.setattr(jaeger, "answer", redirect)
    with pytest.raises(BackendError, match=r"302 and leads to ftp://127\.0\.0\.1:1/x"):
        read(jaeger, "service=shop")


def test_what_lies_close_together_is_told_apart(jaeger):
    """Windows are halved down to a microsecond, the finest that Jaeger tells."""
    jaeger.starts = {n: NOW_US - 500 - n for n in range(1, 30)}
    report = ReadReport()
    assert sorted(set(read(jaeger, "service=shop&limit=2", report))) == list(range(1, 30))
    assert report.summary is None


def test_a_window_that_is_too_large_is_asked_in_halves(jaeger, monkeypatch):
    """An answer beyond the largest that is taken loses nothing, as long as its window can be halved."""
    jaeger.starts = {n: NOW_US - n * 1000 for n in range(1, 40)}
    monkeypatch.setattr(jaeger_api, "MAX_ANSWER_BYTES", 2000)
    report = ReadReport()
    assert sorted(set(read(jaeger, "service=shop", report))) == list(range(1, 40))
    assert report.summary is None
    jaeger.starts = dict.fromkeys(range(50, 70), NOW_US - 7) | {1: NOW_US - 9}
    assert set(read(jaeger, "service=shop", report)) == {1}
    assert report.summary == "left out: 2 cut windows"  # it lies at the border of two windows
    assert all("holds more than 2,000 bytes" in problem for problem in report.problems)


def test_a_window_that_reaches_before_all_time(jaeger):
    """Nobody is asked for times before 1970."""
    jaeger.starts = {1: 5}
    assert read(jaeger, "service=shop&lookback=99999999d") == [1]
    assert jaeger.asked[-1][1]["start"] == "0"


def test_traces_that_start_in_the_same_microsecond(jaeger):
    """Of them the largest limit is asked; what is more than that is said."""
    jaeger.starts = dict.fromkeys(range(1, 900), NOW_US - 500)
    report = ReadReport()
    assert len(set(read(jaeger, "service=shop&limit=5", report))) == 899
    assert report.problems == []
    jaeger.starts = dict.fromkeys(range(1, 1600), NOW_US - 500)
    assert len(set(read(jaeger, "service=shop&limit=5", report))) == 1500
    assert "holds more than 1,499 traces" in report.problems[0]


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
        ("jaeger+http://h?service=a&service=b", "may be given once"),
        ("jaeger+http://h?tags=x", "neither"), ("jaeger+http://h?tags={", "neither"),
        ("jaeger+http://me:pw@h", "password"), ("jaeger+http://[::1?service=a", "not an address"),
        ("jaeger+http://h:99999", "not an address"), ("jaeger+http://h:abc", "not an address"),
        ("jaeger+http://h:0", "not an address"), ("jaeger+http://a..example", "not an address"),
        ("jaeger+http://a b", "not an address"), ("jaeger+http://h/a\nb", "not an address"),
    ],
)  # fmt: skip
def test_wrong_addresses(source, told):
    """Each names what is wrong and what is right; none tells a password."""
    with pytest.raises(ConfigurationError, match=told) as wrong:
        parse_jaeger_source(source)
    assert "pw" not in str(wrong.value)


def test_a_wrong_address_is_wrong_use(capsys):
    """The command line says so, as of a wrong option."""
    assert run(["turns", "jaeger+http://h:99999"]) == 2
    assert "write jaeger+http://host:port" in capsys.readouterr().err


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


def test_the_server_may_ask_for_longer_pauses(jaeger):
    """Pauses grow; a longer one that the server asks for is made, up to a limit."""
    pauses = []
    jaeger.failures = [(503, b"")] * 3
    query = parse_jaeger_source(f"jaeger+{jaeger.base}?service=shop")
    for asked in ("", "Wed, 21 Oct 2026 07:28:00 GMT", "3", "9999"):
        jaeger.failures = [(503, b"")] * 3
        jaeger.retry_after = asked
        list(read_jaeger(query, ReadReport(), now_us=NOW_US, pause=pauses.append))
    growing = [0.5, 1.0, 2.0]
    assert pauses == [*growing, *growing, 3.0, 3.0, 3.0, *[jaeger_api.MAX_PAUSE_S] * 3]


def test_what_jaeger_says_to_a_refusal(jaeger):
    """Of Jaeger's own answer only its words are told."""
    jaeger.failures = [(400, {"data": None, "errors": [{"code": 400, "msg": "malformed 'tags'"}]})]
    with pytest.raises(BackendError, match=r"answers 400 Bad Request: malformed 'tags'$"):
        read(jaeger, "service=shop")


def test_an_answer_that_ends_early_is_asked_again(jaeger):
    """A connection that breaks loses nothing."""
    jaeger.starts = {1: NOW_US - 5}
    jaeger.breaks = 2
    assert read(jaeger, "service=shop") == [1]
    jaeger.breaks = 99
    with pytest.raises(BackendError, match=r"cannot be reached: IncompleteRead"):
        read(jaeger, "service=shop")


def test_an_answer_that_drips_for_ever(jaeger, monkeypatch):
    """Also a server that always says a little is left at last."""
    monkeypatch.setattr(jaeger_api, "ANSWER_TIMEOUT_S", 0.0)
    with pytest.raises(BackendError, match=r"or 0 s in all"):
        read(jaeger, "service=shop")


def test_a_bad_trace_costs_itself(jaeger):
    """Of an answer with a wrong trace, a wrong process and a wrong span the rest is read."""
    jaeger.starts = {1: NOW_US - 5}
    wrong = [{"spans": 7}, {"spans": [{"spanID": "x"}]}, {**trace_at(2, 5), "processes": {"p": 3}}]
    jaeger.search = lambda query: [*wrong, trace_at(1, NOW_US - 5)]
    report = ReadReport()
    assert read(jaeger, "service=shop", report) == [2, 1]
    assert report.bad_spans == 3
    assert [
        place in told for place, told in zip(("trace 1", "trace 2", "'p' of trace 3"), report.problems, strict=True)
    ] == [True] * 3


def test_what_is_not_jaeger(jaeger):
    """A page, another API, nobody, and plain HTTP where TLS was asked for."""
    jaeger.override = b"<html>"
    with pytest.raises(BackendError, match="not as Jaeger's query API"):
        read(jaeger, "service=shop")
    jaeger.failures = [(404, b"")]
    with pytest.raises(BackendError, match="has no /api/services"):
        read(jaeger, "service=shop")
    base = jaeger.base
    with socket.socket() as nobody:  # its port is taken, and nothing listens there
        nobody.bind(("127.0.0.1", 0))
        jaeger.base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
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
