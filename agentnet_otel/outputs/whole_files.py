"""Files that are replaced as a whole: who reads one finds what was there or what is there now, never a part of it."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_AS_THE_PROCESS_SAYS: Final = 0o666
"""Less what the umask takes."""


def replace_file(path: Path, data: bytes, *, mode: int = _AS_THE_PROCESS_SAYS) -> None:
    """Write ``data`` beside the file, and put it in its place when it is on the disk.

    Nothing is left behind where that fails. Behind a link it is the file that is replaced. What is no file (a pipe,
    ``/dev/null``) is written to, and stays what it is. ``mode``: permissions of the file.

    Raises:
        OSError: it cannot be written; what was there still is.
    """
    if _takes_bytes_only(path):
        path.write_bytes(data)
        return
    place = Path(os.path.realpath(path))
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    except BaseException:  # Ctrl-C leaves nothing behind either
        with suppress(OSError):  # what could not be written cannot always be removed
            part.unlink(missing_ok=True)
        raise


def _takes_bytes_only(path: Path) -> bool:
    """Whether it is a device or a pipe: to put a file in its place would take it from everybody."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))
