"""Which exemplars are shown: the newest of a counter, and the newest of each bucket. Without a trace there is none.

The SDK tells an exemplar once, to whoever collects next. Here it is shown until there is a newer one, so that a second
scraper, or a look by hand, takes none away.
"""

import os
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint

MAX_SERIES: Final = 10_000
"""Series whose exemplars are kept; beyond it those of the tenth that had no new one for longest are forgotten."""
_NANOS: Final = 1_000_000_000
_NONE: Final[Mapping[int, "FoundExemplar"]] = {}

Labels = tuple[tuple[str, str], ...]
HistogramPoint = HistogramDataPoint | ExponentialHistogramDataPoint
Point = NumberDataPoint | HistogramPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundExemplar:
    """A value and the span that it is of, ids in hex."""

    value: float
    time_unix_nano: int
    trace_id: str
    span_id: str


class ExemplarMemory:
    """The newest exemplars of each series, by the place of their bucket; 0 for a counter."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._max_series = max_series
        self._newest: dict[tuple[str, Labels], dict[int, FoundExemplar]] = {}
        self._pid = os.getpid()

    def newest(self, name: str, labels: Labels, point: Point) -> Mapping[int, FoundExemplar]:
        """Take what a point brings; all that is known of its series."""
        if not point.exemplars:
            return self._newest.get((name, labels), _NONE)
        found = self._newest.pop((name, labels), {})
        bounds = point.explicit_bounds if isinstance(point, HistogramDataPoint) else ()
        for exemplar in sorted(point.exemplars, key=_time):
            if exemplar.trace_id is not None and exemplar.span_id is not None:
                found[bisect_left(bounds, exemplar.value)] = _found(exemplar)
        self._newest[name, labels] = found
        if len(self._newest) > self._max_series:
            for quiet in list(self._newest)[: self._max_series // 10]:
                self._newest.pop(quiet, None)
        return found

    def forget_after_fork(self) -> None:
        """What a parent measured is not its child's."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._newest = {}


def seconds(unix_nano: int) -> str:
    """Epoch seconds, without the loss of a float."""
    return f"{unix_nano // _NANOS}.{unix_nano % _NANOS:09d}"


def _time(exemplar: Exemplar) -> int:
    return exemplar.time_unix_nano


def _found(exemplar: Exemplar) -> FoundExemplar:
    return FoundExemplar(
        value=exemplar.value,
        time_unix_nano=exemplar.time_unix_nano,
        trace_id=format(exemplar.trace_id or 0, "032x"),
        span_id=format(exemplar.span_id or 0, "016x"),
    )
