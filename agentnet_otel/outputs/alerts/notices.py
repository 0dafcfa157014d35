"""What is sent: alerts as Alertmanager's API takes them, and as its webhooks tell them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from agentnet_otel.outputs.alerts.lifecycle import Standing, fingerprint

NEVER: Final = "0001-01-01T00:00:00Z"
"""The end of what has not ended, as webhooks write it."""
RECEIVER: Final = "agentnet-otel"
_NANOS: Final = 1_000_000_000


class ApiAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert of ``POST /api/v2/alerts``."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    ends_at: str


class HookAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert of a webhook."""

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    ends_at: str
    generator_url: str = msgspec.field(default="", name="generatorURL")
    fingerprint: str


class Hook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook's body, version 4."""

    version: str = "4"
    group_key: str
    truncated_alerts: int = 0
    status: str
    receiver: str = RECEIVER
    group_labels: Mapping[str, str]
    common_labels: Mapping[str, str]
    common_annotations: Mapping[str, str]
    external_url: str = msgspec.field(default="", name="externalURL")
    alerts: list[HookAlert]


def api_body(standings: Iterable[Standing], until_ns: int) -> bytes:
    """The body for Alertmanager; what still fires ends at ``until_ns`` if nobody tells it again."""
    alerts = [
        ApiAlert(
            labels=standing.labels,
            annotations=standing.annotations,
            starts_at=_time(standing.fired_ns or standing.since_ns),
            ends_at=_time(until_ns if standing.resolved_ns is None else standing.resolved_ns),
        )
        for standing in standings
    ]
    return msgspec.json.encode(alerts)


def hook_body(standing: Standing) -> bytes:
    """The body for a webhook: one alert, a group of its own."""
    named = fingerprint(standing.labels)
    alert = HookAlert(
        status=standing.status,
        labels=standing.labels,
        annotations=standing.annotations,
        starts_at=_time(standing.fired_ns or standing.since_ns),
        ends_at=NEVER if standing.resolved_ns is None else _time(standing.resolved_ns),
        fingerprint=named,
    )
    return msgspec.json.encode(
        Hook(
            group_key=f"agentnet-otel:{named}",
            status=standing.status,
            group_labels=standing.labels,
            common_labels=standing.labels,
            common_annotations=standing.annotations,
            alerts=[alert],
        )
    )


def _time(epoch_ns: int) -> str:
    """RFC 3339, UTC, to the millisecond."""
    text = datetime.fromtimestamp(epoch_ns // _NANOS, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{epoch_ns % _NANOS // 1_000_000:03d}Z"
