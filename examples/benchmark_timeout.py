"""A benchmark that takes too long is cancelled cleanly; what it had measured is kept."""

import asyncio

from agents import AsyncAgent

from agentnet_otel.performance import BenchmarkConfig, BenchmarkType, PerformanceHarness


async def main() -> None:
    """An hour of turns, cancelled after some seconds."""
    harness = PerformanceHarness()
    config = BenchmarkConfig(
        name="too long", benchmark_type=BenchmarkType.SINGLE_TURN, iterations=100_000, warmup_iterations=1
    )

    async def operation(agent: AsyncAgent, prompt: str) -> dict[str, object]:
        return await agent.answer(prompt)

    try:
        await asyncio.wait_for(harness.run_benchmark(config, lambda: AsyncAgent("planner"), operation), timeout=8.0)
    except TimeoutError:
        print("timed out; fewer iterations would have ended in time")
    partial = harness.get_latest_result()
    print("measured until then:", partial is not None and partial.total_operations > 0)


asyncio.run(main())
