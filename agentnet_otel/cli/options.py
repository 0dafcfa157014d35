"""Options that several commands have, and what is read from them."""

from pathlib import Path
from typing import Annotated

from agentnet_otel.cli.framework import Argument, Option
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.sources.share import MAX_JOBS
from agentnet_otel.sources.threshold_file import read_thresholds

Sources = Annotated[
    list[str],
    Argument(
        metavar="SOURCE",
        help=(
            "Files of spans (OTLP JSON or protobuf, Jaeger's JSON; plain, gzip or zstd), directories, - for standard "
            "input, a store of serve, or jaeger+http://HOST:PORT?service=NAME&lookback=1h."
        ),
    ),
]
Thresholds = Annotated[Path | None, Option(help="YAML file with limits of your own.", metavar="FILE")]
TraceUrl = Annotated[str | None, Option(metavar="TEMPLATE", help="Link of a trace: ...{trace_id}..., also {span_id}.")]
Quiet = Annotated[bool, Option("-q", "--quiet", help="No progress, no remarks; errors are told.")]
GroupCalls = Annotated[
    bool, Option("--group-calls", help="Take the calls of a trace that lie in no turn for one turn.")
]
JUnit = Annotated[Path | None, Option(metavar="FILE", help="Also write what was judged as JUnit XML.")]
Jobs = Annotated[
    int,
    Option("-j", "--jobs", min=1, max=MAX_JOBS, help="So many processes read files together."),
]
Runbooks = Annotated[str | None, Option(metavar="URL", help="Where the runbooks are that alerts link to.")]
Grafana = Annotated[str | None, Option(metavar="URL", help="Where the dashboards are that alerts link to.")]
Jaeger = Annotated[str | None, Option(metavar="URL", help="Where the traces are that alerts link to.")]
Json = Annotated[bool, Option("--json", help="JSON on standard output.")]


def threshold_table(path: Path | None) -> ThresholdTable:
    """The limits of a file; without one those that are documented.

    Raises:
        ConfigurationError: The file cannot be read, or holds something else; told with the line.
    """
    return ThresholdTable() if path is None else read_thresholds(path)
