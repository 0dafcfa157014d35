"""Several benchmarks, one after the other; what was measured is kept, however they end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentnet_otel.performance.benchmark import BenchmarkResult
from agentnet_otel.performance.harness import PerformanceHarness
from agentnet_otel.performance.plans import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The results of plans, in order; of ones that were interrupted the last holds what it had by then."""

    plans: tuple[Plan, ...]
    results: tuple[BenchmarkResult, ...]
    interrupted: bool = False


def run_plans(
    plans: Sequence[Plan],
    *,
    output_dir: Path | None = None,
    progress: Callable[[Plan, int, int], None] | None = None,
) -> Batch:
    """Run benchmarks; an interrupt (Ctrl-C) ends the batch, and what was measured is kept.

    ``output_dir``: each result goes there as JSON. ``progress`` hears of each plan how many operations have ended, of
    how many.

    Raises:
        ConfigurationError: a factory is not there, or the folder cannot be made.
    """
    ready = [(plan, plan.agent_factory(), plan.operation_func()) for plan in plans]  # before anything dear runs
    harness = PerformanceHarness() if output_dir is None else PerformanceHarness(output_dir)
    for plan, factory, operation in ready:
        told = None if progress is None else _of(plan, progress)
        try:
            asyncio.run(harness.run_benchmark(plan.config, factory, operation, progress=told))
        except KeyboardInterrupt:
            results = tuple(harness.get_results_history())
            return Batch(plans=tuple(plans[: len(results)]), results=results, interrupted=True)
    return Batch(plans=tuple(plans), results=tuple(harness.get_results_history()))


def _of(plan: Plan, progress: Callable[[Plan, int, int], None]) -> Callable[[int, int], None]:
    return lambda ended, of: progress(plan, ended, of)
