"""The SDK's metric data as families of series: names and labels worked out, values as they are.

Where several scopes have metrics of one name, the scope is a label, so that no two series are the same. A metric that
another one of the same name contradicts, in kind, and a series that is there twice all the same, are left out and told.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    Histogram,
    Metric,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.prometheus.exemplars import ExemplarMemory, FoundExemplar, Labels, Point
from agentnet_otel.outputs.prometheus.naming import COUNTER, GAUGE, HISTOGRAM, MAX_NAMES, family_name, label_name

Readings = Callable[[], Iterable[MetricsData | None]]
"""What the readers have now, cumulative."""

SCOPE_LABEL: Final = "otel_scope_name"
INFO_NAME: Final = "target"
INFO_HELP: Final = "Where the series come from."

_logger: Final = logging.getLogger("agentnet_otel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Labels, the SDK's newest point, and exemplars by the place of their bucket."""

    labels: Labels
    point: Point
    exemplars: Mapping[int, FoundExemplar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric and its series."""

    name: str
    unit: str
    help: str
    kind: str
    series: list[Series] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All families, and for each resource the labels of its ``target_info``."""

    families: tuple[Family, ...]
    targets: tuple[Labels, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    metric: Metric
    scope: str
    service: Labels


def snapshot(readings: Readings, memory: ExemplarMemory) -> Snapshot:
    """What there is now.

    Raises:
        ConfigurationError: a reader's data is delta, which Prometheus cannot take.
    """
    memory.forget_after_fork()
    found: dict[str, list[_Origin]] = {}
    targets: dict[Labels, None] = {}
    for metric, scope, resource in _metrics(readings()):
        targets[_resource_labels(resource)] = None
        kind = _kind(metric)
        name, _ = family_name(metric.name, metric.unit or "", kind)
        service = (("service_name", str(resource.attributes.get(semconv.SERVICE_NAME, ""))),)
        found.setdefault(name, []).append(_Origin(metric=metric, scope=scope, service=service))
    return Snapshot(families=tuple(_family(origins, memory) for origins in found.values()), targets=tuple(targets))


def _metrics(readings: Iterable[MetricsData | None]) -> Iterator[tuple[Metric, str, Resource]]:
    for data in readings:
        for of_resource in () if data is None else data.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    yield metric, of_scope.scope.name, of_resource.resource


def _kind(metric: Metric) -> str:
    data = metric.data
    temporality = getattr(data, "aggregation_temporality", AggregationTemporality.CUMULATIVE)
    if temporality is AggregationTemporality.DELTA:
        message = (
            f"the reader gives {metric.name} as deltas, and Prometheus needs cumulative values: "
            "make the reader without preferred_temporality"
        )
        raise ConfigurationError(message)
    if isinstance(data, Histogram | ExponentialHistogram):
        return HISTOGRAM
    return COUNTER if isinstance(data, Sum) and data.is_monotonic else GAUGE


def _family(origins: list[_Origin], memory: ExemplarMemory) -> Family:
    first = origins[0].metric
    kind = _kind(first)
    name, unit = family_name(first.name, first.unit or "", kind)
    family = Family(name=name, unit=unit, help=first.description or first.name, kind=kind)
    if len(origins) == 1:
        common = origins[0].service
        for point in _points(first):
            _add(family, _labels(common, point), point, memory)
    else:
        _add_all(family, origins, memory)
    return family


def _add(family: Family, labels: Labels, point: Point, memory: ExemplarMemory) -> None:
    exemplars = memory.newest(family.name, labels, point)
    family.series.append(Series(labels=labels, point=point, exemplars=exemplars))


def _add_all(family: Family, origins: list[_Origin], memory: ExemplarMemory) -> None:
    several_scopes = len({origin.scope for origin in origins}) > 1
    known: set[Labels] = set()
    for origin in origins:
        if _kind(origin.metric) != family.kind:
            _tell_left_out(family.name, f"of scope {origin.scope!r} is no {family.kind} as the first one of that name")
            continue
        common = (*origin.service, (SCOPE_LABEL, origin.scope)) if several_scopes else origin.service
        for point in _points(origin.metric):
            labels = _labels(common, point)
            if labels in known:
                _tell_left_out(family.name, "has a series that another reader or resource has too")
                continue
            known.add(labels)
            _add(family, labels, point, memory)


@lru_cache(MAX_NAMES)
def _tell_left_out(name: str, why: str) -> None:
    _logger.warning("agentnet_otel: a metric for Prometheus is left out: %s %s", name, why)


def _points(metric: Metric) -> Iterable[Point]:
    return metric.data.data_points


def _labels(common: Labels, point: Point) -> Labels:
    attributes = point.attributes
    return common if not attributes else _joined_labels(common, tuple(attributes.items()))


@lru_cache(MAX_NAMES)
def _joined_labels(common: Labels, attributes: tuple[tuple[str, object], ...]) -> Labels:
    """Each name once; of keys that become one name, the values are joined, as the specification says."""
    labels: dict[str, str] = {}
    for key, value in sorted(attributes):
        name, text = label_name(key), _text(value)
        labels[name] = f"{labels[name]};{text}" if name in labels else text
    return (*((name, value) for name, value in common if name not in labels), *labels.items())


def _resource_labels(resource: Resource) -> Labels:
    attributes: Mapping[str, object] = resource.attributes
    return tuple({label_name(key): _text(value) for key, value in attributes.items()}.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(list(value)) if isinstance(value, tuple) else str(value)
