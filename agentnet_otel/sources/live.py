"""Turns out of this very process: a span processor that notes the spans, and rebuilds their turns when it is asked.

It never makes an application wait, nor does it rebuild anything in a thread of the application's that does not ask.
"""

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects import is_turn_from_start
from agentnet_otel.model import Turn
from agentnet_otel.sources.backlog import Backlog, Ended, Gone, Opened, SpanKey
from agentnet_otel.sources.captured import captured

KEPT_TURNS: Final = 10_000
"""Rebuilt turns that are kept; beyond it the oldest goes, and is counted."""
LIVE_SPANS: Final = 100_000
"""Spans that are held while turns are rebuilt; beyond it the trace that was quiet longest is told as it is."""


class LiveSource(SpanProcessor):
    """Holds the newest turns of a process. All methods may be called from any thread, and inside each other.

    ``now_ns`` tells the time in epoch nanoseconds; ``prices`` are for calls whose cost no span tells.
    """

    def __init__(
        self,
        *,
        kept_turns: int = KEPT_TURNS,
        max_spans: int = LIVE_SPANS,
        now_ns: Callable[[], int] = time.time_ns,
        prices: PriceBook | None = None,
    ) -> None:
        self._kept_turns = kept_turns
        self._max_spans = max_spans
        self._now_ns = now_ns
        self._prices = prices
        self.forget()
        _sources.add(self)

    def forget(self) -> None:
        """Forget all turns: in a forked child they are the parent's."""
        self._lock = threading.RLock()
        self._is_looking = False
        self._backlog = Backlog()
        self._assembler = Assembler(in_process=True, max_spans=self._max_spans, prices=self._prices)
        self._turns: OrderedDict[tuple[str, str], Turn] = OrderedDict()
        self._partial: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Turns that lack something, because nobody looked for long."""
        self._dropped = 0

    @property
    def counts(self) -> Counts:
        """What was seen and could not be used, as of the last look."""
        return self._assembler.counts

    @property
    def dropped_turns(self) -> int:
        """Turns that are not kept any more, or that nobody looked at in time."""
        return self._dropped + self._backlog.dropped_turns

    def turns(self) -> list[Turn]:
        """The turns that ended, each in its newest revision, in order of ending."""
        with self._lock:
            if not self._is_looking:  # else a signal handler, or a finalizer, asks in the middle of a look
                self._is_looking = True
                try:
                    self._look()
                finally:
                    self._is_looking = False
            return newest_revisions(list(self._turns.values()))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note that a span began."""
        del parent_context
        context, parent, scope = span.context, span.parent, span.instrumentation_scope
        if context is None:
            return
        operation = (span.attributes or {}).get(semconv.OPERATION_NAME)
        self._backlog.start(
            (context.trace_id, context.span_id),
            None if parent is None else parent.span_id,
            is_turn=is_turn_from_start("" if scope is None else scope.name, operation),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Note an ended span."""
        context = span.context
        if context is not None:
            self._backlog.end((context.trace_id, context.span_id), captured(span), self._now_ns())

    def shutdown(self) -> None:
        """Nothing to release: the turns stay readable."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits: a turn is there as soon as its last span ended."""
        del timeout_millis
        return True

    def _look(self) -> None:
        for moment in self._backlog.take():
            if isinstance(moment, Ended):
                self._end(moment)
            elif isinstance(moment, Gone):
                self._assembler.lost(*_hex(moment.key))
            else:
                self._start(moment)
        self._keep(self._assembler.flush(self._now_ns()))

    def _start(self, opened: Opened) -> None:
        parent = opened.parent_span_id
        self._keep(
            self._assembler.started(
                *_hex(opened.key), None if parent is None else format(parent, "016x"), is_turn=opened.is_turn
            )
        )

    def _end(self, ended: Ended) -> None:
        if not ended.is_whole and ended.opened.is_turn is not False:
            self._partial[_hex(ended.opened.key)] = None
            if len(self._partial) > self._kept_turns:
                self._partial.popitem(last=False)
        self._keep([*self._assembler.flush(ended.now_ns), *self._assembler.feed(ended.span.record())])

    def _keep(self, turns: list[Turn]) -> None:
        for turn in turns:
            key = (turn.trace_id, turn.span_id)
            if key in self._partial:
                self._dropped += turn.revision == 1
                continue
            self._turns[key] = turn
            if len(self._turns) > self._kept_turns:
                self._turns.popitem(last=False)
                self._dropped += 1


def _hex(key: SpanKey) -> tuple[str, str]:
    return format(key[0], "032x"), format(key[1], "016x")


_sources: Final[weakref.WeakSet[LiveSource]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for source in list(_sources):
        source.forget()


if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
