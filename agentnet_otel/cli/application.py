"""The commands, put together, and how an error becomes an exit code."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Final

from agentnet_otel._version import __version__
from agentnet_otel.cli.exit_codes import FAILURE, USAGE
from agentnet_otel.cli.framework import Exit, Option, Typer
from agentnet_otel.cli.standard_streams import tell
from agentnet_otel.errors import AgentNetOtelError, ConfigurationError, MissingExtraError

_COMMANDS: Final = (
    "demo",
    "turns",
    "report",
    "check",
    "bench",
    "diff",
    "doctor",
    "rules",
    "dashboards",
    "serve",
    "view",
)
"""Each the name of its module and of the function in it."""
_STORE: Final = "store"
_HELP: Final = "Turns of agents out of OpenTelemetry spans: verdicts, reports, rows."


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. An error is one sentence on standard error."""
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        app_of(given)(args=given, prog_name="agentnet-otel")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except AgentNetOtelError as error:
        tell(str(error))
        wrong_use = isinstance(error, ConfigurationError) and not isinstance(error, MissingExtraError)
        return USAGE if wrong_use else FAILURE
    return 0


def app_of(arguments: Sequence[str] = ()) -> Typer:
    """The command line. Only the command that is called is loaded; where none is, all are, for the help to list."""
    app = Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=_HELP
    )
    app.callback()(_main)
    called = next((word for word in arguments if not word.startswith("-")), None)
    for name in (called,) if called in _COMMANDS else _COMMANDS:
        app.command()(getattr(import_module(f"agentnet_otel.cli.{name}"), str(name)))
    if called not in _COMMANDS:
        app.add_typer(_store(), name=_STORE)
    return app


def _store() -> Typer:
    from agentnet_otel.cli.store import purge  # noqa: PLC0415 - loaded as the other commands are

    app = Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="What `serve` keeps.\n\nExample: agentnet-otel store purge --help",
    )
    app.command()(purge)
    return app


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"agentnet-otel {__version__}\n")
        raise Exit


def _main(
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    del version
