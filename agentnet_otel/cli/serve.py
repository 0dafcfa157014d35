"""`serve`: the bridge as a process."""

from pathlib import Path
from typing import Annotated, Final

from agentnet_otel.cli.framework import Option
from agentnet_otel.cli.options import (
    Grafana,
    GroupCalls,
    Jaeger,
    Runbooks,
    Thresholds,
    TraceUrl,
    threshold_table,
)
from agentnet_otel.model import MetricsMode
from agentnet_otel.sources.access import read_access

_MAX_MB: Final = 1_000_000_000
"""A petabyte: what is counted in bytes stays a number that every part of it can hold."""


def serve(
    *,
    otlp_grpc: Annotated[str | None, Option(metavar="ADDR", help="Receive OTLP over gRPC at host:port.")] = None,
    otlp_http: Annotated[str | None, Option(metavar="ADDR", help="Receive OTLP over HTTP at host:port.")] = None,
    web: Annotated[str | None, Option(metavar="ADDR", help="Serve turns, reports and health at host:port.")] = None,
    store: Annotated[Path, Option(metavar="DIR", help="Where requests and turns are kept.")] = Path(
        "agentnet-otel-store"
    ),
    thresholds: Thresholds = None,
    keep_days: Annotated[
        float, Option(min=0.0, max=36_500.0, help="How long turns are kept, from their arrival.")
    ] = 14.0,
    keep_mb: Annotated[int, Option(min=1, max=_MAX_MB, help="How much room turns may need.")] = 4096,
    quiet_period: Annotated[
        float, Option(min=0.0, max=86_400.0, help="Seconds of quiet after which a turn is complete.")
    ] = 5.0,
    group_calls: GroupCalls = False,
    metrics: Annotated[
        MetricsMode, Option(help="Count turns that their own application did not count, all, or none.")
    ] = MetricsMode.AUTO,
    max_backlog_mb: Annotated[
        int,
        Option(min=1, max=_MAX_MB, help="How much may wait on the disk to be understood, before senders have to wait."),
    ] = 4096,
    token_file: Annotated[Path | None, Option(metavar="FILE", help="Callers need the token in it.")] = None,
    tls_cert: Annotated[Path | None, Option(metavar="FILE", help="Certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, Option(metavar="FILE", help="Its key (PEM).")] = None,
    allow_plaintext: Annotated[bool, Option(help="Beyond this machine, but something in front encrypts.")] = False,
    trace_url: TraceUrl = None,
    alertmanager: Annotated[
        str | None, Option(metavar="URL", help="Judge turns each minute and tell Alertmanager there of alerts.")
    ] = None,
    webhook: Annotated[
        str | None,
        Option(metavar="URL", help="The same for a webhook, once when it begins and once when it ends."),
    ] = None,
    runbooks: Runbooks = None,
    grafana: Grafana = None,
    jaeger: Jaeger = None,
) -> None:
    """Receive spans, keep them, and serve the turns that they are, until SIGTERM or Ctrl-C.

    Without any address it listens at 127.0.0.1: 4317 (gRPC), 4318 (HTTP) and 9464 (web). A browser shows the turns as
    they arrive at the web address.

    Example: agentnet-otel serve --otlp-grpc 127.0.0.1:4317 --web 127.0.0.1:9464 --store spans
    """
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - only who runs it
    from agentnet_otel.service import command  # noqa: PLC0415 - needs the extra `service`
    from agentnet_otel.wiring.reporting import checked_trace_url  # noqa: PLC0415 - only who runs it

    command.run(
        command.settings_of(
            otlp_grpc,
            otlp_http,
            web,
            store=store,
            thresholds=threshold_table(thresholds),
            keep_days=keep_days,
            keep_mb=keep_mb,
            quiet_period_s=quiet_period,
            group_calls=group_calls,
            metrics=metrics,
            max_backlog_mb=max_backlog_mb,
            access=read_access(token_file, tls_cert, tls_key),
            allow_plaintext=allow_plaintext,
            trace_url=checked_trace_url(trace_url),
            alerts=command.alerts_of(alertmanager, webhook, links_of(runbooks, grafana, jaeger)),
        )
    )
