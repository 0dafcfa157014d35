"""The documented performance API: the benchmark harness, and trackers over turns."""

from agentnet_otel.performance.harness import BenchmarkConfig, BenchmarkResult, BenchmarkType
from agentnet_otel.performance.latency import LatencyTracker, TurnLatencyMeasurement
from agentnet_otel.performance.tokens import TokenMetrics, TokenUtilizationTracker

__all__ = [
    "BenchmarkConfig",
    "BenchmarkResult",
    "BenchmarkType",
    "LatencyTracker",
    "TokenMetrics",
    "TokenUtilizationTracker",
    "TurnLatencyMeasurement",
]
