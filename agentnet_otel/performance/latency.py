"""Turn latency by the documented API: measurements, statistics, breakdown, issues.

Statistics are derived when they are asked for, from the newest turns that are kept.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from statistics import fmean, median, stdev
from typing import Any, Final

from agentnet_otel.core.statistics import quantile
from agentnet_otel.core.verdicts import NANOS_PER_MS
from agentnet_otel.model import LatencyComponent, Turn

MAX_MEASUREMENTS: Final = 10_000
"""Turns kept; beyond it the oldest goes."""
_NANOS: Final = 1_000_000_000
_MANY_VIOLATIONS: Final = 2
_MANY_TOOLS: Final = 3
_MEMORY_SHARE: Final = 0.3


@dataclass
class TurnLatencyMeasurement:
    """Latency of one turn, as documented: times in seconds, components in milliseconds."""

    turn_id: str
    agent_id: str
    start_time: float
    end_time: float
    component_latencies: dict[LatencyComponent, float] = field(default_factory=dict)
    prompt_length: int = 0
    response_length: int = 0
    tokens_processed: int = 0
    policy_violations: int = 0
    tools_used: list[str] = field(default_factory=list)

    @property
    def total_latency_ms(self) -> float:
        """The whole turn."""
        return (self.end_time - self.start_time) * 1000

    @property
    def latency_breakdown(self) -> dict[str, float]:
        """Per cent of the turn that each component took; empty for a turn without length."""
        total = self.total_latency_ms
        if total == 0:
            return {}
        return {component.value: ms / total * 100 for component, ms in self.component_latencies.items()}


def latency_of(turn: Turn) -> TurnLatencyMeasurement:
    """The documented measurement of a turn."""
    start = turn.start_ns / _NANOS
    return TurnLatencyMeasurement(
        turn_id=turn.turn_id,
        agent_id=turn.agent,
        start_time=start,
        end_time=start + turn.duration_ns / _NANOS,
        component_latencies={c: own_ns / NANOS_PER_MS for c, own_ns in turn.component_self_ns.items()},
        prompt_length=turn.prompt_length or 0,
        response_length=turn.response_length or 0,
        tokens_processed=turn.tokens.total,
        policy_violations=turn.policy_violations,
        tools_used=list(turn.tools),
    )


class LatencyTracker:
    """Latency of the turns that were recorded. Safe for threads."""

    def __init__(self, max_measurements: int = MAX_MEASUREMENTS) -> None:
        self._turns: deque[Turn] = deque(maxlen=max_measurements)
        self._lock = threading.Lock()

    def record_turn(self, turn: Turn) -> None:
        """Take a turn that ended."""
        with self._lock:
            self._turns.append(turn)

    def get_measurements(self, agent_id: str | None = None, limit: int | None = None) -> list[TurnLatencyMeasurement]:
        """Measurements in order of ending, of one agent or all; ``limit`` gives the newest ones."""
        with self._lock:
            turns = list(self._turns)
        found = [latency_of(turn) for turn in turns if agent_id is None or turn.agent == agent_id]
        if limit is None:
            return found
        return found[-limit:] if limit > 0 else []

    def get_latency_statistics(
        self, agent_id: str | None = None, component: LatencyComponent | str | None = None
    ) -> dict[str, float]:
        """Statistics in milliseconds of the turns, or of a component in the turns that have it; {} without data.

        Raises:
            ValueError: ``component`` is none.
        """
        wanted = LatencyComponent.TOTAL if component is None else LatencyComponent(component)
        measurements = self.get_measurements(agent_id)
        if wanted is LatencyComponent.TOTAL:
            latencies = [m.total_latency_ms for m in measurements]
        else:
            latencies = [m.component_latencies[wanted] for m in measurements if wanted in m.component_latencies]
        return _statistics(sorted(latencies))

    def get_component_breakdown(self, agent_id: str | None = None) -> dict[str, dict[str, Any]]:
        """Average, per cent of the sum of averages, and number of turns, for each component; {} without data."""
        by_component: dict[str, list[float]] = {}
        for measurement in self.get_measurements(agent_id):
            for component, ms in measurement.component_latencies.items():
                by_component.setdefault(component.value, []).append(ms)
        averages = {name: fmean(values) for name, values in by_component.items()}
        whole = sum(averages.values())
        return {
            name: {
                "avg_latency_ms": average,
                "percentage": average / whole * 100 if whole else 0.0,
                "count": len(by_component[name]),
            }
            for name, average in averages.items()
        }

    def identify_performance_issues(
        self, latency_threshold_ms: float = 1000.0, agent_id: str | None = None
    ) -> dict[str, list[str]]:
        """Turns that stand out, by kind; a kind without any has an empty list."""
        measurements = self.get_measurements(agent_id)
        memory_limit = _MEMORY_SHARE * latency_threshold_ms
        memory = [(m.turn_id, m.component_latencies.get(LatencyComponent.MEMORY_ACCESS, 0.0)) for m in measurements]
        return {
            "high_latency_turns": [
                f"{m.turn_id}: {m.total_latency_ms:.2f}ms"
                for m in measurements
                if m.total_latency_ms > latency_threshold_ms
            ],
            "policy_heavy_turns": [
                f"{m.turn_id}: {m.policy_violations} violations"
                for m in measurements
                if m.policy_violations > _MANY_VIOLATIONS
            ],
            "tool_heavy_turns": [
                f"{m.turn_id}: {len(m.tools_used)} tools" for m in measurements if len(m.tools_used) > _MANY_TOOLS
            ],
            "memory_intensive_turns": [
                f"{turn_id}: {ms:.2f}ms memory access" for turn_id, ms in memory if ms > memory_limit
            ],
        }

    def clear_measurements(self) -> None:
        """Forget all turns."""
        with self._lock:
            self._turns.clear()

    def reset_after_fork(self) -> None:
        """Start anew, in a forked child: the turns are the parent's."""
        self._lock = threading.Lock()
        self._turns.clear()


def _statistics(ordered: list[float]) -> dict[str, float]:
    if not ordered:
        return {}
    return {
        "count": len(ordered),
        "mean": fmean(ordered),
        "median": median(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        "stdev": stdev(ordered) if len(ordered) > 1 else 0.0,
        "p95": quantile(ordered, 0.95),
        "p99": quantile(ordered, 0.99),
    }
