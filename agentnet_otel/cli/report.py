"""`report`: what the turns tell, for readers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agentnet_otel.cli.framework import Exit, Option
from agentnet_otel.cli.options import (
    GroupCalls,
    Quiet,
    Sources,
    Thresholds,
    TraceUrl,
    threshold_table,
)
from agentnet_otel.cli.reading import columns_from, reading_code
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.sources.rebuild import ReadColumns

if TYPE_CHECKING:
    from agentnet_otel.outputs.reports.runs import Run
    from agentnet_otel.wiring.documented_analyses import NewestTurns


def report(
    sources: Sources,
    format: Annotated[str, Option("--format", help="md, html, json or csv.")] = "md",  # noqa: A002 - the option's name
    output: Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="Instead of standard output.")] = None,
    thresholds: Thresholds = None,
    trace_url: TraceUrl = None,
    group_calls: GroupCalls = False,
    quiet: Quiet = False,
) -> None:
    """Write a report on the turns: verdicts, latency, components, tokens, cost, slowest turns.

    Several sources are also told side by side, a run each; of two it is told what changed.

    Example: agentnet-otel report demo-out/spans.jsonl --format md -o report.md
    """
    from agentnet_otel.outputs.reports.formats import known_format, render  # noqa: PLC0415 - only who runs it
    from agentnet_otel.wiring import reporting  # noqa: PLC0415 - only who runs it

    form = known_format(format)
    table, template = threshold_table(thresholds), reporting.checked_trace_url(trace_url)
    documented = _newest_turns() if form == "json" else None
    found = columns_from(
        sources, group_calls=group_calls, quiet=quiet, also=None if documented is None else documented.extend
    )
    content = reporting.report_on_columns(
        found.turns,
        found.stream.counts,
        read=found.stream.read,
        thresholds=table,
        trace_url=template,
        environment=found.stream.environment,
        runs=_runs(sources, found),
        documented=None if documented is None else documented.analysis(),
    )
    write(render(content, form), output)
    raise Exit(reading_code(found.stream))


def _newest_turns() -> "NewestTurns":
    """What the documented analyses are made of."""
    from agentnet_otel.wiring.documented_analyses import NewestTurns  # noqa: PLC0415 - of one format alone

    return NewestTurns()


def _runs(sources: Sequence[str], found: ReadColumns) -> "list[Run]":
    """The turns of each source, where there are several."""
    from agentnet_otel.outputs.reports.runs import Run, with_names  # noqa: PLC0415 - of one command alone

    return with_names([Run(name=name, turns=own) for name, own in zip(sources, found.of_sources, strict=False)])
