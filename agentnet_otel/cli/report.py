"""`report`: what the turns tell, for readers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import FILE, Exit, command, option
from agentnet_otel.cli.reading import columns_from, reading_code
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.sources.rebuild import ReadColumns

if TYPE_CHECKING:
    from agentnet_otel.outputs.reports.runs import Run
    from agentnet_otel.wiring.documented_analyses import NewestTurns


@command
@options.sources
@option("--format", "form", metavar="FORMAT", default="md", help="md, html, json or csv.")
@option("-o", "--output", metavar="FILE", type=FILE, help="Instead of standard output.")
@options.thresholds
@options.trace_url
@options.group_calls
@options.quiet
def report(
    *,
    sources: Sequence[str],
    form: str,
    output: Path | None,
    thresholds: Path | None,
    trace_url: str | None,
    group_calls: bool,
    quiet: bool,
) -> None:
    """Write a report on the turns: verdicts, latency, components, tokens, cost, slowest turns.

    Several sources are also told side by side, a run each; of two it is told what changed.

    Example: agentnet-otel report demo-out/spans.jsonl --format md -o report.md
    """
    from agentnet_otel.outputs.reports.formats import known_format, render  # noqa: PLC0415 - only who runs it
    from agentnet_otel.wiring import reporting  # noqa: PLC0415 - only who runs it

    form = known_format(form)
    table, template = options.threshold_table(thresholds), reporting.checked_trace_url(trace_url)
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
