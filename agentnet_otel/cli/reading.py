"""Reading sources for a command: what was left out is told, what is missing is a failure."""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from agentnet_otel.cli.exit_codes import FAILURE
from agentnet_otel.cli.framework import Exit
from agentnet_otel.cli.standard_streams import tell
from agentnet_otel.core.assembler import Counts
from agentnet_otel.model import Turn
from agentnet_otel.prices import installed
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import ReadColumns, Rebuilt, TurnStream, read_columns, rebuild
from agentnet_otel.wiring.jobs import SharedTurns, can_share

if TYPE_CHECKING:
    from agentnet_otel.sources.follow import Follower


ReadTick = Callable[[int], None]
"""Is told how many spans were read."""
Reading = Rebuilt | TurnStream[Any] | SharedTurns[Any]
"""Sources that were read by one process or several."""

_NEW_OBJECTS: Final = 100_000
"""Objects after which garbage is looked for, where many are held."""

_OBJECTS_BETWEEN_COLLECTIONS: Final = 200_000


def rebuilt_from(sources: Sequence[str], *, group_calls: bool, quiet: bool) -> Rebuilt:
    """The turns of the sources. What was left out is told; where nothing at all could be read, that is a failure."""
    with reading_progress(quiet=quiet) as tick:
        rebuilt = rebuild(sources, tick, group_calls=group_calls, prices=installed())
    tell_reading(rebuilt, quiet=quiet)
    if not rebuilt.turns and not quiet:
        _tell_no_turns(sources, rebuilt.read)
    return rebuilt


def _tell_no_turns(sources: Sequence[str], read: ReadReport) -> None:
    tell(f"{', '.join(sources)}: no turns in {read.spans:,} spans")


def columns_from(
    sources: Sequence[str], *, group_calls: bool, quiet: bool, also: Callable[[Sequence[Turn]], object] | None = None
) -> ReadColumns:
    """As `rebuilt_from`, of which each turn is looked at once; what else looks at it is ``also``."""
    with reading_progress(quiet=quiet) as tick, collecting_seldom():
        found = read_columns(sources, tick, group_calls=group_calls, prices=installed(), also=also)
    tell_reading(found.stream, quiet=quiet)
    if not found.turns and not quiet:
        _tell_no_turns(sources, found.stream.read)
    return found


def reading_progress(*, quiet: bool) -> AbstractContextManager[ReadTick | None]:
    """A progress bar while the body reads spans; without a terminal not even what would draw it is loaded."""
    if quiet or not sys.stderr.isatty():
        return nullcontext()
    from agentnet_otel.outputs import console  # noqa: PLC0415 - see above

    return console.progress("reading spans")


def shares(sources: Sequence[str], jobs: int, *, quiet: bool) -> bool:
    """Whether several processes read; where they cannot, that is told."""
    if jobs == 1 or can_share(sources):
        return jobs > 1
    if not quiet:
        tell("--jobs is for files and directories; these sources are read by one process")
    return False


def tell_reading(reading: "Reading | Follower", *, quiet: bool) -> None:
    """What was left out, and why; where nothing at all could be read, the command ends as a failure."""
    nothing = bool(reading.read.unreadable_sources) and not reading.read.spans
    if nothing or not quiet:
        _tell_problems(reading.read)
    if not quiet:
        _tell_counts(reading.counts)
        if reading.out_of_order:
            tell(f"{reading.out_of_order:,} turns stand later than they ended: their spans came too far apart")
    if reading.read.summary is not None:
        tell(reading.read.summary)
    if nothing:
        raise Exit(FAILURE)


def _tell_problems(read: ReadReport) -> None:
    for problem in read.problems:
        tell(problem)
    if read.untold:
        tell(f"and {read.untold:,} more like these")


def _tell_counts(counts: Counts) -> None:
    for count, what in (
        (counts.outside, "calls stand outside any turn (--group-calls takes those of a trace for a turn)"),
        (counts.incomplete, "turns lack their own span"),
        (counts.late, "spans came too late for their turn"),
        (counts.evicted_traces, "traces were closed early, for more spans were open than are held"),
        (counts.clipped, "spans left their turn, or ran backwards, and were clipped"),
    ):
        if count:
            tell(f"{count:,} {what}")


def reading_code(reading: Reading) -> int:
    """A source that was named and is not there is a failure, though the others were read."""
    return FAILURE if reading.read.missing_sources else 0


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for cycles seldom while millions of objects, which have none, come and go."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for circular garbage seldom: turns hold none, and looking through all of them again and again takes time."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, 100, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
