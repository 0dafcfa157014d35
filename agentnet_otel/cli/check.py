"""`check`: a verdict by limits and by a baseline."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnet_otel.cli import options
from agentnet_otel.cli.exit_codes import CRITICAL, FAILURE, REGRESSION, TOO_FEW_TURNS
from agentnet_otel.cli.framework import FILE, Exit, Numbers, command, option
from agentnet_otel.cli.reading import (
    ReadTick,
    collecting_seldom,
    reading_code,
    reading_progress,
    shares,
    tell_reading,
)
from agentnet_otel.cli.standard_streams import tell, write
from agentnet_otel.cli.verdict_output import print_comparison, tell_ci
from agentnet_otel.core.observations import Observation, observation_of
from agentnet_otel.core.regression import Comparison
from agentnet_otel.core.running_verdicts import RunningVerdicts
from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.thresholds import ThresholdTable, Verdict
from agentnet_otel.core.turn_row import JudgedRow, TurnRow, judged_of
from agentnet_otel.core.verdicts import Judgement, worst
from agentnet_otel.model import Turn
from agentnet_otel.outputs import console
from agentnet_otel.outputs.alerts.posting import targets_of
from agentnet_otel.outputs.gate import Gate
from agentnet_otel.outputs.json_text import indented_json
from agentnet_otel.outputs.reports.comparisons import comparison_object
from agentnet_otel.outputs.reports.verdict_json import verdict_object
from agentnet_otel.prices import installed
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.turn_windows import row_window, whole_window
from agentnet_otel.wiring.jobs import JUDGED, SharedTurns

if TYPE_CHECKING:
    from agentnet_otel.performance.baseline import Baseline, BaselineBuilder
    from agentnet_otel.wiring.alert_push import AlertPush

Stream = TurnStream[TurnRow] | TurnStream[Turn] | SharedTurns[JudgedRow]


@command
@options.sources
@options.thresholds
@option("--baseline", metavar="FILE", type=FILE, help="Compare with what --save-baseline wrote there.")
@option("--save-baseline", metavar="FILE", type=FILE, help="Keep these turns, to compare later ones with them.")
@option("--alertmanager", metavar="URL", help="Tell Alertmanager there of the alerts that fire at the last turn's end.")
@option("--webhook", metavar="URL", help="The same for a webhook, once when it begins and once when it ends.")
@option(
    "--alert-state",
    metavar="FILE",
    type=FILE,
    default="agentnet-otel-alerts.json",
    help="What they were told, so that the next check tells what has changed.",
)
@option(
    "--alert-minutes",
    type=Numbers(1.0, 525_600.0),
    default=60.0,
    help="How long Alertmanager holds an alert that no check repeats.",
)
@options.addresses
@options.junit
@options.jobs
@options.group_calls
@options.as_json
@options.quiet
def check(
    *,
    sources: Sequence[str],
    thresholds: Path | None,
    baseline: Path | None,
    save_baseline: Path | None,
    alertmanager: str | None,
    webhook: str | None,
    alert_state: Path,
    alert_minutes: float,
    addresses: options.Addresses,
    junit: Path | None,
    jobs: int,
    group_calls: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Judge the turns by the limits, and by a baseline.

    On GitHub Actions it also writes annotations and the summary of the job.

    Exit code 10: past a critical limit; 11: worse than the baseline; 12: fewer than 20 turns on a side.

    Example: agentnet-otel check demo-out/spans.jsonl --save-baseline baseline.json

    Example: agentnet-otel check spans.jsonl --alertmanager http://127.0.0.1:9093

    Example: agentnet-otel check new.jsonl --baseline baseline.json --thresholds limits.yaml
    """
    table = options.threshold_table(thresholds)
    before = None if baseline is None else _loaded(baseline)
    alerts = _alerts((alertmanager, webhook), table, alert_state, alert_minutes, addresses)
    with reading_progress(quiet=quiet) as tick, collecting_seldom():
        whole = bool(table.models) or alerts is not None  # rows do not tell which of its models a turn is taken for
        stream = _stream(sources, jobs, tick, whole=whole, group_calls=group_calls, quiet=quiet)
        found = _judged(stream, table, before, alerts, keep=save_baseline is not None)
    tell_reading(stream, quiet=quiet)
    code = _check_code(found, stream, told=_pushed(alerts))
    _tell_check(found, code, junit, as_json=as_json, quiet=quiet)
    if save_baseline is not None and found.baseline is not None:
        _save_baseline(found.baseline, save_baseline, stream.read)
    raise Exit(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What turns came to. ``baseline``: what is kept of them, where they are compared or kept."""

    verdicts: Sequence[Judgement]
    turns: int
    baseline: "Baseline | None"
    comparison: Comparison | None


def _judged(
    stream: Stream, table: ThresholdTable, before: "Baseline | None", alerts: "AlertPush | None", *, keep: bool
) -> _Judged:
    """Read the turns, and judge them by the limits and by a baseline."""
    running = RunningVerdicts(table)
    kept = _builder() if keep or before is not None else None
    for seen, models, end_ns in _observed(stream, alerts):
        running.add(seen)
        if kept is not None:
            kept.add(seen, models, end_ns)
    now = None if kept is None else kept.built(environment=stream.environment)
    return _Judged(
        verdicts=running.judgements(),
        turns=running.turns,
        baseline=now,
        comparison=None if before is None or now is None else before.compare(now),
    )


def _loaded(path: Path) -> "Baseline":
    from agentnet_otel.performance.baseline import Baseline  # noqa: PLC0415 - only who compares

    return Baseline.load(path)


def _builder() -> "BaselineBuilder":
    from agentnet_otel.performance.baseline import BaselineBuilder  # noqa: PLC0415 - only who compares, or keeps

    return BaselineBuilder()


def _alerts(
    named: tuple[str | None, str | None],
    table: ThresholdTable,
    state: Path,
    minutes: float,
    addresses: options.Addresses,
) -> "AlertPush | None":
    """What judges and tells alerts, where an option or the environment names somebody to tell."""
    manager, hook = targets_of(*named)
    if manager is None and hook is None:
        return None
    from agentnet_otel.outputs.rules.annotations import links_of  # noqa: PLC0415 - only who tells somebody
    from agentnet_otel.wiring.alert_push import AlertPush  # noqa: PLC0415 - only who tells somebody

    links = links_of(*addresses)
    return AlertPush(table, state, 60 * minutes, tell, alertmanager=manager, webhook=hook, links=links)


def _pushed(alerts: "AlertPush | None") -> bool:
    """Whether whoever is to be told was."""
    if alerts is None:
        return True
    with closing(alerts):
        return alerts.push()


def _stream(
    sources: Sequence[str],
    jobs: int,
    tick: ReadTick | None,
    *,
    whole: bool,
    group_calls: bool,
    quiet: bool,
) -> Stream:
    """The turns of the sources, in the form that takes least where nobody needs the whole of them."""
    if whole:
        if jobs > 1 and not quiet:
            tell("--jobs does not go with limits of models or with alerts; one process reads")
        return TurnStream(sources, whole_window(group_calls=group_calls, prices=installed()), tick)
    if shares(sources, jobs, quiet=quiet):
        return SharedTurns(sources, jobs, JUDGED, tick, group_calls=group_calls)
    return TurnStream(sources, row_window(group_calls=group_calls, prices=installed()), tick)


def _observed(stream: Stream, alerts: "AlertPush | None") -> Iterator[tuple[Observation, Sequence[str], int]]:
    """What verdicts and baselines need of each turn: the observation, its models, its end in nanoseconds."""
    for told in stream.in_order():
        if isinstance(told, Turn):
            if alerts is not None:
                alerts.add(told)
            yield observation_of(told), told.models, told.end_ns
        else:
            row = told if isinstance(told, JudgedRow) else judged_of(told)
            yield row.observation, row.models, row.end_ns


def _check_code(found: _Judged, reading: Stream, *, told: bool) -> int:
    """Verdicts go before what could not be read, or told to whom it was for; that goes before too few turns."""
    if worst(found.verdicts) is Verdict.FAIL:
        return CRITICAL
    if found.comparison is not None and found.comparison.regressions:
        return REGRESSION
    if not told:
        return FAILURE
    too_few = found.turns < MIN_MEAN_N or (found.comparison is not None and found.comparison.too_few)
    return reading_code(reading) or (TOO_FEW_TURNS if too_few else 0)


def _tell_check(found: _Judged, code: int, junit: Path | None, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        write(indented_json(_check_object(found, code)), None)
    else:
        _print_check(found, remarks=not quiet)
    comparisons = () if found.comparison is None else [("", found.comparison)]
    gate = Gate(command="check", verdicts=found.verdicts, comparisons=comparisons, turns=found.turns, code=code)
    tell_ci(gate, junit, as_json=as_json)


def _check_object(found: _Judged, code: int) -> dict[str, Any]:
    return {
        "turns": found.turns,
        "verdict": worst(found.verdicts).value,
        "exit_code": code,
        "verdicts": [verdict_object(row) for row in found.verdicts],
        "comparison": None if found.comparison is None else comparison_object(found.comparison),
    }


def _print_check(found: _Judged, *, remarks: bool) -> None:
    console.print_verdicts(found.verdicts)
    if found.turns < MIN_MEAN_N and remarks:
        console.print_lines([f"{found.turns} turns are fewer than the {MIN_MEAN_N} that a verdict needs."])
    if found.comparison is not None:
        print_comparison(found.comparison, remarks=remarks)


def _save_baseline(baseline: "Baseline", path: Path, read: ReadReport) -> None:
    """Told on standard error, for standard output may be JSON. What is there is not replaced by nothing, or by less."""
    if not baseline.samples or read.missing_sources:
        why = "a source is missing" if baseline.samples else "there are no turns"
        tell(f"{why}, so the baseline {path} was not written")
        return
    baseline.save(path)
    tell(f"a baseline of {baseline.turns:,} turns is in {path}")
