"""The real Alertmanager takes what is pushed: one alert however often it is told, one notification at each end."""

import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from agentnet_otel.outputs.alerts.judging import Active
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.outputs.alerts.pushing import Pusher
from agentnet_otel.outputs.alerts.repeating import ENDS_AFTER_NS, Repeater
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts
from tests.e2e.conftest import eventually, free_port
from tests.webhook import receiving

SECOND_NS = 1_000_000_000
RULE = alerts(RuleOptions())[0]
LABELS = {"alertname": RULE.alert, "severity": "warning", "service_name": "shop", "gen_ai_agent_name": "a b"}
ON = [Active(rule=RULE, labels=LABELS, value=0.5)]


@pytest.fixture
def webhook():
    """The receiver that Alertmanager notifies."""
    with receiving() as server:
        yield server


@pytest.fixture
def manager(program, webhook, tmp_path):
    """The address of an Alertmanager that notifies the webhook at once."""
    hook = {"url": webhook.url, "send_resolved": True}
    route = {"receiver": "hook", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    (tmp_path / "config.yml").write_text(
        json.dumps({"route": route, "receivers": [{"name": "hook", "webhook_configs": [hook]}]})
    )
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={tmp_path / 'config.yml'}", f"--storage.path={tmp_path / 'data'}"]
    listening = [f"--web.listen-address={address}", "--cluster.listen-address="]
    process = subprocess.Popen([program("alertmanager"), *options, *listening], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: asked(f"http://{address}/-/ready") is not None, "Alertmanager is ready")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def asked(url):
    """What is answered; None where nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - http, of this test
            return answer.read()
    except urllib.error.URLError:
        return None


def test_one_firing_and_one_resolved(manager, webhook, tmp_path):
    """Three evaluations of the same alert are one alert with our labels and annotations; then it is over, once."""
    said, began_ns = [], time.time_ns() - 120 * SECOND_NS
    pusher = Pusher(tmp_path / "alerts.json", said.append)
    repeater = Repeater(Target.parse(manager, "--alertmanager"), said.append)

    def evaluate(active, at_ns):
        pusher.evaluate(active, at_ns)
        repeater.tell(pusher.to_repeat, at_ns + ENDS_AFTER_NS)

    for seconds in (0, 60, 90, 120):
        evaluate(ON, began_ns + seconds * SECOND_NS)
    (alert,) = json.loads(asked(f"{manager}/api/v2/alerts"))
    assert alert["labels"] == LABELS
    assert alert["annotations"]["summary"] == "Agent a b of service shop: 50% of turns take 2 s or longer"
    eventually(lambda: webhook.got, "the first notification")
    ended_ns = time.time_ns()
    for seconds in (-300, 0):  # five minutes have gone by since it was true
        evaluate([], ended_ns + seconds * SECOND_NS)
    eventually(lambda: len(webhook.got) == 2, "the second notification")
    evaluate([], time.time_ns())
    time.sleep(3)  # more than an interval of groups: whatever else were to come would have come
    assert webhook.told() == ["firing", "resolved"]
    firing, resolved = (body["alerts"][0] for _, _, body in webhook.got)
    assert firing["labels"] == resolved["labels"] == LABELS
    assert firing["startsAt"] == resolved["startsAt"]
    assert not said
