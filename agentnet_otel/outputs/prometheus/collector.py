"""The same families for a registry of prometheus_client that an application has already."""

from collections.abc import Iterable, Iterator

from opentelemetry.sdk.metrics.export import NumberDataPoint
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from agentnet_otel.outputs.prometheus.exemplars import ExemplarMemory, FoundExemplar, HistogramPoint, Labels, seconds
from agentnet_otel.outputs.prometheus.families import INFO_HELP, INFO_NAME, Family, Readings, Series, snapshot
from agentnet_otel.outputs.prometheus.naming import COUNTER
from agentnet_otel.outputs.prometheus.text import bucket_counts


class SdkCollector(Collector):
    """A collector over the data of readers; ``memory`` keeps their exemplars for all who collect."""

    def __init__(self, readings: Readings, memory: ExemplarMemory) -> None:
        self._readings = readings
        self._memory = memory

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are known only when there is data, and a registry need not collect to register."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families, each once."""
        shown = snapshot(self._readings, self._memory)
        yield from map(_metric, shown.families)
        if shown.targets:
            info = Metric(INFO_NAME, INFO_HELP, "info")
            info.samples = [Sample(f"{INFO_NAME}_info", dict(labels), 1) for labels in shown.targets]
            yield info


def _metric(family: Family) -> Metric:
    metric = Metric(family.name, family.help, family.kind, family.unit)
    for series in family.series:
        point = series.point
        if not isinstance(point, NumberDataPoint):
            metric.samples.extend(_histogram(family.name, series, point))
        elif family.kind == COUNTER:
            metric.samples.extend(_counter(family.name, series, point))
        else:
            metric.samples.append(Sample(family.name, dict(series.labels), point.value))
    return metric


def _counter(name: str, series: Series, point: NumberDataPoint) -> Iterator[Sample]:
    yield Sample(f"{name}_total", dict(series.labels), point.value, None, _exemplar(series.exemplars.get(0)))
    yield from _created(name, series.labels, point.start_time_unix_nano)


def _histogram(name: str, series: Series, point: HistogramPoint) -> Iterator[Sample]:
    labels, exemplars = series.labels, series.exemplars
    for place, (edge, count) in enumerate(bucket_counts(point)):
        yield Sample(f"{name}_bucket", {**dict(labels), "le": edge}, count, None, _exemplar(exemplars.get(place)))
    yield Sample(f"{name}_count", dict(labels), point.count)
    yield Sample(f"{name}_sum", dict(labels), point.sum)
    yield from _created(name, labels, point.start_time_unix_nano)


def _created(name: str, labels: Labels, start_ns: int | None) -> Iterator[Sample]:
    if start_ns:
        yield Sample(f"{name}_created", dict(labels), float(seconds(start_ns)))


def _exemplar(found: FoundExemplar | None) -> Exemplar | None:
    if found is None:
        return None
    ids = {"trace_id": found.trace_id, "span_id": found.span_id}
    return Exemplar(ids, found.value, float(seconds(found.time_unix_nano)))
