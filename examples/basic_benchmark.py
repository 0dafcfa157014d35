"""A benchmark of single turns."""

import asyncio

from agents import Agent

from agentnet_otel.performance import BenchmarkConfig, BenchmarkType, PerformanceHarness


async def main() -> None:
    """Ten turns, each of a new agent."""
    config = BenchmarkConfig(name="single turns", benchmark_type=BenchmarkType.SINGLE_TURN, iterations=10)
    result = await PerformanceHarness().run_benchmark(config, lambda: Agent("planner"))
    print(f"Success rate: {result.success_rate:.1%} of {result.total_operations}")
    print(f"Tokens per turn: {result.avg_tokens_per_turn:.0f}")
    for warning in result.warnings:
        print(f"Warning: {warning}")


asyncio.run(main())
