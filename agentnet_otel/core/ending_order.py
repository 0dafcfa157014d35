"""Putting what was told roughly in order of ending exactly into it, as far as a bounded memory reaches."""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from agentnet_otel.model import Turn

T = TypeVar("T")
Key = tuple[int, int, str, str]
"""End, start, trace id, span id."""

WINDOW_TURNS: Final = 20_000
"""Turns among which an earlier one can still go first."""


def ending_key(turn: Turn) -> Key:
    """Turns are told in order of this: by their end; ties are settled, so that the same spans give the same order."""
    return turn.end_ns, turn.start_ns, turn.trace_id, turn.span_id


class EndingOrder(Generic[T]):
    """Holds the last `WINDOW_TURNS` items back. ``out_of_order`` counts those that came too late for their place."""

    def __init__(self, window: int = WINDOW_TURNS) -> None:
        self.out_of_order = 0
        self._window = window
        self._held: list[tuple[Key, T]] = []
        self._last: Key | None = None

    def push(self, key: Key, item: T) -> None:
        """Take an item in."""
        self._held.append((key, item))

    def ready(self) -> Iterator[T]:
        """The items that need not wait any longer, in order."""
        if len(self._held) >= 2 * self._window:
            yield from self._release(len(self._held) - self._window)

    def rest(self) -> Iterator[T]:
        """All that are left."""
        yield from self._release(len(self._held))

    def _release(self, number: int) -> Iterator[T]:
        self._held.sort(key=_key_of)
        released, self._held = self._held[:number], self._held[number:]
        if not released:
            return
        if self._last is not None and released[0][0] < self._last:
            self.out_of_order += sum(key < self._last for key, _ in released)
        self._last = max(released[-1][0], self._last or released[-1][0])
        for _, item in released:
            yield item


def _key_of(entry: tuple[Key, object]) -> Key:
    return entry[0]
