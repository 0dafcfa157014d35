"""Where the time of turns went: the components, and what none of them accounts for."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from agentnet_otel.core.columns import UNATTRIBUTED, TurnColumns
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.statistics import MIN_MEAN_N, quantile
from agentnet_otel.model import LatencyComponent
from agentnet_otel.outputs.reports.tables.latency import P95, P95_NEEDS


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


def component_rows(turns: TurnColumns) -> tuple[ComponentRow, ...]:
    """Components by their share of the time, and what no component accounts for."""
    whole_ns = sum(turns.durations_ns)
    rows = [
        _component_row(component.value, turns.own_ns[component].values, turns.component_calls[component], whole_ns)
        for component in LatencyComponent
        if component in turns.own_ns
    ]
    rows.sort(key=lambda row: -row.total_ms)
    rest = [rest_ns for rest_ns in turns.unattributed_ns if rest_ns > 0]
    if rest:
        rows.append(_component_row(UNATTRIBUTED, rest, 0, whole_ns))
    return tuple(rows)


def component_means_ms(turns: TurnColumns) -> dict[str, float]:
    """Self time of a turn in each component, in the order of the enumeration, and what is in none."""
    scale = NANOS_PER_MS * len(turns)
    found = {c.value: sum(turns.own_ns[c].values) / scale for c in LatencyComponent if c in turns.own_ns}
    rest_ns = sum(turns.unattributed_ns)
    return {**found, UNATTRIBUTED: rest_ns / scale} if rest_ns else found


def component_means_of_agents_ms(turns: TurnColumns) -> dict[str, dict[str, float]]:
    """The same of the turns of each agent."""
    agents = turns.agents
    number = Counter(agents)
    found: dict[str, dict[str, float]] = {agent: {} for agent in number}
    for component in LatencyComponent:
        spent_ns: defaultdict[str, float] = defaultdict(int)
        told = turns.own_ns.get(component)
        for place, own_ns in () if told is None else told.pairs():
            spent_ns[agents[place]] += own_ns
        for agent, own_ns in spent_ns.items():
            found[agent][component.value] = own_ns / (NANOS_PER_MS * number[agent])
    rests_ns: defaultdict[str, int] = defaultdict(int)
    for agent, rest_ns in zip(agents, turns.unattributed_ns, strict=True):
        rests_ns[agent] += rest_ns
    for agent, rest_ns in rests_ns.items():
        if rest_ns:
            found[agent][UNATTRIBUTED] = rest_ns / (NANOS_PER_MS * number[agent])
    return found


def _component_row(name: str, own_ns: Sequence[float], calls: int, whole_ns: int) -> ComponentRow:
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
