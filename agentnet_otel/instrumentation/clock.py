"""Time as the recorder sees it: one wall clock reading a trace, and a monotonic clock from there on.

Spans of one turn then never run backwards and never change their length when the machine's clock is set.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """The port of time; both methods give nanoseconds."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never goes back."""


class SystemClock:
    """The clocks of the machine."""

    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.perf_counter_ns)


class Anchor:
    """One reading of both clocks; `now_ns` counts on from it monotonically."""

    __slots__ = ("_clock", "_offset_ns")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = clock.wall_ns() - clock.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, as of this anchor."""
        return self._clock.monotonic_ns() + self._offset_ns
