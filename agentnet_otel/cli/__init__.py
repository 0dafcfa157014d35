"""The command line: thin. Each command reads its arguments, calls what does the work, and picks the exit code.

A module a command. What only one needs is imported by it when it runs, so that the others start without it.
"""

from agentnet_otel.cli.application import app, run
from agentnet_otel.cli.exit_codes import CRITICAL, FAILURE, REGRESSION, TOO_FEW_TURNS, USAGE

__all__ = ["CRITICAL", "FAILURE", "REGRESSION", "TOO_FEW_TURNS", "USAGE", "app", "run"]
