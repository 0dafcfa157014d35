"""Which traces a reader takes, where several read the same sources: each trace is one reader's, by its id."""

from collections.abc import Iterable
from typing import Final

import msgspec

from agentnet_otel.core.plain_span import PlainSpan
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import SpanRecord

_DIGITS: Final = 2
"""Hex digits at the end of a trace id, which are random, by which traces are dealt out."""
MAX_JOBS: Final = 16**_DIGITS


class Batch(msgspec.Struct, gc=False):
    """The spans of one line or message that are in a share; ``passed``: how many there were."""

    spans: list[PlainSpan | Member]
    passed: int


class Share:
    """The share of reader ``number`` (from 0) of ``jobs``."""

    def __init__(self, number: int = 0, jobs: int = 1) -> None:
        self.whole = jobs == 1
        self.last_bytes = None if self.whole else bytes(range(number, MAX_JOBS, jobs))
        """The last bytes of the trace ids that are in it; None where all are."""
        self._endings = frozenset(format(n, f"0{_DIGITS}x") for n in range(number, MAX_JOBS, jobs))

    def plain(self, spans: list[PlainSpan]) -> list[PlainSpan]:
        """The spans that are in it."""
        endings = self._endings
        return spans if self.whole else [span for span in spans if span.trace_id[-_DIGITS:] in endings]

    def takes(self, trace_id: str) -> bool:
        """Whether a trace is in it."""
        return self.whole or trace_id[-_DIGITS:] in self._endings

    def records(self, spans: Iterable[SpanRecord]) -> Iterable[SpanRecord]:
        """The spans that are in it."""
        return spans if self.whole else (span for span in spans if span.trace_id[-_DIGITS:] in self._endings)
