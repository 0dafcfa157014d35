"""The ways to the page: a port of its own, WSGI, ASGI; and that a page which several processes share is refused."""

import asyncio
import gzip
import multiprocessing
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.outputs.prometheus import PrometheusEndpoint

HOST = f"process-{os.getpid()}.example"
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3"


@pytest.fixture
def page(pulled):
    """A page with one counter."""
    made = pulled()
    made.meter.create_counter("agentnet.turns", "{turn}", "Turns.").add(1)
    return made


@pytest.fixture
def server(page):
    """The page on a free port."""
    made = page.endpoint.start_http_server(port=0)
    yield made
    made.close()


def get(server, method="GET", **headers):
    """Status, headers and body of a request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers=named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - made here
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def by_wsgi(app, **environ):
    """Status, headers and body of a call; at an address that no other process of the tests claims."""
    environ["SERVER_NAME"] = HOST
    setup_testing_defaults(environ)
    started = []
    body = b"".join(app(environ, lambda status, headers: started.append((status, dict(headers)))))
    ((status, headers),) = started
    return status, headers, body


def by_asgi(app, method="GET", headers=()):
    """Messages that a request is answered with."""
    sent = []
    server = (HOST, 9000)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "http", "method": method, "headers": headers, "server": server}, receive, send))
    return sent


def test_the_port_answers_in_the_format_that_is_asked_for(server):
    """OpenMetrics for Prometheus, the classic text for the rest, each with its content type and its length."""
    status, headers, body = get(server, Accept=OPENMETRICS)
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/openmetrics-text")
    assert "agentnet_turns" in {family.name for family in text_string_to_metric_families(body.decode())}
    assert headers["Content-Length"] == str(len(body))
    status, headers, body = get(server)
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE agentnet_turns_total counter" in body


def test_the_answer_is_compressed_where_that_is_taken(server):
    """Gzip, and told so."""
    _, headers, body = get(server, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"# HELP")


def test_only_reading_is_answered(server):
    """HEAD has no body; what would write is refused."""
    status, headers, body = get(server, "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0
    status, _, body = get(server, "POST")
    assert (status, body) == (405, b"metrics are read with GET\n")


def test_a_port_that_is_taken_is_a_clear_error(page, server):
    """The sentence has the address and the reason; closing twice is nothing special."""
    with pytest.raises(BackendError, match=rf"127\.0\.0\.1:{server.port}: Address already in use.*0 for a free one"):
        page.endpoint.start_http_server(server.port)
    with pytest.raises(BackendError, match="70000"):
        page.endpoint.start_http_server(70_000)
    server.close()
    page.endpoint.start_http_server(server.port).close()
    server.close()


def test_a_slow_client_holds_up_no_other(server):
    """Someone who connects and says nothing does not keep Prometheus from its page."""
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server)[0] == 200


def test_a_wsgi_server_shows_the_page(page):
    """Status, headers, body as WSGI has them."""
    status, headers, body = by_wsgi(page.endpoint.wsgi_app(), HTTP_ACCEPT=OPENMETRICS)
    assert (status, headers["Content-Type"].split(";")[0]) == ("200 OK", "application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_an_asgi_server_shows_the_page(page):
    """Two messages; headers come in any number, and the start and end of a server are answered."""
    app = page.endpoint.asgi_app()
    start, body = by_asgi(app, headers=[(b"Accept", b"text/plain;q=0.2"), (b"accept", b"application/openmetrics-text")])
    assert start["status"] == 200
    assert dict(start["headers"])[b"content-type"].startswith(b"application/openmetrics-text")
    assert body["body"].endswith(b"# EOF\n")
    sent, messages = [], iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(ValueError, match="not by websocket"):
        asyncio.run(app({"type": "websocket"}, receive, send))


def test_what_fails_while_collecting_is_told_in_the_log_alone(caplog):
    """The scraper gets a status and a sentence; texts of errors stay in the process."""

    def fail():
        raise RuntimeError("a secret of the application")

    status, _, body = by_wsgi(PrometheusEndpoint(fail).wsgi_app())
    assert status.startswith("500")
    assert b"secret" not in body
    assert "a secret of the application" in caplog.text


def test_a_server_with_several_workers_is_refused(page):
    """The server says so of itself; the answer says what to do instead."""
    status, _, body = by_wsgi(page.endpoint.wsgi_app(), **{"wsgi.multiprocess": True})
    assert status.startswith("503")
    assert b"OTEL_METRICS_EXPORTER=otlp" in body
    assert b"a port of its own" in body


def test_the_mode_of_prometheus_client_for_several_processes_is_refused(page, monkeypatch):
    """At set-up, with the variable's name."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    with pytest.raises(ConfigurationError, match="PROMETHEUS_MULTIPROC_DIR is set"):
        PrometheusEndpoint.of_reader(page.reader)


def in_child(work):
    """What ``work`` returns in a forked child."""
    context = multiprocessing.get_context("fork")
    there, here = context.Pipe()
    child = context.Process(target=lambda: there.send(work()))
    child.start()
    assert here.poll(30), "the child says nothing"
    answer = here.recv()
    child.join(30)
    return answer


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_page_made_before_the_fork_is_refused_in_the_child(page):
    """Workers of a server that loads the application first share what was made there."""
    wsgi, asgi = page.endpoint.wsgi_app(), page.endpoint.asgi_app()
    status, _, body = in_child(lambda: by_wsgi(wsgi))
    assert status.startswith("503")
    assert str(os.getpid()).encode() in body
    assert in_child(lambda: by_asgi(asgi))[0]["status"] == 503
    assert by_wsgi(wsgi)[0] == "200 OK"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_may_have_a_port_of_its_own_and_leaves_its_parents_alone(page, server):
    """One port a worker: the child serves, and the parent's port is free when the parent gives it back."""

    def work():
        own = page.endpoint.start_http_server(port=0)
        try:
            return get(own)[0]
        finally:
            own.close()

    assert in_child(work) == 200
    assert get(server)[0] == 200


def test_a_second_process_at_the_same_address_is_refused(page, tmp_path, monkeypatch):
    """Whoever answered there first goes on; when that process ends, the next one may."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = (
        "import sys; from agentnet_otel.outputs.prometheus.one_process import refusal; import os\n"
        "print(refusal(os.getpid(), 'shared.example:8000'), flush=True); sys.stdin.read()"
    )
    run = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **run) as first:
        assert first.stdout.readline() == "None\n"
        with subprocess.Popen([sys.executable, "-c", code], **run) as second:
            assert "another process answers scrapes at shared.example:8000" in second.stdout.readline()
            second.stdin.close()
        first.stdin.close()
    with subprocess.Popen([sys.executable, "-c", code], **run) as third:
        assert third.stdout.readline() == "None\n"
        third.stdin.close()
