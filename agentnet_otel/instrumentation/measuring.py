"""Measuring for a while: turns are recorded whether or not ``instrument()`` is on, and afterwards all is as before."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agentnet_otel.core.cost import PriceBook
from agentnet_otel.instrumentation import hooks, runtime
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.thread_carrying import carrying

HOOKS_USER: Final = "measuring"


class _Measurements:
    """Counts the measurements that run: the first one sets up, the last one takes back."""

    def __init__(self) -> None:
        self.running = 0
        self.lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self.lock = threading.Lock()


_measurements: Final = _Measurements()


@contextmanager
def measuring(prices: PriceBook | None = None) -> Iterator[None]:
    """Have AgentNet's turns and those of the manual API recorded, and collectors carried into threads.

    Where ``instrument()`` is on, its recorder stays in use. Else one is used that writes to the application's own
    providers, as the manual API always does, or, where none is configured, keeps its spans to itself; ``prices`` are
    for calls whose engine tells no cost (those of the first measurement, where several run at once).
    """
    with _measurements.lock:
        if _measurements.running == 0:
            runtime.use_for_measuring(runtime.recorder_for_measuring(prices))
            hooks.install(HOOKS_USER)
            carrying.install()
        _measurements.running += 1
    try:
        yield
    finally:
        with _measurements.lock:
            _measurements.running -= 1
            if _measurements.running == 0:
                carrying.uninstall()
                hooks.uninstall(HOOKS_USER)
                runtime.use_for_measuring(None)
