"""The commands, put together, and how an error becomes an exit code."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from agentnet_otel._version import __version__
from agentnet_otel.cli.exit_codes import FAILURE, USAGE
from agentnet_otel.cli.framework import (
    ClickException,
    Command,
    Context,
    Exit,
    Group,
    NoSuchCommand,
    group,
    version_option,
)
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
    "store",
)
"""Each the name of its module and of the command in it."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. An error is one sentence on standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with app.make_context("agentnet-otel", given) as context:
            app.invoke(context)
    except Exit as end:
        return end.exit_code
    except ClickException as error:
        error.show()
        return error.exit_code
    except AgentNetOtelError as error:
        tell(str(error))
        wrong_use = isinstance(error, ConfigurationError) and not isinstance(error, MissingExtraError)
        return USAGE if wrong_use else FAILURE
    return 0


class _Commands(Group):
    """Loads the command that is called; where none is, all, for the help to list."""

    def list_commands(self, ctx: Context) -> list[str]:
        """In the order in which one meets them."""
        del ctx
        return [*_COMMANDS]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command of this name; none where there is none."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        found: Command = getattr(import_module(f"agentnet_otel.cli.{cmd_name}"), cmd_name)
        return found

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The command that is called. Of what is similar to no command, those that there are can be suggested."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None


@group(cls=_Commands, context_settings={"show_default": True})
@version_option(__version__, message="%(prog)s %(version)s", help="Show the version.")
def app() -> None:
    """Turns of agents out of OpenTelemetry spans: verdicts, reports, rows."""
