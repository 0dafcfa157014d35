"""How something ended: from what was raised to outcome and ``error.type``, in one place."""

import asyncio
import concurrent.futures
from dataclasses import dataclass

from agentnet_otel.model import Outcome


@dataclass(frozen=True, slots=True)
class Ending:
    """An end that is no success. ``error_type`` is a class name or a word of ours, never a message."""

    outcome: Outcome
    error_type: str


_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


def error_name(value: object) -> str:
    """``value`` as an ``error.type``; of an exception the name of its class, for its message may quote a prompt."""
    kind = value if isinstance(value, type) else type(value)
    return kind.__qualname__ if issubclass(kind, BaseException) else str(getattr(value, "value", value))


def ending_of(error: BaseException | None) -> Ending | None:
    """The ending that a raised exception means; None for a normal end.

    A time-out is a time-out wherever it was raised; a generator that its consumer closes, a cancelled task and an
    interrupt of the user are cancellations.
    """
    if error is None:
        return None
    name = type(error).__qualname__
    if isinstance(error, _CANCELLED):
        return Ending(Outcome.CANCELLED, name)
    if isinstance(error, TimeoutError):
        return Ending(Outcome.TIMEOUT, name)
    if name == "CognitiveFault":
        return Ending(Outcome.FAULT, name)
    return Ending(Outcome.ERROR, name)
