"""Which traces a reader takes, where several read the same sources: each trace is one reader's, by its id."""

from collections.abc import Iterable
from typing import Final, Protocol

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


class Agreement(Protocol):
    """What readers of the same sources agree on, request by request: whether it is plain.

    A reader need not look at spans of others where these tell what is wrong in them: what one cannot read in the quick
    way, none does. So the same comes out as if each looked at all.
    """

    def tell(self, size: int, *, plain: bool) -> None:
        """Say whether the next request, of ``size`` bytes, is plain as far as one has looked."""

    def all_plain(self) -> bool:
        """Whether the first request that was not asked for yet is plain for all; waits until they have looked."""

    def end(self) -> None:
        """Say that a source has no more requests; waits until all say so."""


class Share:
    """The share of reader ``number`` (from 0) of ``jobs``; with an ``agreement``, spans of others are passed unread."""

    def __init__(self, number: int = 0, jobs: int = 1, agreement: Agreement | None = None) -> None:
        self.whole = jobs == 1
        self.agreement = agreement
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
