"""The conditions of the rules, on counted turns: the value that an alert tells, or None where it is not true."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.thresholds import Metric, Threshold
from agentnet_otel.outputs.alerts.minutes import Figures, TurnMinutes, Whom
from agentnet_otel.outputs.rules.documented import ALLOWED_SLOW_SHARE
from agentnet_otel.outputs.rules.health import TOOL_CALLS, TOOL_FAILURE_SHARE, VIOLATION_SHARE, VIOLATIONS
from agentnet_otel.outputs.rules.promql import Z_LIKELY, Z
from agentnet_otel.outputs.rules.recordings import CRITICAL, limit_of
from agentnet_otel.outputs.rules.windows import BUSY, BUSY_TURNS, MORE_THAN_ONE, QUIET, QUIET_MEANS, Pair

_PERCENT: Final = 100
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Seen:
    """What is known of somebody at a time, epoch nanoseconds; each window is added up once."""

    def __init__(self, whom: Whom, minutes: TurnMinutes, now_ns: int) -> None:
        self._whom = whom
        self._minutes = minutes
        self._now_ns = now_ns
        self._known: dict[str, Figures] = {}

    def within(self, window: str) -> Figures:
        """The figures of a window as rules write it: ``15m``."""
        found = self._known.get(window)
        if found is None:
            found = self._minutes.window(self._whom, seconds_of(window) // 60, self._now_ns)
            self._known[window] = found
        return found

    def judged_on(self, quiet: Pair) -> "Windows | None":
        """The windows that fit the traffic, ``quiet`` where it is little; None where there is too little."""
        busy = self.within(BUSY.long).n >= BUSY_TURNS
        pair = BUSY if busy else quiet
        short, long = self.within(pair.short), self.within(pair.long)
        if not short.n or (not busy and long.n < pair.min_turns):
            return None
        return Windows(busy=busy, short=short, long=long)


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The short and the long window. ``busy``: of many turns, so that a single bad one is no chance."""

    busy: bool
    short: Figures
    long: Figures


Condition = Callable[[Seen], float | None]


def seconds_of(duration: str) -> int:
    """Seconds of a duration as rules write it: ``5m``."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def lower_bound(bad: float, everything: float, z: float = Z) -> float:
    """Wilson's lower bound as `promql.lower_bound` writes it."""
    squared = z * z
    spread = math.sqrt(bad * max(everything - bad, 0) / everything + squared / 4)
    return (bad + squared / 2 - z * spread) / (everything + squared)


def share_past(threshold: Threshold, level: str) -> Condition:
    """Too large a share of turns is slow, or fails."""
    limit = limit_of(threshold, level)
    slow = threshold.metric is Metric.TURN_LATENCY
    allowed = ALLOWED_SLOW_SHARE if slow else round(1 - limit / _PERCENT, 10)

    def value(seen: Seen) -> float | None:
        found = seen.judged_on(QUIET)
        if found is None:
            return None
        short, long = found.short, found.long
        bad, bad_long = (one.critical if level == CRITICAL else one.total for one in (short, long))
        told = bad / short.n if slow else 1 - bad / short.n
        passed = told >= allowed if slow else told <= limit / _PERCENT
        still = found.busy or (bad >= MORE_THAN_ONE and lower_bound(bad, short.n, Z_LIKELY) >= allowed)
        return told if passed and still and lower_bound(bad_long, long.n) >= allowed else None

    return value


def mean_past(threshold: Threshold, level: str) -> Condition:
    """A mean is past its limit in both windows."""
    limit = limit_of(threshold, level)

    def value(seen: Seen) -> float | None:
        found = seen.judged_on(QUIET_MEANS)
        if found is None:
            return None
        means = [figures.total / figures.n for figures in (found.short, found.long)]
        passed = max(means) <= limit if threshold.higher_is_better else min(means) >= limit
        return means[0] if passed else None

    return value


def policies_violated(seen: Seen) -> float | None:
    """Violations a turn, in both windows, and some in all."""
    short, long = seen.within("15m"), seen.within("1h")
    if not short.n or long.total < VIOLATIONS or short.total < MORE_THAN_ONE:
        return None
    share = short.total / short.n
    return share if min(share, long.total / long.n) >= VIOLATION_SHARE else None


def severely_violated(seen: Seen) -> float | None:
    """One is enough."""
    return seen.within("15m").n or None


def tool_failing(seen: Seen) -> float | None:
    """Too large a share of the calls of a tool fails, surely."""
    short, long = seen.within("15m"), seen.within("1h")
    if not short.n or long.n < TOOL_CALLS or short.total < MORE_THAN_ONE:
        return None
    share, sure = short.total / short.n, lower_bound(long.total, long.n)
    return share if min(share, sure) >= TOOL_FAILURE_SHARE else None
