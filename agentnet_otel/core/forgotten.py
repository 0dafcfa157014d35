"""A bounded memory of what was let go, so that a copy, or a straggler, is not taken for something new."""

from collections import OrderedDict
from enum import Enum, auto
from typing import Final

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

    def remember(self, trace_id: str, span_id: str, fate: Fate) -> None:
        """Remember a span. Those outside, which may be very many, do not push out those of turns."""
        fates = self._outside if fate is Fate.OUTSIDE else self._of_turns
        fates[(trace_id, span_id)] = fate
        if len(fates) > self._limit:
            fates.popitem(last=False)

    def remember_turn_id(self, trace_id: str, turn_id: str) -> None:
        """Remember the id that all spans of a turn of ours carry."""
        self._turn_ids[(trace_id, turn_id)] = None
        if len(self._turn_ids) > self._limit:
            self._turn_ids.popitem(last=False)

    def remember_host(self, trace_id: str, span_id: str) -> None:
        """Remember that a turn that is held no more stood below a span."""
        self._hosts[(trace_id, span_id)] = None
        if len(self._hosts) > self._limit:
            self._hosts.popitem(last=False)

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
