"""What is told of turns, as sections of the document: latency, components, tokens, agents, models, tools and rules."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.blocks import (
    MAX_ROWS,
    Block,
    Cell,
    Figure,
    Paragraph,
    Section,
    Table,
    growing_table,
    joined,
    name_of,
    own,
    paragraph,
    remarks,
    section,
)
from agentnet_otel.outputs.reports.caveats import on_latency, on_tokens
from agentnet_otel.outputs.reports.chart_blocks import (
    categories_chart,
    components_chart,
    latency_charts,
    models_chart,
    waterfalls_chart,
)
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.finding_blocks import turns_cell
from agentnet_otel.outputs.reports.opportunities import Opportunity
from agentnet_otel.outputs.reports.tables.latency import LatencySummary
from agentnet_otel.outputs.reports.tables.tokens import TokenSummary


def turn_sections(report: ReportContent) -> Iterator[Section]:
    """All that is told of turns, after their verdicts and findings."""
    yield section(3, "Latency", _latency(report))
    yield section(3, "Components", _components(report))
    yield section(3, "Tokens and Cost", _tokens(report))
    yield section(3, "Agents", [_agents(report)])
    yield section(3, "Models", [models_chart(report.models)])
    yield section(3, "Slowest Turns", _slowest(report))
    yield section(3, "Tools", [_tools(report)])
    yield section(3, "Policy Violations", [_violations(report)])
    yield section(2, "Optimization Opportunities", [_opportunities(report.opportunities)])


def outcome_blocks(report: ReportContent) -> Iterator[Block]:
    """How the turns ended, and the kinds of errors among them."""
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
    yield from remarks(on_latency(report))
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
    yield from remarks(on_tokens(report))
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
    head = ("Agent", "Turns", "Success", "Mean ms", "p95 ms", "Tokens", "Cost", "Efficiency", "Sample")
    return growing_table(
        head,
        report.agents,
        lambda row: (
            blocks.named(row.agent),
            blocks.count(row.turns),
            blocks.percent(row.success_rate),
            blocks.milliseconds(row.mean_ms),
            blocks.milliseconds(row.p95_ms),
            blocks.count(row.tokens),
            blocks.usd(row.cost_usd),
            blocks.decimals(row.efficiency),
            _sample(mean=row.mean_sufficient, p95=row.p95_sufficient),
        ),
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
    return growing_table(
        ("Tool", "Calls", "Failed", "Failed last in"),
        report.tools,
        lambda row: (
            blocks.named(row.tool),
            blocks.count(row.calls),
            blocks.count(row.failures),
            blocks.traced(row.trace_id, row.url),
        ),
    )


def _violations(report: ReportContent) -> Table:
    return growing_table(
        ("Rule", "Severity", "Count", "Last in"),
        report.violations,
        lambda row: (
            blocks.named(row.rule),
            blocks.named(row.severity or "unknown"),
            blocks.count(row.count),
            blocks.traced(row.trace_id, row.url),
        ),
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
                turns_cell(row.examples),
            )
            for row in opportunities
        ),
    )


def _sample(*, mean: bool, p95: bool) -> Cell:
    """Whether a row rests on enough turns."""
    if not mean:
        return blocks.words(wording.INSUFFICIENT)
    return blocks.words("sufficient" if p95 else f"p95 {wording.INSUFFICIENT}")
