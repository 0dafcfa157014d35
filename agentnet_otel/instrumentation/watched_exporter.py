"""Exporters and queues that are looked at: what waits, what was lost, and whether a batch failed.

Batching processors do not tell, a flush has to, and so has whoever relies on the traces.
"""

import os
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agentnet_otel.instrumentation.export_totals import totals
from agentnet_otel.instrumentation.lifecycle import lifecycle

DEFAULT_QUEUE_SIZE: Final = 2048
"""The SDK's own, where ``OTEL_BSP_MAX_QUEUE_SIZE`` says nothing."""


class WatchedExporter(SpanExporter):
    """Passes on to another exporter; ``failures`` counts the batches that it did not take."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.failures = 0
        self.dropped = 0
        """Spans of these batches, and those for which no room was in the queue."""
        self.waiting = 0
        """Spans that ended and were not handed to the exporter yet."""
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
            self.waiting = max(0, self.waiting - len(spans))
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self.failures += 1
                self.dropped += len(spans)
        return result

    def shutdown(self) -> None:
        """Pass on; nothing waits any more."""
        self._exporter.shutdown()
        self.waiting = 0
        totals.let_go(self)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on; most exporters have nothing that waits, and say nothing."""
        return self._exporter.force_flush(timeout_millis) is not False

    def reset_lock(self) -> None:
        """Begin anew, in a forked child, whose queue is empty."""
        self._lock = threading.RLock()
        self.failures = self.dropped = self.waiting = 0


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


def failed_batches(processor: object) -> int:
    """Batches that a processor's exporter did not take; 0 for one that is not watched."""
    exporter = getattr(processor, "span_exporter", None)
    return exporter.failures if isinstance(exporter, WatchedExporter) else 0


def _queue_size_of_environment() -> int:
    text = os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "")
    return int(text) if text.isdecimal() and int(text) else DEFAULT_QUEUE_SIZE
