"""What came of a process's spans since somebody looked: kept as it came, bounded, and never waited for.

Theory of operation. An application's thread only notes a span: at its start who it is, at its end what it says, each
with its place in one count of all starts and ends. `Backlog.take` gives these moments in their order, so that whoever
rebuilds turns sees what the application did, later. Nobody may ever look, so there are bounds: `BACKLOG_TURNS`,
`BACKLOG_SPANS` and `BACKLOG_CHARACTERS`. Beyond one of them the spans that ended first go, unread.

A turn may lose a part in this way. All that runs in a turn starts after it, so a turn that started before a span that
went may lack something (`is_whole` is False), and one that started later cannot.
"""

import threading
from collections import deque
from itertools import count
from typing import Final

import msgspec

from agentnet_otel.core.dialects import Role, kind_of
from agentnet_otel.sources.captured import CapturedSpan
from agentnet_otel.sources.gone_turns import GoneTurns

BACKLOG_TURNS: Final = 10_000
"""Ended turns that wait to be looked at."""
BACKLOG_SPANS: Final = 50_000
"""Ended spans that wait to be looked at."""
BACKLOG_CHARACTERS: Final = 32_000_000
"""Characters of text in the attributes of these spans, so that prompts on them cannot fill the memory."""
OPEN_SPANS: Final = 100_000
"""Spans that are open; beyond it the oldest is forgotten: nobody seems to end it."""
SHARE: Final = 32
"""Spans that one span's end counts, and lets go, at most; the rest is left to the next."""

_TURNS: Final = frozenset({Role.TURN, Role.UNNAMED_TURN})

SpanKey = tuple[int, int]
"""Trace id and span id."""


class Opened(msgspec.Struct, gc=False):
    """A span that began. ``is_turn``: None where only its end will tell. ``sequence``: its place among all moments."""

    sequence: int
    key: SpanKey
    parent_span_id: int | None
    is_turn: bool | None
    taken: bool = False
    """Whether somebody looked since."""


class Ended(msgspec.Struct, gc=False):
    """A span that ended at ``now_ns`` (epoch nanoseconds)."""

    sequence: int
    opened: Opened
    now_ns: int
    span: CapturedSpan
    characters: int
    is_turn: bool
    """Whether spans of its kind are turns, unless its other words, or its place among spans, say otherwise."""
    is_whole: bool = True
    """Whether all that ran in it is here, if it is a turn."""


class Gone(msgspec.Struct, frozen=True, gc=False):
    """A span of which somebody has seen the start, and whose end went unread."""

    key: SpanKey


Moment = Opened | Ended | Gone


class Backlog:
    """All methods may be called from any thread, and inside each other, but for `take`: one at a time."""

    def __init__(
        self, *, turns: int = BACKLOG_TURNS, spans: int = BACKLOG_SPANS, characters: int = BACKLOG_CHARACTERS
    ) -> None:
        self._max_turns = turns
        self._max_spans = spans
        self._max_characters = characters
        self._lock = threading.RLock()
        self._is_busy = False
        self._next = count(1).__next__
        self._open: dict[SpanKey, Opened] = {}
        self._arrived: deque[Ended] = deque()
        """Ended, and not counted yet."""
        self._waiting: deque[Ended] = deque()
        self._turns = 0
        self._characters = 0
        self._gone: list[Gone] = []
        self._gone_turns = GoneTurns()
        self._horizon = -1
        """The latest start of a span that went."""
        self.dropped_turns = 0

    def start(self, key: SpanKey, parent_span_id: int | None, *, is_turn: bool | None) -> None:
        """Note that a span began."""
        self._open[key] = Opened(self._next(), key, parent_span_id, is_turn)
        if len(self._open) > OPEN_SPANS:
            self._forget_oldest()

    def end(self, key: SpanKey, span: CapturedSpan, now_ns: int) -> None:
        """Note that a span ended; one whose start was not seen began before all others."""
        opened = self._open.get(key) or Opened(0, key, None, None, taken=True)
        is_turn = kind_of(span)[0] in _TURNS if opened.is_turn is None else opened.is_turn
        self._arrived.append(Ended(self._next(), opened, now_ns, span, span.characters, is_turn))
        self._open.pop(key, None)  # last, so that a span is always found somewhere
        if self._lock.acquire(blocking=False):  # else whoever is at work, or the next, does it
            try:
                self._tidy(SHARE)
            finally:
                self._lock.release()

    def take(self) -> list[Moment]:
        """All that came since, in order. What is open is told as such, so that its parts are known to lie in it."""
        with self._lock:
            if self._is_busy:  # a signal handler, or a finalizer, asks in the middle of it
                return []
            self._tidy(len(self._arrived) + len(self._waiting))
            ended, self._waiting = self._waiting, deque()
            self._turns = self._characters = 0
            gone, self._gone = self._gone, []
            opened = [*(end.opened for end in ended), *dict(self._open).values()]
            opened += [end.opened for end in tuple(self._arrived)]  # which ended just now: the next look tells it
            starts = {start.sequence: start for start in opened if not start.taken}
            for start in starts.values():
                start.taken = True
            for end in ended:
                end.is_whole = end.opened.sequence > self._horizon
        moments: list[Opened | Ended] = [*starts.values(), *ended]
        moments.sort(key=_sequence)
        return [*gone, *moments]

    def _tidy(self, share: int) -> None:
        """Count what arrived and let go of what is too much, unless it is what was interrupted."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            self._count(share)
            self._let_go(share)
        finally:
            self._is_busy = False

    def _count(self, share: int) -> None:
        while share and self._arrived:
            share -= 1
            end = self._arrived.popleft()
            self._waiting.append(end)
            self._turns += end.is_turn
            self._characters += end.characters

    def _let_go(self, share: int) -> None:
        while share and self._waiting and self._is_full():
            share -= 1
            end = self._waiting.popleft()
            self._turns -= end.is_turn
            self._characters -= end.characters
            self.dropped_turns += self._gone_turns.take(end.span, is_turn=end.opened.is_turn)
            self._horizon = max(self._horizon, end.opened.sequence)
            if end.opened.taken:
                self._gone.append(Gone(end.opened.key))

    def _is_full(self) -> bool:
        return (
            self._turns > self._max_turns
            or len(self._waiting) > self._max_spans
            or self._characters > self._max_characters
        )

    def _forget_oldest(self) -> None:
        try:
            oldest = self._open.pop(next(iter(self._open)))
        except (KeyError, RuntimeError, StopIteration):  # another thread was quicker
            return
        if oldest.taken:
            self._gone.append(Gone(oldest.key))


def _sequence(moment: Opened | Ended) -> int:
    return moment.sequence
