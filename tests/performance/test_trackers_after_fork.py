"""Trackers in a forked child."""

import os
import subprocess
import sys

import pytest

CODE = """
import os
from agentnet_otel.model import LatencyComponent
from agentnet_otel.performance.latency import LatencyTracker, get_latency_tracker
from agentnet_otel.performance.tokens import TokenUtilizationTracker, get_token_tracker
from agentnet_otel.prices import NoPrices

latency, tokens = LatencyTracker(), TokenUtilizationTracker(prices=NoPrices())
tokens.record_token_usage("parent", "t", 1, 1)
from agentnet_otel.performance import latency as l, tokens as t
locks = (latency._lock, latency._log._lock, tokens._lock, tokens._log._lock, l._shared._lock, t._shared._lock)
for lock in locks:
    lock.acquire()  # as if another thread held it
child = os.fork()
if child == 0:
    latency.start_turn_measurement("t", "a")
    latency.end_turn_measurement("t")
    tokens.record_token_usage("child", "t", 1, 1)
    tokens.record_cache_hit("child", "t", 1, 1, "m")
    own = get_latency_tracker() is get_latency_tracker() and get_token_tracker() is get_token_tracker()
    kept = len(latency.get_measurements()) == 1 and len(tokens.get_metrics()) == 2
    latency.reset_after_fork(), tokens.reset_after_fork()
    empty = not latency.get_measurements() and not tokens.get_metrics()
    os._exit(0 if own and kept and empty else 1)
for lock in locks:
    lock.release()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_goes_on_with_its_trackers():
    """Locks that the parent held do not hold the child up; what was recorded is there, and can be left behind."""
    subprocess.run([sys.executable, "-c", CODE], check=True, timeout=60)
