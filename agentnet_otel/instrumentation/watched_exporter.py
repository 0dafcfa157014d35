"""Exporters and queues that are looked at: what waits, what was lost, and whether a batch failed.

Batching processors do not tell, a flush has to, and so has whoever relies on the traces.
"""

import os
import threading
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agentnet_otel.instrumentation.export_totals import totals
from agentnet_otel.instrumentation.lifecycle import lifecycle

DEFAULT_QUEUE_SIZE: Final = 2048
"""The SDK's own, where ``OTEL_BSP_MAX_QUEUE_SIZE`` says nothing."""

PATIENCE_S: Final = 5.0
"""So long the end of a process waits for an exporter that takes nothing; one that takes batches is waited for."""
LOOK_INTERVAL_S: Final = 0.05
LAST_WORDS_S: Final = 0.5
"""So long an exporter that was closed may take to let go of its batch."""


class WatchedExporter(SpanExporter):
    """Passes on to another exporter; ``failures`` counts the batches that it did not take."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_closed = False
        self._in_hand = 0
        self.failures = 0
        self.dropped = 0
        """Spans of these batches, and those for which no room was in the queue."""
        self.waiting = 0
        """Spans that ended and were not handed to the exporter yet."""
        self.taken = 0
        """Batches that it took."""
        self._lock = threading.RLock()
        lifecycle.renew_lock_after_fork(self)
        totals.watch(self)

    def queued(self, max_queue_size: int) -> None:
        """A span comes into a queue of that size; where it is full, the oldest one goes."""
        with self._lock:
            if self.waiting < max_queue_size:
                self.waiting += 1
            else:
                self.dropped += 1

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass on, and look at what comes back."""
        with self._lock:
            if self._is_closed:  # its spans were counted as lost then
                return SpanExportResult.FAILURE
            self.waiting = max(0, self.waiting - len(spans))
            self._in_hand += 1
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.taken += 1
            else:
                self.failures += 1
                self.dropped += len(spans)
            with self._lock:
                self._in_hand -= 1
                self._let_go_when_done()
        return result

    def shutdown(self) -> None:
        """Pass on; nothing waits any more: what still did is lost."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self.dropped += self.waiting
            self.waiting = 0
        self._exporter.shutdown()
        with self._lock:
            self._let_go_when_done()

    def _let_go_when_done(self) -> None:
        """A batch may still be with the exporter, and has to be counted."""
        if self._is_closed and not self._in_hand:
            totals.let_go(self)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on; most exporters have nothing that waits, and say nothing."""
        return self._exporter.force_flush(timeout_millis) is not False

    def reset_lock(self) -> None:
        """Begin anew, in a forked child, whose queue is empty."""
        self._lock = threading.RLock()
        self.failures = self.dropped = self.waiting = self.taken = self._in_hand = 0


class WatchedBatch(BatchSpanProcessor):
    """Tells its exporter what comes into the queue."""

    def __init__(self, exporter: WatchedExporter, max_queue_size: int | None = None) -> None:
        super().__init__(exporter, max_queue_size=max_queue_size)
        self._watched = exporter
        self._max_queue_size = max_queue_size or _queue_size_of_environment()

    def on_end(self, span: ReadableSpan) -> None:
        """Count what will be queued, and queue it."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._watched.queued(self._max_queue_size)
        super().on_end(span)

    def shutdown(self) -> None:
        """Send what waits, and close; where nobody takes it, give up soon."""
        closing = threading.Thread(target=super().shutdown, name="agentnet_otel last batches", daemon=True)
        try:
            closing.start()
        except RuntimeError:  # the interpreter is about to end, and gives out no threads any more
            super().shutdown()  # type: ignore[no-untyped-call]
            return
        self._wait_while_taken(closing)
        if closing.is_alive():
            self._watched.shutdown()  # which breaks off its retries
            closing.join(LAST_WORDS_S)

    def _wait_while_taken(self, closing: threading.Thread) -> None:
        taken, since_s = self._watched.taken, time.monotonic()
        while closing.is_alive() and time.monotonic() < since_s + PATIENCE_S:
            closing.join(LOOK_INTERVAL_S)
            if self._watched.taken != taken:
                taken, since_s = self._watched.taken, time.monotonic()


def failed_batches(processor: object) -> int:
    """Batches that a processor's exporter did not take; 0 for one that is not watched."""
    exporter = getattr(processor, "span_exporter", None)
    return exporter.failures if isinstance(exporter, WatchedExporter) else 0


def _queue_size_of_environment() -> int:
    text = os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "")
    return int(text) if text.isdecimal() and int(text) else DEFAULT_QUEUE_SIZE
