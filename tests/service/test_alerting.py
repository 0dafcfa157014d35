"""The thread of `serve` that judges a store's turns and tells a webhook of them, over restarts; and its options."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from turn_requests import batch, export

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.service.alerting import Alerting, AlertSettings
from agentnet_otel.service.command import alerts_of
from agentnet_otel.sources.store.turn_store import TurnStore

MINUTE_NS = 60_000_000_000
START_NS = 1_800_000_000_000_000_000
WAIT_S = 30


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        """Keep what comes."""
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def webhook():
    """A server that takes everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def failed(number, revision=1):
    """A turn that failed."""
    return Turn(
        turn_id=f"t{number}", trace_id=f"{number:032x}", span_id=f"{number:016x}", agent="planner", service_name="shop",
        start_ns=0, end_ns=1, outcome=Outcome.ERROR, spans=revision,
    )  # fmt: skip


def eventually(ask):
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not ask():
        assert time.monotonic() < end
        time.sleep(0.02)


class Clock:
    """A clock that is set."""

    def __init__(self):
        self.now_ns = START_NS

    def __call__(self):
        return self.now_ns


@pytest.fixture
def alerting(tmp_path, webhook):
    """Starts the thread on a store, and ends what is left."""
    started, clock, said = [], Clock(), []
    target = Target.parse(f"http://127.0.0.1:{webhook.server_address[1]}/", "--webhook")

    def start():
        made = Alerting(AlertSettings(webhook=target), ThresholdTable(), tmp_path, clock, said.append)
        started.append(made)
        made.start()
        return made

    yield start, clock, said
    for one in started:
        one.stop()


def told(webhook):
    """Names and states of what came."""
    return sorted((body["alerts"][0]["labels"]["alertname"], body["status"]) for body in webhook.got)


BOTH = ["AgentNetSuccessRateCritical", "AgentNetSuccessRateWarning"]


def test_from_the_store_to_the_webhook(alerting, tmp_path, webhook):
    """Turns fail, two alerts begin; a restart and a corrected turn say nothing anew; hours later both are over."""
    start, clock, said = alerting
    store = TurnStore(tmp_path)
    store.save([failed(number) for number in range(12)], START_NS, 1)
    first = start()
    file = tmp_path / "alerts.json"
    eventually(file.exists)
    clock.now_ns += MINUTE_NS
    eventually(lambda: len(webhook.got) == 2)
    assert told(webhook) == [(name, "firing") for name in BOTH]
    first.stop()
    store.save([failed(0, revision=2)], clock.now_ns, 2)
    store.close()
    written = file.stat().st_mtime_ns
    clock.now_ns += MINUTE_NS
    second = start()
    eventually(lambda: file.stat().st_mtime_ns != written)
    assert second.counts.firing == 2
    assert len(webhook.got) == 2
    clock.now_ns += 150 * MINUTE_NS

    def over():
        clock.now_ns += MINUTE_NS
        return second.counts.sent == 2

    eventually(over)
    assert told(webhook) == sorted((name, state) for name in BOTH for state in ("firing", "resolved"))
    assert not said


def test_a_store_that_cannot_be_read_is_told_once(alerting, tmp_path):
    """The thread goes on, and judges when it can."""
    start, clock, said = alerting
    start()
    eventually(lambda: said)
    TurnStore(tmp_path).close()
    clock.now_ns += MINUTE_NS
    eventually((tmp_path / "alerts.json").exists)
    assert len(said) == 1
    assert "alerts cannot be judged" in said[0]


def test_serve_takes_and_tells(serve, webhook):
    """The options open nothing else; figures are on its page; turns are taken as ever."""
    address = f"http://127.0.0.1:{webhook.server_address[1]}"
    process = serve("--webhook", address, environment={"AGENTNET_OTEL_ALERTMANAGER": address})
    export(process.grpc, batch(*range(1, 13)).SerializeToString())
    assert len(process.turns(at_least=12)) == 12
    eventually((process.store / "alerts.json").exists)
    page = process.get("/metrics")[1].decode()
    assert re.search(r'agentnet_bridge_alerts\{.*agentnet_bridge_part="firing"', page)
    assert process.stop() == 0


def test_who_is_told(monkeypatch):
    """An option goes before the environment; without either nobody is."""
    assert not alerts_of(None, None).wanted
    monkeypatch.setenv("AGENTNET_OTEL_WEBHOOK", "http://there/x")
    assert alerts_of(None, None).webhook == Target("http://there/x")
    assert alerts_of(None, "http://here").webhook == Target("http://here")
    with pytest.raises(ConfigurationError, match="--alertmanager takes"):
        alerts_of("here", None)
