"""Spans of one trace whose way up is broken: their parent did not come, or was let go.

Those that name their turn are found by that. Others are put together under the id of the span that is missing, which is
told as an incomplete turn, or, where they are calls outside any turn, under the id of the trace.
"""

from collections.abc import Iterable

import msgspec


class Strays(msgspec.Struct):
    """Span ids by the turn id that they carry, and groups of them. Whether a span is a stray the tree knows."""

    _turns: dict[str, str] = msgspec.field(default_factory=dict)
    """Own spans of turns, by their turn id."""
    _naming: dict[str, dict[str, None]] = msgspec.field(default_factory=dict)
    """Strays by the turn id that they carry."""
    _groups: dict[str, dict[str, None]] = msgspec.field(default_factory=dict)
    """Top-most spans that were put together, by the id that stands for what is missing."""
    _group_of: dict[str, str] = msgspec.field(default_factory=dict)
    _of_calls: set[str] = msgspec.field(default_factory=set)
    """Groups that are no incomplete turns, but calls outside any."""

    def add(self, span_id: str, turn_id: str) -> None:
        """A stray names its turn."""
        self._naming.setdefault(turn_id, {})[span_id] = None

    def remove(self, span_id: str, turn_id: str | None) -> None:
        """A span is no stray any more, and in no group: its parent came, or it goes."""
        naming = None if turn_id is None else self._naming.get(turn_id)
        if turn_id is not None and naming is not None:
            naming.pop(span_id, None)
            if not naming:
                del self._naming[turn_id]
        self._leave_group(span_id)

    # --- by the turn that they name ------------------------------------------------------------------

    def add_turn(self, span_id: str, turn_id: str) -> None:
        """The own span of a turn came: the strays that name it need no group."""
        self._turns[turn_id] = span_id
        for stray in self._naming.get(turn_id, ()):
            self._leave_group(stray)

    def remove_turn(self, span_id: str, turn_id: str | None) -> None:
        """A span goes, which may be the own one of a turn."""
        if turn_id is not None and self._turns.get(turn_id) == span_id:
            del self._turns[turn_id]

    def knows_turn(self, turn_id: str) -> bool:
        """Whether the own span of the turn with this id is held."""
        return turn_id in self._turns

    def turn_of(self, span_id: str, turn_id: str | None) -> str | None:
        """The own span of the turn that a stray names."""
        if turn_id is None or span_id not in self._naming.get(turn_id, ()):
            return None
        return self._turns.get(turn_id)

    def of_turn(self, span_id: str, turn_id: str | None) -> Iterable[str]:
        """The strays that name the turn whose own span this is."""
        if turn_id is None or self._turns.get(turn_id) != span_id:
            return ()
        return self._naming.get(turn_id, ())

    # --- by what is missing --------------------------------------------------------------------------

    def group(self, missing: str, span_ids: Iterable[str], *, of_calls: bool = False) -> None:
        """Put spans together under the id of what is missing."""
        members = dict.fromkeys(span_ids)
        self._groups.setdefault(missing, {}).update(members)
        self._group_of.update(dict.fromkeys(members, missing))
        if of_calls:
            self._of_calls.add(missing)

    def group_of(self, span_id: str) -> str | None:
        """The id under which a span was put."""
        return self._group_of.get(span_id)

    def grouped(self, missing: str) -> Iterable[str]:
        """What was put under an id."""
        return self._groups.get(missing, ())

    def is_of_calls(self, missing: str) -> bool:
        """Whether what stands under an id are calls outside any turn."""
        return missing in self._of_calls

    @property
    def has_calls(self) -> bool:
        """Whether any group is of calls."""
        return bool(self._of_calls)

    def _leave_group(self, span_id: str) -> None:
        missing = self._group_of.pop(span_id, None)
        if missing is not None:
            group = self._groups[missing]
            del group[span_id]
            if not group:
                del self._groups[missing]
