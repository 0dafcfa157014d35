"""The report on a benchmark and the trackers of its turns, in each format."""

import asyncio
import tempfile
from pathlib import Path

from agents import Agent

from agentnet_otel.performance import (
    BenchmarkConfig,
    BenchmarkType,
    PerformanceHarness,
    PerformanceReporter,
    ReportFormat,
)


async def main(folder: str) -> None:
    """Measure, then write."""
    harness = PerformanceHarness()
    config = BenchmarkConfig(name="for the report", benchmark_type=BenchmarkType.SINGLE_TURN, iterations=20)
    result = await harness.run_benchmark(config, lambda: Agent("planner"))
    reporter = PerformanceReporter(output_dir=folder)
    for form in ReportFormat:
        path = reporter.generate_comprehensive_report(
            benchmark_results=[result],
            latency_tracker=harness.latency_tracker,
            token_tracker=harness.token_tracker,
            format=form,
        )
        print(f"{form.value}: {Path(path).suffix}, {'written' if Path(path).stat().st_size else 'empty'}")


with tempfile.TemporaryDirectory() as reports:
    asyncio.run(main(reports))
