"""The guard between agentnet-otel and the application: faults of ours are logged once a site and counted.

Two kinds are told apart. A *fault* is our own mistake: it never reaches the application. *Misuse* is a wrong
call of the manual API: it is one warning per call site, or a `MisuseError` in strict mode.
"""

import functools
import logging
import sys
import threading
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from agentnet_otel.errors import MisuseError

P = ParamSpec("P")
R = TypeVar("R")

logger: Final = logging.getLogger("agentnet_otel")

MAX_SITES: Final = 1000
"""Sites remembered for "once": beyond it, faults are still counted, together, but no longer logged."""
OTHER_SITES: Final = "other"

_PACKAGE: Final = __name__.partition(".")[0] + "."


class FaultLog:
    """Counts faults and misuse of a process, and says each site once."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._told: set[tuple[str, ...]] = set()
        self.faults: dict[str, int] = {}
        self.misuses = 0
        self.unsaid = 0
        """Warnings that a log handler of the application refused by raising."""

    def reset_after_fork(self) -> None:
        """Start anew in a forked child: the counts are the parent's, and nobody may be left to give the lock back."""
        self._lock = threading.RLock()
        self.faults = {}
        self.misuses = self.unsaid = 0

    def fault_count(self) -> int:
        """Faults of all sites."""
        with self._lock:
            return sum(self.faults.values())

    def contain(self, site: str, error: Exception, *, quotes_content: bool = False) -> None:
        """Count a fault at ``site`` and log it the first time; without its text where that may quote content."""
        with self._lock:
            counted = site if site in self.faults or len(self.faults) < MAX_SITES else OTHER_SITES
            self.faults[counted] = self.faults.get(counted, 0) + 1
            first = self._first(("fault", site))
        if first:
            self._say(
                f"{type(error).__name__} in {site} was contained; the application is not affected, telemetry may be "
                "missing. Further ones at this place are only counted.",
                None if quotes_content else error,
            )

    def misuse(self, text: str, *, strict: bool) -> None:
        """Tell a wrong use of the manual API, naming the caller's file and line.

        Raises:
            MisuseError: in strict mode.
        """
        where = call_site()
        with self._lock:
            self.misuses += 1
            first = self._first(("misuse", where, text))
        message = f"{where}: {text}"
        if strict:
            raise MisuseError(message)
        if first:
            self._say(message)

    def _say(self, message: str, error: Exception | None = None) -> None:
        try:
            logger.warning("agentnet_otel: %s", message, exc_info=error)
        except Exception:  # noqa: BLE001 - a handler or filter of the application: there is no one left to tell
            self.unsaid += 1

    def _first(self, key: tuple[str, ...]) -> bool:
        if key in self._told or len(self._told) >= MAX_SITES:
            return False
        self._told.add(key)
        return True


log: Final = FaultLog()


def call_site() -> str:
    """``file:line`` of the nearest caller outside this package."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way that `warnings` and `logging` use too
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not (module.startswith((_PACKAGE, "wrapt.", "functools", "contextlib")) or module == "wrapt"):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def guarded(
    method: Callable[P, R], site: str | None = None, *, misuse_passes: bool = True, quotes_content: bool = False
) -> Callable[P, R | None]:
    """Make a function of ours safe to call from the application: a fault in it is contained and gives None.

    What ends a program or a task (interrupts, exits, cancellation) passes. So does a `MisuseError`, which is the
    caller's, unless ``misuse_passes`` is False: inside a hook nobody but us can have called wrongly.
    ``quotes_content`` says that texts of its errors may quote what agents said, and are not logged.
    """
    site = site or f"{method.__module__}.{method.__qualname__}"

    @functools.wraps(method)
    def safe(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(*args, **kwargs)
        except Exception as error:  # the one place where any fault of ours must stop
            if misuse_passes and isinstance(error, MisuseError):
                raise
            log.contain(site, error, quotes_content=quotes_content)
            return None

    return safe


def guarded_content(method: Callable[P, R]) -> Callable[P, R | None]:
    """As `guarded`, for what handles content."""
    return guarded(method, quotes_content=True)
