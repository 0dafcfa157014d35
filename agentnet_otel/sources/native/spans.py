"""Spans by the C way: which attributes count, where spans come from, and who reads the odd ones."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from agentnet_otel import semconv
from agentnet_otel.core.dialects import ODD, Plain, plain_keys
from agentnet_otel.core.plain_span import Origin, PlainSpan, Status
from agentnet_otel.core.trace_window import HeldSpan, Run, runs_of
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import SpanEvent
from agentnet_otel.sources.native import extension
from agentnet_otel.sources.pieces import MAX_PIECE_BYTES, MAX_PIECES
from agentnet_otel.sources.share import Batch, Share

_STATUSES: Final = (None, Status(code=1), Status(code=2))
NAMES: Final = tuple(dict.fromkeys(name for keys in plain_keys() for name in keys.names))

ReadPiece = Callable[[bytes], Plain]
"""What an encoded attribute says: a key, empty where nothing reads it, and a value."""
ReadOdd = Callable[[bytes], PlainSpan | Member]
"""Reads an encoded span which the C does not."""
ReadEvents = Callable[[bytes], tuple[SpanEvent, ...]]
"""Reads the events of an encoded span."""
Told = tuple[Origin, Any, bool, ReadOdd, ReadEvents]
"""What spans of a scope share: their origin, their pieces (None where their dialect is no plain one), whether they are
ours, who reads the odd ones, and who their events."""


class ReadScope(Protocol):
    """Tells of the spans of a scope, whose resource and own name are written like this."""

    def __call__(self, resource: bytes, scope: bytes, /) -> Told:
        """What they share.

        Raises:
            Exception: they cannot be read.
        """


class NativeReader:
    """Reads requests; what is unusual about one is left to others."""

    def __init__(self, scope_of: ReadScope, share: Share) -> None:
        passes = share.agreement is not None
        self._reader = _module().Reader(scope_of, NAMES.index(semconv.OPERATION_NAME), share.last_bytes, passes)

    def json(self, data: bytes) -> Batch | None:
        """The spans of a request in JSON; None where anything is unusual.

        Raises:
            Exception: a scope, or an odd span, cannot be read.
        """
        found = self._reader.json(data)
        return None if found is None else Batch(*found)

    def protobuf(self, data: bytes) -> Batch | None:
        """The same of a request in protobuf.

        Raises:
            Exception: a scope, or an odd span, cannot be read.
        """
        found = self._reader.protobuf(data)
        return None if found is None else Batch(*found)


def reader_of(scope_of: ReadScope, share: Share) -> NativeReader | None:
    """A reader; None where there is no C."""
    return None if extension is None else NativeReader(scope_of, share)


def native_pieces(read: ReadPiece) -> Any:
    """What the pieces of one dialect say; None where there is no C."""
    return None if extension is None else extension.Pieces(VOCABULARY, read, MAX_PIECES, MAX_PIECE_BYTES)


def native_runs_of(spans: list[HeldSpan]) -> list[Run]:
    """What `runs_of` gives, by the C way where that can."""
    found = None if extension is None else extension.runs_of(spans)
    return runs_of(spans) if found is None else found


def _module() -> Any:
    if extension is None:
        message = "it was not built, or is not wanted"
        raise RuntimeError(message)
    return extension


VOCABULARY: Final = None if extension is None else extension.Vocabulary(NAMES, ODD, _STATUSES)
"""The attributes that count in any of the plain dialects, by number."""
