"""The documented reporter: a face of the reports that this package writes anyway, no second renderer."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

from agentnet_otel._version import __version__
from agentnet_otel.core.observations import Observation, observation_of
from agentnet_otel.core.statistics import min_n_for_quantile
from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.core.verdicts import LATENCY_QUANTILE, Measured, judge_observations, success_measured, success_rate
from agentnet_otel.errors import BackendError
from agentnet_otel.instrumentation.environment import environment
from agentnet_otel.model import Turn
from agentnet_otel.outputs.reports.content import DataQuality, ReportContent, report_on
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.analysing import analysis_of
from agentnet_otel.performance.benchmark import BenchmarkResult
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.observed import efficiencies_of, observations_of
from agentnet_otel.performance.tokens import TokenUtilizationTracker

DEFAULT_FOLDER: Final = "performance_reports"
_NANOS_PER_SECOND: Final = 1_000_000_000


class ReportFormat(str, Enum):
    """What a report is written as."""

    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"


_ENDINGS: Final[Mapping[ReportFormat, str]] = {
    ReportFormat.JSON: "json",
    ReportFormat.MARKDOWN: "md",
    ReportFormat.HTML: "html",
    ReportFormat.CSV: "csv",
}


class PerformanceReporter:
    """Writes reports on benchmarks and trackers.

    Args:
        output_dir: where reports go; made when the first one is written.
        thresholds: limits of the verdict table, the documented ones if none are given.
        trace_url: link of a trace, with ``{trace_id}`` (and ``{span_id}``) in it.

    Raises:
        ValueError: ``output_dir`` is no path.
    """

    def __init__(
        self,
        output_dir: str | Path = DEFAULT_FOLDER,
        *,
        thresholds: ThresholdTable | None = None,
        trace_url: str | None = None,
    ) -> None:
        if not isinstance(output_dir, str | Path):
            check.refuse("output_dir", output_dir, "a path")
        self.output_dir = Path(output_dir)
        self._thresholds = thresholds or ThresholdTable()
        self._trace_url = trace_url

    def generate_comprehensive_report(
        self,
        benchmark_results: Sequence[BenchmarkResult],
        latency_tracker: LatencyTracker | None = None,
        token_tracker: TokenUtilizationTracker | None = None,
        format: ReportFormat | str = ReportFormat.MARKDOWN,  # noqa: A002 - the documented word
        include_recommendations: bool = True,
    ) -> str:
        """Write a report on the results and on what the trackers hold, and return the path of the file.

        The file is ``performance_report_YYYYMMDD_HHMMSS`` with the ending of the format; where that is taken, a
        number follows. Without results the analysis of benchmarks is empty, without a tracker its own.

        Raises:
            ValueError: an argument has the wrong type, or the format is unknown.
            BackendError: the file cannot be written.
        """
        results = _results(benchmark_results)
        if latency_tracker is not None and not isinstance(latency_tracker, LatencyTracker):
            check.refuse("latency_tracker", latency_tracker, "a LatencyTracker or None")
        if token_tracker is not None and not isinstance(token_tracker, TokenUtilizationTracker):
            check.refuse("token_tracker", token_tracker, "a TokenUtilizationTracker or None")
        ending = _ENDINGS[check.member("format", format, ReportFormat)]
        content = self._content(results, latency_tracker, token_tracker, recommend=include_recommendations)
        return str(_write_new(self.output_dir, ending, render(content, ending), content.generated_ns))

    def content(self, benchmark_results: Sequence[BenchmarkResult]) -> ReportContent:
        """What a report on benchmarks says, in no format yet.

        Raises:
            ValueError: an argument has the wrong type.
        """
        return self._content(_results(benchmark_results), None, None, recommend=True)

    def _content(
        self,
        results: Sequence[BenchmarkResult],
        latency: LatencyTracker | None,
        tokens: TokenUtilizationTracker | None,
        *,
        recommend: bool,
    ) -> ReportContent:
        turns = _distinct(
            [
                *(turn for result in results for turn in result.turns),
                *(latency.recorded_turns() if latency else ()),
                *(tokens.recorded_turns() if tokens else ()),
            ]
        )
        observations = _observations(results, latency, tokens, turns)
        analysis = analysis_of(results, latency, tokens)
        return report_on(
            turns,
            thresholds=self._thresholds,
            generated_ns=time.time_ns(),
            version=__version__,
            trace_url=self._trace_url,
            environment=_environment(results),
            quality=_quality(turns, results, analysis.tokens is not None and analysis.tokens.assumed_cost_usd > 0),
            analysis=analysis,
            verdicts=judge_observations(observations, self._thresholds, _told(results, turns, observations)),
            recommend=recommend,
        )


def _results(given: object) -> list[BenchmarkResult]:
    allowed = "a list of BenchmarkResult"
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        check.refuse("benchmark_results", given, allowed)
    results = list(given)
    for result in results:
        if not isinstance(result, BenchmarkResult):
            check.refuse("benchmark_results", result, allowed)
    return results


def _distinct(turns: Iterable[Turn]) -> list[Turn]:
    """Each turn once, though a result and a tracker hold it; in order of ending."""
    found: dict[object, Turn] = {}
    for turn in turns:
        found.setdefault(_identity(turn), turn)
    return sorted(found.values(), key=lambda turn: turn.end_ns)


def _identity(turn: Turn) -> tuple[str, ...]:
    return (turn.trace_id, turn.span_id) if turn.span_id else (turn.agent, turn.turn_id, str(turn.start_ns))


def _observations(
    results: Sequence[BenchmarkResult],
    latency: LatencyTracker | None,
    tokens: TokenUtilizationTracker | None,
    turns: Sequence[Turn],
) -> list[Observation]:
    """What the verdict table rests on: turns, results that hold none, and what was recorded by hand."""
    found = [observation_of(turn) for turn in turns]
    for result in results:
        if not result.turns:
            found += [*observations_of(result), *efficiencies_of(result)]
    if latency is not None:
        found += [Observation(agent=m.agent_id, latency_ms=m.total_latency_ms) for m in latency.hand_measured()]
    if tokens is not None:
        found += [
            Observation(
                agent=m.agent_id,
                tokens=m.total_tokens,
                cost_usd=m.cost_usd,
                efficiency=m.efficiency_score if m.total_tokens else None,
            )
            for m in tokens.hand_recorded()
        ]
    return found


def _told(
    results: Sequence[BenchmarkResult], turns: Sequence[Turn], observations: Sequence[Observation]
) -> dict[Metric, Measured]:
    """Figures that results tell: how many operations succeeded, and, where no turn is known, the others too.

    An operation can fail without a turn, or though its turns succeeded; so for benchmarks operations count, and turns
    only where they are of no benchmark.
    """
    operations = sum(result.total_operations for result in results)
    if not operations:
        return {}
    benchmarked = {_identity(turn) for result in results for turn in result.turns}
    others = [turn for turn in turns if _identity(turn) not in benchmarked]
    good, counted = success_rate(others)
    good += sum(result.successful_operations for result in results)
    told = {Metric.SUCCESS_RATE: success_measured(good, operations + counted)}
    if all(seen.latency_ms is None for seen in observations):
        told[Metric.TURN_LATENCY] = Measured(
            value=max(result.p95_turn_latency_ms for result in results),
            interval=None,
            n=sum(result.successful_operations for result in results),
            needed=min_n_for_quantile(LATENCY_QUANTILE),
        )
    if all(seen.efficiency is None for seen in observations):
        spent = [result for result in results if result.total_tokens_consumed]
        told[Metric.TOKEN_EFFICIENCY] = _weighted([(r.token_efficiency_score, r.total_operations) for r in spent])
    if all(seen.cost_usd is None for seen in observations):
        costs = [(r.avg_cost_usd, r.total_operations) for r in results if r.avg_cost_usd is not None]
        told[Metric.COST_PER_TURN] = _weighted(costs)
    return told


def _weighted(values: Sequence[tuple[float, int]]) -> Measured:
    n = sum(weight for _, weight in values)
    return Measured(value=sum(value * weight for value, weight in values) / n if n else None, interval=None, n=n)


def _environment(results: Sequence[BenchmarkResult]) -> Mapping[str, str]:
    """That of the newest result that tells one, else that of this process."""
    told = [result for result in results if result.environment]
    return max(told, key=lambda result: result.start_time).environment if told else environment()


def _quality(turns: Sequence[Turn], results: Sequence[BenchmarkResult], assumed_cost: bool) -> DataQuality:
    notes = []
    environments = {tuple(sorted(_lasting(result.environment).items())) for result in results if result.environment}
    if len(environments) > 1:
        notes.append("The benchmarks ran in different environments; the one shown is that of the newest.")
    if any(result.total_operations and not result.turns and not observations_of(result) for result in results):
        notes.append("Benchmarks without samples are judged by the figures that they tell: by the worst p95, by means.")
    if assumed_cost:
        notes.append("Costs that nobody told are assumed; they are in no verdict.")
    return DataQuality(
        estimated_turns=sum(turn.estimated for turn in turns),
        incomplete_turns=sum(turn.incomplete for turn in turns),
        revised_turns=sum(turn.revision > 1 for turn in turns),
        clipped_spans=sum(turn.clipped_spans for turn in turns),
        notes=tuple(notes),
    )


def _lasting(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if not name.startswith("load")}


def _write_new(folder: Path, ending: str, text: str, now_ns: int) -> Path:
    """Into a file that was not there before: two reports of one second are two files."""
    stamp = datetime.fromtimestamp(now_ns / _NANOS_PER_SECOND, UTC).astimezone().strftime("%Y%m%d_%H%M%S")
    number = 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            suffix = "" if number == 1 else f"_{number}"
            path = folder / f"performance_report_{stamp}{suffix}.{ending}"
            with suppress(FileExistsError), path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                return path
            number += 1
    except OSError as error:
        message = f"{folder}: the report cannot be written: {error.strerror}"
        raise BackendError(message) from None
