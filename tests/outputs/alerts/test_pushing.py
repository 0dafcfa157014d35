"""Telling a real server of alerts: once, in order, again where it was not taken, and never twice."""

import contextlib
import itertools
import socket
import threading
import time

import msgspec
import pytest

from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.outputs.alerts import posting, pushing
from agentnet_otel.outputs.alerts.judging import Active
from agentnet_otel.outputs.alerts.posting import Result, Target
from agentnet_otel.outputs.alerts.pushing import Pusher
from agentnet_otel.outputs.alerts.repeating import ENDS_AFTER_NS, Repeater
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts
from tests.webhook import receiving

MINUTE_NS = 60_000_000_000
RULE = alerts(RuleOptions())[0]
ON = [Active(rule=RULE, labels={"alertname": RULE.alert, "service_name": "shop"}, value=0.5)]


@pytest.fixture
def receiver():
    """A webhook."""
    with receiving() as server:
        yield server


class Told:
    """A pusher with a clock, by minutes."""

    def __init__(self, folder, **targets):
        self.path, self.targets, self.said, self.now_ns = folder / "alerts.json", targets, [], 0
        manager = targets.pop("alertmanager", None)
        self.repeater = None if manager is None else Repeater(manager, self.said.append)
        self.restart()

    def restart(self):
        """As after a kill: only the file is left."""
        self.pusher = Pusher(self.path, self.said.append, **self.targets)

    def minutes(self, line):
        """Evaluate and deliver, minute by minute."""
        for sign in line:
            self.pusher.evaluate(ON if sign == "x" else [], self.now_ns)
            if self.repeater is not None:
                self.repeater.tell(self.pusher.to_repeat, self.now_ns + ENDS_AFTER_NS)
            self.deliver()
            self.now_ns += MINUTE_NS

    def deliver(self):
        """Deliver now."""
        self.pusher.deliver(lambda: self.now_ns)


@pytest.fixture
def told(tmp_path, receiver):
    """A pusher to the webhook."""
    return Told(tmp_path, webhook=Target.parse(receiver.url, "--webhook"))


def test_once_when_it_begins_and_once_when_it_is_over(told, receiver):
    """With a restart at each minute; the body is that of a webhook of Alertmanager."""
    for sign in "xxxxx........":
        told.minutes(sign)
        told.restart()
    assert receiver.told() == ["firing", "resolved"]
    path, key, body = receiver.got[0]
    assert path == "/hook?secret=1"
    assert key
    assert key != receiver.got[1][1]
    assert body["version"] == "4"
    assert body["alerts"][0]["labels"] == ON[0].labels
    assert body["alerts"][0]["startsAt"] == "1970-01-01T00:01:00.000Z"
    assert body["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"
    assert receiver.got[1][2]["alerts"][0]["endsAt"] == "1970-01-01T00:10:00.000Z"


def test_what_was_not_taken_comes_again(told, receiver):
    """After the pause that the server asks for, not before, with the same key."""
    receiver.answers.extend([500, 429])
    told.minutes("xx")
    told.now_ns -= MINUTE_NS
    for seconds in (0, 29, 1, 29, 1, 100):
        told.now_ns += seconds * 1_000_000_000
        told.deliver()
    assert receiver.told() == ["firing"] * 3
    assert len({key for _, key, _ in receiver.got}) == 1
    assert (told.pusher.counts.sent, told.pusher.counts.failed, told.pusher.counts.waiting) == (1, 2, 0)
    assert len(told.said) == 1
    assert "secret" not in told.said[0]


@pytest.mark.parametrize(("answer", "counted"), [(0, "unknown"), (504, "unknown"), (404, "dropped")])
def test_what_may_have_arrived_is_not_sent_again(told, receiver, answer, counted):
    """Nor what was refused; the end is told all the same."""
    receiver.answers.append(answer)
    told.minutes("xxx.......")
    assert receiver.told() == ["firing", "resolved"]
    assert getattr(told.pusher.counts, counted) == 1


def test_an_answer_that_comes_byte_by_byte(tmp_path, monkeypatch):
    """Is none: it is given up, and what was told may have arrived."""
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                for byte in itertools.cycle(b"HTTP/1.1 200 OK\r\nX: y\r\n"):
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        posted = Target(f"http://127.0.0.1:{server.getsockname()[1]}/").post(b"{}")
        thread.join()
    assert posted.result is Result.UNKNOWN


def test_killed_while_sending(told, receiver):
    """What the file says is being sent is not sent again by the next process, and told to people."""
    told.minutes("x")
    told.pusher.evaluate(ON, told.now_ns)
    state = msgspec.json.decode(told.path.read_bytes(), type=pushing.State)
    state.notices = [msgspec.structs.replace(notice, sending=True) for notice in state.notices]
    assert state.notices
    told.path.write_bytes(msgspec.json.encode(state))
    told.restart()
    told.minutes("x.......")
    assert receiver.told() == ["resolved"]
    assert told.pusher.counts.unknown == 1
    assert RULE.alert in told.said[0]


def test_killed_before_sending(told, receiver):
    """What was only written down is sent by the next process."""
    told.minutes("x")
    told.pusher.evaluate(ON, told.now_ns)
    told.restart()
    told.deliver()
    assert receiver.told() == ["firing"]


def test_nothing_is_sent_that_cannot_be_written_down(told, receiver):
    """A folder in the place of the file stands for a disk that takes nothing."""
    told.path.mkdir()
    told.minutes("xx")
    assert not receiver.got
    assert "cannot be written" in told.said[0]
    told.path.rmdir()
    told.deliver()
    assert receiver.told() == ["firing"]


def test_a_webhook_that_is_away(tmp_path, monkeypatch):
    """Notices wait within their bound, the oldest is dropped and counted."""
    monkeypatch.setattr(pushing, "MAX_NOTICES", 1)
    told = Told(tmp_path, webhook=Target.parse("http://127.0.0.1:1", "--webhook"))
    told.minutes("xx.......")
    assert (told.pusher.counts.waiting, told.pusher.counts.dropped) == (1, 1)
    assert "cannot be reached" in told.said[0]


def test_alertmanager_is_told_again_and_again(tmp_path, receiver):
    """The same alert each minute, with a later end, until it is over; then its end."""
    manager = Target.parse(receiver.url.partition("/hook")[0], "--alertmanager")
    told = Told(tmp_path, alertmanager=manager)
    told.minutes("xxx.......")
    assert {path for path, _, _ in receiver.got} == {"/api/v2/alerts"}
    sent = [body[0] for _, _, body in receiver.got]
    assert {alert["startsAt"] for alert in sent} == {"1970-01-01T00:01:00.000Z"}
    assert sent[0]["endsAt"] == "1970-01-01T00:05:00.000Z"
    assert {alert["endsAt"] for alert in sent[-2:]} == {"1970-01-01T00:08:00.000Z"}


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9093", "ftp://a", "http://", "http://u:p@a/", "http://a b", "http://[x", "http://a:x"]
)
def test_what_is_no_address(url):
    """It is told before anything starts, without what may be a secret."""
    with pytest.raises(ConfigurationError, match=r"--webhook takes an address"):
        Target.parse(url, "--webhook")


def test_another_file(tmp_path):
    """A file that is none of ours is told, not overwritten."""
    (tmp_path / "alerts.json").write_text("[]")
    with pytest.raises(BackendError, match="move it away"):
        Told(tmp_path)
