"""Places and ticks on the axes of a chart. A place is a share of the axis, 0 at its start and 1 at its end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_STEPS: Final = ((1.7, (1.0, 2.0, 5.0)), (3.2, (1.0, 3.0)), (math.inf, (1.0,)))
"""Where a decade of a logarithmic axis has ticks, by the number of decades up to which."""
_MANY_DECADES: Final = 5.0
"""Decades above which only every second has a tick."""
_NANOS: Final = 1_000_000_000
_TIME_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    *(86_400 * days for days in (1, 2, 7, 14, 28, 91, 182, 364)),
)
_DAY_S: Final = 86_400
_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScale:
    """A logarithmic axis of durations, in milliseconds; both ends above 0."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a duration stands; what is below the axis stands at its start."""
        if value <= self.low:
            return 0.0
        return min(1.0, math.log(value / self.low) / math.log(self.high / self.low))

    def ticks(self) -> list[Tick]:
        """At most six or so."""
        decades = math.log10(self.high / self.low)
        steps = next(steps for up_to, steps in _STEPS if decades <= up_to)
        every = 2 if decades > _MANY_DECADES else 1
        found = []
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            if power % every == 0:
                found += [step * 10.0**power for step in steps]
        inside = [value for value in found if self.low * 0.999 <= value <= self.high * 1.001]
        return [Tick(place=self.place(value), text=duration_text(value)) for value in inside]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearScale:
    """An axis from 0 to ``high`` (above 0)."""

    high: float

    def place(self, value: float) -> float:
        """Where a value stands."""
        return min(1.0, max(0.0, value / self.high))


def log_scale(values: Sequence[float]) -> LogScale:
    """An axis that holds all values above 0, and at least half a decade."""
    known = [value for value in values if value > 0] or [1.0]
    low, high = min(known), max(known)
    if high < low * 3:
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
    return LogScale(low=low, high=high)


def rounded_up(value: float) -> float:
    """The next number of 1, 2, 5 x 10^n: a good end of a linear axis."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0) if step * power >= value * 0.9999)


def time_ticks(first_ns: int, last_ns: int, at_most: int = 4) -> list[Tick]:
    """Times of day (UTC) at round places."""
    span_s = max(1, (last_ns - first_ns) // _NANOS)
    step_s = next((step for step in _TIME_STEPS_S if span_s / step <= at_most), _TIME_STEPS_S[-1])
    first_s = -(-first_ns // (_NANOS * step_s)) * step_s
    width_ns = max(1, last_ns - first_ns)
    ticks = []
    for second in range(first_s, last_ns // _NANOS + 1, step_s):
        form = "%b %d" if step_s >= _DAY_S else "%H:%M" if step_s >= _MINUTE_S else "%H:%M:%S"
        text = datetime.fromtimestamp(second, UTC).strftime(form)
        ticks.append(Tick(place=(second * _NANOS - first_ns) / width_ns, text=text))
    return ticks


def duration_text(value_ms: float) -> str:
    """A round duration, short."""
    for limit, unit, size in ((1000.0, "ms", 1.0), (60_000.0, "s", 1000.0), (3_600_000.0, "min", 60_000.0)):
        if value_ms < limit:
            return f"{value_ms / size:.4g} {unit}"
    return f"{value_ms / 3_600_000.0:.4g} h"
