"""Turns on disk: SQLite with a write-ahead log, one writer, any number of readers.

Each turn stands there once, in its newest revision. A turn that is corrected gets a new place in the order of
arrival, so that whoever follows by cursor sees the correction.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from agentnet_otel.errors import BackendError
from agentnet_otel.model import Turn
from agentnet_otel.sources.store.salvage import Salvaged

SCHEMA_VERSION: Final = 2
FILE_NAME: Final = "turns.sqlite"

MAX_PAGE_BYTES: Final = 32 * 1024 * 1024
"""Bytes of the turns of one page, but for a single turn that has more."""
_BUSY_MS: Final = 10_000
_MODE: Final = 0o600
_PAGE: Final = 1000
_LARGEST: Final = 2**63 - 1
"""Whole numbers of the database; times of OTLP may be twice as large."""
_NO_PLACE: Final = _LARGEST
"""Beyond all places."""
_SHRINK_PARTS: Final = 20
"""What part of the turns goes at once where they need too much room."""
_MIGRATIONS: Final = {
    1: (
        """CREATE TABLE turns (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, trace_id TEXT NOT NULL, span_id TEXT NOT NULL,
            end_ns INTEGER NOT NULL, arrived_ns INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (trace_id, span_id))""",
        "CREATE INDEX turns_by_arrival ON turns (arrived_ns)",
        "CREATE TABLE progress (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), place INTEGER NOT NULL)",
    ),
    2: (
        "ALTER TABLE turns ADD COLUMN first_seq INTEGER",
        "ALTER TABLE turns ADD COLUMN incomplete INTEGER NOT NULL DEFAULT 0",
        "UPDATE turns SET incomplete = 1 WHERE json_extract(CAST(body AS TEXT), '$.incomplete')",
        """CREATE TABLE figures (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1), seq INTEGER NOT NULL, body BLOB NOT NULL)""",
        "INSERT INTO figures SELECT 1, COALESCE(MAX(seq), 0), '' FROM turns",
    ),
}
"""Statements that lead to each version of the schema from the one before.

``first_seq``: the place where a turn that was corrected came first; NULL where it was not. ``figures``: what the
metrics had counted, and up to which turn.
"""

TABLES: Final = {1: frozenset({"turns", "progress"}), 2: frozenset({"turns", "progress", "figures"})}
"""What each version of the schema has."""

_OLD: Final = ("SELECT MAX(arrived_ns) FROM turns WHERE arrived_ns < ?", "DELETE FROM turns WHERE arrived_ns < ?")
_FIRST: Final = (
    "SELECT MAX(arrived_ns) FROM (SELECT arrived_ns FROM turns ORDER BY seq LIMIT ?)",
    "DELETE FROM turns WHERE seq IN (SELECT seq FROM turns ORDER BY seq LIMIT ?)",
)
"""Of turns that are deleted: when the newest of them arrived, and the deletion."""

PlaceThen = Callable[[int], int]

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    """A turn and its place in the order of arrival: the cursor after it."""

    seq: int
    turn: Turn


class TurnStore:
    """The turns in a folder. One thread at a time uses an instance.

    A turn that is damaged is passed over: ``unreadable`` gets a sentence on it, each time. ``create`` False: where it
    is gone, that is a failure, not the beginning of an empty one.

    Raises:
        BackendError: the file cannot be used: damaged, of a newer version, not writable.
    """

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        create: bool = True,
        unreadable: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path = folder / FILE_NAME
        self._unreadable = unreadable
        try:
            self._db = _connect(self._path, "ro" if read_only else "rwc" if create else "rw")
            with _closed_if_it_fails(self._db):
                self._bring_up_to_date(read_only=read_only)
                self._opened = _identity_of(self._path)
        except sqlite3.Error as error:
            message = f"the store {self._path} cannot be used: {error}"
            raise BackendError(message) from None

    def _bring_up_to_date(self, *, read_only: bool) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            message = f"{self._path} has version {version}, this program knows up to {SCHEMA_VERSION}: update it"
            raise BackendError(message)
        if not read_only:
            self._migrate(version)

    def place(self) -> int:
        """Where in the log of requests to read on after a restart."""
        with self._told_errors():
            row = self._db.execute("SELECT place FROM progress").fetchone()
        return 0 if row is None else int(row[0])

    def save(
        self, turns: Iterable[Turn], arrived_ns: int, place: int, withdrawn: Iterable[tuple[str, str]] = ()
    ) -> list[Turn]:
        """Keep turns in their newest revision, and how far the log was read, in one transaction.

        Before that those go, by trace and span id, that are ``withdrawn``.

        Returns:
            The turns that were not there before, or were thought to be counted by their application, and are not.

        Raises:
            BackendError: the disk is full, or the file damaged; nothing was kept.
        """
        self._check_place()
        with self._told_errors(), self._db:
            self._db.executemany("DELETE FROM turns WHERE trace_id = ? AND span_id = ?", withdrawn)
            new = [turn for turn in turns if self._save_one(turn, arrived_ns)]
            self._db.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (place,))
        return new

    def _save_one(self, turn: Turn, arrived_ns: int) -> bool:
        """Keep one turn; whether it is new.

        After a restart the newest requests are read again, and their turns told again, first from fewer spans
        perhaps than are known here: what says no more than is known changes nothing.
        """
        key = (turn.trace_id, turn.span_id)
        row = self._db.execute(
            "SELECT seq, first_seq, body FROM turns WHERE trace_id = ? AND span_id = ?", key
        ).fetchone() or self._without_own_span(turn)
        first_seq = None
        if row is not None:
            known = self._read(row[0], row[2])
            if known is not None:
                turn = replace(turn, revision=known.revision)
                if turn == known or turn.spans < known.spans:
                    return False
                turn = replace(turn, revision=known.revision + 1)
            if known is None or not (known.incomplete and known.metrics_recorded and not turn.metrics_recorded):
                first_seq = row[0] if row[1] is None else row[1]
            self._db.execute("DELETE FROM turns WHERE seq = ?", row[:1])
        self._db.execute(
            "INSERT INTO turns (trace_id, span_id, end_ns, arrived_ns, body, first_seq, incomplete)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, min(turn.end_ns, _LARGEST), arrived_ns, _encoder.encode(turn), first_seq, turn.incomplete),
        )
        return first_seq is None

    def _without_own_span(self, turn: Turn) -> tuple[int, int | None, bytes] | None:
        """The row of the same turn from before its own span came: the id of that could only be guessed."""
        statement = "SELECT seq, first_seq, body FROM turns WHERE trace_id = ? AND incomplete"
        rows = [] if turn.incomplete else self._db.execute(statement, (turn.trace_id,)).fetchall()
        same = ((row, self._read(row[0], row[2])) for row in rows)
        return next((row for row, known in same if known is not None and known.turn_id == turn.turn_id), None)

    def after(self, cursor: int, limit: int) -> list[StoredTurn]:
        """Turns in the order of arrival, after a cursor (0: from the first).

        So many at most; fewer where their texts are so long that they have more than `MAX_PAGE_BYTES`.
        """
        found: list[StoredTurn] = []
        room = MAX_PAGE_BYTES
        statement = "SELECT seq, body FROM turns WHERE seq > ? ORDER BY seq"
        with self._told_errors(), closing(self._db.execute(statement, (cursor,))) as rows:
            for seq, body in rows:
                room -= len(body)
                if len(found) == limit or (found and room < 0):
                    break
                if (turn := self._read(seq, body)) is not None:
                    found.append(StoredTurn(seq=seq, turn=turn))
        return found

    def before(self, place: int | None, limit: int) -> list[StoredTurn]:
        """Turns that arrived before a place (None: the newest), the newest first."""
        statement = "SELECT seq, body FROM turns WHERE seq < ? ORDER BY seq DESC"
        return self._stored(statement, (_NO_PLACE if place is None else place,), limit)

    def find(self, trace_id: str, span_id: str) -> Turn | None:
        """A turn by its ids, None where it is not or no longer here."""
        statement = "SELECT seq, body FROM turns WHERE trace_id = ? AND span_id = ?"
        with self._told_errors():
            row = self._db.execute(statement, (trace_id, span_id)).fetchone()
        return None if row is None else self._read(*row)

    def _stored(self, statement: str, given: tuple[int, ...], limit: int) -> list[StoredTurn]:
        """The first rows of a statement that can be read, so many at most."""
        with self._told_errors(), closing(self._db.execute(statement, given)) as rows:
            read = ((seq, self._read(seq, body)) for seq, body in rows)
            return list(islice((StoredTurn(seq=seq, turn=turn) for seq, turn in read if turn is not None), limit))

    def _rows(self, statement: str, *given: int) -> list[tuple[int, bytes, int]]:
        with self._told_errors():
            return self._db.execute(statement, given).fetchall()

    def new_after(self, seq: int) -> Iterator[Turn]:
        """The turns that came first after a place, as they are now."""
        return (stored.turn for stored, _ in self.new_with_arrival(seq, 0))

    def new_with_arrival(self, seq: int, arrived_ns: int) -> Iterator[tuple[StoredTurn, int]]:
        """As `new_after`, those that arrived at a time or later, each with its own; epoch nanoseconds."""
        cursor = seq
        statement = (
            "SELECT seq, body, arrived_ns FROM turns WHERE seq > ? AND COALESCE(first_seq, seq) > ?"
            " AND arrived_ns >= ? ORDER BY seq LIMIT ?"
        )
        while page := self._rows(statement, cursor, seq, arrived_ns, _PAGE):
            for place, body, when_ns in page:
                if (turn := self._read(place, body)) is not None:
                    yield StoredTurn(seq=place, turn=turn), when_ns
            cursor = page[-1][0]

    def last_seq(self) -> int:
        """The place of the newest turn that was ever here."""
        with self._told_errors():
            row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'turns'").fetchone()
        return 0 if row is None else int(row[0])

    def figures(self) -> tuple[int, bytes]:
        """What the metrics had counted, and up to which place."""
        with self._told_errors():
            seq, body = self._db.execute("SELECT seq, body FROM figures").fetchone() or (0, b"")
        return int(seq), bytes(body, "utf-8") if isinstance(body, str) else body

    def save_figures(self, seq: int, body: bytes) -> None:
        """Keep what the metrics counted up to a place.

        Raises:
            BackendError: it cannot be written now.
        """
        self._check_place()
        with self._told_errors(), self._db:
            self._db.execute("UPDATE figures SET seq = ?, body = ?", (seq, body))

    def newest_first(self, limit: int) -> list[Turn]:
        """The turns that ended last."""
        stored = self._stored("SELECT seq, body FROM turns ORDER BY end_ns DESC, seq DESC", (), limit)
        return [one.turn for one in stored]

    def all(self) -> Iterator[Turn]:
        """All turns, in the order of arrival."""
        return (turn for turn, _ in self.with_arrival())

    def with_arrival(self) -> Iterator[tuple[Turn, int]]:
        """All turns, with the epoch nanoseconds when they arrived."""
        cursor = 0
        statement = "SELECT seq, body, arrived_ns FROM turns WHERE seq > ? ORDER BY seq LIMIT ?"
        while page := self._rows(statement, cursor, _PAGE):
            for seq, body, arrived_ns in page:
                if (turn := self._read(seq, body)) is not None:
                    yield turn, arrived_ns
            cursor = page[-1][0]

    def erase(self, trace_ids: Iterable[str]) -> int:
        """Delete all turns of traces, so that no byte of them stays in the file; returns their number.

        Raises:
            BackendError: it cannot be written.
        """
        with self._told_errors():
            self._db.execute("PRAGMA secure_delete = ON")
            with self._db:
                statement = "DELETE FROM turns WHERE trace_id = ?"
                gone = sum(self._db.execute(statement, (trace_id,)).rowcount for trace_id in trace_ids)
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return gone

    def take_over(self, rows: Iterable[Salvaged]) -> int:
        """Take turns from another database, each to the place that it had; returns their number.

        Raises:
            BackendError: they cannot be written.
        """
        statement = (
            "INSERT OR IGNORE INTO turns (seq, trace_id, span_id, end_ns, arrived_ns, body, incomplete)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        with self._told_errors(), self._db:
            return self._db.executemany(statement, rows).rowcount

    def count(self) -> int:
        """How many turns there are."""
        with self._told_errors():
            return int(self._db.execute("SELECT COUNT(*) FROM turns").fetchone()[0])

    def forget_before(self, arrived_ns: int, place_then: PlaceThen | None = None) -> int:
        """Delete the turns that arrived before a time; returns their number.

        ``place_then`` gives from where on requests are to be read again when what arrived up to a time is forgotten; it
        is kept in the same transaction.
        """
        return self._forget(_OLD, arrived_ns, place_then)

    def forget_beyond(self, max_bytes: int, place_then: PlaceThen | None = None) -> int:
        """Delete the turns that arrived first until the file needs at most ``max_bytes``; returns their number."""
        gone = 0
        with self._told_errors():
            while self.used_bytes() > max_bytes and (held := self.count()):
                gone += self._forget(_FIRST, max(1, held // _SHRINK_PARTS), place_then)
            if gone:
                self._db.execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    def _forget(self, statements: tuple[str, str], given: int, place_then: PlaceThen | None) -> int:
        newest, delete = statements
        with self._told_errors(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            (newest_ns,) = self._db.execute(newest, (given,)).fetchone()
            if newest_ns is None:
                return 0
            if place_then is not None:
                self._db.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (place_then(newest_ns),))
            return self._db.execute(delete, (given,)).rowcount

    def sync(self) -> None:
        """Bring what was saved to the disk for good: only then may requests be forgotten.

        Raises:
            BackendError: it cannot be written now, or is where nobody will find it again.
        """
        self._check_place()
        with self._told_errors():
            self._db.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def _check_place(self) -> None:
        """Refuse to write into a file that somebody removed, or put another one in the place of."""
        if _identity_of(self._path) != self._opened:
            message = (
                f"the store {self._path} was removed or replaced while this runs; put it back, or stop this and start "
                "it again: turns are rebuilt from the requests that are there"
            )
            raise BackendError(message)

    @contextmanager
    def _told_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            mended = "" if isinstance(error, sqlite3.OperationalError) else ". The next start of serve mends that"
            message = f"the store {self._path}: {error}{mended}"
            raise BackendError(message) from None

    def used_bytes(self) -> int:
        """Room that the turns need."""
        pages, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read(self, seq: int, body: bytes) -> Turn | None:
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
            self._unreadable(f"{self._path}: turn {seq} cannot be read, and is left out: {error}")
            return None

    def _migrate(self, version: int) -> None:
        for step in range(version + 1, SCHEMA_VERSION + 1):
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                for statement in _MIGRATIONS[step]:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {step}")


@contextmanager
def _closed_if_it_fails(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Which file stands there, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if mode == "rwc":
        with suppress(OSError):  # whoever opens it next says what is wrong
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, _MODE))  # SQLite gives its other files the same
    db = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, check_same_thread=False, timeout=_BUSY_MS / 1000
    )
    if mode != "ro":
        with _closed_if_it_fails(db):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is read again from the log of requests
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    return db
