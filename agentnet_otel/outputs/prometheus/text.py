"""Families as text: OpenMetrics 1.0, or the classic format, which has no exemplars, units and start times.

A scrape runs in the application's process, so this is written for speed: prometheus_client's writer sorts and escapes
each label of each sample, which here is done once a series.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from opentelemetry.sdk.metrics.export import HistogramDataPoint, NumberDataPoint
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CLASSIC_TYPE
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_TYPE
from prometheus_client.utils import floatToGoString

from agentnet_otel.outputs.prometheus.exemplars import (
    FoundExemplar,
    HistogramPoint,
    Labels,
    seconds,
)
from agentnet_otel.outputs.prometheus.families import INFO_HELP, INFO_NAME, Family, Snapshot
from agentnet_otel.outputs.prometheus.naming import COUNTER, GAUGE, HISTOGRAM, MAX_NAMES

INFINITY: Final = "+Inf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposition:
    """A scrape's answer."""

    body: bytes
    content_type: str


def openmetrics(shown: Snapshot) -> Exposition:
    """OpenMetrics with exemplars."""
    lines: list[str] = []
    for family in shown.families:
        lines.append(f"# HELP {family.name} {_escaped(family.help)}\n# TYPE {family.name} {family.kind}\n")
        if family.unit:
            lines.append(f"# UNIT {family.name} {family.unit}\n")
        _WRITERS[family.kind](lines, family)
    lines += _target_lines(shown, f"# HELP {INFO_NAME} {INFO_HELP}\n# TYPE {INFO_NAME} info\n")
    lines.append("# EOF\n")
    return Exposition(body="".join(lines).encode(), content_type=OPENMETRICS_TYPE)


def classic(shown: Snapshot) -> Exposition:
    """The text format of before."""
    lines: list[str] = []
    for family in shown.families:
        name = f"{family.name}_total" if family.kind == COUNTER else family.name
        help_text = family.help.replace("\\", r"\\").replace("\n", r"\n")
        lines.append(f"# HELP {name} {help_text}\n# TYPE {name} {family.kind}\n")
        for series in family.series:
            inside, point = label_text(series.labels), series.point
            if isinstance(point, NumberDataPoint):
                lines.append(f"{name}{{{inside}}} {number(point.value)}\n")
            else:
                lines += [f"{start} {count}\n" for start, count in _buckets(family.name, inside, point)]
                lines.append(_count_and_sum(family.name, inside, point))
    name = f"{INFO_NAME}_info"
    lines += _target_lines(shown, f"# HELP {name} {INFO_HELP}\n# TYPE {name} gauge\n")
    return Exposition(body="".join(lines).encode(), content_type=CLASSIC_TYPE)


def number(value: float) -> str:
    """A value as both formats write it."""
    return str(value) if isinstance(value, int) else floatToGoString(value)


@lru_cache(MAX_NAMES)
def label_text(labels: Labels) -> str:
    """What stands between the braces."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


@lru_cache(MAX_NAMES)
def edges(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """The values of ``le``."""
    return (*map(floatToGoString, bounds), INFINITY)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _counters(lines: list[str], family: Family) -> None:
    name = family.name
    for series in family.series:
        inside, point = label_text(series.labels), series.point
        if isinstance(point, NumberDataPoint):
            exemplar = series.exemplars.get(0)
            lines.append(
                f"{name}_total{{{inside}}} {number(point.value)}{_exemplar_text(exemplar)}\n"
                f"{_created(name, inside, point.start_time_unix_nano)}"
            )


def _gauges(lines: list[str], family: Family) -> None:
    lines.extend(
        f"{family.name}{{{label_text(series.labels)}}} {number(series.point.value)}\n"
        for series in family.series
        if isinstance(series.point, NumberDataPoint)
    )


def _histograms(lines: list[str], family: Family) -> None:
    name = family.name
    for series in family.series:
        inside, point, exemplars = label_text(series.labels), series.point, series.exemplars
        if isinstance(point, NumberDataPoint):
            continue
        for place, (start, count) in enumerate(_buckets(name, inside, point)):
            lines.append(f"{start} {count}{_exemplar_text(exemplars.get(place))}\n")
        lines.append(_count_and_sum(name, inside, point) + _created(name, inside, point.start_time_unix_nano))


_WRITERS: Final[dict[str, Callable[[list[str], Family], None]]] = {
    COUNTER: _counters,
    GAUGE: _gauges,
    HISTOGRAM: _histograms,
}


def bucket_counts(point: HistogramPoint) -> Iterator[tuple[str, int]]:
    """``le`` and cumulative count. An exponential histogram has no fixed edges: all it has is one bucket."""
    if isinstance(point, HistogramDataPoint):
        return zip(edges(tuple(point.explicit_bounds)), accumulate(point.bucket_counts), strict=True)
    return iter([(INFINITY, point.count)])


def _buckets(name: str, inside: str, point: HistogramPoint) -> Iterator[tuple[str, int]]:
    head = f'{name}_bucket{{{inside}{"," if inside else ""}le="'
    for edge, count in bucket_counts(point):
        yield f'{head}{edge}"}}', count


def _count_and_sum(name: str, inside: str, point: HistogramPoint) -> str:
    return f"{name}_count{{{inside}}} {point.count}\n{name}_sum{{{inside}}} {number(point.sum)}\n"


def _created(name: str, inside: str, start_ns: int | None) -> str:
    """When the series began, so that its first value counts; nothing where the SDK does not know."""
    return f"{name}_created{{{inside}}} {seconds(start_ns)}\n" if start_ns else ""


def _exemplar_text(exemplar: FoundExemplar | None) -> str:
    if exemplar is None:
        return ""
    ids = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f" # {{{ids}}} {number(exemplar.value)} {seconds(exemplar.time_unix_nano)}"


def _target_lines(shown: Snapshot, head: str) -> Iterable[str]:
    if shown.targets:
        yield head
        yield from (f"{INFO_NAME}_info{{{label_text(labels)}}} 1\n" for labels in shown.targets)
