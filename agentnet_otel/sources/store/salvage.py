"""Turns that a damaged database still holds: one bad page must not cost those of two weeks.

The table is read along its own order, without its indexes. Where a page cannot be read, it goes on behind the places
that stood there. What is read is taken only if it is a whole turn, and that of its row.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from agentnet_otel.model import Turn

MAX_LOST: Final = 100_000
"""Places that are tried one by one because they cannot be read; beyond it what follows is given up."""

_ROWS: Final = (
    "SELECT seq, trace_id, span_id, end_ns, arrived_ns, body FROM turns NOT INDEXED WHERE seq > ? ORDER BY seq"
)
_decoder: Final = msgspec.json.Decoder(Turn)


class Salvaged(NamedTuple):
    """A row of the table, sound as far as can be told."""

    seq: int
    trace_id: str
    span_id: str
    end_ns: int
    arrived_ns: int
    body: bytes
    incomplete: bool


def salvaged_from(path: Path) -> Iterator[Salvaged]:
    """The turns that can be read in a database, in the order of arrival; none where nothing can."""
    try:
        db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    except sqlite3.Error:
        return
    with closing(db):
        cursor, lost, newest = 0, 0, _newest_place(db)
        while cursor <= newest and lost <= MAX_LOST:
            try:
                for row in db.execute(_ROWS, (cursor,)):
                    cursor = max(cursor, row[0])  # a damaged tree may lead back
                    if (sound := _sound(row)) is not None:
                        yield sound
            except (sqlite3.Error, OverflowError):
                cursor, lost = cursor + 1, lost + 1
            else:
                return


def _newest_place(db: sqlite3.Connection) -> int:
    """The highest place that was ever given, as far as it can be read; -1 where there is nothing of ours."""
    for statement in ("SELECT seq FROM sqlite_sequence WHERE name = 'turns'", "SELECT MAX(seq) FROM turns"):
        try:
            row = db.execute(statement).fetchone()
        except sqlite3.Error:
            continue
        if row is not None and isinstance(row[0], int):
            return int(row[0])
    return -1


def _sound(row: tuple[object, ...]) -> Salvaged | None:
    seq, trace_id, span_id, end_ns, arrived_ns, body = row
    if not (isinstance(seq, int) and isinstance(end_ns, int) and isinstance(arrived_ns, int)):
        return None
    if not (isinstance(trace_id, str) and isinstance(span_id, str) and isinstance(body, bytes)):
        return None
    try:
        turn = _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
        return None
    if (turn.trace_id, turn.span_id) != (trace_id, span_id):
        return None
    return Salvaged(seq, trace_id, span_id, end_ns, arrived_ns, body, turn.incomplete)
