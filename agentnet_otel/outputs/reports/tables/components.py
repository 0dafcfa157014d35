"""Where the time of turns went: the components, and what none of them accounts for."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.statistics import MIN_MEAN_N, quantile
from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.outputs.reports.tables.latency import P95, P95_NEEDS

UNATTRIBUTED: Final = "unattributed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """One component: its self time over all turns, and its share of the time of all turns.

    Mean and p95 are those of the turns that have it; the flags tell whether these are enough.
    """

    component: str
    turns: int
    calls: int
    total_ms: float
    share: float
    mean_ms: float
    p95_ms: float
    mean_sufficient: bool
    p95_sufficient: bool


def component_rows(turns: Sequence[Turn]) -> tuple[ComponentRow, ...]:
    """Components by their share of the time, and what no component accounts for."""
    whole_ns = sum(turn.duration_ns for turn in turns)
    rows = []
    for component in LatencyComponent:
        own = [turn.component_self_ns[component] for turn in turns if component in turn.component_self_ns]
        if own:
            calls = sum(turn.component_counts.get(component, 0) for turn in turns)
            rows.append(_component_row(component.value, own, calls, whole_ns))
    rows.sort(key=lambda row: -row.total_ms)
    rest = [turn.unattributed_ns for turn in turns if turn.unattributed_ns > 0]
    if rest:
        rows.append(_component_row(UNATTRIBUTED, rest, 0, whole_ns))
    return tuple(rows)


def component_means_ms(turns: Sequence[Turn]) -> dict[str, float]:
    """Self time of a turn in each component, in the order of the enumeration, and what is in none."""
    if not turns:
        return {}
    spent_ns = dict.fromkeys(LatencyComponent, 0)
    seen = set()
    rest_ns = 0
    for turn in turns:
        rest_ns += turn.unattributed_ns
        for component, own_ns in turn.component_self_ns.items():
            spent_ns[component] += own_ns
            seen.add(component)
    scale = NANOS_PER_MS * len(turns)
    found = {component.value: own_ns / scale for component, own_ns in spent_ns.items() if component in seen}
    return {**found, UNATTRIBUTED: rest_ns / scale} if rest_ns else found


def _component_row(name: str, own_ns: Sequence[int], calls: int, whole_ns: int) -> ComponentRow:
    ordered = sorted(value / NANOS_PER_MS for value in own_ns)
    total_ms = sum(own_ns) / NANOS_PER_MS
    return ComponentRow(
        component=name,
        turns=len(ordered),
        calls=calls,
        total_ms=total_ms,
        share=sum(own_ns) / whole_ns if whole_ns else 0.0,
        mean_ms=fmean(ordered),
        p95_ms=quantile(ordered, P95),
        mean_sufficient=len(ordered) >= MIN_MEAN_N,
        p95_sufficient=len(ordered) >= P95_NEEDS,
    )
