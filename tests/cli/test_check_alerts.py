"""`check` tells Alertmanager and a webhook of what fires at the end of the turns, and of what no longer does."""

import fcntl
import json

import pytest

from tests.cli.conftest import span
from tests.webhook import receiving

CRITICAL = 10


@pytest.fixture
def receiver():
    """Takes what is posted."""
    with receiving() as server:
        yield server


@pytest.fixture
def check(cli, tmp_path):
    """Runs a check that remembers in a file of this test."""

    def run(path, *arguments):
        return cli("check", path, "--alert-state", tmp_path / "state.json", *arguments)

    return run


def named(receiver):
    """What a webhook was told: status and name of each alert."""
    return sorted((body["status"], body["alerts"][0]["labels"]["alertname"]) for _, _, body in receiver.got)


def test_a_webhook_is_told_once_and_of_the_end(check, spans_file, receiver):
    """Twice the same check tells once; when turns are fast again, that it is over."""
    slow, fast = spans_file(600, ms=6000.0, name="slow.jsonl"), spans_file(600, name="fast.jsonl")
    for _ in range(2):
        assert check(slow, "--webhook", receiver.url).returncode == CRITICAL
    firing = named(receiver)
    assert ("firing", "AgentNetTurnLatencyCritical") in firing
    assert len(firing) == len(set(map(str, (body["alerts"][0]["labels"] for _, _, body in receiver.got))))
    assert {status for status, _ in firing} == {"firing"}
    receiver.got.clear()
    assert check(fast, "--webhook", receiver.url).returncode == 0
    assert named(receiver) == [("resolved", name) for _, name in firing]
    receiver.got.clear()
    check(fast, "--webhook", receiver.url)
    assert receiver.got == []


def test_alertmanager_is_told_each_time(check, spans_file, receiver):
    """It began when the turns became slow, whoever asks how often, and lasts as long as it is told to."""
    slow = spans_file(600, ms=6000.0)
    for _ in range(2):
        check(slow, "--alertmanager", receiver.url.split("/hook")[0], "--alert-minutes", "90")
    first, second = (body for _, _, body in receiver.got)
    assert {path for path, _, _ in receiver.got} == {"/api/v2/alerts"}
    assert [(alert["labels"], alert["startsAt"]) for alert in first] == [
        (alert["labels"], alert["startsAt"]) for alert in second
    ]
    assert {alert["labels"]["gen_ai_agent_name"] for alert in first} == {"planner", "critic"}
    assert all(alert["startsAt"] < alert["endsAt"] for alert in first)


def test_nothing_is_told_where_nothing_fires(check, spans_file, receiver):
    """A few slow turns are no alert, though the verdict may be bad."""
    check(spans_file(2, ms=6000.0), "--webhook", receiver.url)
    check(spans_file(100), "--webhook", receiver.url)
    assert receiver.got == []


def test_who_is_away_is_told_the_next_time(check, spans_file, receiver, monkeypatch):
    """A sentence and exit code 1 where all else is well; the notice waits in the file."""
    monkeypatch.setattr("agentnet_otel.wiring.alert_push._PATIENCE_S", 0.0)
    slow, fast = spans_file(600, ms=6000.0, name="slow.jsonl"), spans_file(600, name="fast.jsonl")
    check(slow, "--webhook", receiver.url)
    told = len(receiver.got)
    receiver.got.clear()
    receiver.answers.append(503)
    done = check(fast, "--webhook", receiver.url)
    assert done.returncode == 1
    assert "wait in" in done.stderr
    state = json.loads((fast.parent / "state.json").read_bytes())
    assert len(state["notices"]) == told


def test_alertmanager_that_is_away(check, spans_file, monkeypatch):
    """It is tried again, then told about; the verdict's code stays."""
    monkeypatch.setattr("agentnet_otel.wiring.alert_push._RETRY_AFTER_S", (0.0, 0.0))
    done = check(spans_file(600, ms=6000.0), "--alertmanager", "http://127.0.0.1:9")
    assert done.returncode == CRITICAL
    assert done.stderr.count("Alertmanager at 127.0.0.1:9 cannot be reached") == 1


def test_who_is_told_may_stand_in_the_environment(check, spans_file, receiver, monkeypatch):
    """An address of a webhook may be a secret."""
    monkeypatch.setenv("AGENTNET_OTEL_WEBHOOK", receiver.url)
    done = check(spans_file(600, ms=6000.0))
    assert "firing" in receiver.told()
    assert "secret" not in done.stdout + done.stderr


def test_a_turn_of_the_future_is_not_judged(check, spans_file, receiver):
    """One wrong clock does not make all others old; it is told."""
    path = spans_file(600, ms=6000.0)
    wrong = span(9000, agent="planner", ms=6000.0)
    wrong |= {"startTimeUnixNano": "4102444800000000000", "endTimeUnixNano": "4102444806000000000"}  # the year 2100
    line = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "agentnet_otel"}, "spans": [wrong]}]}]}
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    done = check(path, "--webhook", receiver.url)
    assert "1 turns end in the future" in done.stderr
    assert ("firing", "AgentNetTurnLatencyCritical") in named(receiver)


@pytest.mark.parametrize(("content", "word"), [(b"{", "does not hold how alerts stand"), (b"[]", "does not hold")])
def test_another_file_is_not_taken_for_the_state(check, spans_file, receiver, tmp_path, content, word):
    """It is told, and stays as it is."""
    state = tmp_path / "state.json"
    state.write_bytes(content)
    done = check(spans_file(30), "--webhook", receiver.url)
    assert done.returncode == 1
    assert word in done.stderr
    assert state.read_bytes() == content


def test_two_checks_do_not_tell_from_one_file(check, spans_file, receiver, tmp_path):
    """The second is refused in a sentence, and tells nobody; after the first has ended it may."""
    slow = spans_file(600, ms=6000.0)
    with (tmp_path / "state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = check(slow, "--webhook", receiver.url)
    assert done.returncode == 1
    assert "another process tells alerts from" in done.stderr
    assert receiver.got == []
    assert check(slow, "--webhook", receiver.url).returncode == CRITICAL
    assert receiver.got


def test_a_state_that_cannot_be_written(cli, spans_file, receiver, tmp_path):
    """Told before anything is read; the file that stands in the way stays."""
    done = cli("check", spans_file(30), "--webhook", receiver.url, "--alert-state", tmp_path / "spans.jsonl" / "x")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_an_address_that_is_none(check, spans_file):
    """Wrong use, and what would be right."""
    done = check(spans_file(30), "--webhook", "localhost")
    assert done.returncode == 2
    assert "--webhook takes an address" in done.stderr


def test_links_lead_where_they_are_said_to(check, spans_file, receiver):
    """Those of what is pushed are those of `rules` with the same options."""
    links = ("--runbooks", "https://wiki/r/", "--grafana", "https://graphs", "--jaeger", "https://traces")
    check(spans_file(600, ms=6000.0), "--webhook", receiver.url, *links)
    annotations = receiver.got[0][2]["alerts"][0]["annotations"]
    assert annotations["runbook_url"].startswith("https://wiki/r/AgentNet")
    assert annotations["dashboard_url"].startswith("https://graphs/d/")
    assert annotations["traces_url"].startswith("https://traces/search?")


def test_the_webhook_is_told_before_alertmanager_is_waited_for(check, spans_file, receiver, monkeypatch):
    """One that takes connections and answers nobody holds up no notice; the check says that it was not taken."""
    monkeypatch.setattr("agentnet_otel.outputs.alerts.posting.TIMEOUT_S", 0.3)
    monkeypatch.setattr("agentnet_otel.wiring.alert_push._RETRY_AFTER_S", ())
    told_before = []
    with receiving() as manager:
        manager.open.clear()
        manager.got = Watched(lambda: told_before.append(len(receiver.got)))
        manager_url = manager.url.partition("/hook")[0]
        check(spans_file(600, ms=6000.0), "--webhook", receiver.url, "--alertmanager", manager_url)
    assert len(told_before) == 1
    assert told_before[0] > 0


class Watched(list):
    """A list that says when something is put into it."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def append(self, value):
        """Put it in."""
        self.tell()
        super().append(value)
