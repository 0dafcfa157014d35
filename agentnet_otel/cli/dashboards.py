"""`dashboards`: files for Grafana, with the lines of the limits."""

from pathlib import Path

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import FILE, command, option
from agentnet_otel.cli.standard_streams import tell, write


@command
@option("-o", "--output", metavar="DIR", type=FILE, default="dashboards", help="Where the files go.")
@options.thresholds
@option("--runbooks", metavar="URL", help="Where the runbooks are.")
@option("--jaeger", metavar="URL", help="Where the traces are.")
@options.quiet
def dashboards(*, output: Path, thresholds: Path | None, runbooks: str | None, jaeger: str | None, quiet: bool) -> None:
    """Write dashboards for Grafana, with the lines of the limits.

    Example: agentnet-otel dashboards -o dashboards
    """
    from agentnet_otel.outputs.dashboards import catalogue, grafana  # noqa: PLC0415 - needs the extra `dashboards`
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - only who runs it

    specs = catalogue.dashboards(options.threshold_table(thresholds))
    for name, text in grafana.dashboard_files(specs, links_of(runbooks, None, jaeger)).items():
        write(text, output / name)
        if not quiet:
            tell(f"{output / name}")
