"""The local page of a real `serve`, and of `view` on a file, asked as a browser asks."""

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from turn_requests import batch

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.service import local_page
from agentnet_otel.service.answers import Query
from agentnet_otel.service.local_page import LocalPage
from agentnet_otel.service.view import HeldTurns

WAIT_S = 60


def turn(number, **more):
    """A turn."""
    given = {
        "turn_id": f"t{number}", "trace_id": f"{number:032x}", "span_id": f"{number:016x}", "agent": f"a{number % 3}",
        "start_ns": 10**18, "end_ns": 10**18 + number * 10**6, "outcome": Outcome.SUCCESS,
    }  # fmt: skip
    return Turn(**{**given, **more})


def page_on(count):
    """The page on so many turns in memory."""
    held = HeldTurns([turn(number) for number in range(1, count + 1)])
    return LocalPage(lambda: held, ThresholdTable(), live=False)


def shown(page, **parameters):
    """The numbers of the turns on a page, in order, and where the next begins."""
    answer = page.turns(Query(parameters=parameters))
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    numbers = [int(found, 16) for found in re.findall(r"/turn\?trace=([0-9a-f]{32})", text)]
    older = re.search(r"before=(\d+)\">Older", text)
    return numbers, None if older is None else older[1]


def all_shown(page, **parameters):
    """The numbers on all pages."""
    numbers, older = shown(page, **parameters)
    while older is not None:
        more, older = shown(page, **parameters, before=older)
        numbers += more
    return numbers


@pytest.mark.parametrize(("live", "told"), [(False, "On all 1,020 turns"), (True, "On the newest 1,000 turns")])
def test_what_the_verdicts_are_on(live, told):
    """Of turns to which none come all, as `check` judges them; where more may come, only the newest."""
    failed = [turn(number, outcome=Outcome.ERROR) for number in range(1, 21)]
    held = HeldTurns([*failed, *(turn(number) for number in range(21, 1021))])
    page = LocalPage(lambda: held, ThresholdTable(), live=live).turns(Query(parameters={})).body.decode()
    assert told in page
    assert ("98.0 %" in page) is not live


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_pages_hold_each_turn_once(count):
    """Page by page the newest first, each turn once, and no link to a page of nothing."""
    page = page_on(count)
    assert all_shown(page) == list(range(count, 0, -1))
    assert (shown(page)[1] is not None) == (count > local_page.PAGE_TURNS)


def test_filters_find_all_they_name(monkeypatch):
    """Whatever is wanted is found on all pages together, though each looks through only so many turns."""
    monkeypatch.setattr(local_page, "LOOKED_THROUGH", 100)
    page = page_on(2500)
    expected = [number for number in range(2500, 0, -1) if number % 3 == 1 and number >= 40]
    assert all_shown(page, agent="a1", min_ms="40") == expected
    assert all_shown(page, outcome="error") == []


@pytest.mark.parametrize(
    "wrong", [{"outcome": "fine"}, {"min_ms": "fast"}, {"min_ms": "nan"}, {"before": "-1"}, {"before": "9" * 30}]
)
def test_wrong_questions_are_told(wrong):
    """What is wrong is named, with 400."""
    answer = page_on(1).turns(Query(parameters=wrong))
    assert answer.status == 400
    assert next(iter(wrong)) in answer.body.decode()


def test_turns_come_live(serve):
    """The page has each turn that came, its page has its parts, and the stream of events tells that there is news."""
    process = serve()
    assert "There are no turns yet." in process.get("/")[1].decode()
    with listening(process.web) as events:
        assert next(events) == "0"
        process.post(batch(1, 2, agent="scout").SerializeToString())
        assert int(next(events)) >= 1
    process.turns(at_least=2)
    status, body, headers = process.get("/")
    page = body.decode()
    assert status == 200
    assert page.count("/turn?trace=") == 2
    assert "script-src 'sha256-" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert process.get("/?agent=nobody")[1].decode().count("/turn?trace=") == 0
    link = re.search(r'href="(/turn\?[^"]+)"', page)[1].replace("&amp;", "&")
    assert "Turn of scout" in process.get(link)[1].decode()
    assert process.get("/turn?trace=1&span=2")[0] == 404
    assert b"AgentNet Performance Report" in process.get("/report")[1]
    begin = time.monotonic()
    with listening(process.web) as events:
        next(events)
        assert process.stop() == 0
    assert time.monotonic() - begin < WAIT_S


def test_the_stream_goes_on_after_a_restart(serve):
    """A restart changes no places: a page that knows the newest is told nothing until there is news."""
    process = serve()
    process.post(batch(1).SerializeToString())
    process.turns(at_least=1)
    with listening(process.web) as events:
        last = next(events)
    assert process.stop() == 0
    process = serve(store=process.store)
    with listening(process.web, {"Last-Event-ID": last}) as events:
        process.post(batch(2).SerializeToString())
        assert int(next(events)) > int(last)


def test_only_so_many_streams(serve):
    """One more than allowed is told to come back; the others go on, and a free place is taken again."""
    process = serve()
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            next(stack.enter_context(listening(process.web)))
        assert process.get("/events")[0] == 503
        assert process.get("/")[0] == 200
        told = process.get("/metrics")[1].decode()
        assert re.search(r"^agentnet_bridge_streams_open\{[^}]*\} 32(\.0)?$", told, re.MULTILINE)
        assert re.search(r'^agentnet_bridge_streams_total\{[^}]*"refused"[^}]*\} 1(\.0)?$', told, re.MULTILINE)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        with contextlib.suppress(AssertionError), listening(process.web) as events:
            assert next(events) == "0"
            return
    pytest.fail("no place became free")


def test_a_browser_asks_its_user_for_the_token(serve, tmp_path):
    """Without it a challenge, with it as a password the page; names of others do no harm then."""
    token = tmp_path / "token"
    token.write_text("s3cret\n", encoding="utf-8")
    process = serve("--token-file", str(token))
    status, _, headers = process.get("/")
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="agentnet-otel", charset="UTF-8"')
    for password, expected in (("s3cret", 200), ("s3cre", 401), ("", 401)):
        basic = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
        assert process.get("/", {"Authorization": basic})[0] == expected
    assert process.get("/", {"Authorization": "Basic !!!"})[0] == 401
    assert process.get("/", {"Authorization": "Bearer s3cret", "Host": "bridge.example"})[0] == 200
    assert process.get("/api/turns")[2]["www-authenticate"] == "Bearer"


@pytest.fixture(scope="module")
def without_token(serve_module):
    """A process that asks for no token."""
    return serve_module()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:9", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_names_of_others_are_refused(without_token, host, status):
    """Without a token a page is only given under an address or a name that is always this machine."""
    for path in ("/", "/turn", "/report"):
        found = without_token.get(path, {"Host": host})[0]
        assert found == (404 if (path, status) == ("/turn", 200) else status)


@contextlib.contextmanager
def listening(address, headers=None):
    """The ids of events, as they come."""
    connection = http.client.HTTPConnection(address, timeout=WAIT_S)
    try:
        connection.request("GET", "/events", headers=headers or {})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Content-Type").startswith("text/event-stream")
        yield (line[4:].strip().decode() for line in answer if line.startswith(b"id: "))
    finally:
        connection.close()


# --- view ------------------------------------------------------------------------------------------------


@pytest.fixture
def view(tmp_path):
    """Starts `view` on something; its address."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "agentnet_otel", "view", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def spans_file(folder, *numbers):
    """A compressed file of turns."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - only here

    document = MessageToDict(batch(*numbers))
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if span.get(key):
                        span[key] = base64.b64decode(span[key]).hex()
    path = folder / "spans.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode() + b"\n"))
    return path


def asked(address, path):
    """Status and text of a page."""
    connection = http.client.HTTPConnection(address.removeprefix("http://").strip().rstrip("/"), timeout=WAIT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_view_shows_a_file_until_it_is_ended(view, tmp_path, number):
    """The address is printed, the pages are there, nothing pretends to be live, and the end is exit 0."""
    process = view(spans_file(tmp_path, 1, 2, 3), "--trace-url", "http://jaeger/trace/{trace_id}")
    address = process.stdout.readline()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", address)
    status, page = asked(address, "/")
    assert (status, page.count("/turn?trace=")) == (200, 3)
    assert "data-events=" not in page
    link = re.search(r'href="(/turn\?[^"]+)"', page)[1].replace("&amp;", "&")
    assert "http://jaeger/trace/" in asked(address, link)[1]
    assert "3 turns of 1 agents" in asked(address, "/report")[1]
    assert asked(address, "/events")[0] == 404
    process.send_signal(number)
    assert process.wait(WAIT_S) == 0


def test_view_tells_what_it_cannot_do(view, tmp_path):
    """A file that is not there, a template without a place, a port that is taken: one sentence each."""
    for arguments, code, told in (
        ((tmp_path / "nothing.jsonl",), 1, "nothing.jsonl"),
        ((spans_file(tmp_path, 1), "--trace-url", "http://x/"), 2, "{trace_id}"),
    ):
        process = view(*arguments)
        out, err = process.communicate(timeout=WAIT_S)
        assert (process.returncode, out) == (code, ""), err
        assert told in err
        assert "Traceback" not in err
    first = view(spans_file(tmp_path, 1))
    port = first.stdout.readline().strip().rstrip("/").rpartition(":")[2]
    second = view(spans_file(tmp_path, 1), "--port", port)
    _, err = second.communicate(timeout=WAIT_S)
    assert second.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}" in err
    assert "--port" in err
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait(WAIT_S) == 0
