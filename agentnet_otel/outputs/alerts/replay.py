"""Alerts of turns that were read at once: what would fire at their end, and what has changed since it was told."""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentnet_otel.outputs.alerts.judging import Judge
from agentnet_otel.outputs.alerts.lifecycle import Standing, advanced
from agentnet_otel.outputs.alerts.minutes import MINUTE_NS, TurnMinutes

REPLAYED_MINUTES: Final = 60
"""More than any alert has to be true before it fires, or goes on firing after it."""


def firing_at(end_ns: int, judge: Judge, minutes: TurnMinutes) -> dict[str, Standing]:
    """What fires at a time, epoch nanoseconds, after an evaluation a minute through the hour before; by fingerprint."""
    standings: dict[str, Standing] = {}
    for place in range(REPLAYED_MINUTES, -1, -1):
        at_ns = end_ns - place * MINUTE_NS
        standings = advanced(standings, judge.active(minutes, at_ns), at_ns)
    return {key: standing for key, standing in standings.items() if standing.firing}


def gone_on(known: Mapping[str, Standing], firing: Mapping[str, Standing], now_ns: int) -> dict[str, Standing]:
    """How alerts stand for whoever was told the known ones.

    What still fires began when it was told first; what does no longer is resolved now.
    """
    following = {}
    for key, standing in firing.items():
        before = known.get(key)
        if before is not None and before.firing:
            standing = msgspec.structs.replace(standing, since_ns=before.since_ns, fired_ns=before.fired_ns)  # noqa: PLW2901 - the same alert
        following[key] = standing
    for key, before in known.items():
        if key not in firing and before.firing:
            following[key] = msgspec.structs.replace(before, over_ns=before.over_ns or now_ns, resolved_ns=now_ns)
    return following
