"""The documented performance API: the benchmark harness, trackers over turns, and reports.

Each name is loaded when it is first used: the trackers are part of every instrumented application, benchmarks are not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentnet_otel.performance.harness import BenchmarkConfig, BenchmarkResult, BenchmarkType, PerformanceHarness
    from agentnet_otel.performance.installation import install as install
    from agentnet_otel.performance.installation import uninstall as uninstall
    from agentnet_otel.performance.latency import LatencyComponent, LatencyTracker, TurnLatencyMeasurement
    from agentnet_otel.performance.reports import PerformanceReporter, ReportFormat
    from agentnet_otel.performance.tokens import TokenCategory, TokenMetrics, TokenUtilizationTracker

# `install` and `uninstall` are ours: they stand beside the documented names, which `import *` gives, not among them.
__all__ = [
    "BenchmarkConfig",
    "BenchmarkResult",
    "BenchmarkType",
    "LatencyComponent",
    "LatencyTracker",
    "PerformanceHarness",
    "PerformanceReporter",
    "ReportFormat",
    "TokenCategory",
    "TokenMetrics",
    "TokenUtilizationTracker",
    "TurnLatencyMeasurement",
]

_HOMES = {
    "installation": ("install", "uninstall"),
    "harness": ("BenchmarkConfig", "BenchmarkResult", "BenchmarkType", "PerformanceHarness"),
    "latency": ("LatencyComponent", "LatencyTracker", "TurnLatencyMeasurement"),
    "reports": ("PerformanceReporter", "ReportFormat"),
    "tokens": ("TokenCategory", "TokenMetrics", "TokenUtilizationTracker"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
