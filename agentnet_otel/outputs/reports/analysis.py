"""What the documented report says of benchmarks and of trackers, beside what it says of turns.

Durations are milliseconds, money is USD, shares are 0 to 1. What a tracker answers is kept as it answers it, for its
keys are documented.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Answer = Mapping[str, object]
"""What a tracker answers: plain data under documented keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One benchmark. ``latency_ms``: mean of its turns; ``passed``: whether it kept all its limits."""

    name: str
    type: str
    operations: int
    failed: int
    latency_ms: float
    p95_ms: float
    success_rate: float
    ops_per_sec: float
    tokens_per_turn: float
    cost_per_turn_usd: float | None
    passed: bool
    completed: bool = True
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean, smallest and largest of the figures of several benchmarks; the p95 is of latencies only."""

    avg: float
    min: float
    max: float
    p95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkAnalysis:
    """All benchmarks, at least one. The spread of latency is that of their means."""

    rows: tuple[BenchmarkRow, ...]
    latency: Spread
    throughput: Spread
    success: Spread

    @property
    def passed(self) -> int:
        """How many kept all their limits."""
        return sum(row.passed for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLatency:
    """One agent's latency, as the tracker answers."""

    statistics: Answer
    issues: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyAnalysis:
    """A latency tracker's turns, at least one."""

    measurements: int
    statistics: Answer
    components: Mapping[str, Answer]
    issues: Mapping[str, tuple[str, ...]]
    agents: Mapping[str, AgentLatency]
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTokens:
    """One agent's tokens: totals for a table, and what the tracker answers."""

    turns: int
    input_tokens: int
    output_tokens: int
    efficiency: float
    cost_usd: float
    summary: Answer
    opportunities: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnalysis:
    """A token tracker's turns, at least one. ``assumed_cost_usd``: the part of the cost that nobody knows."""

    overview: Answer
    opportunities: Mapping[str, tuple[str, ...]]
    recommendations: tuple[str, ...]
    agents: Mapping[str, AgentTokens]
    total_tokens: int
    efficiency: float
    assumed_cost_usd: float = 0.0
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkTrend:
    """The latest benchmark against the first, in per cent of the first; None where that was 0.

    ``latency_ms`` and ``success_rates`` are those of both.
    """

    latency: str
    success: str
    latency_ms: tuple[float, float]
    success_rates: tuple[float, float]
    latency_change_pct: float | None
    success_change_pct: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTrend:
    """The newest tenth of the turns against all, in per cent of these; None where that is 0."""

    trend: str
    overall: float
    recent: float
    change_pct: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """What changed; None where there is nothing to compare. Latency: p95 in ms; cost: mean USD of a turn."""

    benchmarks: BenchmarkTrend | None = None
    latency: RecentTrend | None = None
    cost: RecentTrend | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The documented analyses; None where nothing was given. Of hand-filled trackers this is all there is."""

    benchmarks: BenchmarkAnalysis | None = None
    latency: LatencyAnalysis | None = None
    tokens: TokenAnalysis | None = None
    trends: Trends = field(default_factory=Trends)
    total_tokens: int = 0
    efficiency: float = 0.0

    @property
    def benchmark_count(self) -> int:
        """How many benchmarks there are."""
        return 0 if self.benchmarks is None else len(self.benchmarks.rows)

    @property
    def pass_share(self) -> float:
        """Share of the benchmarks that passed; 0 without any, as documented."""
        return 0.0 if self.benchmarks is None else self.benchmarks.passed / len(self.benchmarks.rows)

    @property
    def mean_latency_ms(self) -> float:
        """Mean of the benchmarks' mean latencies; 0 without any, as documented."""
        return 0.0 if self.benchmarks is None else self.benchmarks.latency.avg
