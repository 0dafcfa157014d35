"""From turns, and what is known of how they were read, to reports."""

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Final

from agentnet_otel._version import __version__
from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.columns import TurnColumns, columns_of
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Turn
from agentnet_otel.outputs.reports.analysis import Analysis
from agentnet_otel.outputs.reports.content import DataQuality, ReportContent, report_on
from agentnet_otel.outputs.reports.runs import Run
from agentnet_otel.sources import native
from agentnet_otel.sources.read_report import ReadReport

_TRACE_ID: Final = "{trace_id}"
_PACKAGES: Final = ("opentelemetry-sdk", "opentelemetry-api", "wrapt", "msgspec", "genai-prices")


def make_report(
    turns: Sequence[Turn],
    counts: Counts,
    *,
    read: ReadReport | None = None,
    thresholds: ThresholdTable | None = None,
    trace_url: str | None = None,
    dropped_turns: int = 0,
    environment: Mapping[str, str] | None = None,
    documented: bool = False,
) -> ReportContent:
    """The report on turns, with what ``counts`` and ``read`` tell of the data.

    ``environment``: where the turns were measured, as far as that is known. ``documented``: with the analyses of the
    documented trackers, which only the JSON report tells.

    Raises:
        ConfigurationError: ``trace_url`` has no place for the trace id.
    """
    return report_on_columns(
        columns_of(turns),
        counts,
        read=read,
        thresholds=thresholds,
        trace_url=trace_url,
        dropped_turns=dropped_turns,
        environment=environment,
        documented=_documented(turns) if documented else None,
    )


def _documented(turns: Sequence[Turn]) -> Analysis | None:
    from agentnet_otel.wiring.documented_analyses import NewestTurns  # noqa: PLC0415 - of the JSON report alone

    newest = NewestTurns()
    newest.extend(turns)
    return newest.analysis()


def report_on_columns(
    turns: TurnColumns,
    counts: Counts,
    *,
    read: ReadReport | None = None,
    thresholds: ThresholdTable | None = None,
    trace_url: str | None = None,
    dropped_turns: int = 0,
    environment: Mapping[str, str] | None = None,
    runs: Sequence[Run] = (),
    documented: Analysis | None = None,
) -> ReportContent:
    """As `make_report`, of turns that were looked at as they came.

    ``runs``: where the turns are of several, those of each. ``documented``: what the documented trackers say of them.

    Raises:
        ConfigurationError: ``trace_url`` has no place for the trace id.
    """
    return report_on(
        turns,
        thresholds=thresholds or ThresholdTable(),
        generated_ns=time.time_ns(),
        version=__version__,
        trace_url=checked_trace_url(trace_url),
        environment=environment,
        runs=runs,
        documented=documented,
        quality=_quality(turns, counts, read or ReadReport(), dropped_turns, known_environment=bool(environment)),
    )


def checked_trace_url(template: str | None) -> str | None:
    """The template of a trace's address.

    Raises:
        ConfigurationError: it has no place for the trace id, so that all links were the same.
    """
    if template is not None and _TRACE_ID not in template:
        message = f"trace URL {template!r} has no {_TRACE_ID} in it; give one such as http://host/trace/{_TRACE_ID}"
        raise ConfigurationError(message)
    return template


def _quality(
    turns: TurnColumns, counts: Counts, read: ReadReport, dropped_turns: int, *, known_environment: bool
) -> DataQuality:
    notes = []
    if turns.turns_of_unknown_sampling or turns.sampled_turns:
        notes.append("Totals may be those of a sample: not every turn tells that all turns were sampled.")
    if dropped_turns:
        notes.append(f"{dropped_turns:,} older turns are no longer held: the report is on the newest ones.")
    if turns and not known_environment:
        notes.append("Where the turns were measured is not known: their spans do not tell it.")
    if read.summary is not None:
        notes.append(f"Input that was {read.summary}.")
    return DataQuality(
        spans=counts.spans,
        duplicates=counts.duplicates,
        late_spans=counts.late,
        dropped_spans=counts.without_ids + read.bad_spans,
        bad_lines=read.bad_lines,
        oversized_lines=read.skipped_lines,
        cut_off_ends=read.cut_off_ends,
        cut_windows=read.cut_windows,
        unreadable_sources=read.unreadable_sources,
        evicted_traces=counts.evicted_traces,
        damaged_turns=read.bad_turns,
        dropped_turns=dropped_turns,
        calls_outside_turns=counts.outside,
        clipped_spans=counts.clipped,
        incomplete_turns=counts.incomplete,
        revised_turns=turns.revised_turns,
        estimated_turns=turns.estimated_turns,
        sampled_turns=turns.sampled_turns,
        turns_of_unknown_sampling=turns.turns_of_unknown_sampling,
        notes=tuple(notes),
    )


def installed() -> Mapping[str, str]:
    """What is installed here, as `doctor` tells it."""
    found = {
        "agentnet-otel": __version__,
        "Python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "CPUs": str(os.cpu_count()),
        "spans are read": "in Python alone, which takes longer" if native.extension is None else "in C and Python",
    }
    for name in _PACKAGES:
        try:
            found[name] = installed_version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
