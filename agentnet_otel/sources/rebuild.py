"""From sources to turns: what the commands read.

Turns come as a stream, so that what is held does not grow with the input; `rebuild` collects them.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Generic, TypeVar

from agentnet_otel.core.assembler import Counts, newest_revisions
from agentnet_otel.core.columns import AT_ONCE, TurnColumns
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.ending_order import EndingOrder
from agentnet_otel.core.trace_window import TraceWindow
from agentnet_otel.core.turn_row import EndingKey, ending_key
from agentnet_otel.errors import BackendError, InputError
from agentnet_otel.model import Turn
from agentnet_otel.sources.environment_facts import EnvironmentFacts
from agentnet_otel.sources.files import read_batches
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.share import Batch, Share
from agentnet_otel.sources.store.turn_store import FILE_NAME, TurnStore
from agentnet_otel.sources.turn_windows import whole_window

T = TypeVar("T")

_TICK_SPANS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The turns of some sources, in order of ending, and what happened on the way.

    ``environment``: where they were measured, as far as their spans tell; {} where they do not. ``out_of_order``:
    turns that became complete too late for their place in the order.
    """

    turns: list[Turn]
    counts: Counts
    read: ReadReport
    environment: Mapping[str, str] = field(default_factory=dict)
    out_of_order: int = 0


class TurnStream(Generic[T]):
    """The turns of some sources, one after the other: what the window makes of each.

    What is told of the reading is whole when the last one came. A folder of `serve` holds turns already, of which
    ``make`` makes the same; other sources hold spans. ``tick`` is called with numbers of spans read.
    """

    def __init__(
        self,
        sources: Iterable[str | Path],
        window: TraceWindow[T],
        tick: Callable[[int], None] | None = None,
        *,
        share: Share | None = None,
        with_origins: bool = False,
    ) -> None:
        """``share``: of whose traces turns are made; ``with_origins``: whether `origins` are wanted."""
        self.read = ReadReport()
        self.out_of_order = 0
        self._sources = list(sources)
        self._tick = tick
        self._window = window
        self._environment = EnvironmentFacts()
        self._share = share or Share()
        self._origins: dict[str, int] | None = {} if with_origins and len(self._sources) > 1 else None

    @property
    def origins(self) -> Mapping[str, int]:
        """Of several sources: which one a trace was first met in, by its place; {} of a single one."""
        return self._origins or {}

    @property
    def counts(self) -> Counts:
        """What the spans came to, and what could not be used."""
        return self._window.counts

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the turns were measured, as far as their spans tell; {} where they do not."""
        return self._environment.by_name()

    def in_order(self) -> Iterator[T]:
        """Each turn, in order of ending."""
        order = EndingOrder[T]()
        for told in self.told():
            order.push(told)
            yield from order.ready()
        yield from order.rest()
        self.out_of_order = order.out_of_order

    def told(self) -> Iterator[Sequence[tuple[EndingKey, T]]]:
        """All turns, batch by batch, as they become complete; each reader of a share gives as many batches."""
        stores = [Path(source) for source in self._sources if is_store(source)]
        self.read.sources += len(stores)
        stored = (turn for folder in stores for turn in self._of_store(folder))
        for turn in stored if len(stores) == 1 else newest_revisions(stored):
            yield [(ending_key(turn), self._window.make(turn))]
        unticked = 0
        for batch in self._batches():
            yield self._window.feed(batch.spans, batch.passed)
            unticked += batch.passed
            if self._tick is not None and unticked >= _TICK_SPANS:
                self._tick(unticked)
                unticked = 0
        yield self._window.finish()

    def _of_store(self, folder: Path) -> Iterator[Turn]:
        place = next(place for place, source in enumerate(self._sources) if Path(source) == folder)
        for turn in _stored_turns(folder, self.read):
            if self._origins is not None:
                self._origins.setdefault(turn.trace_id, place)
            yield turn

    def _batches(self) -> Iterator[Batch]:
        """Spans of all sources but folders of `serve`; of several it is noted which trace is of which."""
        for place, source in enumerate(self._sources):
            if is_store(source):
                continue
            for batch in read_batches([source], self.read, self._environment.note, self._share):
                if self._origins is not None:
                    for span in batch.spans:
                        self._origins.setdefault(span.trace_id, place)
                yield batch


def rebuild(
    sources: Iterable[str | Path],
    tick: Callable[[int], None] | None = None,
    *,
    group_calls: bool = False,
    prices: PriceBook | None = None,
) -> Rebuilt:
    """All turns of the sources. With ``group_calls`` the calls of a trace that lie in no turn are told as one.

    ``prices`` are for calls whose cost no span tells. All turns are held; a `TurnStream` of rows needs less.
    """
    window = whole_window(group_calls=group_calls, prices=prices)
    stream = TurnStream(sources, window, tick)
    turns = list(stream.in_order())
    return Rebuilt(
        turns=turns,
        counts=stream.counts,
        read=stream.read,
        environment=stream.environment,
        out_of_order=stream.out_of_order,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadColumns:
    """The turns of some sources as columns. ``of_sources``: where they are several, those of each."""

    turns: TurnColumns
    of_sources: tuple[TurnColumns, ...]
    stream: TurnStream[Turn]


def read_columns(
    sources: Sequence[str | Path],
    tick: Callable[[int], None] | None = None,
    *,
    group_calls: bool = False,
    prices: PriceBook | None = None,
    also: Callable[[Sequence[Turn]], object] | None = None,
) -> ReadColumns:
    """As `rebuild`, but each turn is looked at once and let go; what else looks at it is ``also``."""
    window = whole_window(group_calls=group_calls, prices=prices)
    stream = TurnStream(sources, window, tick, with_origins=True)
    columns = TurnColumns()
    own = tuple(TurnColumns() for _ in sources) if len(sources) > 1 else ()
    turns = stream.in_order()
    while some := list(islice(turns, AT_ONCE)):
        columns.extend(some)
        origins = [stream.origins.get(turn.trace_id, 0) for turn in some] if own else []
        for place, theirs in enumerate(own):
            theirs.extend([turn for turn, origin in zip(some, origins, strict=True) if origin == place])
        if also is not None:
            also(some)
    return ReadColumns(turns=columns, of_sources=own, stream=stream)


def is_store(source: str | Path) -> bool:
    """Whether it is a folder of `serve`."""
    return os.path.isfile(Path(source, FILE_NAME))  # noqa: PTH113 - the method of Path raises for what cannot be


def _stored_turns(folder: Path, read: ReadReport) -> Iterator[Turn]:
    def tell_bad(what: str) -> None:
        read.bad_turns += 1
        read.tell(str(folder), what)

    try:
        store = TurnStore(folder, read_only=True, unreadable=tell_bad)
        try:
            yield from store.all()
        finally:
            store.close()
    except (BackendError, InputError) as error:
        read.unreadable_sources += 1
        read.tell(str(folder), str(error))
