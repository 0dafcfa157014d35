"""The command `bench`: benchmarks, judged by the limits and by baselines, and reported on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agentnet_otel.core.regression import Comparison
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import BackendError, ConfigurationError, reason_of
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.performance.baseline import Baseline
from agentnet_otel.performance.batch import Batch
from agentnet_otel.performance.reports import PerformanceReporter
from agentnet_otel.performance.result_files import as_json, safe_name

REPORTS: Final = ("md", "html", "json", "csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarked:
    """What benchmarks came to. ``missed``: sentences on limits that were asked for and are not kept.

    ``turns``: of the benchmark that has fewest, for each is judged by its own.
    """

    batch: Batch
    report: ReportContent
    baselines: tuple[tuple[str, Baseline], ...]
    comparisons: tuple[tuple[str, Comparison], ...]
    missed: tuple[str, ...]
    turns: int


def baseline_files(path: Path, names: Sequence[str]) -> dict[str, Path]:
    """A file for each benchmark: the path itself for one, files in it for several.

    Raises:
        ConfigurationError: two have one name, so that one file would be of both.
    """
    if len(names) == 1:
        return {names[0]: path}
    files = {name: path / f"{safe_name(name)}.json" for name in names}
    if len(set(files.values())) < len(names):
        message = "two benchmarks have one name, so their baselines would be one file; give them names that differ"
        raise ConfigurationError(message)
    return files


def read_baselines(path: Path | None, names: Sequence[str]) -> dict[str, Baseline]:
    """What each benchmark is compared with, by name; read before anything runs.

    Raises:
        ConfigurationError: a file is missing or is no baseline.
    """
    if path is None:
        return {}
    return {name: Baseline.load(file) for name, file in baseline_files(path, names).items()}


def benchmarked(batch: Batch, table: ThresholdTable, before: Mapping[str, Baseline]) -> Benchmarked:
    """Judge results, and compare each with what there was before."""
    many = len(batch.plans) > 1
    now = {result.config.name: Baseline.of_benchmark(result) for result in batch.results}
    return Benchmarked(
        batch=batch,
        report=PerformanceReporter(thresholds=table).content(batch.results),
        baselines=tuple(now.items()),
        comparisons=tuple(
            (name if many else "", before[name].compare(baseline)) for name, baseline in now.items() if name in before
        ),
        missed=tuple(
            text for plan, result in zip(batch.plans, batch.results, strict=True) for text in plan.missed(result)
        ),
        turns=min((baseline.turns for baseline in now.values()), default=0),
    )


def save_baselines(found: Benchmarked, files: Mapping[str, Path]) -> list[Path]:
    """Keep each benchmark's samples in its file; the files.

    Raises:
        BackendError: a file cannot be written.
    """
    for name, baseline in found.baselines:
        baseline.save(files[name])
    return [files[name] for name, _ in found.baselines]


def write_reports(found: Benchmarked, folder: Path) -> list[Path]:
    """The report in every format; the files.

    Raises:
        BackendError: a file cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending in REPORTS:
            path = folder / f"report.{ending}"
            path.write_text(render(found.report, ending), encoding="utf-8")
            written.append(path)
    except OSError as error:
        message = f"{folder}: the report cannot be written: {reason_of(error)}"
        raise BackendError(message) from None
    return written


def result_objects(found: Benchmarked) -> list[dict[str, Any]]:
    """The results for a machine, as their files have them."""
    return [as_json(result) for result in found.batch.results]
