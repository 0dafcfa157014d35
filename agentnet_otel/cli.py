"""The command line: thin. Each command reads its arguments, calls what does the work, and picks the exit code.

What only one command needs is imported by it, so that the others start without it.
"""

import gc
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from agentnet_otel._version import __version__
from agentnet_otel.core.assembler import QUIET_NS, Counts
from agentnet_otel.core.observations import observation_of
from agentnet_otel.core.regression import Comparison
from agentnet_otel.core.running_verdicts import RunningVerdicts
from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.thresholds import ThresholdTable, Verdict
from agentnet_otel.core.trace_window import row_window, whole_window
from agentnet_otel.core.turn_row import TurnRow, end_of_row, observation_of_row
from agentnet_otel.core.verdicts import Judgement, worst
from agentnet_otel.demo.plan import SPANS_FILE, DemoSource
from agentnet_otel.errors import AgentNetOtelError, BackendError, ConfigurationError, MissingExtraError, reason_of
from agentnet_otel.model import MetricsMode, Turn
from agentnet_otel.outputs import console
from agentnet_otel.outputs.gate import Gate
from agentnet_otel.outputs.json_text import indented_json
from agentnet_otel.outputs.reports.comparisons import comparison_object, comparison_remarks, regression_lines
from agentnet_otel.outputs.reports.verdict_json import verdict_object
from agentnet_otel.outputs.reports.wording import plain
from agentnet_otel.outputs.turn_rows import row_in, row_line, turn_line
from agentnet_otel.prices import installed
from agentnet_otel.sources.access import read_access
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import Rebuilt, TurnStream, rebuild
from agentnet_otel.sources.threshold_file import read_thresholds

if TYPE_CHECKING:
    from agentnet_otel.demo.run import DemoResult
    from agentnet_otel.outputs.reports.runs import Run
    from agentnet_otel.performance.baseline import Baseline
    from agentnet_otel.performance.plans import Plan
    from agentnet_otel.sources.follow import Follower
    from agentnet_otel.wiring.benchmarks import Benchmarked

from agentnet_otel.sources.share import MAX_JOBS
from agentnet_otel.wiring.jobs import SharedTurns, can_share

try:
    import typer
except ImportError as _error:
    _package = "typer"
    raise MissingExtraError(_package, "cli") from _error

FAILURE: Final = 1
USAGE: Final = 2
CRITICAL: Final = 10
REGRESSION: Final = 11
TOO_FEW_TURNS: Final = 12

_NEW_OBJECTS: Final = 100_000
"""Objects after which garbage is looked for, where many are held."""

_OBJECTS_BETWEEN_COLLECTIONS: Final = 200_000
_DAY_NS: Final = 86_400_000_000_000
QUIET_S: Final = QUIET_NS / 1_000_000_000

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Turns of agents out of OpenTelemetry spans: verdicts, reports, rows.",
)

Sources = Annotated[
    list[str],
    typer.Argument(metavar="SOURCE", help="Files of spans (OTLP JSON), directories, or - for standard input."),
]
Thresholds = Annotated[Path | None, typer.Option(help="YAML file with limits of your own.", metavar="FILE")]
TraceUrl = Annotated[
    str | None, typer.Option(metavar="TEMPLATE", help="Link of a trace: ...{trace_id}..., also {span_id}.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no remarks; errors are told.")]
GroupCalls = Annotated[
    bool, typer.Option("--group-calls", help="Take the calls of a trace that lie in no turn for one turn.")
]
JUnit = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write what was judged as JUnit XML.")]
Jobs = Annotated[
    int,
    typer.Option("-j", "--jobs", min=1, max=MAX_JOBS, help="So many processes read files together."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. An error is one sentence on standard error."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="agentnet-otel")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except AgentNetOtelError as error:
        _tell(str(error))
        wrong_use = isinstance(error, ConfigurationError) and not isinstance(error, MissingExtraError)
        return USAGE if wrong_use else FAILURE
    return 0


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"agentnet-otel {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turns of agents out of OpenTelemetry spans: verdicts, reports, rows."""
    del version


@app.command()
def demo(
    turns: Annotated[int, typer.Option(min=1, max=100_000, help="About how many turns.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same workload.")] = 1,
    source: Annotated[DemoSource, typer.Option(help="Whose agents run.")] = DemoSource.AUTO,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where spans and reports go.")] = Path("demo-out"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run agents, turn their spans into turns, and the turns into a verdict and a report.

    Example: agentnet-otel demo --turns 200 --seed 1 --out demo-out
    """
    from agentnet_otel.demo.run import run_demo  # noqa: PLC0415 - of this command alone

    try:
        with console.progress("running turns", turns, quiet=quiet) as tick:
            result = run_demo(source, turns, seed, out, tick)
    except KeyboardInterrupt:
        _tell(f"stopped; the spans of the turns so far are in {out / SPANS_FILE}")
        raise
    if as_json:
        _write(indented_json(_demo_object(result)), None)
    else:
        _print_demo(result, remarks=not quiet)


@app.command()
def turns(
    sources: Sources,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Read on as files grow; print each turn when it is complete.")
    ] = False,
    quiet_period: Annotated[
        float | None, typer.Option(min=0.0, help="With --follow: seconds of quiet that complete a turn [default: 5].")
    ] = None,
    jobs: Jobs = 1,
    group_calls: GroupCalls = False,
    quiet: Quiet = False,
) -> None:
    """Print one JSON object a line for each turn, in order of ending.

    With --follow a turn is printed again, with a higher revision, when a span of it comes late.

    Example: agentnet-otel turns demo-out/spans.jsonl | head -3

    Example: agentnet-otel turns --follow /var/log/otel
    """
    if follow and jobs > 1:
        message = "--follow reads as fast as files grow, with one process; leave --jobs out"
        raise ConfigurationError(message)
    if follow:
        _follow(sources, QUIET_S if quiet_period is None else quiet_period, group_calls=group_calls, quiet=quiet)
        return
    if quiet_period is not None:
        message = "--quiet-period needs --follow: without it the sources end, and with them their turns"
        raise ConfigurationError(message)
    with console.progress("reading spans", quiet=quiet) as tick, _collecting_seldom():
        reading: TurnStream[TurnRow] | SharedTurns
        if _shares(sources, jobs, quiet=quiet):
            reading = SharedTurns(sources, jobs, tick, group_calls=group_calls)
            for line in reading.in_order():
                sys.stdout.buffer.write(line)
        else:
            reading = TurnStream(sources, row_window(group_calls=group_calls, prices=installed()), tick)
            for row in reading.in_order():
                sys.stdout.buffer.write(row_line(row))
    sys.stdout.buffer.flush()
    _tell_reading(reading, quiet=quiet)
    raise typer.Exit(_code(reading))


def _shares(sources: Sequence[str], jobs: int, *, quiet: bool) -> bool:
    """Whether several processes read; where they cannot, that is told."""
    if jobs == 1 or can_share(sources):
        return jobs > 1
    if not quiet:
        _tell("--jobs is for files and directories; these sources are read by one process")
    return False


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Look for cycles seldom while millions of objects, which have none, come and go."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _follow(sources: Sequence[str], quiet_s: float, *, group_calls: bool, quiet: bool) -> None:
    """Print turns until the sources end, the reader goes away, or a signal comes; then what is open, as it is."""
    from agentnet_otel.sources.follow import Follower  # noqa: PLC0415 - of this option alone

    follower = Follower(sources, quiet_s=quiet_s, group_calls=group_calls, prices=installed())
    with console.interruption() as interrupted:
        for complete in follower.turns():
            _print_turns(complete)
            for problem in follower.read.take_problems():
                if not quiet:
                    _tell(problem)
            if interrupted.is_set():
                break
            if console.reader_is_gone(sys.stdout):
                raise BrokenPipeError
        _print_turns(follower.rest())
    _tell_reading(follower, quiet=quiet)
    if interrupted.is_set():
        raise KeyboardInterrupt


def _print_turns(complete: Sequence[Turn]) -> None:
    for turn in complete:
        sys.stdout.buffer.write(turn_line(turn))
    if complete:
        sys.stdout.buffer.flush()


@app.command()
def report(
    sources: Sources,
    format: Annotated[str, typer.Option("--format", help="md, html, json or csv.")] = "md",  # noqa: A002 - the option's name
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Instead of standard output.")
    ] = None,
    thresholds: Thresholds = None,
    trace_url: TraceUrl = None,
    group_calls: GroupCalls = False,
    quiet: Quiet = False,
) -> None:
    """Write a report on the turns: verdicts, latency, components, tokens, cost, slowest turns.

    Several sources are also told side by side, a run each; of two it is told what changed.

    Example: agentnet-otel report demo-out/spans.jsonl --format md -o report.md
    """
    from agentnet_otel.outputs.reports.formats import known_format, render  # noqa: PLC0415 - of this command alone
    from agentnet_otel.wiring.reporting import checked_trace_url, make_report  # noqa: PLC0415 - of this command alone

    form = known_format(format)
    table, template = _table(thresholds), checked_trace_url(trace_url)
    with _few_collections():
        rebuilt = _rebuild(sources, group_calls=group_calls, quiet=quiet)
        content = make_report(
            rebuilt.turns,
            rebuilt.counts,
            read=rebuilt.read,
            thresholds=table,
            trace_url=template,
            environment=rebuilt.environment,
            runs=_runs(sources, rebuilt),
            documented=form == "json",
        )
        _write(render(content, form), output)
    raise typer.Exit(_code(rebuilt))


@app.command()
def check(
    sources: Sources,
    thresholds: Thresholds = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with what --save-baseline wrote there.")
    ] = None,
    save_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep these turns, to compare later ones with them.")
    ] = None,
    junit: JUnit = None,
    jobs: Jobs = 1,
    group_calls: GroupCalls = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge the turns by the limits, and by a baseline.

    On GitHub Actions it also writes annotations and the summary of the job.

    Exit code 10: past a critical limit; 11: worse than the baseline; 12: fewer than 20 turns on a side.

    Example: agentnet-otel check demo-out/spans.jsonl --save-baseline baseline.json

    Example: agentnet-otel check new.jsonl --baseline baseline.json --thresholds limits.yaml
    """
    from agentnet_otel.performance.baseline import Baseline, BaselineBuilder  # noqa: PLC0415 - of this command alone

    table = _table(thresholds)
    before = None if baseline is None else Baseline.load(baseline)
    running, kept = RunningVerdicts(table), BaselineBuilder()
    with console.progress("reading spans", quiet=quiet) as tick, _collecting_seldom():
        stream: TurnStream[TurnRow] | TurnStream[Turn] | SharedTurns
        if table.models:  # rows do not tell which of its models a turn is taken for
            if jobs > 1 and not quiet:
                _tell("--jobs does not go with limits of models; one process reads")
            stream = TurnStream(sources, whole_window(group_calls=group_calls, prices=installed()), tick)
        elif _shares(sources, jobs, quiet=quiet):
            stream = SharedTurns(sources, jobs, tick, group_calls=group_calls)
        else:
            stream = TurnStream(sources, row_window(group_calls=group_calls, prices=installed()), tick)
        for told in stream.in_order():
            if isinstance(told, Turn):
                seen, models, end_ns = observation_of(told), told.models, told.end_ns
            else:
                row = row_in(told) if isinstance(told, bytes) else told
                seen, models, end_ns = observation_of_row(row), row.models, end_of_row(row)
            running.add(seen)
            kept.add(seen, models, end_ns)
    _tell_reading(stream, quiet=quiet)
    verdicts = running.judgements()
    now = kept.built(environment=stream.environment)
    comparison = None if before is None else before.compare(now)
    code = _check_code(verdicts, comparison, running.turns, stream)
    gate = Gate(
        command="check",
        verdicts=verdicts,
        comparisons=() if comparison is None else [("", comparison)],
        turns=running.turns,
        code=code,
    )
    if as_json:
        _write(indented_json(_check_object(verdicts, comparison, running.turns, code)), None)
    else:
        _print_check(verdicts, comparison, running.turns, remarks=not quiet)
    _tell_ci(gate, junit, as_json=as_json)
    if save_baseline is not None:
        _save_baseline(now, save_baseline, stream.read)
    raise typer.Exit(code)


@app.command()
def bench(  # noqa: PLR0917 - each parameter is an option
    agents: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODULE:FACTORY]...", help="Functions that make an agent; or let --config name them."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file with several benchmarks; options go before it.")
    ] = None,
    type: Annotated[list[str] | None, typer.Option(help="What an operation is; several make a matrix.")] = None,  # noqa: A002 - the option's name
    model: Annotated[
        list[str] | None, typer.Option(help="Given to the factory as model=...; several make a matrix.")
    ] = None,
    concurrency: Annotated[list[int] | None, typer.Option(help="Workers; several make a matrix.")] = None,
    rate: Annotated[
        list[float] | None, typer.Option(help="Operations started a second, whatever became of those before.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the benchmark, in reports.")] = None,
    operation: Annotated[
        str | None, typer.Option(metavar="MODULE:FUNCTION", help="Of an agent and a prompt, in place of the type's.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(help="Operations that are measured; 20 or more.")] = None,
    warmup: Annotated[int | None, typer.Option(help="Operations before, which are not.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that an operation may take.")] = None,
    agent_count: Annotated[int | None, typer.Option(help="Agents of a team, or at the same time.")] = None,
    turn_count: Annotated[int | None, typer.Option(help="Turns of a conversation.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="Prompts, in turn.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of 1, 2, 4, 8, 8, ... in place of --iterations.")] = None,
    round_seconds: Annotated[float | None, typer.Option(help="Each round is repeated until it lasted so long.")] = None,
    warmup_rounds: Annotated[int | None, typer.Option(help="Rounds of warm-up.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(help="Limit of the mean latency of a turn.")] = None,
    max_p95_ms: Annotated[float | None, typer.Option(help="Limit of its p95.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Limit of the mean tokens of a turn.")] = None,
    max_cost_usd: Annotated[float | None, typer.Option(help="Limit of the mean cost of a turn.")] = None,
    min_success_rate: Annotated[float | None, typer.Option(help="Limit of the success rate, 0 to 1.")] = None,
    thresholds: Thresholds = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with what --save-baseline wrote there.")
    ] = None,
    save_baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the samples; of several benchmarks a folder with a file each."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each result as JSON, and the report in every format.")
    ] = None,
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
    from agentnet_otel.performance.batch import run_plans  # noqa: PLC0415 - of this command alone
    from agentnet_otel.wiring import benchmarks  # noqa: PLC0415 - of this command alone

    table = _table(thresholds)
    settings = {
        "name": name,
        "benchmark_type": type,
        "concurrency_level": concurrency,
        "rate_per_second": rate,
        "operation": operation,
        "iterations": iterations,
        "warmup_iterations": warmup,
        "timeout_seconds": timeout,
        "agent_count": agent_count,
        "turn_count": turn_count,
        "test_prompts": prompt,
        "min_rounds": rounds,
        "min_time_per_round_s": round_seconds,
        "warmup_rounds": warmup_rounds,
        "max_turn_latency_ms": max_latency_ms,
        "max_p95_latency_ms": max_p95_ms,
        "max_tokens_per_turn": max_tokens,
        "max_cost_usd": max_cost_usd,
        "min_success_rate": min_success_rate,
    }
    plans = _plans(
        config, {key: value for key, value in settings.items() if value not in (None, [])}, agents or (), model or ()
    )
    names = [plan.config.name for plan in plans]
    before = benchmarks.read_baselines(baseline, names)
    with console.progress_of_several(len(plans), quiet=quiet) as progress:
        batch = run_plans(plans, output_dir=out, progress=lambda plan, ended, of: progress(plan.config.name, ended, of))
    found = benchmarks.benchmarked(batch, table, before)
    code = _bench_code(found)
    if as_json:
        _write(indented_json(_bench_object(found, code)), None)
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
    _tell_ci(gate, junit, as_json=as_json)
    _write_bench(found, names, out, save_baseline)
    if batch.interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(code)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="What was before: a source, as of `report`.")],
    now: Annotated[str, typer.Argument(metavar="B", help="What is now.")],
    thresholds: Thresholds = None,
    group_calls: GroupCalls = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell two runs side by side: percentiles, components, tokens, cost, and what changed most.

    It judges nothing by its exit code; `check --baseline` does.

    Example: agentnet-otel diff before.jsonl after.jsonl
    """
    from agentnet_otel.outputs.reports.json_report import runs_object  # noqa: PLC0415 - of this command alone
    from agentnet_otel.outputs.reports.run_blocks import diff_document  # noqa: PLC0415 - of this command alone
    from agentnet_otel.outputs.reports.runs import Run, runs_of, with_names  # noqa: PLC0415 - of this command alone

    table = _table(thresholds)
    both = [_rebuild([source], group_calls=group_calls, quiet=quiet) for source in (before, now)]
    runs = [Run(name=name, turns=read.turns) for name, read in zip((before, now), both, strict=True)]
    found = runs_of(with_names(runs), table)
    if as_json:
        _write(indented_json(runs_object(found)), None)
    else:
        console.print_document(diff_document(found))
    raise typer.Exit(max(map(_code, both)))


@app.command()
def doctor(
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Look at a Prometheus: series, labels, rules, limits.")
    ] = None,
    thresholds: Thresholds = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell what is found, hooked, skipped, exported where, with what result, and what to change.

    With -q only what to change is told.

    Example: agentnet-otel doctor --json

    Example: agentnet-otel doctor --prometheus http://localhost:9090
    """
    if prometheus is not None:
        _examine(prometheus, _table(thresholds), as_json=as_json, quiet=quiet)
        return
    from agentnet_otel.wiring.diagnosis import diagnose, diagnosis_lines  # noqa: PLC0415 - of this command alone

    diagnosis = diagnose()
    if as_json:
        _write(indented_json(diagnosis), None)
    else:
        console.print_prose(diagnosis.advice if quiet else diagnosis_lines(diagnosis))


def _examine(url: str, table: ThresholdTable, *, as_json: bool, quiet: bool) -> None:
    """Look at a Prometheus, and tell."""
    from agentnet_otel.sources.prometheus_api import PrometheusApi  # noqa: PLC0415 - of this command alone
    from agentnet_otel.wiring.prometheus_diagnosis import examine  # noqa: PLC0415 - of this command alone

    findings = examine(PrometheusApi(url), table)
    if as_json:
        _write(indented_json({"prometheus": url, "findings": findings}), None)
        return
    for finding in findings:
        if finding.change or not quiet:
            console.print_prose([finding.what, *([f"  {finding.change}"] if finding.change else [])])


@app.command()
def rules(
    thresholds: Thresholds = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Instead of standard output; a directory gets two files."),
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="For native histograms.")] = False,
    openslo: Annotated[bool, typer.Option("--openslo", help="The objectives as OpenSLO instead.")] = False,
    runbooks: Annotated[str | None, typer.Option(metavar="URL", help="Where the runbooks are.")] = None,
    grafana: Annotated[str | None, typer.Option(metavar="URL", help="Where the dashboards are.")] = None,
    jaeger: Annotated[str | None, typer.Option(metavar="URL", help="Where the traces are.")] = None,
) -> None:
    """Write recording and alerting rules for Prometheus, from the limits.

    Example: agentnet-otel rules --thresholds limits.yaml -o agentnet.rules.yml
    """
    from agentnet_otel.outputs.rules import catalogue  # noqa: PLC0415 - of this command alone
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - of this command alone
    from agentnet_otel.outputs.rules.openslo import openslo as objectives  # noqa: PLC0415 - of this command alone

    table = _table(thresholds)
    if openslo:
        _write(objectives(table), output)
        return
    options = catalogue.RuleOptions(table=table, links=links_of(runbooks, grafana, jaeger), native=native)
    if output is None or not output.is_dir():
        _write(catalogue.all_rules(options), output)
        return
    for name, text in catalogue.rule_files(options).items():
        _write(text, output / name)


@app.command()
def dashboards(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where the files go.")] = Path(
        "dashboards"
    ),
    thresholds: Thresholds = None,
    runbooks: Annotated[str | None, typer.Option(metavar="URL", help="Where the runbooks are.")] = None,
    jaeger: Annotated[str | None, typer.Option(metavar="URL", help="Where the traces are.")] = None,
    quiet: Quiet = False,
) -> None:
    """Write dashboards for Grafana, with the lines of the limits.

    Example: agentnet-otel dashboards -o dashboards
    """
    from agentnet_otel.outputs.dashboards import catalogue, grafana  # noqa: PLC0415 - needs the extra `dashboards`
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - of this command alone

    specs = catalogue.dashboards(_table(thresholds))
    for name, text in grafana.dashboard_files(specs, links_of(runbooks, None, jaeger)).items():
        _write(text, output / name)
        if not quiet:
            _tell(f"{output / name}")


def _demo_object(result: "DemoResult") -> dict[str, Any]:
    report = result.report
    return {
        "source": result.source.value,
        "turns": report.turns,
        "spans": report.quality.spans,
        "outcomes": report.outcomes,
        "verdict": worst(report.verdicts).value,
        "verdicts": [verdict_object(row) for row in report.verdicts],
        "findings": report.findings,
        "files": [str(path) for path in result.files],
    }


def _print_demo(result: "DemoResult", *, remarks: bool) -> None:
    report = result.report
    whose = "AgentNet" if result.source is DemoSource.AGENTNET else "the built-in agents"
    console.print_lines([f"{report.turns:,} turns of {whose}, {report.quality.spans:,} spans", ""])
    console.print_verdicts(report.verdicts)
    findings = [f"  {place}. {finding}" for place, finding in enumerate(report.findings, 1)]
    console.print_prose(["", "What matters most:", *findings])
    lines = ["", "Written:", *(f"  {path}" for path in result.files)]
    if remarks:
        program, spans = _program(), shlex.quote(str(result.files[0]))
        lines += [
            "",
            "Try next:",
            f"  {program} report {spans} --format md",
            f"  {program} check {spans}",
            f"  {program} turns {spans} | head -3",
            f"  {program} doctor",
        ]
    console.print_lines(lines)


def _program() -> str:
    """How this command was called, so that what is told to try next can be pasted."""
    called = Path(sys.argv[0])
    if called.suffix == ".py":
        return f"{shlex.quote(sys.executable)} -m agentnet_otel"
    on_path = shutil.which(called.name)
    if on_path is not None and Path(on_path).resolve() == called.resolve():
        return called.name
    return shlex.quote(str(called))


@app.command()
def serve(
    *,
    otlp_grpc: Annotated[str | None, typer.Option(metavar="ADDR", help="Receive OTLP over gRPC at host:port.")] = None,
    otlp_http: Annotated[str | None, typer.Option(metavar="ADDR", help="Receive OTLP over HTTP at host:port.")] = None,
    web: Annotated[
        str | None, typer.Option(metavar="ADDR", help="Serve turns, reports and health at host:port.")
    ] = None,
    store: Annotated[Path, typer.Option(metavar="DIR", help="Where requests and turns are kept.")] = Path(
        "agentnet-otel-store"
    ),
    thresholds: Thresholds = None,
    keep_days: Annotated[float, typer.Option(min=0.0, help="How long turns are kept, from their arrival.")] = 14.0,
    keep_mb: Annotated[int, typer.Option(min=1, help="How much room turns may need.")] = 4096,
    quiet_period: Annotated[
        float, typer.Option(min=0.0, help="Seconds of quiet after which a turn is complete.")
    ] = 5.0,
    metrics: Annotated[
        MetricsMode, typer.Option(help="Count turns that their own application did not count, all, or none.")
    ] = MetricsMode.AUTO,
    max_backlog_mb: Annotated[
        int, typer.Option(min=1, help="How much may wait on the disk to be understood, before senders have to wait.")
    ] = 4096,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Callers need the token in it.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM).")] = None,
    allow_plaintext: Annotated[
        bool, typer.Option(help="Beyond this machine, but something in front encrypts.")
    ] = False,
    trace_url: TraceUrl = None,
) -> None:
    """Receive spans, keep them, and serve the turns that they are, until SIGTERM or Ctrl-C.

    Without any address it listens at 127.0.0.1: 4317 (gRPC), 4318 (HTTP) and 9464 (web). A browser shows the turns as
    they arrive at the web address.

    Example: agentnet-otel serve --otlp-grpc 127.0.0.1:4317 --web 127.0.0.1:9464 --store spans
    """
    from agentnet_otel.service import command  # noqa: PLC0415 - needs the extra `service`
    from agentnet_otel.wiring.reporting import checked_trace_url  # noqa: PLC0415 - of this command alone

    command.run(
        command.settings_of(
            otlp_grpc,
            otlp_http,
            web,
            store=store,
            thresholds=_table(thresholds),
            keep_days=keep_days,
            keep_mb=keep_mb,
            quiet_period_s=quiet_period,
            metrics=metrics,
            max_backlog_mb=max_backlog_mb,
            access=read_access(token_file, tls_cert, tls_key),
            allow_plaintext=allow_plaintext,
            trace_url=checked_trace_url(trace_url),
        )
    )


@app.command()
def view(
    sources: Sources,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port at 127.0.0.1; 0 takes one that is free.")] = 0,
    thresholds: Thresholds = None,
    trace_url: TraceUrl = None,
    group_calls: GroupCalls = False,
    quiet: Quiet = False,
) -> None:
    """Show turns in a browser: verdicts, the turns, where each one's time went, the report. Until Ctrl-C.

    Prints the address of the page, which only this machine can open.

    Example: agentnet-otel view demo-out/spans.jsonl
    """
    from agentnet_otel.service import view as viewing  # noqa: PLC0415 - needs the extra `service`
    from agentnet_otel.wiring.reporting import checked_trace_url  # noqa: PLC0415 - of this command alone

    table, template = _table(thresholds), checked_trace_url(trace_url)
    with _few_collections():
        rebuilt = _rebuild(sources, group_calls=group_calls, quiet=quiet)
    viewing.run(rebuilt, port, table, template, lambda address: _write(f"{address}\n", None))
    raise typer.Exit(_code(rebuilt))


store_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What `serve` keeps.\n\nExample: agentnet-otel store purge --help"
)
app.add_typer(store_app, name="store")


@store_app.command()
def purge(
    store: Annotated[Path, typer.Argument(metavar="DIR", help="The store of `serve`, which must not be running.")],
    *,
    session: Annotated[list[str] | None, typer.Option(metavar="ID", help="Of this session. May be repeated.")] = None,
    trace: Annotated[list[str] | None, typer.Option(metavar="ID", help="This trace. May be repeated.")] = None,
    older_than_days: Annotated[float | None, typer.Option(min=0.0, help="What arrived longer ago than this.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything, damaged files too.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Erase sessions, traces or times from a store: the turns, and the requests that they were rebuilt from.

    Whole traces go. Requests that wait to be understood are searched too.

    Example: agentnet-otel store purge agentnet-otel-store --session 8f14e45f
    """
    from agentnet_otel.sources.purge import Selection, purge  # noqa: PLC0415 - of this command alone

    if not (session or trace or older_than_days is not None or everything):
        message = "nothing is selected: give --session, --trace, --older-than-days, or --all"
        raise ConfigurationError(message)
    selection = Selection(
        sessions=frozenset(session or ()),
        trace_ids=frozenset(trace_id.lower() for trace_id in trace or ()),
        arrived_before_ns=None if older_than_days is None else time.time_ns() - round(older_than_days * _DAY_NS),
        everything=everything,
    )
    purged = purge(store, selection, _tell)
    if as_json:
        _write(indented_json({"turns": purged.turns, "traces": purged.traces, "spans": purged.spans}), None)
    elif not quiet:
        console.print_lines(
            [f"erased: {purged.turns:,} turns of {purged.traces:,} traces, {purged.spans:,} spans in requests"]
        )


def _table(path: Path | None) -> ThresholdTable:
    return ThresholdTable() if path is None else read_thresholds(path)


def _rebuild(sources: Sequence[str], *, group_calls: bool, quiet: bool) -> Rebuilt:
    """The turns of the sources. What was left out is told; where nothing at all could be read, that is a failure."""
    with console.progress("reading spans", quiet=quiet) as tick:
        rebuilt = rebuild(sources, tick, group_calls=group_calls, prices=installed())
    _tell_reading(rebuilt, quiet=quiet)
    return rebuilt


def _tell_reading(reading: "Rebuilt | TurnStream[Any] | SharedTurns | Follower", *, quiet: bool) -> None:
    nothing = bool(reading.read.unreadable_sources) and not reading.read.spans
    if nothing or not quiet:
        _tell_problems(reading.read)
    if not quiet:
        _tell_counts(reading.counts)
        if reading.out_of_order:
            _tell(f"{reading.out_of_order:,} turns stand later than they ended: their spans came too far apart")
    if reading.read.summary is not None:
        _tell(reading.read.summary)
    if nothing:
        raise typer.Exit(FAILURE)


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
        console.print_comparison(comparison)
        console.print_lines(regression_lines(comparison) + (comparison_remarks(comparison) if remarks else []))
    if remarks:
        console.print_prose(
            f"{result.config.name}: {warning}" for result in found.batch.results for warning in result.warnings
        )


def _write_bench(found: "Benchmarked", planned: Sequence[str], out: Path | None, save_baseline: Path | None) -> None:
    """Told on standard error, for standard output may be JSON. Of a run that was stopped no baseline is kept."""
    from agentnet_otel.wiring import benchmarks  # noqa: PLC0415 - of one command alone

    if out is not None:
        for path in benchmarks.write_reports(found, out):
            _tell(f"the report is in {path}")
    if save_baseline is not None and found.batch.interrupted:
        _tell(f"the run was stopped, so the baseline {save_baseline} was not written")
    elif save_baseline is not None:
        for path in benchmarks.save_baselines(found, save_baseline, planned):
            _tell(f"a baseline is in {path}")


def _tell_ci(gate: Gate, junit: Path | None, *, as_json: bool) -> None:
    """What a CI server reads from the output; beside JSON on standard error, which it reads too."""
    from agentnet_otel.wiring.continuous_integration import tell_ci  # noqa: PLC0415 - of two commands alone

    for line in tell_ci(gate, junit):
        (sys.stderr if as_json else sys.stdout).write(f"{line}\n")


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for circular garbage seldom: turns hold none, and looking through all of them again and again takes time."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, 100, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _runs(sources: Sequence[str], rebuilt: Rebuilt) -> "list[Run]":
    """The turns of each source, where there are several."""
    from agentnet_otel.outputs.reports.runs import Run, with_names  # noqa: PLC0415 - of one command alone

    if len(sources) == 1:
        return []
    return with_names([Run(name=name, turns=rebuilt.of_source(place)) for place, name in enumerate(sources)])


def _code(reading: Rebuilt | TurnStream[Any] | SharedTurns) -> int:
    """A source that was named and is not there is a failure, though the others were read."""
    return FAILURE if reading.read.missing_sources else 0


def _check_code(
    verdicts: Sequence[Judgement], comparison: Comparison | None, turns: int, reading: TurnStream[Any] | SharedTurns
) -> int:
    if worst(verdicts) is Verdict.FAIL:
        return CRITICAL
    if comparison is not None and comparison.regressions:
        return REGRESSION
    too_few = turns < MIN_MEAN_N or (comparison is not None and comparison.too_few)
    return _code(reading) or (TOO_FEW_TURNS if too_few else 0)


def _check_object(
    verdicts: Sequence[Judgement], comparison: Comparison | None, turns: int, code: int
) -> dict[str, Any]:
    return {
        "turns": turns,
        "verdict": worst(verdicts).value,
        "exit_code": code,
        "verdicts": [verdict_object(row) for row in verdicts],
        "comparison": None if comparison is None else comparison_object(comparison),
    }


def _print_check(verdicts: Sequence[Judgement], comparison: Comparison | None, turns: int, *, remarks: bool) -> None:
    console.print_verdicts(verdicts)
    if turns < MIN_MEAN_N and remarks:
        console.print_lines([f"{turns} turns are fewer than the {MIN_MEAN_N} that a verdict needs."])
    if comparison is not None:
        console.print_comparison(comparison)
        console.print_lines(regression_lines(comparison) + (comparison_remarks(comparison) if remarks else []))


def _save_baseline(baseline: "Baseline", path: Path, read: ReadReport) -> None:
    """Told on standard error, for standard output may be JSON. What is there is not replaced by nothing, or by less."""
    if not baseline.samples or read.missing_sources:
        why = "a source is missing" if baseline.samples else "there are no turns"
        _tell(f"{why}, so the baseline {path} was not written")
        return
    baseline.save(path)
    _tell(f"a baseline of {baseline.turns:,} turns is in {path}")


def _tell_problems(read: ReadReport) -> None:
    for problem in read.problems:
        _tell(problem)
    if read.untold:
        _tell(f"and {read.untold:,} more like these")


def _tell_counts(counts: Counts) -> None:
    for count, what in (
        (counts.outside, "calls stand outside any turn (--group-calls takes those of a trace for a turn)"),
        (counts.incomplete, "turns lack their own span"),
        (counts.late, "spans came too late for their turn"),
        (counts.evicted_traces, "traces were closed early, for more spans were open than are held"),
        (counts.clipped, "spans left their turn, or ran backwards, and were clipped"),
    ):
        if count:
            _tell(f"{count:,} {what}")


def _tell(text: str) -> None:
    sys.stderr.write(f"agentnet-otel: {plain(text)}\n")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{output} cannot be written: {reason_of(error)}"
        raise BackendError(message) from None
