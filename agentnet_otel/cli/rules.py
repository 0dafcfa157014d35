"""`rules`: recording and alerting rules from the limits."""

from pathlib import Path
from typing import Annotated

from agentnet_otel.cli.framework import Option
from agentnet_otel.cli.options import (
    Grafana,
    Jaeger,
    Runbooks,
    Thresholds,
    threshold_table,
)
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.errors import ConfigurationError


def rules(
    thresholds: Thresholds = None,
    output: Annotated[
        Path | None,
        Option("-o", "--output", metavar="FILE", help="Instead of standard output; a directory gets two files."),
    ] = None,
    native: Annotated[bool, Option("--native", help="For native histograms.")] = False,
    openslo: Annotated[bool, Option("--openslo", help="The objectives as OpenSLO instead.")] = False,
    runbooks: Runbooks = None,
    grafana: Grafana = None,
    jaeger: Jaeger = None,
) -> None:
    """Write recording and alerting rules for Prometheus, from the limits.

    Example: agentnet-otel rules --thresholds limits.yaml -o agentnet.rules.yml
    """
    from agentnet_otel.outputs.rules import catalogue  # noqa: PLC0415 - only who runs it
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - only who runs it
    from agentnet_otel.outputs.rules.openslo import openslo as objectives  # noqa: PLC0415 - only who runs it

    if native and openslo:
        message = "--openslo counts turns by classic buckets; leave --native out"
        raise ConfigurationError(message)
    table = threshold_table(thresholds)
    if openslo:
        write(objectives(table), output)
        return
    options = catalogue.RuleOptions(table=table, links=links_of(runbooks, grafana, jaeger), native=native)
    if output is None or not output.is_dir():
        write(catalogue.all_rules(options), output)
        return
    for name, text in catalogue.rule_files(options).items():
        write(text, output / name)
