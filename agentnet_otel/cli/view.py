"""`view`: turns of sources in a browser."""

from collections.abc import Sequence
from pathlib import Path

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import Exit, Integers, command, option
from agentnet_otel.cli.reading import (
    few_collections,
    reading_code,
    rebuilt_from,
)
from agentnet_otel.cli.standard_streams import write


@command
@options.sources
@option("--port", type=Integers(0, 65535), default=0, help="Port at 127.0.0.1; 0 takes one that is free.")
@options.thresholds
@options.trace_url
@options.group_calls
@options.quiet
def view(
    *,
    sources: Sequence[str],
    port: int,
    thresholds: Path | None,
    trace_url: str | None,
    group_calls: bool,
    quiet: bool,
) -> None:
    """Show turns in a browser: verdicts, the turns, where each one's time went, the report. Until Ctrl-C.

    Prints the address of the page, which only this machine can open.

    Example: agentnet-otel view demo-out/spans.jsonl
    """
    from agentnet_otel.service import view as viewing  # noqa: PLC0415 - needs the extra `service`
    from agentnet_otel.wiring.reporting import checked_trace_url  # noqa: PLC0415 - only who runs it

    table, template = options.threshold_table(thresholds), checked_trace_url(trace_url)
    with few_collections():
        rebuilt = rebuilt_from(sources, group_calls=group_calls, quiet=quiet)
    viewing.run(rebuilt, port, table, template, lambda address: write(f"{address}\n", None))
    raise Exit(reading_code(rebuilt))
