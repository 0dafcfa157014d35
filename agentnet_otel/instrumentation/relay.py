"""One span processor of ours a provider, behind which readers and exporters come and go.

A provider of the SDK lets processors be added, never removed. The relay is what is added, once.
"""

import threading
import weakref
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import TracerProvider as ApiTracerProvider

from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.lifecycle import lifecycle


class Relay(SpanProcessor):
    """Passes spans on to the processors that are in it now; a fault of one reaches neither the others nor anyone."""

    def __init__(self) -> None:
        self._processors: tuple[SpanProcessor, ...] = ()
        self._lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.Lock()

    def add(self, processor: SpanProcessor) -> None:
        """Take a processor in."""
        with self._lock:
            if processor not in self._processors:
                self._processors = (*self._processors, processor)

    def remove(self, processor: SpanProcessor) -> None:
        """Let a processor go; it is not shut down."""
        with self._lock:
            self._processors = tuple(p for p in self._processors if p is not processor)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass on."""
        for processor in self._processors:
            try:
                processor.on_start(span, parent_context)
            except Exception as error:  # noqa: BLE001 - it runs inside the application
                faults.log.contain(f"{type(processor).__name__}.on_start", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass on."""
        for processor in self._processors:
            try:
                processor.on_end(span)
            except Exception as error:  # noqa: BLE001 - it runs inside the application
                faults.log.contain(f"{type(processor).__name__}.on_end", error)

    def shutdown(self) -> None:
        """Shut all down: the provider ends."""
        for processor in self._processors:
            faults.guarded(processor.shutdown, f"{type(processor).__name__}.shutdown")()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all; True if each did."""
        flushed = [
            faults.guarded(processor.force_flush, f"{type(processor).__name__}.force_flush")(timeout_millis)
            for processor in self._processors
        ]
        return all(flushed)


_relays: Final[weakref.WeakKeyDictionary[TracerProvider, Relay]] = weakref.WeakKeyDictionary()


def relay_of(provider: ApiTracerProvider) -> Relay | None:
    """The relay of a provider of the SDK, made on first use; None for other providers."""
    if not isinstance(provider, TracerProvider):
        return None
    relay = _relays.get(provider)
    if relay is None:
        relay = _relays[provider] = Relay()
        provider.add_span_processor(relay)
    return relay
