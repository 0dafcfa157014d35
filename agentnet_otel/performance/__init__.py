"""The documented performance API: the benchmark harness, and trackers over turns."""

from agentnet_otel.performance.harness import BenchmarkConfig, BenchmarkResult, BenchmarkType, PerformanceHarness
from agentnet_otel.performance.latency import LatencyComponent, LatencyTracker, TurnLatencyMeasurement
from agentnet_otel.performance.tokens import TokenCategory, TokenMetrics, TokenUtilizationTracker

__all__ = [
    "BenchmarkConfig",
    "BenchmarkResult",
    "BenchmarkType",
    "LatencyComponent",
    "LatencyTracker",
    "PerformanceHarness",
    "TokenCategory",
    "TokenMetrics",
    "TokenUtilizationTracker",
    "TurnLatencyMeasurement",
]
