"""Turns on disk: SQLite with a write-ahead log, one writer, any number of readers.

Each turn stands there once, in its newest revision. A turn that is corrected gets a new place in the order of
arrival, so that whoever follows by cursor sees the correction.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from agentnet_otel.errors import BackendError, InputError
from agentnet_otel.model import Turn

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = "turns.sqlite"

_BUSY_MS: Final = 10_000
_PAGE: Final = 1000
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
}
"""Statements that lead to each version of the schema from the one before."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    """A turn and its place in the order of arrival: the cursor after it."""

    seq: int
    turn: Turn


class TurnStore:
    """The turns in a folder. One thread at a time uses an instance.

    Raises:
        BackendError: the file cannot be used: damaged, of a newer version, not writable.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._path = folder / FILE_NAME
        try:
            self._db = _connect(self._path, read_only=read_only)
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                message = f"{self._path} has version {version}, this program knows up to {SCHEMA_VERSION}: update it"
                raise BackendError(message)
            if not read_only:
                self._migrate(version)
        except sqlite3.Error as error:
            message = f"the store {self._path} cannot be used: {error}"
            raise BackendError(message) from None

    def place(self) -> int:
        """Where in the log of requests to read on after a restart."""
        row = self._db.execute("SELECT place FROM progress").fetchone()
        return 0 if row is None else int(row[0])

    def save(self, turns: Iterable[Turn], arrived_ns: int, place: int) -> list[Turn]:
        """Keep turns in their newest revision, and how far the log was read, in one transaction.

        Returns:
            The turns that were not there before.

        Raises:
            BackendError: the disk is full, or the file damaged; nothing was kept.
        """
        try:
            with self._db:
                new = [turn for turn in turns if self._save_one(turn, arrived_ns)]
                self._db.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (place,))
        except sqlite3.Error as error:
            message = f"the store {self._path}: {error}"
            raise BackendError(message) from None
        return new

    def _save_one(self, turn: Turn, arrived_ns: int) -> bool:
        """Keep one turn; whether it is new.

        After a restart the newest requests are read again, and their turns told again, first from fewer spans
        perhaps than are known here: what says no more than is known changes nothing.
        """
        key = (turn.trace_id, turn.span_id)
        row = self._db.execute("SELECT body FROM turns WHERE trace_id = ? AND span_id = ?", key).fetchone()
        if row is not None:
            known = _decoder.decode(row[0])
            turn = replace(turn, revision=known.revision)
            if turn == known or turn.spans < known.spans:
                return False
            turn = replace(turn, revision=known.revision + 1)
            self._db.execute("DELETE FROM turns WHERE trace_id = ? AND span_id = ?", key)
        self._db.execute(
            "INSERT INTO turns (trace_id, span_id, end_ns, arrived_ns, body) VALUES (?, ?, ?, ?, ?)",
            (*key, turn.end_ns, arrived_ns, _encoder.encode(turn)),
        )
        return row is None

    def after(self, cursor: int, limit: int) -> list[StoredTurn]:
        """Turns in the order of arrival, after a cursor (0: from the first)."""
        rows = self._db.execute("SELECT seq, body FROM turns WHERE seq > ? ORDER BY seq LIMIT ?", (cursor, limit))
        return [StoredTurn(seq=seq, turn=self._read(seq, body)) for seq, body in rows]

    def newest_first(self, limit: int) -> list[Turn]:
        """The turns that ended last."""
        rows = self._db.execute("SELECT seq, body FROM turns ORDER BY end_ns DESC, seq DESC LIMIT ?", (limit,))
        return [self._read(seq, body) for seq, body in rows]

    def all(self) -> Iterator[Turn]:
        """All turns, in the order of arrival."""
        cursor = 0
        while page := self.after(cursor, _PAGE):
            yield from (stored.turn for stored in page)
            cursor = page[-1].seq

    def count(self) -> int:
        """How many turns there are."""
        return int(self._db.execute("SELECT COUNT(*) FROM turns").fetchone()[0])

    def forget_before(self, arrived_ns: int) -> int:
        """Delete the turns that arrived before a time; returns their number."""
        with self._db:
            return self._db.execute("DELETE FROM turns WHERE arrived_ns < ?", (arrived_ns,)).rowcount

    def forget_beyond(self, max_bytes: int) -> int:
        """Delete the turns that arrived first until the file needs at most ``max_bytes``; returns their number."""
        gone = 0
        while self._used_bytes() > max_bytes and (some := max(1, self.count() // _SHRINK_PARTS)) and self.count():
            with self._db:
                statement = "DELETE FROM turns WHERE seq IN (SELECT seq FROM turns ORDER BY seq LIMIT ?)"
                gone += self._db.execute(statement, (some,)).rowcount
        if gone:
            self._db.execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    def sync(self) -> None:
        """Bring what was saved to the disk for good: only then may requests be forgotten."""
        self._db.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def _used_bytes(self) -> int:
        pages, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read(self, seq: int, body: bytes) -> Turn:
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, ValueError) as error:
            message = f"{self._path}: turn {seq} cannot be read: {error}"
            raise InputError(message) from None

    def _migrate(self, version: int) -> None:
        for step in range(version + 1, SCHEMA_VERSION + 1):
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                for statement in _MIGRATIONS[step]:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {step}")


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    db = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, check_same_thread=False, timeout=_BUSY_MS / 1000
    )
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is read again from the log of requests
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    return db
