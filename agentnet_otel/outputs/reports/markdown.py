"""The report as Markdown, with the documented headings, for any reader of CommonMark with tables.

Texts that came with the data (names of agents, models, tools, rules, error types) are escaped: they can neither become
markup nor break out of a cell. Cells that are made here are written as they are.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeVar
from urllib.parse import quote

from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports.content import DataQuality, ReportContent
from agentnet_otel.outputs.reports.findings import Recommendation
from agentnet_otel.outputs.reports.opportunities import Opportunity
from agentnet_otel.outputs.reports.tables import Bucket, LatencySummary, QuantileRow, SlowTurn, TokenSummary
from agentnet_otel.outputs.reports.wording import (
    INSUFFICIENT,
    decimals,
    insufficient_text,
    interval_text,
    label_text,
    limit_text,
    milliseconds,
    number,
    percent,
    plain,
    shortened,
    usd,
    value_text,
    verdict_text,
)

MAX_ROWS: Final = 50
"""Rows shown of a table that grows with the data; the JSON report has them all."""
FIRST_STEPS: Final = 3

_NANOS: Final = 1_000_000_000
_BAR_WIDTH: Final = 30
_ACTIVE: Final = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[#>+=:-]|(?<=^\d)[.)](?=\s|$)")
"""What may be markup somewhere; an underscore inside a word and a digit's dot elsewhere is none."""
_TAG_OR_ENTITY: Final = re.compile(r"<(?=[A-Za-z/!?])|&(?=[A-Za-z#])")
_ENTITIES: Final = {"<": "&lt;", "&": "&amp;"}

Row = TypeVar("Row")


def render_markdown(report: ReportContent) -> str:
    """The whole report."""
    sections = (
        _head(report),
        _summary(report),
        _latency(report),
        _components(report),
        _tokens(report.tokens),
        _agents(report),
        _models(report),
        _slowest(report.slowest),
        _tools(report),
        _opportunities(report.opportunities),
        _recommendations(report.recommendations),
        _environment(report),
        _quality(report.quality),
    )
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _head(report: ReportContent) -> Iterator[str]:
    span = ""
    if report.first_ns is not None and report.last_ns is not None:
        span = f", from {_time(report.first_ns)} to {_time(report.last_ns)}"
    yield from ("# AgentNet Performance Report", "")
    yield from (f"Generated {_time(report.generated_ns)} by agentnet-otel {report.version}.", "")
    yield f"{report.turns:,} turns of {len(report.agents):,} agents in {report.sessions:,} sessions{span}."
    yield ""


def _summary(report: ReportContent) -> Iterator[str]:
    yield from ("## Executive Summary", "")
    yield from _table(
        ("Metric", "Value", "95 % interval", "Recommended", "Critical", "Verdict"),
        [_verdict(row) for row in report.verdicts],
    )
    yield from ("### Key Findings", "")
    yield from (f"{place}. {escaped(finding)}" for place, finding in enumerate(report.findings, 1))
    yield from ("", "### What to Do First", "")
    for place, step in enumerate(report.recommendations[:FIRST_STEPS], 1):
        yield f"{place}. **{escaped(step.title)}**: {escaped(step.action)}"
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.items())
    yield from ("", f"Outcomes: {outcomes or 'none'}.", "")
    if report.error_types:
        shown = list(islice(report.error_types.items(), MAX_ROWS))
        errors = ", ".join(f"{named(kind)} ({count:,})" for kind, count in shown)
        rest = len(report.error_types) - len(shown)
        yield from (f"Error types: {errors}{f' and {rest:,} more' if rest else ''}.", "")


def _verdict(row: Judgement) -> tuple[str, ...]:
    return (
        named(label_text(row)),
        value_text(row.value, row.threshold),
        interval_text(row.interval, row.threshold),
        limit_text(row.threshold.recommended, row.threshold),
        limit_text(row.threshold.critical, row.threshold),
        verdict_text(row),
    )


def _latency(report: ReportContent) -> Iterator[str]:
    latency = report.latency
    yield from ("## Performance Metrics", "", "### Latency", "")
    if latency is None:
        yield from ("No turns.", "")
        return
    yield from (_latency_in_words(latency), "")
    if report.first_token is not None:
        first = report.first_token
        sample = "" if first.p95_sufficient else f" ({INSUFFICIENT})"
        yield (
            f"Streamed answers: time to first token in {first.turns:,} turns, median {milliseconds(first.median_ms)} "
            f"ms, p95 {milliseconds(first.p95_ms)} ms{sample}."
        )
        yield ""
    yield from _table(
        ("Percentile", "ms", "95 % interval"), [_quantile(row, latency.count) for row in latency.quantiles]
    )
    most = max(bucket.turns for bucket in latency.buckets)
    yield from _table(("Latency", "Turns", ""), [_bucket(bucket, most) for bucket in latency.buckets])


def _latency_in_words(latency: LatencySummary) -> str:
    interval = latency.mean_interval
    mean = "" if interval is None else f", 95 % interval {milliseconds(interval.low)} .. {milliseconds(interval.high)}"
    if latency.count < MIN_MEAN_N:
        mean += f", {insufficient_text(latency.count, MIN_MEAN_N)}"
    return (
        f"Mean {milliseconds(latency.mean_ms)} ms{mean}; standard deviation {milliseconds(latency.stdev_ms)} ms, "
        f"from {milliseconds(latency.min_ms)} to {milliseconds(latency.max_ms)} ms; {latency.outliers:,} outliers. "
        f"At most {latency.peak_concurrency:,} turns ran at the same time."
    )


def _quantile(row: QuantileRow, count: int) -> tuple[str, ...]:
    interval = (
        insufficient_text(count, row.needed)
        if row.interval is None
        else f"{milliseconds(row.interval.low)} .. {milliseconds(row.interval.high)}"
    )
    return f"p{100 * row.q:g}", milliseconds(row.value_ms), interval


def _bucket(bucket: Bucket, most: int) -> tuple[str, ...]:
    label = (
        f"{bucket.from_ms:,.0f} ms and more"
        if bucket.below_ms is None
        else f"{bucket.from_ms:,.0f} .. {bucket.below_ms:,.0f} ms"
    )
    return label, number(bucket.turns), "█" * round(_BAR_WIDTH * bucket.turns / most)


def _components(report: ReportContent) -> Iterator[str]:
    yield from ("### Components", "")
    yield "Self time: each instant of a turn belongs to one component, so the shares add up to the whole."
    yield ""
    yield from _table(
        ("Component", "Share", "Total ms", "Mean ms", "p95 ms", "Turns", "Calls", "Sample"),
        [
            (
                row.component,
                percent(row.share),
                milliseconds(row.total_ms),
                milliseconds(row.mean_ms),
                milliseconds(row.p95_ms),
                number(row.turns),
                number(row.calls),
                _sample(mean=row.mean_sufficient, p95=row.p95_sufficient),
            )
            for row in report.components
        ],
    )


def _tokens(tokens: TokenSummary) -> Iterator[str]:
    usage = tokens.usage
    yield from ("### Tokens and Cost", "")
    yield (
        f"Input {number(usage.input)}, of these cached {number(usage.cached)}; output {number(usage.output)}, of these "
        f"reasoning {number(usage.reasoning)}. {tokens.turns_with_tokens:,} turns tell their tokens, "
        f"{tokens.estimated_turns:,} of them estimated."
    )
    yield ""
    total = sum(tokens.by_category.values())
    yield from _table(
        ("Category", "Tokens", "Share"),
        [
            (name, number(count), percent(count / total if total else None))
            for name, count in tokens.by_category.items()
        ],
    )
    sources = ", ".join(f"{usd(amount)} by {source}" for source, amount in tokens.cost_by_source.items())
    yield f"Cost {usd(tokens.cost_usd)} in {tokens.turns_with_cost:,} turns{f' ({sources})' if sources else ''}."
    yield ""
    qualities = ", ".join(f"{source} in {count:,}" for source, count in tokens.quality_sources.items())
    quality = f"; quality: {qualities} turns" if qualities else ""
    yield from (f"Mean token efficiency {decimals(tokens.mean_efficiency)}{quality}.", "")
    if tokens.weighted is not None:
        whole = tokens.weighted
        yield (
            f"The turns are a sample. Weighted by their sampling probability they stand for about {whole.turns:,.0f} "
            f"turns, {whole.tokens:,.0f} tokens and a cost of {usd(whole.cost_usd)}."
        )
        yield ""


def _agents(report: ReportContent) -> Iterator[str]:
    yield from ("### Agents", "")
    yield from _table(
        ("Agent", "Turns", "Success", "Mean ms", "p95 ms", "Tokens", "Cost", "Efficiency", "Sample"),
        [
            (
                named(row.agent),
                number(row.turns),
                percent(row.success_rate),
                milliseconds(row.mean_ms),
                milliseconds(row.p95_ms),
                number(row.tokens),
                usd(row.cost_usd),
                decimals(row.efficiency),
                _sample(mean=row.mean_sufficient, p95=row.p95_sufficient),
            )
            for row in report.agents[:MAX_ROWS]
        ],
        left_out=len(report.agents) - MAX_ROWS,
    )


def _models(report: ReportContent) -> Iterator[str]:
    yield from ("### Models", "")
    yield from _table(
        ("Model", "Turns", "Input tokens", "Output tokens"),
        [
            (named(row.model), number(row.turns), number(row.usage.input), number(row.usage.output))
            for row in report.models[:MAX_ROWS]
        ],
        left_out=len(report.models) - MAX_ROWS,
    )


def _slowest(slowest: Sequence[SlowTurn]) -> Iterator[str]:
    yield from ("### Slowest Turns", "")
    yield from _table(
        ("Agent", "ms", "Outcome", "Most of it", "Trace"),
        [
            (
                named(row.agent),
                milliseconds(row.duration_ms),
                row.outcome,
                f"{row.component} ({milliseconds(row.component_ms)} ms)",
                f"[{row.trace_id}](<{quote(row.url, safe=_URL_SAFE)}>)" if row.url else row.trace_id,
            )
            for row in slowest
        ],
    )


_URL_SAFE: Final = "%:/?#[]@!$&'()*+,;=~"
"""Characters of a URL that stay; what else is there would end the link or the cell."""


def _tools(report: ReportContent) -> Iterator[str]:
    yield from ("### Tools", "")
    yield from _table(
        ("Tool", "Calls", "Failed"),
        [(named(row.tool), number(row.calls), number(row.failures)) for row in report.tools[:MAX_ROWS]],
        left_out=len(report.tools) - MAX_ROWS,
    )
    yield from ("### Policy Violations", "")
    yield from _table(
        ("Rule", "Severity", "Count"),
        [
            (named(row.rule), named(row.severity or "unknown"), number(row.count))
            for row in report.violations[:MAX_ROWS]
        ],
        left_out=len(report.violations) - MAX_ROWS,
    )


def _opportunities(opportunities: Sequence[Opportunity]) -> Iterator[str]:
    yield from ("## Optimization Opportunities", "")
    yield from _table(
        ("What", "Limit", "Turns", "Most of all"),
        [
            (
                row.title,
                row.limit,
                f"{row.turns:,} of {row.of:,}",
                ", ".join(f"{named(e.agent)} {named(e.turn_id)} ({e.value})" for e in row.examples),
            )
            for row in opportunities
        ],
    )


def _recommendations(recommendations: Sequence[Recommendation]) -> Iterator[str]:
    yield from ("## Recommendations", "")
    for item in recommendations:
        head = f"**{escaped(item.title)}** ({item.priority}, {item.category})"
        yield f"- {head}. {escaped(item.description)} {escaped(item.action)}"
    yield ""


def _environment(report: ReportContent) -> Iterator[str]:
    yield from ("## Environment", "")
    yield from (f"- {escaped(name)}: {escaped(value)}" for name, value in report.environment.items())
    yield ""


def _quality(quality: DataQuality) -> Iterator[str]:
    yield from ("## Data Quality", "")
    counts = (
        ("Spans read", quality.spans),
        ("Duplicate spans", quality.duplicates),
        ("Spans that came too late", quality.late_spans),
        ("Spans dropped", quality.dropped_spans),
        ("Lines that could not be read", quality.bad_lines),
        ("Lines skipped for their length", quality.oversized_lines),
        ("Files whose end is missing", quality.cut_off_ends),
        ("Sources that could not be read", quality.unreadable_sources),
        ("Traces closed early", quality.evicted_traces),
        ("Turns no longer held", quality.dropped_turns),
        ("Calls outside any turn", quality.calls_outside_turns),
        ("Spans clipped to their turn", quality.clipped_spans),
        ("Turns without their own span", quality.incomplete_turns),
        ("Turns revised", quality.revised_turns),
        ("Turns with estimated tokens", quality.estimated_turns),
        ("Turns that are a sample", quality.sampled_turns),
        ("Turns of unknown sampling", quality.turns_of_unknown_sampling),
    )
    yield from _table(("What", "Count"), [(what, number(count)) for what, count in counts])
    yield from (f"- {escaped(note)}" for note in quality.notes)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left_out: int = 0) -> Iterator[str]:
    """A table, and an empty line; cells are Markdown already. Without rows it is a word."""
    if not rows:
        yield from ("None.", "")
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
    if left_out > 0:
        yield from (f"And {left_out:,} more, which the JSON report has.", "")


def _sample(*, mean: bool, p95: bool) -> str:
    """Whether a row rests on enough turns."""
    if not mean:
        return INSUFFICIENT
    return "sufficient" if p95 else f"p95 {INSUFFICIENT}"


def named(name: str) -> str:
    """A name that came with the data, as Markdown; not too long."""
    return escaped(shortened(name))


def escaped(text: str) -> str:
    """Text as Markdown that shows it, on one line."""
    shown = plain(text).strip()
    return _TAG_OR_ENTITY.sub(lambda found: _ENTITIES[found[0]], _ACTIVE.sub(lambda found: f"\\{found[0]}", shown))


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / _NANOS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
