"""What the trackers of latency and of tokens are both: a bounded view on turns, and on records filled in by hand."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, Self, TypeVar

from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.model import Turn
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.recording import MAX_HISTORY, TurnLog


class OfAgent(Protocol):
    """A record: of an agent."""

    agent_id: str


R = TypeVar("R", bound=OfAgent)


class Tracker(ABC, Generic[R]):
    """Holds at most ``max_history`` turns and records; the oldest goes first, and is counted in `dropped`.

    Raises:
        ValueError: ``max_history`` is no whole number of at least 1.
    """

    def __init__(self, max_history: int) -> None:
        self._log: TurnLog[R] = TurnLog(check.whole_number("max_history", max_history, least=1))
        self._lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    @classmethod
    def from_turns(cls, turns: Iterable[Turn], max_history: int | None = None) -> Self:
        """A tracker that holds these turns: all of them, unless ``max_history`` says how many at most."""
        given = list(turns)
        tracker = cls(max(MAX_HISTORY, len(given)) if max_history is None else max_history)
        for turn in given:
            tracker.record_turn(turn)
        return tracker

    @property
    def max_history(self) -> int:
        """How many turns are kept."""
        return self._log.max_entries

    @property
    def dropped(self) -> int:
        """How many turns went to make room for newer ones."""
        return self._log.dropped

    @abstractmethod
    def record_turn(self, turn: Turn) -> None:
        """Take in a turn that ended; a later revision of it replaces it."""

    def recorded_turns(self) -> list[Turn]:
        """The turns that were taken in whole, in order of ending."""
        return [entry for entry in self._log.entries() if isinstance(entry, Turn)]

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.Lock()

    def reset_after_fork(self) -> None:
        """Start anew, in a forked child, where the turns are the parent's."""
        self.reset_lock()
        self._log.reset_lock()
        self._forget_all()

    @abstractmethod
    def _forget_all(self) -> None:
        """Nothing is left."""

    def _entries_of(self, agent_id: str | None) -> Sequence[Turn | R]:
        """The turns and records of an agent, or all, in order of ending."""
        entries = self._log.entries()
        return entries if agent_id is None else [entry for entry in entries if agent_of(entry) == agent_id]


def agent_of(entry: Turn | OfAgent) -> str:
    """Whose a turn or a record is."""
    return entry.agent if isinstance(entry, Turn) else entry.agent_id
