"""Turns out of this very process: a span processor that rebuilds them as the spans end.

It never makes an application wait: what spans bring is put into a queue, and whoever finds nobody at work takes some of
it in. So a span that ends while another one is taken in, in a signal handler or a finalizer that the garbage collector
runs, does not wait for itself.
"""

import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import msgspec
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects import is_turn_from_start
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode, Turn

KEPT_TURNS: Final = 10_000
"""Rebuilt turns that are kept; beyond it the oldest goes, and is counted."""
LIVE_SPANS: Final = 100_000
"""Spans that are held or known to be open; beyond it the trace that was quiet longest is told as it is."""
SHARE: Final = 32
"""Starts and ends that one span's start or end takes in at most; the rest is left to the next."""


class _Start(msgspec.Struct, frozen=True, gc=False):
    trace_id: str
    span_id: str
    parent_span_id: str | None
    is_turn: bool | None


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
        self._lock = threading.Lock()
        self._arrived: deque[_Start | SpanRecord] = deque()
        self._assembler = Assembler(in_process=True, max_spans=self._max_spans, prices=self._prices)
        self._turns: OrderedDict[tuple[str, str], Turn] = OrderedDict()
        self.dropped_turns = 0

    @property
    def counts(self) -> Counts:
        """What was seen and could not be used."""
        return self._assembler.counts

    def turns(self) -> list[Turn]:
        """The turns that ended, each in its newest revision, in order of ending."""
        with self._lock:
            while self._arrived:
                self._take(self._arrived.popleft())
            self._keep(self._assembler.flush(self._now_ns()))
            return newest_revisions(self._turns.values())

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Learn that a span began."""
        del parent_context
        context, parent, scope = span.context, span.parent, span.instrumentation_scope
        if context is None:
            return
        operation = (span.attributes or {}).get(semconv.OPERATION_NAME)
        self._bring(
            _Start(
                format(context.trace_id, "032x"),
                format(context.span_id, "016x"),
                None if parent is None else format(parent.span_id, "016x"),
                is_turn_from_start("" if scope is None else scope.name, operation),
            )
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span."""
        self._bring(to_record(span))

    def shutdown(self) -> None:
        """Nothing to release: the turns stay readable."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits: a turn is there as soon as its last span ended."""
        del timeout_millis
        return True

    def _bring(self, arrival: _Start | SpanRecord) -> None:
        self._arrived.append(arrival)
        share = SHARE
        while share and self._arrived and self._lock.acquire(blocking=False):
            try:
                while share and self._arrived:
                    share -= 1
                    self._take(self._arrived.popleft())
            finally:
                self._lock.release()

    def _take(self, arrival: _Start | SpanRecord) -> None:
        if isinstance(arrival, _Start):
            told = self._assembler.started(
                arrival.trace_id, arrival.span_id, arrival.parent_span_id, is_turn=arrival.is_turn
            )
        else:
            told = [*self._assembler.flush(self._now_ns()), *self._assembler.feed(arrival)]
        self._keep(told)

    def _keep(self, turns: list[Turn]) -> None:
        for turn in turns:
            self._turns[(turn.trace_id, turn.span_id)] = turn
            if len(self._turns) > self._kept_turns:
                self._turns.popitem(last=False)
                self.dropped_turns += 1


_sources: Final[weakref.WeakSet[LiveSource]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for source in list(_sources):
        source.forget()


if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


def to_record(span: ReadableSpan) -> SpanRecord:
    """The SDK's span in the normal form; an open one ends where it began."""
    context, parent, scope = span.context, span.parent, span.instrumentation_scope
    start_ns = span.start_time or 0
    return SpanRecord(
        trace_id="" if context is None else format(context.trace_id, "032x"),
        span_id="" if context is None else format(context.span_id, "016x"),
        parent_span_id=None if parent is None else format(parent.span_id, "016x"),
        parent_is_remote=None if parent is None else parent.is_remote,
        name=span.name,
        kind=SpanKind(span.kind.value + 1),  # OTLP counts from 1, the SDK from 0
        start_ns=start_ns,
        end_ns=span.end_time or start_ns,
        status=StatusCode(span.status.status_code.value),
        status_description=span.status.description or "",
        trace_state=context.trace_state.to_header() if context is not None and context.trace_state else "",
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(name=e.name, time_ns=e.timestamp, attributes=_attributes(e.attributes)) for e in span.events
        ),
        service_name=str(span.resource.attributes.get(semconv.SERVICE_NAME, "")),
        scope_name="" if scope is None else scope.name,
        scope_version="" if scope is None else scope.version or "",
    )


def _attributes(attributes: object) -> dict[str, AttributeValue]:
    return dict(attributes) if attributes else {}  # type: ignore[call-overload]
