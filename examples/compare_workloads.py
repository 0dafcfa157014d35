"""Several types of benchmark on the same agent, side by side."""

import asyncio

from agents import Agent

from agentnet_otel.performance import BenchmarkConfig, BenchmarkType, PerformanceHarness


async def main() -> None:
    """Single turns, conversations, and agents at once."""
    harness = PerformanceHarness()
    for kind in (BenchmarkType.SINGLE_TURN, BenchmarkType.MULTI_TURN, BenchmarkType.CONCURRENT_AGENTS):
        config = BenchmarkConfig(name=kind.value, benchmark_type=kind, iterations=5, agent_count=2, turn_count=3)
        result = await harness.run_benchmark(config, lambda: Agent("planner"))
        print(f"{kind.value}: {len(result.turns)} turns in {result.total_operations} operations")
    print(
        "kept:",
        len(harness.get_results_history()),
        "results,",
        len(harness.latency_tracker.get_measurements()),
        "turns",
    )


asyncio.run(main())
