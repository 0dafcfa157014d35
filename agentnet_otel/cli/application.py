"""The commands, put together, and how an error becomes an exit code."""

import sys
from collections.abc import Sequence
from typing import Annotated

from agentnet_otel._version import __version__
from agentnet_otel.cli.bench import bench
from agentnet_otel.cli.check import check
from agentnet_otel.cli.dashboards import dashboards
from agentnet_otel.cli.demo import demo
from agentnet_otel.cli.diff import diff
from agentnet_otel.cli.doctor import doctor
from agentnet_otel.cli.exit_codes import FAILURE, USAGE
from agentnet_otel.cli.framework import Exit, Option, Typer
from agentnet_otel.cli.report import report
from agentnet_otel.cli.rules import rules
from agentnet_otel.cli.serve import serve
from agentnet_otel.cli.standard_streams import tell
from agentnet_otel.cli.store import purge
from agentnet_otel.cli.turns import turns
from agentnet_otel.cli.view import view
from agentnet_otel.errors import AgentNetOtelError, ConfigurationError, MissingExtraError

app = Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Turns of agents out of OpenTelemetry spans: verdicts, reports, rows.",
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. An error is one sentence on standard error."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="agentnet-otel")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except AgentNetOtelError as error:
        tell(str(error))
        wrong_use = isinstance(error, ConfigurationError) and not isinstance(error, MissingExtraError)
        return USAGE if wrong_use else FAILURE
    return 0


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"agentnet-otel {__version__}\n")
        raise Exit


@app.callback()
def main(
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Turns of agents out of OpenTelemetry spans: verdicts, reports, rows."""
    del version


for _command in (demo, turns, report, check, bench, diff, doctor, rules, dashboards, serve, view):
    app.command()(_command)

store_app = Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What `serve` keeps.\n\nExample: agentnet-otel store purge --help"
)
store_app.command()(purge)
app.add_typer(store_app, name="store")
