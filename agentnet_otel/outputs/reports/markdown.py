"""The report as Markdown, with the documented headings."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.wording import (
    INSUFFICIENT,
    interval_text,
    label_text,
    limit_text,
    milliseconds,
    number,
    percent,
    usd,
    value_text,
    verdict_text,
)

_NANOS = 1_000_000_000
_BAR_WIDTH = 30


def render_markdown(report: ReportContent) -> str:
    """The whole report."""
    sections = (
        _head(report),
        _summary(report),
        _latency(report),
        _components(report),
        _tokens(report),
        _agents(report),
        _models(report),
        _slowest(report),
        _tools(report),
        _recommendations(report),
        _environment(report),
        _quality(report),
    )
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _head(report: ReportContent) -> Iterable[str]:
    yield "# AgentNet Performance Report"
    yield ""
    span = ""
    if report.first_ns is not None and report.last_ns is not None:
        span = f", from {_time(report.first_ns)} to {_time(report.last_ns)}"
    yield f"Generated {_time(report.generated_ns)} by agentnet-otel {report.version}."
    yield ""
    yield f"{report.turns:,} turns of {len(report.agents):,} agents in {report.sessions:,} sessions{span}."
    yield ""


def _summary(report: ReportContent) -> Iterable[str]:
    yield "## Executive Summary"
    yield ""
    yield from verdict_table(report.verdicts)
    yield ""
    yield "### Key Findings"
    yield ""
    for place, finding in enumerate(report.findings, 1):
        yield f"{place}. {_cell(finding)}"
    yield ""
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.items())
    yield f"Outcomes: {outcomes or 'none'}."
    if report.error_types:
        errors = ", ".join(f"`{_code(kind)}` ({count:,})" for kind, count in report.error_types.items())
        yield ""
        yield f"Error types: {errors}."
    yield ""


def verdict_table(verdicts: Sequence[Judgement]) -> Iterable[str]:
    """The rows of the verdict table."""
    yield from _table(
        ("Metric", "Value", "95 % interval", "Recommended", "Critical", "Verdict"),
        (
            (
                label_text(row),
                value_text(row.value, row.threshold),
                interval_text(row.interval, row.threshold),
                limit_text(row.threshold.recommended, row.threshold),
                limit_text(row.threshold.critical, row.threshold),
                verdict_text(row),
            )
            for row in verdicts
        ),
    )


def _latency(report: ReportContent) -> Iterable[str]:
    yield "## Performance Metrics"
    yield ""
    yield "### Latency"
    yield ""
    latency = report.latency
    if latency is None:
        yield "No turns."
        yield ""
        return
    yield (
        f"Mean {milliseconds(latency.mean_ms)} ms, standard deviation {milliseconds(latency.stdev_ms)} ms, "
        f"from {milliseconds(latency.min_ms)} to {milliseconds(latency.max_ms)} ms; {latency.outliers:,} outliers."
    )
    yield ""
    yield from _table(
        ("Percentile", "ms", "95 % interval"),
        (
            (
                f"p{100 * row.q:g}",
                milliseconds(row.value_ms),
                INSUFFICIENT
                if row.interval is None
                else f"{milliseconds(row.interval.low)} .. {milliseconds(row.interval.high)}",
            )
            for row in latency.quantiles
        ),
    )
    yield ""
    most = max(count for _, count in latency.buckets) or 1
    yield from _table(
        ("Latency", "Turns", ""),
        (
            (
                f"< {edge:,.0f} ms" if edge is not None else "longer",
                number(count),
                "█" * round(_BAR_WIDTH * count / most),
            )
            for edge, count in latency.buckets
        ),
    )
    yield ""


def _components(report: ReportContent) -> Iterable[str]:
    yield "### Components"
    yield ""
    yield "Self time: each instant of a turn belongs to one component, so the shares add up to the whole."
    yield ""
    yield from _table(
        ("Component", "Share", "Total ms", "Mean ms", "p95 ms", "Turns", "Calls"),
        (
            (
                row.component,
                percent(row.share),
                milliseconds(row.total_ms),
                milliseconds(row.mean_ms),
                milliseconds(row.p95_ms),
                number(row.turns),
                number(row.calls),
            )
            for row in report.components
        ),
    )
    yield ""


def _tokens(report: ReportContent) -> Iterable[str]:
    tokens = report.tokens
    usage = tokens.usage
    yield "### Tokens and Cost"
    yield ""
    yield (
        f"Input {number(usage.input)}, of these cached {number(usage.cached)}; output {number(usage.output)}, of these "
        f"reasoning {number(usage.reasoning)}. {tokens.turns_with_tokens:,} turns tell their tokens, "
        f"{tokens.estimated_turns:,} of them estimated."
    )
    yield ""
    total = sum(tokens.by_category.values())
    if total:
        yield from _table(
            ("Category", "Tokens", "Share"),
            ((name, number(count), percent(count / total)) for name, count in tokens.by_category.items()),
        )
        yield ""
    sources = ", ".join(f"{usd(amount)} by {source}" for source, amount in tokens.cost_by_source.items())
    yield f"Cost {usd(tokens.cost_usd)} in {tokens.turns_with_cost:,} turns{f' ({sources})' if sources else ''}."
    yield ""
    qualities = ", ".join(f"{source} in {count:,}" for source, count in tokens.quality_sources.items())
    efficiency = "n/a" if tokens.mean_efficiency is None else f"{tokens.mean_efficiency:.3f}"
    yield f"Mean token efficiency {efficiency}{f'; quality: {qualities} turns' if qualities else ''}."
    yield ""


def _agents(report: ReportContent) -> Iterable[str]:
    yield "### Agents"
    yield ""
    yield from _table(
        ("Agent", "Turns", "Success", "Mean ms", "p95 ms", "Tokens", "Cost", "Efficiency"),
        (
            (
                row.agent,
                number(row.turns),
                percent(row.success_rate),
                milliseconds(row.mean_ms),
                milliseconds(row.p95_ms),
                number(row.tokens),
                usd(row.cost_usd),
                "n/a" if row.efficiency is None else f"{row.efficiency:.3f}",
            )
            for row in report.agents
        ),
    )
    yield ""


def _models(report: ReportContent) -> Iterable[str]:
    if not report.models:
        return
    yield "### Models"
    yield ""
    yield from _table(
        ("Model", "Turns", "Input tokens", "Output tokens"),
        ((row.model, number(row.turns), number(row.usage.input), number(row.usage.output)) for row in report.models),
    )
    yield ""


def _slowest(report: ReportContent) -> Iterable[str]:
    yield "### Slowest Turns"
    yield ""
    yield from _table(
        ("Agent", "ms", "Outcome", "Most of it", "Trace"),
        (
            (
                row.agent,
                milliseconds(row.duration_ms),
                row.outcome,
                f"{row.component} ({milliseconds(row.component_ms)} ms)",
                f"[{row.trace_id}](<{row.url}>)" if row.url else row.trace_id,
            )
            for row in report.slowest
        ),
    )
    yield ""


def _tools(report: ReportContent) -> Iterable[str]:
    if report.tools:
        yield "### Tools"
        yield ""
        yield from _table(
            ("Tool", "Calls", "Failed"), ((row.tool, number(row.calls), number(row.failures)) for row in report.tools)
        )
        yield ""
    if report.violations:
        yield "### Policy Violations"
        yield ""
        yield from _table(
            ("Rule", "Severity", "Count"),
            ((row.rule, row.severity or "unknown", number(row.count)) for row in report.violations),
        )
        yield ""


def _recommendations(report: ReportContent) -> Iterable[str]:
    yield "## Recommendations"
    yield ""
    for item in report.recommendations:
        advice = f"{_cell(item.description)} {_cell(item.action)}"
        yield f"- **{_cell(item.title)}** ({item.priority}, {item.category}). {advice}"
    yield ""


def _environment(report: ReportContent) -> Iterable[str]:
    yield "## Environment"
    yield ""
    for name, value in report.environment.items():
        yield f"- {_cell(name)}: {_cell(value)}"
    yield ""


def _quality(report: ReportContent) -> Iterable[str]:
    quality = report.quality
    yield "## Data Quality"
    yield ""
    yield from _table(
        ("What", "Count"),
        (
            ("Spans read", number(quality.spans)),
            ("Duplicate spans", number(quality.duplicates)),
            ("Spans that came too late", number(quality.late_spans)),
            ("Spans dropped", number(quality.dropped_spans)),
            ("Calls outside any turn", number(quality.calls_outside_turns)),
            ("Spans clipped to their turn", number(quality.clipped_spans)),
            ("Turns without their own span", number(quality.incomplete_turns)),
            ("Turns revised", number(quality.revised_turns)),
            ("Turns with estimated tokens", number(quality.estimated_turns)),
            ("Turns of unknown sampling", number(quality.turns_of_unknown_sampling)),
        ),
    )
    for note in quality.notes:
        yield ""
        yield f"- {_cell(note)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    """Text that cannot break out of a table cell or become markup."""
    escaped = " ".join(text.split())
    for character in ("\\", "|", "<", ">") if not escaped.startswith("[") else ("|",):
        escaped = escaped.replace(character, _ESCAPES[character])
    return escaped


_ESCAPES = {"\\": "\\\\", "|": "\\|", "<": "&lt;", ">": "&gt;"}


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / _NANOS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
