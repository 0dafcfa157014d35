"""What all watched exporters of this process have come to. It knows no SDK: the metrics ask it, with or without one."""

import weakref
from typing import Final, Protocol

from agentnet_otel.instrumentation.lifecycle import lifecycle


class Watched(Protocol):
    """An exporter that counts: batches that were not taken, spans that were lost, spans that wait."""

    failures: int
    dropped: int
    waiting: int


class ExportTotals:
    """Sums over the exporters; they never go back when one of them is gone."""

    def __init__(self) -> None:
        self._exporters: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._gone_failures = self._gone_dropped = 0

    def failures(self) -> int:
        """Batches that were not taken."""
        return self._gone_failures + sum(exporter.failures for exporter in list(self._exporters))

    def dropped(self) -> int:
        """Spans that were lost."""
        return self._gone_dropped + sum(exporter.dropped for exporter in list(self._exporters))

    def waiting(self) -> int:
        """Spans in queues."""
        return sum(exporter.waiting for exporter in list(self._exporters))

    def watch(self, exporter: Watched) -> None:
        """Count what this exporter counts, until it is let go."""
        self._exporters.add(exporter)

    def let_go(self, exporter: Watched) -> None:
        """Keep the counts of an exporter that was shut down."""
        if exporter in self._exporters:
            self._exporters.discard(exporter)
            self._gone_failures += exporter.failures
            self._gone_dropped += exporter.dropped

    def reset_lock(self) -> None:
        """Begin anew, in a forked child."""
        self._gone_failures = self._gone_dropped = 0


totals: Final = ExportTotals()
lifecycle.renew_lock_after_fork(totals)
