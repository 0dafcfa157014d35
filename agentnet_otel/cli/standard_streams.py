"""What commands print: results on standard output or into a file, remarks on standard error."""

import sys
from pathlib import Path

from agentnet_otel.errors import BackendError, reason_of
from agentnet_otel.outputs.reports.wording import terminal_line


def tell(text: str) -> None:
    """A remark on standard error, on one line of bounded length, whose hostile characters do nothing."""
    sys.stderr.write(f"agentnet-otel: {terminal_line(text)}\n")


def write(text: str, output: Path | None) -> None:
    """A result into a file, whose folder is made where it is missing; without one on standard output.

    Raises:
        BackendError: The file cannot be written.
    """
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{output} cannot be written: {reason_of(error)}"
        raise BackendError(message) from None
