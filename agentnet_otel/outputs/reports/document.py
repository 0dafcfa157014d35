"""The report as a document: which sections it has, in which order, and what stands in them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.thresholds import Verdict
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.analysis_blocks import analysis_sections, benchmark_blocks, summary_table
from agentnet_otel.outputs.reports.blocks import (
    MAX_ROWS,
    Block,
    Cell,
    Document,
    Figure,
    Listing,
    Paragraph,
    Section,
    Span,
    Table,
    Tone,
    joined,
    name_of,
    own,
    paragraph,
    sentence,
)
from agentnet_otel.outputs.reports.caveats import on_latency, on_tokens, on_verdicts
from agentnet_otel.outputs.reports.chart_blocks import (
    categories_chart,
    components_chart,
    latency_charts,
    models_chart,
    time_text,
    waterfalls_chart,
)
from agentnet_otel.outputs.reports.content import DataQuality, ReportContent
from agentnet_otel.outputs.reports.evidence import Finding, NamedTurn
from agentnet_otel.outputs.reports.findings import Recommendation
from agentnet_otel.outputs.reports.measures import measure_interval_text, measure_text
from agentnet_otel.outputs.reports.opportunities import Opportunity
from agentnet_otel.outputs.reports.run_blocks import run_blocks
from agentnet_otel.outputs.reports.tables.latency import LatencySummary
from agentnet_otel.outputs.reports.tables.tokens import TokenSummary

TITLE: Final = "AgentNet Performance Report"
FIRST_STEPS: Final = 3
VERDICT_HEAD: Final = ("Metric", "Value", "95 % interval", "Recommended", "Critical", "Verdict")

_TONES: Final = {
    Verdict.PASS: Tone.GOOD,
    Verdict.WARN: Tone.WARN,
    Verdict.FAIL: Tone.BAD,
    Verdict.NO_DATA: Tone.MUTED,
}


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
    yield _section(2, "Executive Summary", _summary(report))
    findings = tuple((sentence(finding.text),) for finding in report.key_findings)
    key_findings: list[Block] = [Listing(items=findings, numbered=True), *_evidence(report.key_findings)]
    if report.recommendations is None:
        yield _section(3, "Key Findings", [*key_findings, *_outcomes(report)])
    else:
        yield _section(3, "Key Findings", key_findings)
        yield _section(3, "What to Do First", [_first(report.recommendations), *_outcomes(report)])
    if report.runs is not None:
        yield _section(2, "Runs Side by Side", run_blocks(report.runs))
    if analysis is not None and analysis.benchmarks is not None:
        yield _section(2, "Benchmark Analysis", benchmark_blocks(analysis.benchmarks))
    yield _section(2, "Performance Metrics", [])
    if analysis is not None:
        yield from analysis_sections(analysis)
    if report.turns or analysis is None:
        yield from _turn_sections(report)
    if report.recommendations is not None:
        yield _section(2, "Recommendations", [_recommendations(report.recommendations)])
    yield _section(2, "Environment", [_environment(report.environment)])
    yield _section(2, "Data Quality", _quality(report.quality))


def _turn_sections(report: ReportContent) -> Iterator[Section]:
    yield _section(3, "Latency", _latency(report))
    yield _section(3, "Components", _components(report))
    yield _section(3, "Tokens and Cost", _tokens(report))
    yield _section(3, "Agents", [_agents(report)])
    yield _section(3, "Models", [models_chart(report.models)])
    yield _section(3, "Slowest Turns", _slowest(report))
    yield _section(3, "Tools", [_tools(report)])
    yield _section(3, "Policy Violations", [_violations(report)])
    yield _section(2, "Optimization Opportunities", [_opportunities(report.opportunities)])


def _section(level: int, title: str, found: Sequence[Block] | Iterator[Block]) -> Section:
    return Section(title=title, level=level, blocks=tuple(found))


def _summary(report: ReportContent) -> Iterator[Block]:
    yield verdicts_table(report.verdicts)
    yield from _remarks(on_verdicts(report))
    if report.analysis is not None:
        yield summary_table(report.analysis)


def _remarks(texts: Iterator[str]) -> Iterator[Block]:
    """What figures have to be read with, beside them."""
    items = tuple((own(text),) for text in texts)
    if items:
        yield Listing(items=items)


def _evidence(findings: Sequence[Finding]) -> Iterator[Table]:
    """What each finding rests on, by its number."""
    rows = [
        (blocks.words(str(number)), *_figures_of(finding), _turns_cell(finding.turns))
        for number, finding in enumerate(findings, 1)
        if finding.judgement is not None or finding.measure is not None or finding.turns
    ]
    if rows:
        head = ("Finding", "Value", "95 % interval", "n", "Recommended", "Critical", "Turns to look at")
        yield Table(head=head, rows=tuple(rows))


def _figures_of(finding: Finding) -> tuple[Cell, ...]:
    row, measure, n = finding.judgement, finding.measure, blocks.count(finding.n)
    none = blocks.words("no limit")
    if measure is not None:
        value = blocks.figure(measure_text(measure.value, measure.unit), measure.value, measure.unit)
        interval = blocks.bounds(measure_interval_text(measure), measure.interval, measure.unit)
        return value, interval, n, none if measure.limit is None else blocks.words(measure.limit), none
    if row is None:
        nothing = Cell(spans=(own("-"),))
        return nothing, nothing, n, none, none
    _, value, interval, recommended, critical, _ = _verdict(row)
    return value, interval, n, recommended, critical


def _turns_cell(turns: Sequence[NamedTurn]) -> Cell:
    return Cell(
        spans=joined([turn_spans(turn) for turn in turns], "; ") or (own("-"),),
        figures=tuple(Figure(value=wording.shortened(turn.trace_id or turn.turn_id)) for turn in turns),
    )


def turn_spans(turn: NamedTurn) -> tuple[Span, ...]:
    """A turn to look at: whose it is, its trace (or, without one, its id), and why."""
    which = (
        Span(text=wording.shortened(turn.trace_id), foreign=True, url=turn.url)
        if turn.trace_id
        else name_of(turn.turn_id)
    )
    return name_of(turn.agent), own(" "), which, own(" ("), name_of(turn.value), own(")")


def verdicts_table(verdicts: Sequence[Judgement]) -> Table:
    """The figures that are judged, their limits, and the verdicts."""
    return Table(head=VERDICT_HEAD, rows=tuple(_verdict(row) for row in verdicts))


def _verdict(row: Judgement) -> tuple[Cell, ...]:
    threshold = row.threshold
    unit = threshold.unit
    return (
        blocks.named(wording.label_text(row)),
        blocks.figure(wording.value_text(row.value, threshold), row.value, unit),
        blocks.bounds(wording.interval_text(row.interval, threshold), row.interval, unit),
        blocks.figure(wording.limit_text(threshold.recommended, threshold), threshold.recommended, unit),
        blocks.figure(wording.limit_text(threshold.critical, threshold), threshold.critical, unit),
        blocks.words(wording.verdict_text(row), _TONES[row.verdict]),
    )


def _first(recommendations: Sequence[Recommendation]) -> Listing:
    steps = recommendations[:FIRST_STEPS]
    items = [(sentence(step.title, strong=True), own(": "), sentence(step.action)) for step in steps]
    return Listing(items=tuple(items), numbered=True)


def _outcomes(report: ReportContent) -> Iterator[Block]:
    if not report.turns and report.analysis is not None:
        return
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.items())
    yield paragraph(f"Outcomes: {outcomes or 'none'}.", figures=_counts(report.outcomes))
    if report.error_types:
        shown = dict(islice(report.error_types.items(), MAX_ROWS))
        rest = len(report.error_types) - len(shown)
        kinds = joined([(name_of(kind), own(f" ({count:,})")) for kind, count in shown.items()])
        more = f" and {rest:,} more." if rest else "."
        yield paragraph("Error types: ", *kinds, more, figures=_counts(shown))


def _counts(counts: Mapping[str, int]) -> list[Figure]:
    return [Figure(value=count, of=wording.shortened(name)) for name, count in counts.items()]


def _latency(report: ReportContent) -> Iterator[Block]:
    latency = report.latency
    if latency is None:
        yield paragraph("No turns.")
        return
    yield _latency_in_words(latency)
    yield from _remarks(on_latency(report))
    if report.first_token is not None:
        first = report.first_token
        sample = "" if first.p95_sufficient else f" ({wording.INSUFFICIENT})"
        yield paragraph(
            f"Streamed answers: time to first token in {first.turns:,} turns, median "
            f"{wording.milliseconds(first.median_ms)} ms, p95 {wording.milliseconds(first.p95_ms)} ms{sample}.",
            figures=[
                Figure(value=first.turns, of="turns with a time to first token"),
                Figure(value=first.median_ms, unit="ms", of="median time to first token"),
                Figure(value=first.p95_ms, unit="ms", of="p95 time to first token"),
            ],
        )
    yield from latency_charts(report, latency)


def _latency_in_words(latency: LatencySummary) -> Paragraph:
    interval = latency.mean_interval
    ms = wording.milliseconds
    mean = "" if interval is None else f", 95 % interval {ms(interval.low)} .. {ms(interval.high)}"
    if latency.count < MIN_MEAN_N:
        mean += f", {wording.insufficient_text(latency.count, MIN_MEAN_N)}"
    figures = [
        Figure(value=latency.mean_ms, unit="ms", of="mean"),
        Figure(value=latency.stdev_ms, unit="ms", of="standard deviation"),
        Figure(value=latency.min_ms, unit="ms", of="min"),
        Figure(value=latency.max_ms, unit="ms", of="max"),
        Figure(value=latency.outliers, of="outliers"),
        Figure(value=latency.peak_concurrency, of="turns at the same time"),
    ]
    if interval is not None:
        figures.append(Figure(value=interval.low, unit="ms", of="mean, 95 % interval low"))
        figures.append(Figure(value=interval.high, unit="ms", of="mean, 95 % interval high"))
    turns = "turn" if latency.peak_concurrency == 1 else "turns"
    return paragraph(
        f"Mean {ms(latency.mean_ms)} ms{mean}; standard deviation {ms(latency.stdev_ms)} ms, "
        f"from {ms(latency.min_ms)} to {ms(latency.max_ms)} ms; {latency.outliers:,} outliers. "
        f"At most {latency.peak_concurrency:,} {turns} ran at the same time.",
        figures=figures,
    )


def _components(report: ReportContent) -> Iterator[Block]:
    yield paragraph("Self time: each instant of a turn belongs to one component, so the shares add up to the whole.")
    yield Table(
        head=("Component", "Share", "Total ms", "Mean ms", "p95 ms", "Turns", "Calls", "Sample"),
        rows=tuple(
            (
                blocks.words(row.component),
                blocks.percent(row.share),
                blocks.milliseconds(row.total_ms),
                blocks.milliseconds(row.mean_ms),
                blocks.milliseconds(row.p95_ms),
                blocks.count(row.turns),
                blocks.count(row.calls),
                _sample(mean=row.mean_sufficient, p95=row.p95_sufficient),
            )
            for row in report.components
        ),
    )
    by_agent = components_chart(report)
    if by_agent is not None:
        yield by_agent


def _tokens(report: ReportContent) -> Iterator[Block]:
    tokens = report.tokens
    usage, number = tokens.usage, wording.number
    yield paragraph(
        f"Input {number(usage.input)}, of these cached {number(usage.cached)}; output {number(usage.output)}, of these "
        f"reasoning {number(usage.reasoning)}. {tokens.turns_with_tokens:,} turns tell their tokens, "
        f"{tokens.estimated_turns:,} of them estimated.",
        figures=[
            Figure(value=usage.input, unit="tokens", of="input"),
            Figure(value=usage.cached, unit="tokens", of="cached"),
            Figure(value=usage.output, unit="tokens", of="output"),
            Figure(value=usage.reasoning, unit="tokens", of="reasoning"),
            Figure(value=tokens.turns_with_tokens, of="turns with tokens"),
            Figure(value=tokens.estimated_turns, of="turns with estimated tokens"),
        ],
    )
    yield from _remarks(on_tokens(report))
    yield categories_chart(report)
    yield _cost(tokens)
    qualities = ", ".join(f"{source} in {count:,}" for source, count in tokens.quality_sources.items())
    quality = f"; quality: {qualities} turns" if qualities else ""
    yield paragraph(
        f"Mean token efficiency {wording.decimals(tokens.mean_efficiency)}{quality}.",
        figures=[Figure(value=tokens.mean_efficiency, of="mean efficiency"), *_counts(tokens.quality_sources)],
    )
    if tokens.weighted is not None:
        whole = tokens.weighted
        yield paragraph(
            f"The turns are a sample. Weighted by their sampling probability they stand for about {whole.turns:,.0f} "
            f"turns, {whole.tokens:,.0f} tokens and a cost of {wording.usd(whole.cost_usd)}.",
            figures=[
                Figure(value=whole.turns, of="turns that the sample stands for"),
                Figure(value=whole.tokens, unit="tokens", of="tokens that the sample stands for"),
                Figure(value=whole.cost_usd, unit="USD", of="cost that the sample stands for"),
            ],
        )


def _cost(tokens: TokenSummary) -> Paragraph:
    usd = wording.usd
    sources = ", ".join(f"{usd(amount)} by {source}" for source, amount in tokens.cost_by_source.items())
    return paragraph(
        f"Cost {usd(tokens.cost_usd)} in {tokens.turns_with_cost:,} turns{f' ({sources})' if sources else ''}.",
        figures=[
            Figure(value=tokens.cost_usd, unit="USD", of="cost"),
            Figure(value=tokens.turns_with_cost, of="turns with a cost"),
            *(
                Figure(value=amount, unit="USD", of=f"cost by {source}")
                for source, amount in tokens.cost_by_source.items()
            ),
        ],
    )


def _agents(report: ReportContent) -> Table:
    return Table(
        head=("Agent", "Turns", "Success", "Mean ms", "p95 ms", "Tokens", "Cost", "Efficiency", "Sample"),
        rows=tuple(
            (
                blocks.named(row.agent),
                blocks.count(row.turns),
                blocks.percent(row.success_rate),
                blocks.milliseconds(row.mean_ms),
                blocks.milliseconds(row.p95_ms),
                blocks.count(row.tokens),
                blocks.usd(row.cost_usd),
                blocks.decimals(row.efficiency),
                _sample(mean=row.mean_sufficient, p95=row.p95_sufficient),
            )
            for row in report.agents[:MAX_ROWS]
        ),
        left_out=max(0, len(report.agents) - MAX_ROWS),
    )


def _slowest(report: ReportContent) -> Iterator[Block]:
    yield Table(
        head=("Agent", "ms", "Outcome", "Most of it", "Trace"),
        rows=tuple(
            (
                blocks.named(row.agent),
                blocks.milliseconds(row.duration_ms),
                blocks.words(row.outcome),
                Cell(
                    spans=(own(f"{row.component} ({wording.milliseconds(row.component_ms)} ms)"),),
                    figures=(Figure(value=row.component_ms, unit="ms", of=row.component),),
                ),
                blocks.traced(row.trace_id, row.url),
            )
            for row in report.slowest
        ),
    )
    if report.slowest:
        yield waterfalls_chart(report.slowest)


def _tools(report: ReportContent) -> Table:
    return Table(
        head=("Tool", "Calls", "Failed", "Failed last in"),
        rows=tuple(
            (
                blocks.named(row.tool),
                blocks.count(row.calls),
                blocks.count(row.failures),
                blocks.traced(row.trace_id, row.url),
            )
            for row in report.tools[:MAX_ROWS]
        ),
        left_out=max(0, len(report.tools) - MAX_ROWS),
    )


def _violations(report: ReportContent) -> Table:
    return Table(
        head=("Rule", "Severity", "Count", "Last in"),
        rows=tuple(
            (
                blocks.named(row.rule),
                blocks.named(row.severity or "unknown"),
                blocks.count(row.count),
                blocks.traced(row.trace_id, row.url),
            )
            for row in report.violations[:MAX_ROWS]
        ),
        left_out=max(0, len(report.violations) - MAX_ROWS),
    )


def _opportunities(opportunities: Sequence[Opportunity]) -> Table:
    return Table(
        head=("What", "Limit", "Turns", "Most of all"),
        rows=tuple(
            (
                blocks.words(row.title),
                blocks.words(row.limit),
                Cell(
                    spans=(own(f"{row.turns:,} of {row.of:,}"),),
                    figures=(Figure(value=row.turns), Figure(value=row.of, of="of")),
                ),
                _turns_cell(row.examples),
            )
            for row in opportunities
        ),
    )


def _recommendations(recommendations: Sequence[Recommendation]) -> Listing:
    return Listing(
        items=tuple(
            (
                sentence(item.title, strong=True),
                own(f" ({item.priority}, {item.category}). "),
                sentence(item.description),
                own(" "),
                sentence(item.action),
            )
            for item in recommendations
        )
    )


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


def _sample(*, mean: bool, p95: bool) -> Cell:
    """Whether a row rests on enough turns."""
    if not mean:
        return blocks.words(wording.INSUFFICIENT)
    return blocks.words("sufficient" if p95 else f"p95 {wording.INSUFFICIENT}")
