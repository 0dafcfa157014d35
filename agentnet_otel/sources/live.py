"""Turns out of this very process: a span processor that rebuilds them as the spans end."""

import os
import threading
import weakref
from collections import OrderedDict
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, Counts, newest_revisions
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode, Turn

KEPT_TURNS: Final = 10_000
"""Rebuilt turns that are kept; beyond it the oldest goes, and is counted."""


class LiveSource(SpanProcessor):
    """Holds the newest turns of a process. All methods may be called from any thread."""

    def __init__(self, *, kept_turns: int = KEPT_TURNS, assembler: Assembler | None = None) -> None:
        self._kept_turns = kept_turns
        self._assembler = assembler or Assembler(in_process=True)
        self._turns: OrderedDict[tuple[str, str], Turn] = OrderedDict()
        self._lock = threading.Lock()
        self.dropped_turns = 0
        _sources.add(self)

    @property
    def counts(self) -> Counts:
        """What was seen and could not be used."""
        return self._assembler.counts

    def turns(self) -> list[Turn]:
        """The turns that ended, each in its newest revision, in order of ending."""
        with self._lock:
            return newest_revisions(self._turns.values())

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Learn that a span began."""
        del parent_context
        context, parent, attributes = span.context, span.parent, span.attributes or {}
        if context is None:
            return
        is_turn = attributes.get(semconv.OPERATION_NAME) == semconv.OP_INVOKE_AGENT
        parent_id = None if parent is None else format(parent.span_id, "016x")
        with self._lock:
            self._keep(
                self._assembler.started(
                    format(context.trace_id, "032x"), format(context.span_id, "016x"), parent_id, is_turn=is_turn
                )
            )

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span."""
        record = to_record(span)
        with self._lock:
            self._keep(self._assembler.feed(record))

    def shutdown(self) -> None:
        """Nothing to release: the turns stay readable."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits: a turn is there as soon as its last span ended."""
        del timeout_millis
        return True

    def forget(self) -> None:
        """Forget all turns, in a forked child: they are the parent's."""
        self._lock = threading.Lock()
        self._assembler = Assembler(in_process=True)
        self._turns.clear()
        self.dropped_turns = 0

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
        trace_state="" if context is None else context.trace_state.to_header(),
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
