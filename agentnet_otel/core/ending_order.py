"""Putting what was told roughly in order of ending exactly into it, as far as a bounded memory reaches."""

from collections.abc import Iterable
from operator import itemgetter
from typing import Final, Generic, TypeVar

from agentnet_otel.core.turn_row import EndingKey

T = TypeVar("T")

WINDOW_TURNS: Final = 6_000
"""Turns among which an earlier one can still go first."""

_STEPS: Final = 5
"""How often, while a window of items comes, those that need not wait are let go."""
_KEY: Final = itemgetter(0)


class EndingOrder(Generic[T]):
    """Holds the last `WINDOW_TURNS` items back. ``out_of_order`` counts those that came too late for their place."""

    def __init__(self, window: int = WINDOW_TURNS) -> None:
        self.out_of_order = 0
        self._window = window
        self._step = max(1, window // _STEPS)
        self._held: list[tuple[EndingKey, T]] = []
        self._last: EndingKey | None = None

    def push(self, items: Iterable[tuple[EndingKey, T]]) -> None:
        """Take items in."""
        self._held.extend(items)

    def ready(self) -> list[T]:
        """The items that need not wait any longer, in order."""
        many = len(self._held) >= self._window + self._step
        return self._release(len(self._held) - self._window) if many else []

    def rest(self) -> list[T]:
        """All that are left."""
        return self._release(len(self._held))

    def _release(self, number: int) -> list[T]:
        self._held.sort(key=_KEY)
        released, self._held = self._held[:number], self._held[number:]
        if not released:
            return []
        if self._last is not None and released[0][0] < self._last:
            self.out_of_order += sum(key < self._last for key, _ in released)
        self._last = max(released[-1][0], self._last or released[-1][0])
        return [item for _, item in released]
