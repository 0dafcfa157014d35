"""From sources to turns in one go: what the commands read."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.errors import BackendError, InputError
from agentnet_otel.model import Turn
from agentnet_otel.sources.environment_facts import EnvironmentFacts
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.store.turn_store import FILE_NAME, TurnStore

MAX_SPANS: Final = 5_000_000
"""Spans of files that are held until the end, because their order is unknown; beyond it the oldest trace is told."""
_TICK_SPANS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The turns of some sources, in order of ending, and what happened on the way.

    ``environment``: where they were measured, as far as their spans tell; {} where they do not.
    """

    turns: list[Turn]
    counts: Counts
    read: ReadReport
    environment: Mapping[str, str] = field(default_factory=dict)


def rebuild(
    sources: Iterable[str | Path],
    tick: Callable[[int], None] | None = None,
    *,
    group_calls: bool = False,
    prices: PriceBook | None = None,
) -> Rebuilt:
    """All turns in the sources, each in its newest revision. ``tick`` is called with numbers of spans read.

    A folder of `serve` holds turns already; other sources hold spans. With ``group_calls`` the calls of a trace that
    lie in no turn are told as one. ``prices`` are for calls whose cost no span tells.
    """
    read = ReadReport()
    assembler = Assembler(max_spans=MAX_SPANS, group_calls=group_calls, prices=prices)
    turns: list[Turn] = []
    of_spans = []
    for source in sources:
        if is_store(source):
            read.sources += 1
            turns.extend(_stored_turns(Path(source), read))
        else:
            of_spans.append(source)
    environment = EnvironmentFacts()
    for span in read_spans(of_spans, read):
        environment.note(span)
        turns.extend(assembler.feed(span))
        if tick is not None and read.spans % _TICK_SPANS == 0:
            tick(_TICK_SPANS)
    turns.extend(assembler.drain())
    return Rebuilt(turns=newest_revisions(turns), counts=assembler.counts, read=read, environment=environment.by_name())


def is_store(source: str | Path) -> bool:
    """Whether it is a folder of `serve`."""
    return os.path.isfile(Path(source, FILE_NAME))  # noqa: PTH113 - the method of Path raises for what cannot be


def _stored_turns(folder: Path, read: ReadReport) -> Iterator[Turn]:
    try:
        store = TurnStore(folder, read_only=True)
        try:
            yield from store.all()
        finally:
            store.close()
    except (BackendError, InputError) as error:
        read.unreadable_sources += 1
        read.tell(str(folder), str(error))
