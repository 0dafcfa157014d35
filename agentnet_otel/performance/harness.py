"""The performance harness: runs a benchmark on agents and says how long, how much, and how well."""

from agentnet_otel.performance.benchmark import BenchmarkConfig, BenchmarkResult, BenchmarkType

__all__ = ["BenchmarkConfig", "BenchmarkResult", "BenchmarkType"]
