"""What `agentnet-otel serve` runs."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import MetricsMode
from agentnet_otel.outputs.alerts.posting import targets_of
from agentnet_otel.outputs.reports.wording import terminal_line
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.service.alerting import AlertSettings
from agentnet_otel.service.bridge import Bridge, Settings
from agentnet_otel.service.retention import Retention
from agentnet_otel.sources.access import Access, Address

DEFAULTS: Final = ("127.0.0.1:4317", "127.0.0.1:4318", "127.0.0.1:9464")
"""Addresses of the three doors, where none is given."""
_DAY_S: Final = 86_400
_MEGABYTE: Final = 1024 * 1024


def settings_of(
    otlp_grpc: str | None,
    otlp_http: str | None,
    web: str | None,
    *,
    store: Path,
    thresholds: ThresholdTable,
    keep_days: float,
    keep_mb: int,
    quiet_period_s: float,
    metrics: MetricsMode,
    max_backlog_mb: int,
    access: Access,
    allow_plaintext: bool,
    trace_url: str | None = None,
    alerts: AlertSettings | None = None,
    group_calls: bool = False,
) -> Settings:
    """The settings that options describe.

    Raises:
        ConfigurationError: an address is none, or may not be opened so.
    """
    given = (otlp_grpc, otlp_http, web)
    texts = DEFAULTS if given == (None, None, None) else given
    addresses = [None if text is None else Address.parse(text) for text in texts]
    for address in addresses:
        if address is not None:
            access.check(address, plaintext_allowed=allow_plaintext)
    return Settings(
        store=store,
        otlp_grpc=addresses[0],
        otlp_http=addresses[1],
        web=addresses[2],
        access=access,
        retention=Retention(age_s=keep_days * _DAY_S, max_bytes=keep_mb * _MEGABYTE),
        thresholds=thresholds,
        quiet_period_s=quiet_period_s,
        group_calls=group_calls,
        metrics=metrics,
        max_backlog_bytes=max_backlog_mb * _MEGABYTE,
        trace_url=trace_url,
        alerts=alerts or AlertSettings(),
    )


def alerts_of(alertmanager: str | None, webhook: str | None, links: Links | None = None) -> AlertSettings:
    """Who is told of alerts; what is not given says the environment.

    Raises:
        ConfigurationError: an address is none.
    """
    manager, hook = targets_of(alertmanager, webhook)
    return AlertSettings(alertmanager=manager, webhook=hook, links=links or Links())


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    bridge = Bridge(settings, _tell)
    asyncio.run(bridge.run(lambda: _tell(f"listening at {', '.join(map(str, bridge.addresses))}")))


def _tell(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens any more: no reason to end
        sys.stderr.write(f"agentnet-otel: {terminal_line(text)}\n")
        sys.stderr.flush()
