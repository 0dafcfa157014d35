"""Fork and exit: which spans are this process's own, and what happens to those still open at its end.

A forked child holds copies of its parent's open turns. They stay the parent's: an epoch that grows with each fork
tells them apart, so that a child never ends (and exports) a span twice.
"""

import atexit
import os
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from agentnet_otel.instrumentation import faults

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.open_span import OpenSpan

MAX_OPEN: Final = 10_000
"""Spans that may be open at once (components do not count, they end with their turn). Beyond it the oldest is ended,
marked as interrupted, and counted as abandoned: something opens spans and never ends them."""


class LockOwner(Protocol):
    """What has a lock and lives across a fork."""

    def reset_lock(self) -> None:
        """Make a new lock."""


class Lifecycle:
    """Knows what is open in this process: sessions, turns, and components outside any turn."""

    def __init__(self) -> None:
        self.epoch = 0
        self.abandoned = 0
        self._open: dict[int, OpenSpan] = {}
        self._lock = threading.RLock()  # a signal handler or finalizer may come in while it is held
        self._lock_owners: weakref.WeakSet[LockOwner] = weakref.WeakSet()

    def opened(self, span: "OpenSpan") -> None:
        """Remember a span until it ends."""
        with self._lock:
            self._open[id(span)] = span
            if len(self._open) <= MAX_OPEN:
                return
            oldest = self._open.pop(next(iter(self._open)))
            self.abandoned += 1
        faults.guarded(oldest.abandon)()

    def closed(self, span: "OpenSpan") -> None:
        """Forget a span that ended."""
        with self._lock:
            self._open.pop(id(span), None)

    def open_spans(self) -> Iterator["OpenSpan"]:
        """The open ones, innermost (newest) first."""
        with self._lock:
            spans = list(self._open.values())
        return reversed(spans)

    def oldest_start_ns(self) -> dict[str, int]:
        """For each agent with open turns, when the oldest of them began (epoch nanoseconds)."""
        oldest: dict[str, int] = {}
        for span in self.open_spans():
            agent: str | None = getattr(span, "agent", None)
            if agent is not None and span.is_turn:
                oldest[agent] = min(span.start_ns, oldest.get(agent, span.start_ns))
        return oldest

    def register_exit(self) -> None:
        """Make `end_all` run before the exit handlers that are registered by now (those of the SDK flush)."""
        atexit.unregister(self.end_all)
        atexit.register(self.end_all)

    def unregister_exit(self) -> None:
        """Undo `register_exit`."""
        atexit.unregister(self.end_all)

    def end_all(self) -> None:
        """End what is still open, marked as interrupted."""
        for span in self.open_spans():
            faults.guarded(span.interrupt, "exit")()

    def renew_lock_after_fork(self, owner: "LockOwner") -> None:
        """Have ``owner`` make a new lock in each child: a thread that only the parent has may hold the old one."""
        self._lock_owners.add(owner)

    def after_fork_in_child(self) -> None:
        """Start anew in a child process."""
        self.epoch += 1
        self.abandoned = 0
        self._open = {}
        self._lock = threading.RLock()
        faults.log.reset_after_fork()
        for owner in list(self._lock_owners):
            owner.reset_lock()


lifecycle: Final = Lifecycle()

if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(after_in_child=lifecycle.after_fork_in_child)
