"""Several agents in one operation, by an operation of one's own."""

import asyncio

from agents import AsyncAgent

from agentnet_otel.performance import BenchmarkConfig, BenchmarkType, PerformanceHarness

TEAM = ("planner", "critic", "writer")


async def discuss(agents: list[AsyncAgent], prompt: str) -> dict[str, bool]:
    """Each agent answers once."""
    answers = [await agent.answer(prompt) for agent in agents]
    return {"success": all(answer["success"] for answer in answers)}


async def main() -> None:
    """Two discussions at a time."""
    config = BenchmarkConfig(
        name="discussion",
        benchmark_type=BenchmarkType.MULTI_AGENT,
        iterations=6,
        concurrency_level=2,
        agent_count=3,
        turn_count=4,
        timeout_seconds=60.0,
    )
    result = await PerformanceHarness().run_benchmark(config, lambda: [AsyncAgent(name) for name in TEAM], discuss)
    print(f"{result.successful_operations} of {result.total_operations} discussions, {len(result.turns)} turns")


asyncio.run(main())
