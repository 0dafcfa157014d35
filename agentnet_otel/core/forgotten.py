"""A bounded memory of what was let go, so that a copy, or a straggler, is not taken for something new."""

from collections import OrderedDict
from enum import Enum, auto
from typing import Final, TypeVar

T = TypeVar("T")

FORGOTTEN: Final = 20_000
"""Ids of each kind that are remembered; beyond it the oldest is not."""


class Fate(Enum):
    """What became of a span that is held no more."""

    IN_TURN = auto()
    """A span of a turn that can be revised no more."""
    MISSING = auto()
    """The own span of a turn that was told without it, and can be revised no more."""
    OUTSIDE = auto()
    """It belonged to no turn."""


class Forgotten:
    """The newest ids, by trace."""

    def __init__(self, limit: int = FORGOTTEN) -> None:
        self._limit = limit
        self._of_turns: OrderedDict[tuple[str, str], Fate] = OrderedDict()
        self._outside: OrderedDict[tuple[str, str], Fate] = OrderedDict()
        self._turn_ids: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._hosts: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._by_trace: dict[str, int] = {}
        """How much is remembered of each trace."""

    def remember(self, trace_id: str, span_id: str, fate: Fate) -> None:
        """Remember a span. Those outside, which may be very many, do not push out those of turns."""
        fates = self._outside if fate is Fate.OUTSIDE else self._of_turns
        self._keep(fates, (trace_id, span_id), fate)

    def remember_turn_id(self, trace_id: str, turn_id: str) -> None:
        """Remember the id that all spans of a turn of ours carry."""
        self._keep(self._turn_ids, (trace_id, turn_id), None)

    def remember_host(self, trace_id: str, span_id: str) -> None:
        """Remember that a turn that is held no more stood below a span."""
        self._keep(self._hosts, (trace_id, span_id), None)

    def knows(self, trace_id: str) -> bool:
        """Whether anything of a trace is remembered."""
        return trace_id in self._by_trace

    def fate(self, trace_id: str, span_id: str | None) -> Fate | None:
        """What became of a span; None where nothing is remembered."""
        if span_id is None:
            return None
        return self._of_turns.get((trace_id, span_id)) or self._outside.get((trace_id, span_id))

    def knows_turn_id(self, trace_id: str, turn_id: str) -> bool:
        """Whether a turn with this id was forgotten."""
        return (trace_id, turn_id) in self._turn_ids

    def held_turns(self, trace_id: str, span_id: str) -> bool:
        """Whether a turn below this span was forgotten."""
        return (trace_id, span_id) in self._hosts

    def _keep(self, known: OrderedDict[tuple[str, str], T], key: tuple[str, str], value: T) -> None:
        if key not in known:
            self._by_trace[key[0]] = self._by_trace.get(key[0], 0) + 1
        known[key] = value
        if len(known) > self._limit:
            (trace_id, _), _ = known.popitem(last=False)
            left = self._by_trace[trace_id] - 1
            if left:
                self._by_trace[trace_id] = left
            else:
                del self._by_trace[trace_id]
