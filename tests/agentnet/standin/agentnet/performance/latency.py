"""Latency of components, in memory."""

import contextlib
import time
from enum import Enum


class LatencyComponent(str, Enum):
    """The one component that providers measure."""

    INFERENCE = "inference"


class LatencyTracker:
    """Keeps (turn id, component, milliseconds)."""

    def __init__(self):
        self.samples = []

    @contextlib.asynccontextmanager
    async def measure(self, turn_id, component):
        """Measure the body."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.samples.append((turn_id, component, (time.perf_counter() - started) * 1000))


_shared = LatencyTracker()


def get_latency_tracker():
    """Return the shared tracker."""
    return _shared
