"""How many connections fit into the files that a process may open: each is one of them.

Where they run out, doors cannot say no any more, and the store cannot open its own.
"""

import resource
from collections.abc import Callable
from typing import Final

OTHER_FILES: Final = 512
"""Files, or half of those there may be, that are no connections of doors: the store, its readers, what libraries need;
and, of each door, connections that are taken to be refused.
"""


def connections_of_a_door(doors: int, most: int, tell: Callable[[str], None]) -> int:
    """How many each of so many doors may take, at most ``most``; the soft limit of the process is raised for them.

    ``tell`` gets a sentence where the system allows fewer.
    """
    wanted = doors * most + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = soft if soft == resource.RLIM_INFINITY else _raised(soft, hard, wanted)
    if allowed == resource.RLIM_INFINITY or allowed >= wanted:
        return most
    found = (allowed - min(OTHER_FILES, allowed // 2)) // doors
    tell(f"this process may open {allowed:,} files, so that each door takes {found:,} connections; see `ulimit -n`")
    return found


def _raised(soft: int, hard: int, wanted: int) -> int:
    """The limit that holds after it was raised as far as need be, and as may be."""
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if possible <= soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (OSError, ValueError):  # of a system that says otherwise than its limits do
        return soft
    return possible
