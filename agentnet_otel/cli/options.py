"""Options that several commands have, as decorators, and what is read from them."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentnet_otel.cli.framework import FILE, Integers, argument, option
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.sources.share import MAX_JOBS
from agentnet_otel.sources.threshold_file import read_thresholds

Addresses = tuple[str | None, str | None, str | None]
"""Where runbooks, dashboards and traces are, as far as it was said."""

sources = argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="SOURCE...",
    help=(
        "Files of spans (OTLP JSON or protobuf, Jaeger's JSON; plain, gzip or zstd), directories, - for standard "
        "input, a store of serve, or jaeger+http://HOST:PORT?service=NAME&lookback=1h."
    ),
)
thresholds = option("--thresholds", metavar="FILE", type=FILE, help="YAML file with limits of your own.")
trace_url = option("--trace-url", metavar="TEMPLATE", help="Link of a trace: ...{trace_id}..., also {span_id}.")
quiet = option("-q", "--quiet", is_flag=True, help="No progress, no remarks; errors are told.")
group_calls = option("--group-calls", is_flag=True, help="Take the calls of a trace that lie in no turn for one turn.")
junit = option("--junit", metavar="FILE", type=FILE, help="Also write what was judged as JUnit XML.")
jobs = option("-j", "--jobs", type=Integers(1, MAX_JOBS), default=1, help="So many processes read files together.")
as_json = option("--json", "as_json", is_flag=True, help="JSON on standard output.")


def addresses(function: Callable[..., None]) -> Callable[..., None]:
    """Three options of what alerts link to, which the command takes as one: ``addresses``."""

    @option("--runbooks", metavar="URL", help="Where the runbooks are that alerts link to.")
    @option("--grafana", metavar="URL", help="Where the dashboards are that alerts link to.")
    @option("--jaeger", metavar="URL", help="Where the traces are that alerts link to.")
    @functools.wraps(function)
    def with_addresses(*, runbooks: str | None, grafana: str | None, jaeger: str | None, **others: Any) -> None:
        function(addresses=(runbooks, grafana, jaeger), **others)

    return with_addresses


def threshold_table(path: Path | None) -> ThresholdTable:
    """The limits of a file; without one those that are documented.

    Raises:
        ConfigurationError: The file cannot be read, or holds something else; told with the line.
    """
    return ThresholdTable() if path is None else read_thresholds(path)
