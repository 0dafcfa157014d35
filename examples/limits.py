"""Limits that decide whether a benchmark passed."""

import asyncio

from agents import Agent

from agentnet_otel.performance import BenchmarkConfig, BenchmarkType, PerformanceHarness


async def main() -> None:
    """The same limits, and an agent on each side of them."""
    harness = PerformanceHarness()
    for name, usd in (("thrifty", 0.001), ("costly", 0.2)):
        config = BenchmarkConfig(
            name=name,
            benchmark_type=BenchmarkType.SINGLE_TURN,
            iterations=20,
            max_turn_latency_ms=2000.0,
            max_cost_usd=0.05,
        )
        result = await harness.run_benchmark(config, lambda usd=usd, name=name: Agent(name, usd=usd))
        print(f"{name}: ${result.avg_cost_usd:.3f} per turn, {'passed' if result.passed_thresholds else 'failed'}")


asyncio.run(main())
