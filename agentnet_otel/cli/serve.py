"""`serve`: the bridge as a process."""

from pathlib import Path
from typing import Final, TypedDict, Unpack

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import FILE, Choice, Integers, Numbers, command, option
from agentnet_otel.model import MetricsMode
from agentnet_otel.sources.access import read_access

_MEGABYTES: Final = Integers(1, 1_000_000_000)
"""Up to a petabyte: what is counted in bytes stays a number that every part of it can hold."""


class _Settings(TypedDict):
    """Options that go on as they are."""

    otlp_grpc: str | None
    otlp_http: str | None
    web: str | None
    store: Path
    keep_days: float
    keep_mb: int
    quiet_period_s: float
    group_calls: bool
    metrics: MetricsMode
    max_backlog_mb: int
    allow_plaintext: bool


@command
@option("--otlp-grpc", metavar="ADDR", help="Receive OTLP over gRPC at host:port.")
@option("--otlp-http", metavar="ADDR", help="Receive OTLP over HTTP at host:port.")
@option("--web", metavar="ADDR", help="Serve turns, reports and health at host:port.")
@option("--store", metavar="DIR", type=FILE, default="agentnet-otel-store", help="Where requests and turns are kept.")
@options.thresholds
@option(
    "--keep-days",
    type=Numbers(0.0, 36_500.0),
    default=14.0,
    help="How long turns are kept, from their arrival.",
)
@option("--keep-mb", type=_MEGABYTES, default=4096, help="How much room turns may need.")
@option(
    "--quiet-period",
    "quiet_period_s",
    type=Numbers(0.0, 86_400.0),
    default=5.0,
    help="Seconds of quiet after which a turn is complete.",
)
@options.group_calls
@option(
    "--metrics",
    type=Choice(MetricsMode, case_sensitive=False),
    default=MetricsMode.AUTO.value,
    help="Count turns that their own application did not count, all, or none.",
)
@option(
    "--max-backlog-mb",
    type=_MEGABYTES,
    default=4096,
    help="How much may wait on the disk to be understood, before senders have to wait.",
)
@option("--token-file", metavar="FILE", type=FILE, help="Callers need the token in it.")
@option("--tls-cert", metavar="FILE", type=FILE, help="Certificate (PEM).")
@option("--tls-key", metavar="FILE", type=FILE, help="Its key (PEM).")
@option(
    "--allow-plaintext/--no-allow-plaintext",
    default=False,
    help="Beyond this machine, but something in front encrypts.",
)
@options.trace_url
@option("--alertmanager", metavar="URL", help="Judge turns each minute and tell Alertmanager there of alerts.")
@option("--webhook", metavar="URL", help="The same for a webhook, once when it begins and once when it ends.")
@options.addresses
def serve(
    *,
    thresholds: Path | None,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    trace_url: str | None,
    alertmanager: str | None,
    webhook: str | None,
    addresses: options.Addresses,
    **settings: Unpack[_Settings],
) -> None:
    """Receive spans, keep them, and serve the turns that they are, until SIGTERM or Ctrl-C.

    Without any address it listens at 127.0.0.1: 4317 (gRPC), 4318 (HTTP) and 9464 (web). A browser shows the turns as
    they arrive at the web address.

    Example: agentnet-otel serve --otlp-grpc 127.0.0.1:4317 --web 127.0.0.1:9464 --store spans
    """
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - only who runs it
    from agentnet_otel.service import command as bridge  # noqa: PLC0415 - needs the extra `service`
    from agentnet_otel.wiring.reporting import checked_trace_url  # noqa: PLC0415 - only who runs it

    bridge.run(
        bridge.settings_of(
            **settings,
            thresholds=options.threshold_table(thresholds),
            access=read_access(token_file, tls_cert, tls_key),
            trace_url=checked_trace_url(trace_url),
            alerts=bridge.alerts_of(alertmanager, webhook, links_of(*addresses)),
        )
    )
