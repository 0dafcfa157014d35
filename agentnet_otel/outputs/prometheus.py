"""The SDK's metric data as Prometheus reads it: OpenMetrics with exemplars, or the classic text.

The SDK's own exporter for Prometheus has no exemplars, breaks on exponential histograms and mixes up labels where two
scopes share a name. Here each scrape turns the data of one or more readers into families of prometheus_client, which
prints them. Names follow OpenTelemetry's rules for Prometheus: dots become underscores, the unit is a suffix, counters
end in ``_total``, gauges of unit 1 in ``_ratio``; ``service_name`` stands on every series.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CLASSIC_TYPE
from prometheus_client.exposition import generate_latest as classic_text
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_TYPE
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_text
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from agentnet_otel import semconv

Readings = Callable[[], Iterable[MetricsData | None]]
"""What the readers have now, cumulative."""

_NANOS: Final = 1e9
_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent"}
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_]")
_OPENMETRICS: Final = "application/openmetrics-text"
_TARGET_INFO: Final = "target"
_MAX_NAMES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposition:
    """A scrape's answer."""

    body: bytes
    content_type: str


class SdkCollector(Collector):
    """A collector over the data of readers, for any registry of prometheus_client."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Family]:
        """The families, each once, with the series of all readers."""
        families: dict[str, Family] = {}
        resources: dict[Resource, None] = {}
        for data in self._readings():
            for of_resource in () if data is None else data.resource_metrics:
                resources[of_resource.resource] = None
                common = {"service_name": str(of_resource.resource.attributes.get(semconv.SERVICE_NAME, ""))}
                for of_scope in of_resource.scope_metrics:
                    for metric in of_scope.metrics:
                        _add(families, metric, common)
        yield from families.values()
        if resources:
            yield _target_info(resources)


def expose(collector: Collector, accept: str) -> Exposition:
    """The answer to a scrape: OpenMetrics where the caller takes it, else the classic text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    if _OPENMETRICS in accept:
        return Exposition(body=openmetrics_text(registry), content_type=OPENMETRICS_TYPE)
    return Exposition(body=classic_text(registry), content_type=CLASSIC_TYPE)


def _add(families: dict[str, Family], metric: Metric, common: Mapping[str, str]) -> None:
    """Put a metric's series into its family. Exponential histograms have no classic form; nothing of ours is one."""
    data = metric.data
    if isinstance(data, Histogram):
        family = _family(families, metric, "histogram")
        for point in data.data_points:
            family.samples.extend(_histogram_samples(family.name, {**common, **_labels(point)}, point))
    elif isinstance(data, Sum) and data.is_monotonic:
        family = _family(families, metric, "counter")
        for number in data.data_points:
            family.samples.extend(_counter_samples(family.name, {**common, **_labels(number)}, number))
    elif isinstance(data, Sum | Gauge):
        family = _family(families, metric, "gauge")
        for number in data.data_points:
            family.samples.append(Sample(family.name, {**common, **_labels(number)}, number.value))


def _family(families: dict[str, Family], metric: Metric, kind: str) -> Family:
    name, unit = _name_of(metric.name, metric.unit or "", kind)
    family = families.get(name)
    if family is None:
        family = families[name] = Family(name, metric.description or metric.name, kind, unit)
    return family


@lru_cache(_MAX_NAMES)
def _name_of(name: str, unit: str, kind: str) -> tuple[str, str]:
    """Name and unit of a family. What prometheus_client adds to samples (``_total``, ``_bucket``) is not in it."""
    plain = _NOT_IN_NAMES.sub("_", name)
    suffix = _UNITS.get(unit, "")
    if unit == semconv.UNIT_RATIO and kind == "gauge":
        suffix = "ratio"
    if suffix and not plain.endswith(f"_{suffix}"):
        plain = f"{plain}_{suffix}"
    return plain, suffix


@lru_cache(_MAX_NAMES)
def _label_name(key: str) -> str:
    return _NOT_IN_NAMES.sub("_", key)


def _labels(point: HistogramDataPoint | NumberDataPoint) -> dict[str, str]:
    return {_label_name(key): str(value) for key, value in (point.attributes or {}).items()}


def _counter_samples(name: str, labels: dict[str, str], point: NumberDataPoint) -> Iterator[Sample]:
    newest = max(point.exemplars, key=lambda exemplar: exemplar.time_unix_nano, default=None)
    yield Sample(f"{name}_total", labels, point.value, None, None if newest is None else _exemplar(newest))
    yield Sample(f"{name}_created", labels, (point.start_time_unix_nano or 0) / _NANOS)


def _histogram_samples(name: str, labels: dict[str, str], point: HistogramDataPoint) -> Iterator[Sample]:
    """Buckets with the newest exemplar of each, count, sum and start."""
    bounds = (*point.explicit_bounds, float("inf"))
    exemplars = _by_bucket(point, bounds)
    for bound, count in zip(bounds, accumulate(point.bucket_counts), strict=True):
        yield Sample(f"{name}_bucket", {**labels, "le": floatToGoString(bound)}, count, None, exemplars.get(bound))
    yield Sample(f"{name}_count", labels, point.count)
    yield Sample(f"{name}_sum", labels, point.sum)
    yield Sample(f"{name}_created", labels, (point.start_time_unix_nano or 0) / _NANOS)


def _by_bucket(point: HistogramDataPoint, bounds: tuple[float, ...]) -> dict[float, Exemplar]:
    found: dict[float, Exemplar] = {}
    for exemplar in sorted(point.exemplars, key=lambda one: one.time_unix_nano):
        found[next(bound for bound in bounds if exemplar.value <= bound)] = _exemplar(exemplar)
    return found


def _exemplar(exemplar: SdkExemplar) -> Exemplar:
    ids = {}
    if exemplar.trace_id is not None and exemplar.span_id is not None:
        ids = {"trace_id": format(exemplar.trace_id, "032x"), "span_id": format(exemplar.span_id, "016x")}
    return Exemplar(ids, exemplar.value, exemplar.time_unix_nano / _NANOS)


def _target_info(resources: Iterable[Resource]) -> Family:
    family = Family(_TARGET_INFO, "What the series come from.", "info")
    for resource in resources:
        labels = {_label_name(key): str(value) for key, value in resource.attributes.items()}
        family.samples.append(Sample(f"{_TARGET_INFO}_info", labels, 1))
    return family
