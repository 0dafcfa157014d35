"""`bench`: benchmarks on agents of the user."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from agentnet_otel.cli import options
from agentnet_otel.cli.exit_codes import CRITICAL, REGRESSION, TOO_FEW_TURNS
from agentnet_otel.cli.framework import FILE, Exit, argument, command, option
from agentnet_otel.cli.standard_streams import tell, write
from agentnet_otel.cli.verdict_output import print_comparison, tell_ci
from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.thresholds import Verdict
from agentnet_otel.core.verdicts import worst
from agentnet_otel.outputs import console
from agentnet_otel.outputs.gate import Gate
from agentnet_otel.outputs.json_text import indented_json
from agentnet_otel.outputs.reports.comparisons import comparison_object
from agentnet_otel.outputs.reports.verdict_json import verdict_object

if TYPE_CHECKING:
    from agentnet_otel.performance.batch import Batch
    from agentnet_otel.performance.plans import Plan
    from agentnet_otel.wiring.benchmarks import Benchmarked


class _Settings(TypedDict):
    """What is said of a benchmark, by the names that a file has for it."""

    benchmark_type: Sequence[str]
    concurrency_level: Sequence[int]
    rate_per_second: Sequence[float]
    name: str | None
    operation: str | None
    iterations: int | None
    warmup_iterations: int | None
    timeout_seconds: float | None
    agent_count: int | None
    turn_count: int | None
    test_prompts: Sequence[str]
    min_rounds: int | None
    min_time_per_round_s: float | None
    warmup_rounds: int | None
    max_turn_latency_ms: float | None
    max_p95_latency_ms: float | None
    max_tokens_per_turn: int | None
    max_cost_usd: float | None
    min_success_rate: float | None


@command
@argument(
    "agents",
    nargs=-1,
    metavar="[MODULE:FACTORY]...",
    help="Functions that make an agent; or let --config name them.",
)
@option("--config", metavar="FILE", type=FILE, help="YAML file with several benchmarks; options go before it.")
@option("--type", "benchmark_type", metavar="TYPE", multiple=True, help="What an operation is; several make a matrix.")
@option(
    "--model", "models", metavar="TEXT", multiple=True, help="Given to the factory as model=...; several make a matrix."
)
@option(
    "--concurrency", "concurrency_level", metavar="N", type=int, multiple=True, help="Workers; several make a matrix."
)
@option(
    "--rate",
    "rate_per_second",
    metavar="X",
    type=float,
    multiple=True,
    help="Operations started a second, whatever became of those before.",
)
@option("--name", metavar="TEXT", help="Of the benchmark, in reports.")
@option("--operation", metavar="MODULE:FUNCTION", help="Of an agent and a prompt, in place of the type's.")
@option("--iterations", metavar="N", type=int, help="Operations that are measured; 20 or more.")
@option("--warmup", "warmup_iterations", metavar="N", type=int, help="Operations before, which are not.")
@option("--timeout", "timeout_seconds", metavar="X", type=float, help="Seconds that an operation may take.")
@option("--agent-count", metavar="N", type=int, help="Agents of a team, or at the same time.")
@option("--turn-count", metavar="N", type=int, help="Turns of a conversation.")
@option("--prompt", "test_prompts", metavar="TEXT", multiple=True, help="Prompts, in turn.")
@option("--rounds", "min_rounds", metavar="N", type=int, help="Rounds of 1, 2, 4, 8, 8, ... in place of --iterations.")
@option(
    "--round-seconds",
    "min_time_per_round_s",
    metavar="X",
    type=float,
    help="Each round is repeated until it lasted so long.",
)
@option("--warmup-rounds", metavar="N", type=int, help="Rounds of warm-up.")
@option("--max-latency-ms", "max_turn_latency_ms", metavar="X", type=float, help="Limit of the mean latency of a turn.")
@option("--max-p95-ms", "max_p95_latency_ms", metavar="X", type=float, help="Limit of its p95.")
@option("--max-tokens", "max_tokens_per_turn", metavar="N", type=int, help="Limit of the mean tokens of a turn.")
@option("--max-cost-usd", metavar="X", type=float, help="Limit of the mean cost of a turn.")
@option("--min-success-rate", metavar="X", type=float, help="Limit of the success rate, 0 to 1.")
@options.thresholds
@option("--baseline", metavar="FILE", type=FILE, help="Compare with what --save-baseline wrote there.")
@option(
    "--save-baseline",
    metavar="FILE",
    type=FILE,
    help="Keep the samples; of several benchmarks a folder with a file each.",
)
@option("--out", metavar="DIR", type=FILE, help="Write each result as JSON, and the report in every format.")
@options.junit
@options.as_json
@options.quiet
def bench(
    *,
    agents: Sequence[str],
    config: Path | None,
    models: Sequence[str],
    thresholds: Path | None,
    baseline: Path | None,
    save_baseline: Path | None,
    out: Path | None,
    junit: Path | None,
    as_json: bool,
    quiet: bool,
    **settings: Unpack[_Settings],
) -> None:
    """Run benchmarks on your agents, judge them by the limits, and by a baseline.

    Types: single_turn, multi_turn, multi_agent, concurrent_agents, tool_heavy, memory_intensive. Ctrl-C ends it, and
    what was measured is told and written all the same.

    Exit code 10: past a critical limit, or one of your own; 11: worse than the baseline; 12: fewer than 20 turns on a
    side.

    Example: agentnet-otel bench my_agents:make_planner --iterations 50 --save-baseline baseline.json

    Example: agentnet-otel bench --config benchmarks.yaml --baseline baselines --out results
    """
    from agentnet_otel.wiring import benchmarks  # noqa: PLC0415 - only who runs it

    table = options.threshold_table(thresholds)
    plans = _plans(config, settings, agents, models)
    names = [plan.config.name for plan in plans]
    before = benchmarks.read_baselines(baseline, names)
    kept = {} if save_baseline is None else benchmarks.baseline_files(save_baseline, names)
    found = benchmarks.benchmarked(_run(plans, out, quiet=quiet), table, before)
    code = _bench_code(found)
    _tell_bench(found, code, junit, as_json=as_json, quiet=quiet)
    _write_bench(found, out, kept)
    if found.batch.interrupted:
        raise KeyboardInterrupt
    raise Exit(code)


def _run(plans: "Sequence[Plan]", out: Path | None, *, quiet: bool) -> "Batch":
    """Run the benchmarks, and tell how far they are."""
    from agentnet_otel.performance.batch import run_plans  # noqa: PLC0415 - only who runs it

    with console.progress_of_several(len(plans), quiet=quiet) as progress:
        return run_plans(plans, output_dir=out, progress=lambda plan, ended, of: progress(plan.config.name, ended, of))


def _tell_bench(found: "Benchmarked", code: int, junit: Path | None, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        write(indented_json(_bench_object(found, code)), None)
    else:
        _print_bench(found, remarks=not quiet)
    gate = Gate(
        command="bench",
        verdicts=found.report.verdicts,
        comparisons=found.comparisons,
        turns=found.turns,
        code=code,
        missed=found.missed,
    )
    tell_ci(gate, junit, as_json=as_json)


def _plans(config: Path | None, settings: _Settings, agents: Sequence[str], models: Sequence[str]) -> "list[Plan]":
    from agentnet_otel.performance.plans import plans_of, read_plans  # noqa: PLC0415 - of one command alone

    said = {name: value for name, value in settings.items() if value not in {None, ()}}
    if config is not None:
        return read_plans(config, said, agents=agents, models=models)
    return plans_of(said, agents=agents, models=models, operation=settings["operation"])


def _bench_code(found: "Benchmarked") -> int:
    if worst(found.report.verdicts) is Verdict.FAIL or found.missed:
        return CRITICAL
    if any(comparison.regressions for _, comparison in found.comparisons):
        return REGRESSION
    few = found.turns < MIN_MEAN_N or any(comparison.too_few for _, comparison in found.comparisons)
    return TOO_FEW_TURNS if few else 0


def _bench_object(found: "Benchmarked", code: int) -> dict[str, Any]:
    from agentnet_otel.wiring.benchmarks import result_objects  # noqa: PLC0415 - of one command alone

    return {
        "verdict": worst(found.report.verdicts).value,
        "exit_code": code,
        "interrupted": found.batch.interrupted,
        "verdicts": [verdict_object(row) for row in found.report.verdicts],
        "limits_not_kept": list(found.missed),
        "comparisons": [{"benchmark": name, **comparison_object(one)} for name, one in found.comparisons],
        "results": result_objects(found),
    }


def _print_bench(found: "Benchmarked", *, remarks: bool) -> None:
    console.print_benchmarks(found.report)
    console.print_verdicts(found.report.verdicts)
    console.print_lines([f"Limit not kept: {text}." for text in found.missed])
    for name, comparison in found.comparisons:
        console.print_lines([f"Compared with the baseline{f' of {name}' if name else ''}:"])
        print_comparison(comparison, remarks=remarks)
    if remarks:
        console.print_prose(
            f"{result.config.name}: {warning}" for result in found.batch.results for warning in result.warnings
        )


def _write_bench(found: "Benchmarked", out: Path | None, kept: Mapping[str, Path]) -> None:
    """The report, and baselines into the files that are theirs. Of a run that was stopped no baseline is kept.

    Told on standard error, for standard output may be JSON.
    """
    from agentnet_otel.wiring import benchmarks  # noqa: PLC0415 - of one command alone

    if out is not None:
        for path in benchmarks.write_reports(found, out):
            tell(f"the report is in {path}")
    if kept and found.batch.interrupted:
        tell("the run was stopped, so no baseline was written")
    elif kept:
        for path in benchmarks.save_baselines(found, kept):
            tell(f"a baseline is in {path}")
