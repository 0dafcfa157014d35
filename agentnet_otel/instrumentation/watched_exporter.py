"""An exporter that remembers whether it failed: batching processors do not tell, and a flush has to."""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class WatchedExporter(SpanExporter):
    """Passes on to another exporter; ``failures`` counts the batches that it did not take."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.failures = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass on, and look at what comes back."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self.failures += result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        """Pass on."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on; most exporters have nothing that waits, and say nothing."""
        return self._exporter.force_flush(timeout_millis) is not False


def failed_batches(processor: object) -> int:
    """Batches that a processor's exporter did not take; 0 for one that is not watched."""
    exporter = getattr(processor, "span_exporter", None)
    return exporter.failures if isinstance(exporter, WatchedExporter) else 0
