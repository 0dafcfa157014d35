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
from agentnet_otel.cli.reading import (
    few_collections,
    reading_code,
    rebuilt_from,
)
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.sources.rebuild import Rebuilt

if TYPE_CHECKING:
    from agentnet_otel.outputs.reports.runs import Run


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
    from agentnet_otel.wiring.reporting import checked_trace_url, make_report  # noqa: PLC0415 - only who runs it

    form = known_format(format)
    table, template = threshold_table(thresholds), checked_trace_url(trace_url)
    with few_collections():
        rebuilt = rebuilt_from(sources, group_calls=group_calls, quiet=quiet)
        content = make_report(
            rebuilt.turns,
            rebuilt.counts,
            read=rebuilt.read,
            thresholds=table,
            trace_url=template,
            environment=rebuilt.environment,
            runs=_runs(sources, rebuilt),
            documented=form == "json",
        )
        write(render(content, form), output)
    raise Exit(reading_code(rebuilt))


def _runs(sources: Sequence[str], rebuilt: Rebuilt) -> "list[Run]":
    """The turns of each source, where there are several."""
    from agentnet_otel.outputs.reports.runs import Run, with_names  # noqa: PLC0415 - of one command alone

    if len(sources) == 1:
        return []
    return with_names([Run(name=name, turns=rebuilt.of_source(place)) for place, name in enumerate(sources)])
