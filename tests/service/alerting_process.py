"""Judges a store's turns in a process of its own, a second of which is a minute.

usage: alerting_process.py STORE WEBHOOK BEGAN; the last is when the test began, epoch nanoseconds of both clocks.
"""

import sys
import threading
import time
from pathlib import Path

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.service.alerting import Alerting, AlertSettings


def main(store, webhook, began):
    """Judge until it is killed."""
    began_ns = int(began)

    def now_ns():
        return began_ns + (time.time_ns() - began_ns) * 60

    def say(text):
        sys.stdout.write(text)
        sys.stdout.flush()

    settings = AlertSettings(webhook=Target.parse(webhook, "--webhook"))
    Alerting(settings, ThresholdTable(), Path(store), now_ns, say, say).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
