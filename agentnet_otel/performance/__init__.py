"""The documented performance API: trackers over turns."""

from agentnet_otel.performance.latency import LatencyTracker, TurnLatencyMeasurement
from agentnet_otel.performance.tokens import TokenMetrics, TokenUtilizationTracker

__all__ = ["LatencyTracker", "TokenMetrics", "TokenUtilizationTracker", "TurnLatencyMeasurement"]
