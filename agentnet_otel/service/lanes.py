"""Who waits for whom: work of one kind has threads of its own, so that much of it holds up no other kind.

A report on very many turns takes seconds and hundreds of megabytes. Forty of them at once would keep probes and senders
waiting for minutes; so they are made one after the other, and whoever finds too many waiting is told to come back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from agentnet_otel.errors import BackendError

P = ParamSpec("P")
T = TypeVar("T")


class LaneFullError(BackendError):
    """Too many wait already; the caller may come back."""


class GoneError(BackendError):
    """Whoever asked does not wait for the answer any more."""


class Lane:
    """Runs work of one kind, ``at_once`` of it in threads; beyond ``waiting`` more it is refused (None: none is).

    For one event loop.
    """

    def __init__(self, name: str, at_once: int, waiting: int | None = None) -> None:
        self._name = name
        self._most = None if waiting is None else at_once + waiting
        self._inside = 0
        self._places = asyncio.Semaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=f"agentnet-otel-{name}")

    async def run(
        self,
        work: Callable[P, T],
        gone: Callable[[], Awaitable[bool]] | None = None,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What the work gives. ``gone`` is asked when its turn comes: then nobody waits for it any more.

        Raises:
            LaneFullError: too many wait.
            GoneError: nobody waits for it.
        """
        if self._most is not None and self._inside >= self._most:
            message = f"{self._inside} {self._name} are being made already; come back"
            raise LaneFullError(message)
        self._inside += 1
        try:
            async with self._places:
                if gone is not None and await gone():
                    message = "the caller is gone"
                    raise GoneError(message)
                return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
