"""A meter of the OpenTelemetry API whose sums outlive the process: they can be written down and taken up again.

The instruments of turns are declared once, on a `Meter` (`instrumentation.metrics`). On the SDK's meter an application
counts its own turns; on this one the bridge counts those that it rebuilt, so that names, units, edges and labels are
the same. What differs from the SDK: a measurement has a weight (a turn that stands for ten counts ten times), its
exemplar's ids are told before it, and all sums can be kept and restored, with the time when each began.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, NoOpMeter
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, Sum
from opentelemetry.sdk.metrics.export import Histogram as HistogramData

MAX_SERIES: Final = 4_000
"""Series of one instrument; measurements of further ones are dropped and counted. Labels are capped before that."""

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_Labels = tuple[tuple[str, str], ...]


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """An exemplar: a value, when it was told, and the span that it is of."""

    value: float
    time_ns: int
    trace_id: str
    span_id: str


class Series(msgspec.Struct, kw_only=True):
    """One series. ``buckets`` are not cumulative, with one more than there are edges; a counter has one."""

    labels: dict[str, str]
    created_ns: int
    sum: float = 0.0
    buckets: list[int]
    marks: list[Mark | None]


class KeptMeter(NoOpMeter):
    """Keeps counters and histograms; other instruments tell of an application, and do nothing here.

    Not safe for threads: the caller serialises. ``now_ns``: epoch nanoseconds, when series begin.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        super().__init__("agentnet_otel")
        self.now_ns = now_ns
        self.weight = 1
        """How many measurements the next ones stand for."""
        self.span = ("", "")
        """Trace id and span id of the next measurements."""
        self.at_ns = 0
        """When they are told."""
        self.dropped = 0
        self._instruments: dict[str, _KeptInstrument] = {}

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """A counter."""
        made = KeptCounter(self, name, unit, description)
        self._instruments[name] = made
        return made

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """A histogram with these edges."""
        made = KeptHistogram(self, name, unit, description, explicit_bucket_boundaries_advisory or ())
        self._instruments[name] = made
        return made

    def metrics(self) -> Iterator[Metric]:
        """The data of each instrument that was used, as the SDK has it."""
        for name, instrument in self._instruments.items():
            if instrument.series:
                yield Metric(name, instrument.description, instrument.unit, instrument.data())

    def keep(self) -> dict[str, list[Series]]:
        """All series, by instrument."""
        return {name: list(kept.series.values()) for name, kept in self._instruments.items() if kept.series}

    def restore(self, kept: Mapping[str, Sequence[Series]]) -> None:
        """Take up what was kept. Of an instrument that is gone, or has other edges now, nothing can be taken up."""
        for name, all_series in kept.items():
            instrument = self._instruments.get(name)
            if instrument is not None:
                instrument.take_up(all_series)


class _KeptInstrument:
    """The series of one instrument."""

    def __init__(self, meter: KeptMeter, name: str, unit: str, description: str, edges: Sequence[float] = ()) -> None:
        self.name, self.unit, self.description = name, unit, description
        self.series: dict[_Labels, Series] = {}
        self._meter = meter
        self._edges = tuple(edges)
        self._by_identity: dict[int, tuple[Mapping[str, Any], Series]] = {}

    def take_up(self, kept: Sequence[Series]) -> None:
        for series in kept:
            if len(series.buckets) == len(series.marks) == len(self._edges) + 1:
                self.series[tuple(series.labels.items())] = series

    def measure(self, value: float, attributes: Mapping[str, Any] | None) -> None:
        known = self._by_identity.get(id(attributes))
        series = known[1] if known is not None and known[0] is attributes else self._find(attributes)
        if series is None:
            return
        meter = self._meter
        place = bisect_left(self._edges, value)
        series.sum += value * meter.weight
        series.buckets[place] += meter.weight
        series.marks[place] = Mark(value, meter.at_ns, *meter.span)

    def _find(self, attributes: Mapping[str, Any] | None) -> Series | None:
        """The series of these labels, which mostly come as the very same mapping again."""
        labels = tuple((attributes or {}).items())
        series = self.series.get(labels) or self._begin(labels)
        if attributes is not None and series is not None and len(self._by_identity) < MAX_SERIES:
            self._by_identity[id(attributes)] = (attributes, series)
        return series

    def _begin(self, labels: _Labels) -> Series | None:
        if len(self.series) >= MAX_SERIES:
            self._meter.dropped += 1
            return None
        places = len(self._edges) + 1
        series = Series(labels=dict(labels), created_ns=self._meter.at_ns, buckets=[0] * places, marks=[None] * places)
        self.series[labels] = series
        return series

    def data(self) -> Sum | HistogramData:
        raise NotImplementedError


class KeptCounter(_KeptInstrument, Counter):
    """A counter of a `KeptMeter`."""

    def add(self, amount: float, attributes: Mapping[str, Any] | None = None, context: Context | None = None) -> None:
        """Count."""
        del context
        self.measure(amount, attributes)

    def data(self) -> Sum:
        """Whole numbers stay whole."""
        now_ns = self._meter.now_ns()
        points = [
            NumberDataPoint(
                series.labels,
                series.created_ns,
                now_ns,
                int(series.sum) if series.sum.is_integer() else series.sum,
                _exemplars(series),
            )
            for series in self.series.values()
        ]
        return Sum(points, _CUMULATIVE, is_monotonic=True)


class KeptHistogram(_KeptInstrument, Histogram):
    """A histogram of a `KeptMeter`. Its buckets hold their upper edge."""

    def record(
        self, amount: float, attributes: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> None:
        """Record."""
        del context
        self.measure(amount, attributes)

    def data(self) -> HistogramData:
        """As the SDK has it; the least and the greatest value are not kept."""
        now_ns = self._meter.now_ns()
        points = [
            HistogramDataPoint(
                series.labels,
                series.created_ns,
                now_ns,
                sum(series.buckets),
                series.sum,
                list(series.buckets),
                self._edges,
                float("nan"),
                float("nan"),
                _exemplars(series),
            )
            for series in self.series.values()
        ]
        return HistogramData(points, _CUMULATIVE)


def _exemplars(series: Series) -> list[Exemplar]:
    return [
        Exemplar({}, mark.value, mark.time_ns, int(mark.span_id or "0", 16), int(mark.trace_id or "0", 16))
        for mark in series.marks
        if mark is not None
    ]
