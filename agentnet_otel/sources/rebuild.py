"""From sources to turns in one go: what the commands read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.model import Turn
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import ReadReport

MAX_SPANS: Final = 5_000_000
"""Spans of files that are held until the end, because their order is unknown; beyond it the oldest trace is told."""
_TICK_SPANS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The turns of some sources, in order of ending, and what happened on the way."""

    turns: list[Turn]
    counts: Counts
    read: ReadReport


def rebuild(sources: Iterable[str | Path], tick: Callable[[int], None] | None = None) -> Rebuilt:
    """All turns in the sources, each in its newest revision. ``tick`` is called with numbers of spans read."""
    read = ReadReport()
    assembler = Assembler(max_spans=MAX_SPANS)
    turns: list[Turn] = []
    for span in read_spans(sources, read):
        turns.extend(assembler.feed(span))
        if tick is not None and read.spans % _TICK_SPANS == 0:
            tick(_TICK_SPANS)
    turns.extend(assembler.drain())
    return Rebuilt(turns=newest_revisions(turns), counts=assembler.counts, read=read)
