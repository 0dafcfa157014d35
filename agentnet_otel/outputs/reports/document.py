"""The report as a document: which sections it has, and in which order."""

from collections.abc import Iterator, Mapping
from typing import Final

from agentnet_otel.outputs.reports import blocks
from agentnet_otel.outputs.reports.analysis_blocks import analysis_sections, benchmark_blocks, summary_table
from agentnet_otel.outputs.reports.blocks import (
    Block,
    Document,
    Figure,
    Listing,
    Section,
    Table,
    name_of,
    own,
    paragraph,
    remarks,
    section,
    sentence,
)
from agentnet_otel.outputs.reports.caveats import on_verdicts
from agentnet_otel.outputs.reports.chart_blocks import time_text
from agentnet_otel.outputs.reports.content import DataQuality, ReportContent
from agentnet_otel.outputs.reports.finding_blocks import finding_blocks, first_steps, recommendations_listing
from agentnet_otel.outputs.reports.run_blocks import run_blocks
from agentnet_otel.outputs.reports.turn_blocks import outcome_blocks, turn_sections
from agentnet_otel.outputs.reports.verdict_blocks import verdicts_table

TITLE: Final = "AgentNet Performance Report"


def document_of(report: ReportContent) -> Document:
    """The whole report."""
    return Document(title=TITLE, lead=tuple(_lead(report)), sections=tuple(_sections(report)))


def _lead(report: ReportContent) -> Iterator[Block]:
    yield paragraph(f"Generated {time_text(report.generated_ns)} by agentnet-otel {report.version}.")
    if not report.turns and report.analysis is not None:
        return
    span = ""
    if report.first_ns is not None and report.last_ns is not None:
        span = f", from {time_text(report.first_ns)} to {time_text(report.last_ns)}"
    yield paragraph(
        f"{report.turns:,} turns of {len(report.agents):,} agents in {report.sessions:,} sessions{span}.",
        figures=[
            Figure(value=report.turns, of="turns"),
            Figure(value=len(report.agents), of="agents"),
            Figure(value=report.sessions, of="sessions"),
        ],
    )


def _sections(report: ReportContent) -> Iterator[Section]:
    analysis = report.analysis
    yield section(2, "Executive Summary", _summary(report))
    key_findings = finding_blocks(report.key_findings)
    if report.recommendations is None:
        yield section(3, "Key Findings", [*key_findings, *outcome_blocks(report)])
    else:
        yield section(3, "Key Findings", key_findings)
        yield section(3, "What to Do First", [first_steps(report.recommendations), *outcome_blocks(report)])
    if report.runs is not None:
        yield section(2, "Runs Side by Side", run_blocks(report.runs))
    if analysis is not None and analysis.benchmarks is not None:
        yield section(2, "Benchmark Analysis", benchmark_blocks(analysis.benchmarks))
    yield section(2, "Performance Metrics", [])
    if analysis is not None:
        yield from analysis_sections(analysis)
    if report.turns or analysis is None:
        yield from turn_sections(report)
    if report.recommendations is not None:
        yield section(2, "Recommendations", [recommendations_listing(report.recommendations)])
    yield section(2, "Environment", [_environment(report.environment)])
    yield section(2, "Data Quality", _quality(report.quality))


def _summary(report: ReportContent) -> Iterator[Block]:
    yield verdicts_table(report.verdicts)
    yield from remarks(on_verdicts(report))
    if report.analysis is not None:
        yield summary_table(report.analysis)


def _environment(environment: Mapping[str, str]) -> Listing:
    return Listing(items=tuple((name_of(name), own(": "), name_of(value)) for name, value in environment.items()))


def _quality(quality: DataQuality) -> Iterator[Block]:
    counts = (
        ("Spans read", quality.spans),
        ("Duplicate spans", quality.duplicates),
        ("Spans that came too late", quality.late_spans),
        ("Spans dropped", quality.dropped_spans),
        ("Lines that could not be read", quality.bad_lines),
        ("Lines skipped for their length", quality.oversized_lines),
        ("Files whose end is missing", quality.cut_off_ends),
        ("Windows of time that a server cut", quality.cut_windows),
        ("Sources that could not be read", quality.unreadable_sources),
        ("Traces closed early", quality.evicted_traces),
        ("Damaged turns of a store", quality.damaged_turns),
        ("Turns no longer held", quality.dropped_turns),
        ("Calls outside any turn", quality.calls_outside_turns),
        ("Spans clipped to their turn", quality.clipped_spans),
        ("Turns without their own span", quality.incomplete_turns),
        ("Turns revised", quality.revised_turns),
        ("Turns with estimated tokens", quality.estimated_turns),
        ("Turns that are a sample", quality.sampled_turns),
        ("Turns of unknown sampling", quality.turns_of_unknown_sampling),
    )
    yield Table(head=("What", "Count"), rows=tuple((blocks.words(what), blocks.count(value)) for what, value in counts))
    yield Listing(items=tuple((sentence(note),) for note in quality.notes))
