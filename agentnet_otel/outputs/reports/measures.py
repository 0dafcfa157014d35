"""The figures of findings that no limit judges: what they are of, with an interval where one is defined."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.columns import TurnColumns
from agentnet_otel.core.statistics import Interval, interval_of_sums, quantile, quantile_interval, wilson_interval
from agentnet_otel.outputs.reports.tables.latency import P95
from agentnet_otel.outputs.reports.tables.tools_and_violations import ToolRow
from agentnet_otel.outputs.reports.wording import NOT_AVAILABLE, decimals, percentage, whole_milliseconds

PERCENT: Final = "%"
MS: Final = "ms"
RATIO: Final = ""
_WHOLE: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure: ``value`` and ``interval`` in ``unit`` (``%``, ``ms``, or empty), of ``n`` values.

    ``limit``: the documented one, in words, of the finding that rests on it; None where there is none.
    """

    name: str
    unit: str
    value: float
    interval: Interval | None
    n: int | None
    limit: str | None = None


def measure_text(value: float | None, unit: str) -> str:
    """A value with its unit."""
    if value is None:
        return NOT_AVAILABLE
    if unit == PERCENT:
        return percentage(value)
    return f"{whole_milliseconds(value)} ms" if unit == MS else decimals(value)


def measure_interval_text(measure: Measure) -> str:
    """Both ends with their unit; a dash where no interval is defined, or too few values allow none."""
    if measure.interval is None:
        return "-"
    return " .. ".join(measure_text(end, measure.unit) for end in (measure.interval.low, measure.interval.high))


def share_of_violating(turns: TurnColumns) -> Measure:
    """Turns that violated a rule, whichever, of all."""
    return _share("turns that violated a rule", turns.incidents.violating_turns, len(turns))


def share_of_failed_calls(tool: ToolRow) -> Measure:
    """Calls of a tool that failed."""
    return _share("calls of the tool that failed", tool.failures, tool.calls)


def latency_p95(agent: str, turns: TurnColumns) -> Measure:
    """The p95 of an agent's turns."""
    ordered = sorted([ms for ms, its in zip(turns.latencies_ms, turns.agents, strict=True) if its == agent])
    interval = quantile_interval(ordered, P95)
    return Measure(
        name="turn latency of the agent (p95)", unit=MS, value=quantile(ordered, P95), interval=interval, n=len(ordered)
    )


def share_of_time(component: str, turns: TurnColumns) -> Measure:
    """The time in a component, of the time of all turns; turns of one session are taken together in the interval."""
    clusters = [place if session is None else session for place, session in enumerate(turns.sessions)]
    wholes_ns: defaultdict[int | str, int] = defaultdict(int)
    for cluster, duration_ns in zip(clusters, turns.durations_ns, strict=True):
        wholes_ns[cluster] += duration_ns
    owns_ns: defaultdict[int | str, float] = defaultdict(int)
    for place, own_ns in turns.times_in(component):
        owns_ns[clusters[place]] += own_ns
    timed = [(float(owns_ns[cluster]), whole_ns) for cluster, whole_ns in wholes_ns.items() if whole_ns]
    share = sum(own for own, _ in timed) / sum(whole for _, whole in timed) if timed else 0.0
    return Measure(
        name=f"share of {component} in the time of all turns",
        unit=PERCENT,
        value=_WHOLE * share,
        interval=_percents(interval_of_sums(timed)),
        n=len(turns),
    )


def _share(name: str, some: int, n: int) -> Measure:
    interval = _percents(wilson_interval(some, n))
    return Measure(name=name, unit=PERCENT, value=_WHOLE * some / n if n else 0.0, interval=interval, n=n)


def _percents(shares: Interval | None) -> Interval | None:
    """As percentages, within what a share can be."""
    if shares is None:
        return None
    return Interval(low=_WHOLE * max(0.0, shares.low), high=_WHOLE * min(1.0, shares.high))
