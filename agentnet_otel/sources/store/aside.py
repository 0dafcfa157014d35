"""Requests that were set aside: each a file, as it came, that every command reads as a SOURCE."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER: Final = "aside"
MAX_BYTES: Final = 1024 * 1024 * 1024
"""Bytes of all that is kept; beyond it the oldest goes."""

_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class Aside:
    """The folder of a store. ``tell`` gets a sentence on what goes for want of room.

    ``count``: how many requests are there.
    """

    def __init__(self, store: Path, tell: Callable[[str], None]) -> None:
        self.folder = store / FOLDER
        self._tell = tell
        self.count = len(self._kept())

    def keep(self, name: str, data: bytes, arrived_ns: int) -> Path:
        """Keep a request under a name, on the disk, with the time of its arrival; returns the file.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(_FOLDER_MODE, exist_ok=True)
        self._make_room(len(data))
        path = self.folder / name
        path.touch(_MODE)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.utime(path, ns=(arrived_ns, arrived_ns))
        for folder in (self.folder, self.folder.parent):
            _sync(folder)
        self.count = len(self._kept())
        return path

    def forget_before(self, arrived_ns: int) -> None:
        """Delete what arrived before a time; what somebody else took away is not counted any more."""
        for path in self._kept():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime_ns < arrived_ns:
                    path.unlink()
        self.count = len(self._kept())

    def _make_room(self, size: int) -> None:
        kept = [(path, path.stat()) for path in self._kept()]
        kept.sort(key=lambda one: one[1].st_mtime_ns)
        used = sum(found.st_size for _, found in kept)
        while kept and used + size > MAX_BYTES:
            path, found = kept.pop(0)
            used -= found.st_size
            path.unlink(missing_ok=True)
            self._tell(f"{path} was deleted: requests that are set aside may have {MAX_BYTES:,} bytes")

    def _kept(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.is_file()]
        except OSError:
            return []


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
