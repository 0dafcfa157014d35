"""Latency over time: turns told in stretches of equal length, by when they started."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.columns import TurnColumns
from agentnet_otel.core.statistics import quantile
from agentnet_otel.outputs.reports.tables.latency import P95, P95_NEEDS

MAX_TIMES: Final = 48
"""Stretches of time that latency over time is told in, at most."""
TURNS_PER_TIME: Final = 8
"""Turns that a stretch has on average, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRow:
    """The turns that started in one stretch of time; ``failed`` of them did."""

    start_ns: int
    end_ns: int
    turns: int
    failed: int
    median_ms: float
    p95_ms: float
    p95_sufficient: bool


def time_rows(turns: TurnColumns) -> tuple[TimeRow, ...]:
    """Latency over time, by the start of the turns; stretches without a turn are left out."""
    if not turns:
        return ()
    first_ns, last_ns = min(turns.starts_ns), max(turns.starts_ns)
    stretches = max(1, min(MAX_TIMES, len(turns) // TURNS_PER_TIME))
    width_ns = max(1, -(-(last_ns - first_ns + 1) // stretches))
    latencies: defaultdict[int, list[float]] = defaultdict(list)
    for start_ns, latency_ms in zip(turns.starts_ns, turns.latencies_ms, strict=True):
        latencies[(start_ns - first_ns) // width_ns].append(latency_ms)
    failed = Counter((turns.starts_ns[place] - first_ns) // width_ns for place in turns.incidents.failures)
    rows = []
    for place in sorted(latencies):
        ordered = sorted(latencies[place])
        rows.append(
            TimeRow(
                start_ns=first_ns + place * width_ns,
                end_ns=first_ns + (place + 1) * width_ns,
                turns=len(ordered),
                failed=failed[place],
                median_ms=quantile(ordered, 0.5),
                p95_ms=quantile(ordered, P95),
                p95_sufficient=len(ordered) >= P95_NEEDS,
            )
        )
    return tuple(rows)
