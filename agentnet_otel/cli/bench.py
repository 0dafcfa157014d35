"""`bench`: benchmarks on agents of the user."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from agentnet_otel.cli.exit_codes import CRITICAL, REGRESSION, TOO_FEW_TURNS
from agentnet_otel.cli.framework import Argument, Exit, Option
from agentnet_otel.cli.options import (
    Json,
    JUnit,
    Quiet,
    Thresholds,
    threshold_table,
)
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


Agents = Annotated[
    list[str] | None,
    Argument(metavar="[MODULE:FACTORY]...", help="Functions that make an agent; or let --config name them."),
]
Config = Annotated[Path | None, Option(metavar="FILE", help="YAML file with several benchmarks; options go before it.")]
Rate = Annotated[list[float] | None, Option(help="Operations started a second, whatever became of those before.")]
Operation = Annotated[
    str | None, Option(metavar="MODULE:FUNCTION", help="Of an agent and a prompt, in place of the type's.")
]
SaveBaseline = Annotated[
    Path | None,
    Option(metavar="FILE", help="Keep the samples; of several benchmarks a folder with a file each."),
]
Out = Annotated[Path | None, Option(metavar="DIR", help="Write each result as JSON, and the report in every format.")]
Baseline = Annotated[Path | None, Option(metavar="FILE", help="Compare with what --save-baseline wrote there.")]


def bench(  # noqa: PLR0917 - each parameter is an option
    agents: Agents = None,
    config: Config = None,
    type: Annotated[list[str] | None, Option(help="What an operation is; several make a matrix.")] = None,  # noqa: A002 - the option's name
    model: Annotated[list[str] | None, Option(help="Given to the factory as model=...; several make a matrix.")] = None,
    concurrency: Annotated[list[int] | None, Option(help="Workers; several make a matrix.")] = None,
    rate: Rate = None,
    name: Annotated[str | None, Option(help="Of the benchmark, in reports.")] = None,
    operation: Operation = None,
    iterations: Annotated[int | None, Option(help="Operations that are measured; 20 or more.")] = None,
    warmup: Annotated[int | None, Option(help="Operations before, which are not.")] = None,
    timeout: Annotated[float | None, Option(help="Seconds that an operation may take.")] = None,
    agent_count: Annotated[int | None, Option(help="Agents of a team, or at the same time.")] = None,
    turn_count: Annotated[int | None, Option(help="Turns of a conversation.")] = None,
    prompt: Annotated[list[str] | None, Option(help="Prompts, in turn.")] = None,
    rounds: Annotated[int | None, Option(help="Rounds of 1, 2, 4, 8, 8, ... in place of --iterations.")] = None,
    round_seconds: Annotated[float | None, Option(help="Each round is repeated until it lasted so long.")] = None,
    warmup_rounds: Annotated[int | None, Option(help="Rounds of warm-up.")] = None,
    max_latency_ms: Annotated[float | None, Option(help="Limit of the mean latency of a turn.")] = None,
    max_p95_ms: Annotated[float | None, Option(help="Limit of its p95.")] = None,
    max_tokens: Annotated[int | None, Option(help="Limit of the mean tokens of a turn.")] = None,
    max_cost_usd: Annotated[float | None, Option(help="Limit of the mean cost of a turn.")] = None,
    min_success_rate: Annotated[float | None, Option(help="Limit of the success rate, 0 to 1.")] = None,
    thresholds: Thresholds = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    out: Out = None,
    junit: JUnit = None,
    as_json: Json = False,
    quiet: Quiet = False,
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

    settings = _given(
        name=name,
        benchmark_type=type,
        concurrency_level=concurrency,
        rate_per_second=rate,
        operation=operation,
        iterations=iterations,
        warmup_iterations=warmup,
        timeout_seconds=timeout,
        agent_count=agent_count,
        turn_count=turn_count,
        test_prompts=prompt,
        min_rounds=rounds,
        min_time_per_round_s=round_seconds,
        warmup_rounds=warmup_rounds,
        max_turn_latency_ms=max_latency_ms,
        max_p95_latency_ms=max_p95_ms,
        max_tokens_per_turn=max_tokens,
        max_cost_usd=max_cost_usd,
        min_success_rate=min_success_rate,
    )
    table = threshold_table(thresholds)
    plans = _plans(config, settings, agents or (), model or ())
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


def _given(**settings: Any) -> dict[str, Any]:
    """The settings of which the command line says something, by the names that a file has for them."""
    return {key: value for key, value in settings.items() if value not in (None, [])}


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


def _plans(config: Path | None, settings: dict[str, Any], agents: Sequence[str], models: Sequence[str]) -> "list[Plan]":
    from agentnet_otel.performance.plans import plans_of, read_plans  # noqa: PLC0415 - of one command alone

    if config is not None:
        return read_plans(config, settings, agents=agents, models=models)
    operation = settings.pop("operation", None)
    return plans_of(settings, agents=agents, models=models, operation=operation)


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
