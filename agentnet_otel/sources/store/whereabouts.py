"""Which request is being understood, kept in a file: so that it is known where a process was that died.

Most deaths have nothing to do with a request: somebody killed the process, or the machine had no memory left. One that
comes again and again at the same request has, and would come for ever, for that request is read again after each start.
"""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

FILE_NAME: Final = "understanding"

_NOWHERE: Final = -1
_PLACE: Final = struct.Struct("<q")
_DEATHS: Final = struct.Struct("<qqq")
"""The place where the process is now, written by it; the place of the last death, and how many were there in a row."""
_MODE: Final = 0o600


class Deaths(NamedTuple):
    """How often in a row the process died at a place in the log."""

    place: int
    times: int


class Whereabouts:
    """The file in a store. The process that understands notes, the one that started it asks when it is dead.

    Nothing here fails for want of room: then nobody knows where it was, and all else goes on.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT, _MODE)

    def note(self, place: int) -> None:
        """Work on the request at a place begins. A write that the system has outlives the process."""
        with suppress(OSError):
            os.pwrite(self._descriptor, _PLACE.pack(place), 0)

    def note_nowhere(self) -> None:
        """No request is being worked on."""
        self.note(_NOWHERE)

    def died(self) -> Deaths | None:
        """Where the process was that is dead now, and how often in a row; None where it worked on no request."""
        written = os.pread(self._descriptor, _DEATHS.size, 0).ljust(_DEATHS.size, b"\xff")
        place, last, times = _DEATHS.unpack(written)
        if place < 0:
            return None
        deaths = Deaths(place, max(times, 0) + 1 if place == last else 1)
        with suppress(OSError):
            os.pwrite(self._descriptor, _DEATHS.pack(_NOWHERE, *deaths), 0)
        return deaths

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
