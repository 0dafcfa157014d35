"""The folder of `serve`: a lock, the log of requests, and the turns."""

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from agentnet_otel.errors import BackendError
from agentnet_otel.sources.store.aside import Aside
from agentnet_otel.sources.store.raw_log import BLANK, MAX_SEGMENT, RawLog, name_of, position
from agentnet_otel.sources.store.salvage import salvaged_from
from agentnet_otel.sources.store.turn_store import FILE_NAME, SCHEMA_VERSION, TABLES, TurnStore
from agentnet_otel.sources.store.whereabouts import Deaths, Whereabouts

_LOCK: Final = "lock"
LOG: Final = "requests"
QUARANTINE: Final = "quarantine"
_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
"""Of a folder that is made here: what agents were asked is for nobody else on the machine."""
LOCK_WAIT_S: Final = 5.0
"""How long a process that was killed may take to be gone altogether."""
_LOCK_POLL_S: Final = 0.05


class Store:
    """The folder, opened for writing by one process and the one that it started.

    ``tell`` gets a sentence on everything that was damaged. ``place``: up to where requests were understood.

    Raises:
        BackendError: it cannot be used: another process has it open, it is read-only, or of a newer version.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        try:
            folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, _MODE)
            self._folder_lock = os.open(folder, os.O_RDONLY)
            self._whereabouts = Whereabouts(folder)
        except OSError as error:
            message = f"the store {folder} cannot be written: {error.strerror}"
            raise BackendError(message) from None
        self._take_lock()
        self.aside = Aside(folder, tell)
        try:
            self.log = RawLog(folder / LOG, tell)
            try:
                self.place = self._checked_turns()
                if self.place > self.log.end:
                    self._begin_behind()
            except BaseException:
                self.log.close()
                raise
        except BaseException:
            self._unlock()
            raise

    def close(self) -> None:
        """Write what waits, and let the next process in."""
        self.log.close()
        self._unlock()

    @property
    def locks(self) -> tuple[int, ...]:
        """The descriptors that a process which writes here too has to hold."""
        return self._lock, self._folder_lock

    def turns_bytes(self) -> int:
        """Room that the turns need on the disk."""
        return sum(path.stat().st_size for path in self._folder.glob(f"{FILE_NAME}*") if path.exists())

    def trouble(self) -> str | None:
        """Why what is written now would not be kept, None where it would."""
        if self.log.failure is None and not (self._folder / FILE_NAME).exists():
            return f"the store {self._folder} was removed or moved while this runs"
        return self.log.failure

    def died(self) -> Deaths | None:
        """At which request the process died that understood, and how often in a row; None where it was at none."""
        return self._whereabouts.died()

    def set_aside(self, place: int) -> Path | None:
        """Take the request at a place out of the log, into a file of its own, which is returned.

        Returns None where none is there.

        Raises:
            BackendError: it cannot be written; the request stays where it is.
        """
        try:
            record = self.log.at(place)
            if record is None or record.kind == BLANK:
                return None
            path = self.aside.keep(name_of(place), record.data, record.arrived_ns)
            self.log.blank(place)
        except OSError as error:
            message = f"the store {self._folder}: a request cannot be set aside: {error.strerror or error}"
            raise BackendError(message) from None
        return path

    def _unlock(self) -> None:
        self._whereabouts.close()
        for descriptor in self.locks:
            os.close(descriptor)

    def _take_lock(self) -> None:
        """Lock the file, which tells whose it is, and the folder: somebody may think that the file is a left one."""
        end = time.monotonic() + LOCK_WAIT_S
        while not all(map(_locked, self.locks)):
            if time.monotonic() > end:
                owner = os.pread(self._lock, 32, 0).decode(errors="replace").strip()
                self._unlock()
                whose = f"process {owner}" if owner else f"another process, whose {_LOCK} was removed"
                message = f"the store {self._folder} is in use by {whose}; stop it, or name another folder: --store DIR"
                raise BackendError(message)
            time.sleep(_LOCK_POLL_S)
        with suppress(OSError):  # no room on the disk: whoever writes next says so, and the lock is taken
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _checked_turns(self) -> int:
        """Bring the turns into shape; a damaged file is put aside, and what the log still holds is read anew."""
        path = self._folder / FILE_NAME
        damage = _damage_of(path, self._tell)
        if damage is None and self.log.bytes_from(0) and not (path.exists() and path.stat().st_size):
            damage = "it is gone or empty, though requests are here"
        if damage is not None:
            kept = self._put_aside()
            turns = TurnStore(self._folder)
            try:
                saved = turns.take_over(salvaged_from(kept / FILE_NAME))
            finally:
                turns.close()
            self._tell(
                f"{path} is damaged ({damage}). What was there is kept in {kept}; {saved:,} turns could be read in it, "
                "others are rebuilt from the requests that are still here, and older ones are missing."
            )
        turns = TurnStore(self._folder)
        try:
            return turns.place()
        finally:
            turns.close()

    def _begin_behind(self) -> None:
        """Requests that were understood are gone; what comes now must not be taken for them."""
        self._tell(
            f"requests in {self._folder / LOG} are missing, up to which turns were understood: they were removed, or "
            "damaged. The turns are here; a turn that was not complete is incomplete now"
        )
        self.log.begin_behind(self.place)

    def _put_aside(self) -> Path:
        folder = self._folder / QUARANTINE
        place = 1
        while (kept := folder / str(place)).exists():
            place += 1
        try:
            kept.mkdir(parents=True)
            for path in self._folder.glob(f"{FILE_NAME}*"):
                path.rename(kept / path.name)
        except OSError as error:
            message = f"the store {self._folder}: what is damaged cannot be put aside: {error.strerror or error}"
            raise BackendError(message) from None
        return kept


def _locked(descriptor: int) -> bool:
    """Whether it is ours now. Some file systems of the network lock no folder: there the file has to do."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno != errno.EWOULDBLOCK and stat.S_ISDIR(os.fstat(descriptor).st_mode)
    return True


def _damage_of(path: Path, tell: Callable[[str], None]) -> str | None:
    """What is wrong with a database; None where it is sound, not there, or could be mended, which is told."""
    if not path.exists():
        return None
    try:
        db = sqlite3.connect(path)
        try:
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
            damage = _misfit_of(db) if found == "ok" else found
            if damage is None:
                _mend_indexes(db, path, tell)
            return damage
        finally:
            db.close()
    except sqlite3.OperationalError:
        return None  # not damage: not readable, or busy; whoever opens it next says so
    except sqlite3.DatabaseError as error:
        return str(error)


def _mend_indexes(db: sqlite3.Connection, path: Path, tell: Callable[[str], None]) -> None:
    """Make indexes anew that do not fit the turns: a turn that is not found by one would be kept twice.

    Raises:
        sqlite3.DatabaseError: they cannot be.
    """
    if int(db.execute("PRAGMA user_version").fetchone()[0]) > SCHEMA_VERSION:
        return
    found = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if found != "ok":
        db.execute("REINDEX")
        tell(f"{path} was damaged in an index ({found}), which was made anew; no turn is missing.")


def _misfit_of(db: sqlite3.Connection) -> str | None:
    """What a sound database has that ours never have; None where it is ours, empty, or of a newer version."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        return None
    tables = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if version < 0 or not TABLES.get(version, frozenset()) <= tables or (version == 0 and tables):
        return f"it says that it has version {version}, and has other tables"
    if not version:
        return None
    row = db.execute("SELECT place FROM progress").fetchone()
    known = row is None or (isinstance(row[0], int) and 0 <= row[0] < position(MAX_SEGMENT, 0))
    return None if known else "it does not tell up to where requests were understood"
