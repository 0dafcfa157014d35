"""What commands are declared with. The only module that knows the library of the command line."""

from agentnet_otel.errors import MissingExtraError

try:
    from typer import Argument, Exit, Option, Typer
except ImportError as _error:
    _package = "typer"
    raise MissingExtraError(_package, "cli") from _error

__all__ = ["Argument", "Exit", "Option", "Typer"]
