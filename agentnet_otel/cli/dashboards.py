"""`dashboards`: files for Grafana, with the lines of the limits."""

from pathlib import Path
from typing import Annotated

from agentnet_otel.cli.framework import Option
from agentnet_otel.cli.options import (
    Quiet,
    Thresholds,
    threshold_table,
)
from agentnet_otel.cli.standard_streams import tell, write


def dashboards(
    output: Annotated[Path, Option("-o", "--output", metavar="DIR", help="Where the files go.")] = Path("dashboards"),
    thresholds: Thresholds = None,
    runbooks: Annotated[str | None, Option(metavar="URL", help="Where the runbooks are.")] = None,
    jaeger: Annotated[str | None, Option(metavar="URL", help="Where the traces are.")] = None,
    quiet: Quiet = False,
) -> None:
    """Write dashboards for Grafana, with the lines of the limits.

    Example: agentnet-otel dashboards -o dashboards
    """
    from agentnet_otel.outputs.dashboards import catalogue, grafana  # noqa: PLC0415 - needs the extra `dashboards`
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - only who runs it

    specs = catalogue.dashboards(threshold_table(thresholds))
    for name, text in grafana.dashboard_files(specs, links_of(runbooks, None, jaeger)).items():
        write(text, output / name)
        if not quiet:
            tell(f"{output / name}")
