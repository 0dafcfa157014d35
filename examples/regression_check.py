"""A baseline, and a later run beside it: a regression is told only where test and effect agree."""

import asyncio
import tempfile
from pathlib import Path

from agents import Agent

from agentnet_otel.performance import BenchmarkConfig, BenchmarkResult, BenchmarkType, PerformanceHarness
from agentnet_otel.performance.baseline import Baseline


async def measure(seconds: float) -> BenchmarkResult:
    """Forty turns of an agent that takes so long."""
    config = BenchmarkConfig(name="turns", benchmark_type=BenchmarkType.SINGLE_TURN, iterations=40)
    return await PerformanceHarness().run_benchmark(config, lambda: Agent("planner", seconds=seconds))


async def main(path: Path) -> None:
    """Save a baseline, then compare a slower version with it."""
    Baseline.of_benchmark(await measure(0.02)).save(path)
    comparison = Baseline.load(path).compare(await measure(0.06))
    print("regressed:", [metric.metric.value for metric in comparison.regressions])


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(Path(folder) / "baseline.json"))
