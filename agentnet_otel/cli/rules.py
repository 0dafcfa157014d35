"""`rules`: recording and alerting rules from the limits."""

from pathlib import Path

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import FILE, command, option
from agentnet_otel.cli.standard_streams import write
from agentnet_otel.errors import ConfigurationError


@command
@options.thresholds
@option("-o", "--output", metavar="FILE", type=FILE, help="Instead of standard output; a directory gets two files.")
@option("--native", is_flag=True, help="For native histograms.")
@option("--openslo", is_flag=True, help="The objectives as OpenSLO instead.")
@options.addresses
def rules(
    *, thresholds: Path | None, output: Path | None, native: bool, openslo: bool, addresses: options.Addresses
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
    table = options.threshold_table(thresholds)
    if openslo:
        write(objectives(table), output)
        return
    wanted = catalogue.RuleOptions(table=table, links=links_of(*addresses), native=native)
    if output is None or not output.is_dir():
        write(catalogue.all_rules(wanted), output)
        return
    for name, text in catalogue.rule_files(wanted).items():
        write(text, output / name)
