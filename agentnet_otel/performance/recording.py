"""What a tracker keeps: turns, and records that were filled in by hand, bounded and in order of ending."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.model import Turn

R = TypeVar("R")
T = TypeVar("T")

MAX_HISTORY: Final = 10_000
"""Turns that a tracker keeps unless it is told another number; beyond it the oldest goes, and is counted."""

_NO_IDS: Final = frozenset({"", "0" * 16, "0" * 32})


class Shared(Generic[T]):
    """One object of a process, made when it is first asked for."""

    def __init__(self) -> None:
        self._made: T | None = None
        self._lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    def get(self, make: Callable[[], T]) -> T:
        """The object; ``make`` makes it."""
        with self._lock:
            if self._made is None:
                self._made = make()
            return self._made

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.Lock()


class TurnLog(Generic[R]):
    """The newest turns and records of a tracker. Safe for threads; taking one in costs two dictionary operations.

    A turn is known by its trace and span id: taken in again it counts once, in its newest revision. Turns without
    ids, and records, are always new.
    """

    def __init__(self, max_entries: int) -> None:
        self.max_entries = max_entries
        self._entries: OrderedDict[object, tuple[int, Turn | R]] = OrderedDict()
        self._lock = threading.Lock()
        self._newest_ns = 0
        self._records = 0
        self._dropped = 0
        lifecycle.renew_lock_after_fork(self)

    @property
    def dropped(self) -> int:
        """How many entries went to make room."""
        return self._dropped

    def add_turn(self, turn: Turn) -> None:
        """Take in a turn that ended."""
        identified = turn.trace_id not in _NO_IDS and turn.span_id not in _NO_IDS
        with self._lock:
            key = (turn.trace_id, turn.span_id) if identified else self._new_key()
            known = self._entries.get(key)
            if known is not None and isinstance(known[1], Turn) and known[1].revision > turn.revision:
                return
            self._keep(key, turn.end_ns, turn)

    def add_record(self, record: R, end_ns: int) -> None:
        """Take in a record that ended now: after all that are here, even if the clock (``end_ns``) was set back."""
        with self._lock:
            self._keep(self._new_key(), max(end_ns, self._newest_ns), record)

    def entries(self) -> list[Turn | R]:
        """All entries in order of ending; turns that were taken in out of order are put in order."""
        with self._lock:
            entries = list(self._entries.values())
        return [entry for _, entry in sorted(entries, key=lambda entry: entry[0])]

    def remove(self, chosen: Callable[[Turn | R], bool]) -> None:
        """Forget the chosen entries (they do not count as dropped)."""
        with self._lock:
            for key in [key for key, (_, entry) in self._entries.items() if chosen(entry)]:
                del self._entries[key]

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.Lock()

    def _new_key(self) -> int:
        self._records += 1
        return self._records

    def _keep(self, key: object, end_ns: int, entry: Turn | R) -> None:
        self._newest_ns = max(self._newest_ns, end_ns)
        self._entries[key] = (end_ns, entry)
        if len(self._entries) > self.max_entries:
            self._entries.popitem(last=False)
            self._dropped += 1
