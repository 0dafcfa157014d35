"""From true to told: pending for a while, firing, and resolved when it has been over for a while, as in Prometheus."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentnet_otel.outputs.alerts.conditions import seconds_of
from agentnet_otel.outputs.alerts.judging import Active
from agentnet_otel.outputs.alerts.rendering import rendered

_NANOS: Final = 1_000_000_000


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was true; times are epoch nanoseconds.

    ``since_ns``: true since; ``fired_ns``: firing since, None while pending; ``over_ns``: no longer true since, None
    while it is; ``resolved_ns``: when it was over for good.
    """

    labels: dict[str, str]
    annotations: dict[str, str]
    hold_ns: int
    keep_ns: int
    since_ns: int
    fired_ns: int | None = None
    over_ns: int | None = None
    resolved_ns: int | None = None

    @property
    def firing(self) -> bool:
        """Whether people are to be told of it."""
        return self.fired_ns is not None and self.resolved_ns is None

    @property
    def status(self) -> str:
        """What people are told of it: that it began, or that it is over."""
        return "firing" if self.resolved_ns is None else "resolved"


def fingerprint(labels: Mapping[str, str]) -> str:
    """Names an alert by its labels."""
    parts = (f"{name}\0{value}\0" for name, value in sorted(labels.items()))
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def advanced(known: Mapping[str, Standing], active: Iterable[Active], now_ns: int) -> dict[str, Standing]:
    """How the alerts stand at a time, by fingerprint, from how they stood at the last and from what is true now.

    What was resolved before is gone; what is resolved now is in it once.
    """
    following: dict[str, Standing] = {}
    for alert in active:
        key = fingerprint(alert.labels)
        following[key] = _true(known.get(key), alert, now_ns)
    for key, standing in known.items():
        if key not in following and standing.firing:
            following[key] = _over(standing, now_ns)
    return following


def _true(before: Standing | None, alert: Active, now_ns: int) -> Standing:
    annotations = {
        name: rendered(template, alert.labels, alert.value) for name, template in alert.rule.annotations.items()
    }
    hold_ns = seconds_of(alert.rule.hold) * _NANOS
    going = before if before is not None and before.resolved_ns is None else None
    since_ns = now_ns if going is None else going.since_ns
    fired_ns = None if going is None else going.fired_ns
    if fired_ns is None and now_ns - since_ns >= hold_ns:
        fired_ns = now_ns
    return Standing(
        labels=dict(alert.labels),
        annotations=annotations,
        hold_ns=hold_ns,
        keep_ns=seconds_of(alert.rule.keep_firing) * _NANOS,
        since_ns=since_ns,
        fired_ns=fired_ns,
    )


def _over(before: Standing, now_ns: int) -> Standing:
    over_ns = now_ns if before.over_ns is None else before.over_ns
    resolved_ns = now_ns if now_ns - over_ns >= before.keep_ns else None
    return msgspec.structs.replace(before, over_ns=over_ns, resolved_ns=resolved_ns)
