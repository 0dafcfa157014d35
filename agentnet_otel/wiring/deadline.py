"""Calls of others that may hang, bounded in time together."""

import threading
import time
from collections.abc import Callable, Sequence

from agentnet_otel.instrumentation import faults

Call = tuple[str, Callable[[], object]]
"""A name for what is told of it, and what to call."""


def all_within(timeout_s: float, calls: Sequence[Call]) -> bool:
    """Make all calls at the same time, and wait for them so long at most; whether all came back, and none said False.

    What does not come back goes on in a thread that keeps no process alive. What is raised is contained, as a fault.
    """
    deadline = time.monotonic() + timeout_s
    made = [_Made(name, call) for name, call in calls]
    for call in made:
        call.wait(max(0.0, deadline - time.monotonic()))
    return all(call.good for call in made)


class _Made:
    """One call, in a thread of its own."""

    def __init__(self, name: str, call: Callable[[], object]) -> None:
        self._call = faults.guarded(lambda: call() is not False, name)
        self._thread = threading.Thread(target=self._run, name=f"agentnet_otel {name}", daemon=True)
        self._direct = False
        self.good = False
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is about to end, and gives out no threads any more
            self._direct = True
            self._run()

    def wait(self, timeout_s: float) -> None:
        """Wait so long at most."""
        if not self._direct:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        self.good = bool(self._call())
