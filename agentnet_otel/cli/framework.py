"""What commands are declared with. The only module that knows the library of the command line."""

import math
import pathlib
from typing import Any, Final

from agentnet_otel.errors import MissingExtraError

try:
    from click import (
        Choice,
        ClickException,
        Command,
        Context,
        FloatRange,
        Group,
        IntRange,
        NoSuchCommand,
        Parameter,
        Path,
        argument,
        command,
        group,
        option,
        version_option,
    )
    from click.exceptions import Exit
except ImportError as _error:
    _package = "click"
    raise MissingExtraError(_package, "cli") from _error

FILE: Final = Path(path_type=pathlib.Path, readable=False)
"""A path, about which whoever opens it says what is wrong."""


class Integers(IntRange):
    """A whole number within limits; `N` in the help."""

    name = "integer"

    def get_metavar(self, param: Parameter, ctx: Context) -> str:
        """What stands for the value."""
        del param, ctx
        return "N"


class Numbers(FloatRange):
    """A number within limits, which "nan" is not; `X` in the help."""

    name = "number"

    def get_metavar(self, param: Parameter, ctx: Context) -> str:
        """What stands for the value."""
        del param, ctx
        return "X"

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> float:
        """The number that a text is."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return found


__all__ = [
    "FILE",
    "Choice",
    "ClickException",
    "Command",
    "Context",
    "Exit",
    "Group",
    "Integers",
    "NoSuchCommand",
    "Numbers",
    "argument",
    "command",
    "group",
    "option",
    "version_option",
]
