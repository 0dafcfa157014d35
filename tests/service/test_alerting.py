"""The thread of `serve` that judges a store's turns and tells a webhook of them, over restarts; and its options."""

import json
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from turn_requests import batch, export

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.outputs.rules.annotations import links_of
from agentnet_otel.service.alerting import Alerting, AlertSettings
from agentnet_otel.service.command import alerts_of
from agentnet_otel.sources.store.turn_store import TurnStore
from tests.webhook import receiving

MINUTE_NS = 60_000_000_000
START_NS = 1_800_000_000_000_000_000
WAIT_S = 30


@pytest.fixture
def webhook():
    """A server that takes everything."""
    with receiving() as server:
        yield server


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
    target = Target.parse(webhook.url, "--webhook")

    def start(alertmanager=None):
        settings = AlertSettings(webhook=target, alertmanager=alertmanager)
        made = Alerting(settings, ThresholdTable(), tmp_path, clock, said.append, said.append)
        started.append(made)
        made.start()
        return made

    yield start, clock, said
    for one in started:
        one.stop()


def told(webhook):
    """Names and states of what came."""
    return sorted((body["alerts"][0]["labels"]["alertname"], body["status"]) for _, _, body in webhook.got)


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


def test_a_damaged_turn_is_told_and_the_others_are_judged(alerting, tmp_path, webhook):
    """A row that cannot be read costs itself, not the alerts."""
    start, clock, said = alerting
    with closing(TurnStore(tmp_path)) as store:
        store.save([failed(number) for number in range(13)], START_NS, 1)
    with closing(sqlite3.connect(tmp_path / "turns.sqlite")) as db, db:
        db.execute("UPDATE turns SET body = '{' WHERE seq = 5")
    start()
    eventually((tmp_path / "alerts.json").exists)
    clock.now_ns += MINUTE_NS
    eventually(lambda: len(webhook.got) == 2)
    assert told(webhook) == [(name, "firing") for name in BOTH]
    assert [("turn 5 cannot be read" in line, "left out" in line) for line in said] == [(True, True)]


def test_an_alertmanager_that_hangs_delays_no_webhook(alerting, tmp_path, webhook, monkeypatch):
    """While Alertmanager holds the post, the webhook is told that alerts began and that they are over."""
    start, clock, _ = alerting
    monkeypatch.setattr("agentnet_otel.outputs.alerts.posting.TIMEOUT_S", 600)
    with closing(TurnStore(tmp_path)) as store:
        store.save([failed(number) for number in range(12)], START_NS, 1)
    with receiving() as manager:
        manager.open.clear()
        made = start(Target.parse(manager.url.partition("/hook")[0], "--alertmanager"))
        eventually((tmp_path / "alerts.json").exists)
        clock.now_ns += MINUTE_NS
        eventually(lambda: len(webhook.got) == 2)
        clock.now_ns += 150 * MINUTE_NS
        eventually(lambda: made.counts.firing == 2 and manager.got)

        def over():
            clock.now_ns += MINUTE_NS
            return len(webhook.got) == 4

        eventually(over)
        assert len(manager.got) == 1, "the first post is still held"
        manager.open.set()
        eventually(lambda: made.counts.sent >= 5)


def test_killed_while_the_webhook_hangs(tmp_path, webhook):
    """SIGKILL between what is written down and the answer: nobody is told the same twice, and the rest is told."""
    with closing(TurnStore(tmp_path)) as store:
        store.save([failed(number) for number in range(12)], time.time_ns(), 1)
    script = Path(__file__).with_name("alerting_process.py")
    command = [sys.executable, script, tmp_path, webhook.url, str(time.time_ns())]
    webhook.open.clear()
    with subprocess.Popen(command) as first:
        eventually(lambda: webhook.got)
        first.kill()
    assert first.returncode == -9
    webhook.open.set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:
        eventually(lambda: len(webhook.got) == 2)
        eventually(lambda: not json.loads((tmp_path / "alerts.json").read_bytes())["notices"])
        second.kill()
        said, _ = second.communicate()
    assert told(webhook) == [(name, "firing") for name in BOTH]
    assert "may have been told of" in said


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
    address = webhook.url
    process = serve("--webhook", address, "--grafana", "https://g", environment={"AGENTNET_OTEL_ALERTMANAGER": address})
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
    assert alerts_of(None, None, links_of(None, "https://g/", None)).links.grafana == "https://g"
    with pytest.raises(ConfigurationError, match="--alertmanager takes"):
        alerts_of("here", None)
