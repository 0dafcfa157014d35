"""The command line: thin. Each command reads its arguments, calls what does the work, and picks the exit code."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from agentnet_otel._version import __version__
from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.thresholds import ThresholdTable, Verdict
from agentnet_otel.core.verdicts import Judgement, judge, worst
from agentnet_otel.demo.run import DemoSource, run_demo
from agentnet_otel.errors import AgentNetOtelError, ConfigurationError, MissingExtraError
from agentnet_otel.outputs import console
from agentnet_otel.outputs.reports.json_report import verdict_object
from agentnet_otel.outputs.turn_rows import turn_line
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import Rebuilt, rebuild
from agentnet_otel.sources.threshold_file import read_thresholds
from agentnet_otel.wiring.diagnosis import diagnose
from agentnet_otel.wiring.reporting import RENDERERS, make_report, render

try:
    import typer
except ImportError as _error:
    _package = "typer"
    raise MissingExtraError(_package, "cli") from _error

FAILURE: Final = 1
USAGE: Final = 2
CRITICAL: Final = 10
TOO_FEW_TURNS: Final = 12

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Turns of agents out of OpenTelemetry spans: verdicts, reports, rows.",
)

Sources = Annotated[
    list[str],
    typer.Argument(metavar="SOURCE...", help="Files of spans (OTLP JSON), directories, or - for standard input."),
]
Thresholds = Annotated[Path | None, typer.Option(help="YAML file with limits of your own.", metavar="FILE")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no remarks.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. An error is one sentence on standard error."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="agentnet-otel")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except AgentNetOtelError as error:
        sys.stderr.write(f"agentnet-otel: {error}\n")
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
    quiet: Quiet = False,
) -> None:
    """Run agents, turn their spans into turns, and the turns into a verdict and a report.

    Example: agentnet-otel demo --turns 200 --seed 1 --out demo-out
    """
    with console.progress("running turns", turns, quiet=quiet) as tick:
        result = run_demo(source, turns, seed, out, tick)
    report = result.report
    whose = "AgentNet" if result.source is DemoSource.AGENTNET else "the built-in agents"
    console.print_lines([f"{report.turns} turns of {whose}, {report.quality.spans} spans", ""])
    console.print_verdicts(report.verdicts)
    lines = ["", "What matters most:"]
    lines += [f"  {place}. {finding}" for place, finding in enumerate(report.findings, 1)]
    lines += ["", "Written:", *(f"  {path}" for path in result.files), ""]
    spans = result.files[0]
    lines += [
        "Try next:",
        f"  agentnet-otel report {spans} --format md",
        f"  agentnet-otel check {spans}",
        f"  agentnet-otel turns {spans} | head -3",
        "  agentnet-otel doctor",
    ]
    console.print_lines(lines)


@app.command()
def turns(sources: Sources, quiet: Quiet = False) -> None:
    """Print one JSON object a line for each turn, in order of ending.

    Example: agentnet-otel turns demo-out/spans.jsonl | head -3
    """
    rebuilt = _rebuild(sources, quiet=quiet)
    for turn in rebuilt.turns:
        sys.stdout.buffer.write(turn_line(turn))
    sys.stdout.buffer.flush()
    _finish(rebuilt)


@app.command()
def report(
    sources: Sources,
    format: Annotated[str, typer.Option("--format", help="md or json.")] = "md",  # noqa: A002 - the option's name
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Instead of standard output.")
    ] = None,
    thresholds: Thresholds = None,
    trace_url: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help="Link of a trace: ...{trace_id}..., also {span_id}.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a report on the turns: verdicts, latency, components, tokens, cost, slowest turns.

    Example: agentnet-otel report demo-out/spans.jsonl --format md -o report.md
    """
    if format not in RENDERERS:
        message = f"--format {format!r} is unknown; allowed are: {', '.join(RENDERERS)}"
        raise ConfigurationError(message)
    table = _table(thresholds)
    rebuilt = _rebuild(sources, quiet=quiet)
    content = make_report(rebuilt.turns, rebuilt.counts, read=rebuilt.read, thresholds=table, trace_url=trace_url)
    _write(render(content, format), output)
    _finish(rebuilt)


@app.command()
def check(sources: Sources, thresholds: Thresholds = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Judge the turns by the limits. Exit code 10: past a critical limit; 12: fewer than 20 turns.

    Example: agentnet-otel check demo-out/spans.jsonl --thresholds limits.yaml
    """
    table = _table(thresholds)
    rebuilt = _rebuild(sources, quiet=quiet)
    verdicts = judge(rebuilt.turns, table)
    code = _check_code(verdicts, len(rebuilt.turns))
    if as_json:
        document = {
            "turns": len(rebuilt.turns),
            "verdict": worst(verdicts).value,
            "exit_code": code,
            "verdicts": [verdict_object(row) for row in verdicts],
        }
        _write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n", None)
    else:
        console.print_verdicts(verdicts)
        if code == TOO_FEW_TURNS:
            console.print_lines([f"{len(rebuilt.turns)} turns are fewer than the {MIN_MEAN_N} that a verdict needs."])
    _finish(rebuilt)
    raise typer.Exit(code)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Tell what is found, hooked, skipped, exported where, with what result, and what to change.

    Example: agentnet-otel doctor --json
    """
    diagnosis = diagnose()
    if as_json:
        _write(msgspec.json.format(msgspec.json.encode(diagnosis), indent=2).decode() + "\n", None)
        return
    lines: list[str] = []
    for title, found in (
        ("Environment", [f"{name}: {value}" for name, value in diagnosis.environment.items()]),
        ("AgentNet", [diagnosis.framework]),
        ("Hooked", [f"{len(diagnosis.hooked)} places"]),
        ("Skipped, this version has no such thing", list(diagnosis.skipped)),
        ("Variables", [f"{name}={value}" for name, value in diagnosis.variables.items()]),
        ("Export", [f"{name}: {result}" for name, result in diagnosis.exports.items()]),
        ("What to change", list(diagnosis.advice)),
    ):
        lines += [title, *(f"  {item}" for item in found or ["nothing"]), ""]
    console.print_lines(lines[:-1])


def _table(path: Path | None) -> ThresholdTable:
    return ThresholdTable() if path is None else read_thresholds(path)


def _rebuild(sources: Sequence[str], *, quiet: bool) -> Rebuilt:
    with console.progress("reading spans", quiet=quiet) as tick:
        return rebuild(sources, tick)


def _check_code(verdicts: Sequence[Judgement], turns: int) -> int:
    if worst(verdicts) is Verdict.FAIL:
        return CRITICAL
    return TOO_FEW_TURNS if turns < MIN_MEAN_N else 0


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{output} cannot be written: {error.strerror}"
        raise AgentNetOtelError(message) from None


def _finish(rebuilt: Rebuilt) -> None:
    """Tell what was left out; a source of which nothing could be read is a failure."""
    read: ReadReport = rebuilt.read
    for problem in read.problems:
        sys.stderr.write(f"agentnet-otel: {problem}\n")
    if read.untold:
        sys.stderr.write(f"agentnet-otel: and {read.untold} more like these\n")
    counts = rebuilt.counts
    for count, what in (
        (counts.outside, "calls stand outside any turn"),
        (counts.incomplete, "turns lack their own span"),
        (counts.late, "spans came too late for their turn"),
        (counts.clipped, "spans left their turn, or ran backwards, and were clipped"),
    ):
        if count:
            sys.stderr.write(f"agentnet-otel: {count} {what}\n")
    if read.summary is not None:
        sys.stderr.write(f"agentnet-otel: {read.summary}\n")
    if read.unreadable_sources and not read.spans:
        raise typer.Exit(FAILURE)
