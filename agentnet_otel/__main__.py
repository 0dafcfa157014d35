"""``python -m agentnet_otel`` and the console command: the process around the command line.

Whatever ends it early (Ctrl-C, SIGTERM, a reader that went away, a full disk, a missing extra) is an exit code and at
most a sentence, never a traceback.
"""

import os
import signal
import sys
from types import FrameType
from typing import Final

from agentnet_otel.errors import MissingExtraError

FAILURE: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
TERMINATED: Final = 143

_VARIABLE: Final = "OTEL_"


def main() -> int:
    """Run the command line; returns the exit code."""
    _open_closed_streams()
    stopped_by: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> None:
        """Stop as on Ctrl-C, whoever handles that now, so that what was begun is ended and written."""
        stopped_by.append(number)
        if not callable(signal.getsignal(signal.SIGINT)):  # ignored, as for a job in the background
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)  # not a call of the handler: an event loop hears of the signal itself

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == INTERRUPTED and stopped_by:
        code = TERMINATED
    return _flushed(code)


def _run() -> int:
    try:
        from agentnet_otel.cli import run  # noqa: PLC0415 - needs the extra `cli`

        return run()
    except MissingExtraError as error:
        return _told(str(error), FAILURE)
    except BrokenPipeError:  # the reader has what it wanted
        return FAILURE
    except OSError as error:  # sources and files of ours were told by then: this is what is printed to
        return _told(f"{error.filename or 'standard output'} cannot be written: {error.strerror}", FAILURE)
    except ValueError as error:
        if _VARIABLE not in str(error):
            raise
        return _told(f"{error}; correct the variable or unset it", USAGE)  # the SDK reads its limits at import


def _told(text: str, code: int) -> int:
    sys.stderr.write(f"agentnet-otel: {text}\n")
    return code


def _open_closed_streams() -> None:
    """Give closed standard streams an end: else the next file that is opened gets their number, and the output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(descriptor, "w" if number else "r", encoding="utf-8"))


def _flushed(code: int) -> int:
    """The exit code after all output is out; what cannot get out is given up before the interpreter complains."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            _told(f"standard output cannot be written: {error.strerror}", FAILURE)
        return code or FAILURE
    return code


if __name__ == "__main__":
    sys.exit(main())
