"""`doctor`: what is found here, or in a Prometheus, and what to change."""

from pathlib import Path

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import command, option
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs import console
from agentnet_otel.outputs.json_text import indented_json


@command
@option("--prometheus", metavar="URL", help="Look at a Prometheus: series, labels, rules, limits.")
@options.thresholds
@options.as_json
@options.quiet
def doctor(*, prometheus: str | None, thresholds: Path | None, as_json: bool, quiet: bool) -> None:
    """Tell what is found, hooked, skipped, exported where, with what result, and what to change.

    With -q only what to change is told.

    Example: agentnet-otel doctor --json

    Example: agentnet-otel doctor --prometheus http://localhost:9090
    """
    if prometheus is not None:
        _examine(prometheus, options.threshold_table(thresholds), as_json=as_json, quiet=quiet)
        return
    from agentnet_otel.wiring.diagnosis import diagnose, diagnosis_lines  # noqa: PLC0415 - only who runs it

    diagnosis = diagnose()
    if as_json:
        write(indented_json(diagnosis), None)
    else:
        console.print_prose(diagnosis.advice if quiet else diagnosis_lines(diagnosis))


def _examine(url: str, table: ThresholdTable, *, as_json: bool, quiet: bool) -> None:
    """Look at a Prometheus, and tell."""
    from agentnet_otel.sources.prometheus_api import PrometheusApi  # noqa: PLC0415 - only who runs it
    from agentnet_otel.wiring.prometheus_diagnosis import examine  # noqa: PLC0415 - only who runs it

    findings = examine(PrometheusApi(url), table)
    if as_json:
        write(indented_json({"prometheus": url, "findings": findings}), None)
        return
    for finding in findings:
        if finding.change or not quiet:
            console.print_prose([finding.what, *([f"  {finding.change}"] if finding.change else [])])
