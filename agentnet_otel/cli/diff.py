"""`diff`: two runs side by side."""

from pathlib import Path
from typing import Final

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import Exit, argument, command
from agentnet_otel.cli.reading import (
    columns_from,
    reading_code,
)
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs import console
from agentnet_otel.outputs.json_text import indented_json

STANDARD_INPUT: Final = "-"


@command
@argument("before", metavar="A", help="What was before: a source, as of `report`.")
@argument("now", metavar="B", help="What is now.")
@options.thresholds
@options.group_calls
@options.as_json
@options.quiet
def diff(*, before: str, now: str, thresholds: Path | None, group_calls: bool, as_json: bool, quiet: bool) -> None:
    """Tell two runs side by side: percentiles, components, tokens, cost, and what changed most.

    It judges nothing by its exit code; `check --baseline` does. A run without turns is told, and is no failure.

    Example: agentnet-otel diff before.jsonl after.jsonl
    """
    from agentnet_otel.outputs.reports.json_report import runs_object  # noqa: PLC0415 - only who runs it
    from agentnet_otel.outputs.reports.run_blocks import diff_document  # noqa: PLC0415 - only who runs it
    from agentnet_otel.outputs.reports.runs import Run, runs_of, with_names  # noqa: PLC0415 - only who runs it

    if before == now == STANDARD_INPUT:
        message = "standard input can be read only once: give at least one of the two runs as a file"
        raise ConfigurationError(message)
    table = options.threshold_table(thresholds)
    both = [columns_from([source], group_calls=group_calls, quiet=quiet) for source in (before, now)]
    runs = [Run(name=name, turns=read.turns) for name, read in zip((before, now), both, strict=True)]
    found = runs_of(with_names(runs), table)
    if as_json:
        write(indented_json(runs_object(found)), None)
    else:
        console.print_document(diff_document(found))
    raise Exit(max(reading_code(read.stream) for read in both))
