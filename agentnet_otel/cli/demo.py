"""`demo`: agents run, and their turns are told."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import FILE, Choice, Integers, command, option
from agentnet_otel.cli.standard_streams import tell, write
from agentnet_otel.core.verdicts import worst
from agentnet_otel.demo.plan import SPANS_FILE, DemoSource
from agentnet_otel.outputs import console
from agentnet_otel.outputs.json_text import indented_json
from agentnet_otel.outputs.reports.verdict_json import verdict_object

if TYPE_CHECKING:
    from agentnet_otel.demo.run import DemoResult


@command
@option("--turns", type=Integers(1, 100_000), default=200, help="About how many turns.")
@option("--seed", type=Integers(0), default=1, help="The same seed gives the same workload.")
@option(
    "--source",
    type=Choice(DemoSource, case_sensitive=False),
    default=DemoSource.AUTO.value,
    help="Whose agents run.",
)
@option("--out", metavar="DIR", type=FILE, default="demo-out", help="Where spans and reports go.")
@options.as_json
@options.quiet
def demo(*, turns: int, seed: int, source: DemoSource, out: Path, as_json: bool, quiet: bool) -> None:
    """Run agents, turn their spans into turns, and the turns into a verdict and a report.

    Example: agentnet-otel demo --turns 200 --seed 1 --out demo-out
    """
    from agentnet_otel.demo.run import run_demo  # noqa: PLC0415 - only who runs it

    try:
        with console.progress("running turns", turns, quiet=quiet) as tick:
            result = run_demo(source, turns, seed, out, tick)
    except KeyboardInterrupt:
        tell(f"stopped; the spans of the turns so far are in {out / SPANS_FILE}")
        raise
    if as_json:
        write(indented_json(_demo_object(result)), None)
    else:
        _print_demo(result, remarks=not quiet)


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
