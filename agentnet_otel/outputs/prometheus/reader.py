"""A reader of the SDK that collects when it is asked, always cumulative."""

import os
import threading
from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData


class PullReader(MetricReader):
    """Put it on a `MeterProvider`; `read` may be called from any thread, and in a forked child."""

    def __init__(self) -> None:
        """Cumulative, whatever ``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`` says for others."""
        super().__init__()
        self._data: MetricsData | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def read(self) -> MetricsData | None:
        """What the provider's instruments have now; None before there is any, and after the shutdown."""
        if self._pid != os.getpid():  # a thread that only the parent has may hold the lock
            self._lock, self._pid = threading.Lock(), os.getpid()
        with self._lock:
            self._data = None
            if self._collect is not None:
                self.collect()
            return self._data

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        del timeout_millis, kwargs
        self._data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing waits."""
        del timeout_millis, kwargs
        self._set_collect_callback(None)
