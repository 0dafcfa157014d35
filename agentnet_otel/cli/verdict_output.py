"""What `check` and `bench` both tell of a verdict: to people, and to a CI server."""

import sys
from pathlib import Path

from agentnet_otel.core.regression import Comparison
from agentnet_otel.outputs import console
from agentnet_otel.outputs.gate import Gate
from agentnet_otel.outputs.reports.comparisons import comparison_remarks, regression_lines


def tell_ci(gate: Gate, junit: Path | None, *, as_json: bool) -> None:
    """What a CI server reads from the output; beside JSON on standard error, which it reads too."""
    from agentnet_otel.wiring.continuous_integration import tell_ci  # noqa: PLC0415 - of two commands alone

    for line in tell_ci(gate, junit):
        (sys.stderr if as_json else sys.stdout).write(f"{line}\n")


def print_comparison(comparison: Comparison, *, remarks: bool) -> None:
    """What became of each metric, each regression with its evidence, and with ``remarks`` what to bear in mind."""
    console.print_comparison(comparison)
    console.print_lines(regression_lines(comparison) + (comparison_remarks(comparison) if remarks else []))
