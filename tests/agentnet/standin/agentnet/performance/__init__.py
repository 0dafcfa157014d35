"""The framework's own trackers, as far as its providers use them."""

from .latency import LatencyComponent, LatencyTracker
from .tokens import TokenUtilizationTracker

__all__ = ["LatencyComponent", "LatencyTracker", "TokenUtilizationTracker"]
