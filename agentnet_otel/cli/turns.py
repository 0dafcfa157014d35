"""`turns`: one JSON object a line for each turn."""

import sys
from collections.abc import Sequence
from typing import Final

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import Exit, Numbers, command, option
from agentnet_otel.cli.reading import (
    collecting_seldom,
    reading_code,
    reading_progress,
    shares,
    tell_reading,
)
from agentnet_otel.cli.standard_streams import tell
from agentnet_otel.core.assembler import QUIET_NS
from agentnet_otel.core.turn_row import TurnRow
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Turn
from agentnet_otel.outputs.turn_rows import row_line, turn_line
from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.turn_windows import row_window
from agentnet_otel.wiring.jobs import LINES, SharedTurns

QUIET_S: Final = QUIET_NS / 1_000_000_000


@command
@options.sources
@option("-f", "--follow", is_flag=True, help="Read on as files grow; print each turn when it is complete.")
@option(
    "--quiet-period",
    type=Numbers(0.0, 86_400.0),
    help="With --follow: seconds of quiet that complete a turn [default: 5].",
)
@options.jobs
@options.group_calls
@options.quiet
def turns(
    *, sources: Sequence[str], follow: bool, quiet_period: float | None, jobs: int, group_calls: bool, quiet: bool
) -> None:
    """Print one JSON object a line for each turn, in order of ending.

    With --follow a turn is printed again, with a higher revision, when a span of it comes late.

    Example: agentnet-otel turns demo-out/spans.jsonl | head -3

    Example: agentnet-otel turns --follow /var/log/otel
    """
    if follow and jobs > 1:
        message = "--follow reads as fast as files grow, with one process; leave --jobs out"
        raise ConfigurationError(message)
    if follow:
        _follow(sources, QUIET_S if quiet_period is None else quiet_period, group_calls=group_calls, quiet=quiet)
        return
    if quiet_period is not None:
        message = "--quiet-period needs --follow: without it the sources end, and with them their turns"
        raise ConfigurationError(message)
    with reading_progress(quiet=quiet) as tick, collecting_seldom():
        reading: TurnStream[TurnRow] | SharedTurns[bytes]
        if shares(sources, jobs, quiet=quiet):
            reading = SharedTurns(sources, jobs, LINES, tick, group_calls=group_calls)
            for line in reading.in_order():
                sys.stdout.buffer.write(line)
        else:
            reading = TurnStream(sources, row_window(group_calls=group_calls, prices=installed()), tick)
            for row in reading.in_order():
                sys.stdout.buffer.write(row_line(row))
    sys.stdout.buffer.flush()
    tell_reading(reading, quiet=quiet)
    raise Exit(reading_code(reading))


def _follow(sources: Sequence[str], quiet_s: float, *, group_calls: bool, quiet: bool) -> None:
    """Print turns until the sources end, the reader goes away, or a signal comes; then what is open, as it is."""
    from agentnet_otel.outputs import console  # noqa: PLC0415 - of this option alone
    from agentnet_otel.sources.follow import Follower  # noqa: PLC0415 - of this option alone

    follower = Follower(sources, quiet_s=quiet_s, group_calls=group_calls, prices=installed())
    with console.interruption() as interrupted:
        for complete in follower.turns():
            _print_turns(complete)
            for problem in follower.read.take_problems():
                if not quiet:
                    tell(problem)
            if interrupted.is_set():
                break
            if console.reader_is_gone(sys.stdout):
                raise BrokenPipeError
        _print_turns(follower.rest())
    tell_reading(follower, quiet=quiet)
    if interrupted.is_set():
        raise KeyboardInterrupt


def _print_turns(complete: Sequence[Turn]) -> None:
    for turn in complete:
        sys.stdout.buffer.write(turn_line(turn))
    if complete:
        sys.stdout.buffer.flush()
