"""The charts of a report, each with the table of what it shows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from agentnet_otel.core.columns import UNATTRIBUTED
from agentnet_otel.core.thresholds import Metric
from agentnet_otel.outputs.reports import blocks, charts, wording
from agentnet_otel.outputs.reports.blocks import Cell, Chart, Figure, Span, Table, growing_table, own
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.over_time import TimeRow
from agentnet_otel.outputs.reports.tables.agents_and_models import AgentRow, ModelRow
from agentnet_otel.outputs.reports.tables.latency import Bucket, LatencySummary, QuantileRow
from agentnet_otel.outputs.reports.tables.slowest import SlowTurn

MAX_DRAWN: Final = 12
"""Agents or models drawn; the table has more."""
_NANOS: Final = 1_000_000_000
_MOST_DIGITS: Final = 9
_UNTIMED: Final = "No times of components known"


def latency_charts(report: ReportContent, latency: LatencySummary) -> Iterator[Chart]:
    """The distribution, its percentiles, and how it went over time."""
    limits = latency_limits(report)
    yield _distribution(latency, limits)
    yield _percentiles(latency, limits)
    yield _over_time(report.over_time, limits)


def latency_limits(report: ReportContent) -> tuple[charts.Limit, ...]:
    """The limits that the p95 of all turns is judged by."""
    row = next((r for r in report.verdicts if r.threshold.metric is Metric.TURN_LATENCY and r.of_all), None)
    if row is None:
        return ()
    return tuple(
        charts.Limit(text=f"{name} {wording.limit_text(value, row.threshold)}", value=value, critical=critical)
        for name, value, critical in (
            ("recommended", row.threshold.recommended, False),
            ("critical", row.threshold.critical, True),
        )
    )


def components_chart(report: ReportContent) -> Chart | None:
    """Where the time of each agent's turns goes; None where nothing is known of it."""
    names = tuple(dict.fromkeys(name for row in report.components for name in (row.component,)))
    if not names:
        return None
    shown = report.agents[:MAX_DRAWN]
    return Chart(
        title="Components of a turn, by agent",
        told=f"Mean self time of a turn in each component. {_slowest_agent(report.agents)}",
        drawing=charts.Stacks(
            rows=tuple(
                charts.Stack(
                    name=row.agent,
                    text=f"{wording.milliseconds(row.mean_ms)} ms",
                    parts=tuple(
                        charts.Part(component=name, value=row.component_ms[name])
                        for name in names
                        if row.component_ms.get(name)
                    ),
                )
                for row in shown
            )
        ),
        table=growing_table(
            ("Agent, mean ms of a turn", *names, "all"), report.agents, lambda row: _agent_components(row, names)
        ),
    )


def categories_chart(report: ReportContent) -> Chart:
    """What tokens were spent for."""
    spent = report.tokens.by_category
    total = sum(spent.values())
    return Chart(
        title="Tokens by category",
        told=", ".join(f"{name} {wording.percent(count / total)}" for name, count in spent.items())
        if total
        else "None.",
        drawing=charts.Bars(
            rows=tuple(
                charts.Bar(name=name, value=count, text=f"{count:,} ({wording.percent(count / total)})")
                for name, count in spent.items()
                if total
            )
        ),
        table=Table(
            head=("Category", "Tokens", "Share"),
            rows=tuple(
                (blocks.words(name), blocks.count(count), blocks.percent(count / total if total else None))
                for name, count in spent.items()
            ),
        ),
    )


def models_chart(models: Sequence[ModelRow]) -> Chart:
    """What each model costs."""
    priced = sorted(
        ((row.cost_usd, row.model) for row in models if row.cost_usd is not None), key=lambda pair: (-pair[0], pair[1])
    )
    return Chart(
        title="Cost by model",
        told=(
            "Cost of the turns in which a model had the most output tokens, most expensive first."
            if priced
            else "No cost is known."
        ),
        drawing=charts.Bars(
            rows=tuple(charts.Bar(name=model, value=cost, text=wording.usd(cost)) for cost, model in priced[:MAX_DRAWN])
        ),
        table=growing_table(
            ("Model", "Turns", "Input tokens", "Output tokens", "Cost"),
            models,
            lambda row: (
                blocks.named(row.model),
                blocks.count(row.turns),
                blocks.count(row.usage.input),
                blocks.count(row.usage.output),
                blocks.usd(row.cost_usd),
            ),
        ),
        folded=False,
    )


SLOWEST_TITLE: Final = "Where the slowest turns spent their time"


def waterfalls_chart(slowest: Sequence[SlowTurn], title: str = SLOWEST_TITLE) -> Chart:
    """When what ran in the slowest turns (or, under another title, in others), and the self times."""
    names = tuple(
        sorted(
            {name for row in slowest for name, ms in row.components_ms.items() if ms > 0},
            key=lambda name: (-sum(row.components_ms.get(name, 0.0) for row in slowest), name),
        )
    )
    return Chart(
        title=title,
        told=_waterfalls_told(slowest),
        drawing=charts.Waterfalls(rows=tuple(_waterfall(row) for row in slowest)),
        table=Table(
            head=("Turn", *names),
            rows=tuple(
                (
                    Cell(
                        spans=(
                            blocks.name_of(row.agent),
                            own(" "),
                            Span(text=wording.plain(row.trace_id[:8]), url=row.url, foreign=True),
                        ),
                        figures=(Figure(value=wording.shortened(row.trace_id)),),
                    ),
                    *(blocks.milliseconds(row.components_ms.get(name, 0.0)) for name in names),
                )
                for row in slowest
            ),
        ),
    )


def _distribution(latency: LatencySummary, limits: tuple[charts.Limit, ...]) -> Chart:
    most = max(bucket.turns for bucket in latency.histogram)
    fullest = next(bucket for bucket in latency.histogram if bucket.turns == most)
    return Chart(
        title="Distribution of turn latency",
        told=(
            f"{latency.count:,} turns from {wording.milliseconds(latency.min_ms)} to "
            f"{wording.milliseconds(latency.max_ms)} ms, most of them ({most:,}) in {_range(fullest)}; "
            f"limits: {_told(limits)}."
        ),
        drawing=charts.Histogram(
            bins=tuple(
                charts.Bin(low=b.from_ms, high=b.below_ms or b.from_ms * 1.25, count=b.turns) for b in latency.histogram
            ),
            limits=limits,
        ),
        table=Table(
            head=("Latency", "Turns", ""),
            rows=tuple(
                (blocks.words(_range(bucket)), blocks.count(bucket.turns), Cell(bar=bucket.turns / most))
                for bucket in latency.histogram
            ),
        ),
    )


def _percentiles(latency: LatencySummary, limits: tuple[charts.Limit, ...]) -> Chart:
    return Chart(
        title="Percentiles of turn latency, with 95 % intervals",
        told="; ".join(
            f"{_name(row)} is {wording.milliseconds(row.value_ms)} ms ({_interval(row, latency.count)})"
            for row in latency.quantiles
        )
        + ".",
        drawing=charts.Estimates(
            rows=tuple(
                charts.Estimate(
                    name=_name(row),
                    value=row.value_ms,
                    low=None if row.interval is None else row.interval.low,
                    high=None if row.interval is None else row.interval.high,
                )
                for row in latency.quantiles
            ),
            limits=limits,
        ),
        table=Table(
            head=("Percentile", "ms", "95 % interval"),
            rows=tuple(
                (
                    blocks.words(_name(row)),
                    blocks.milliseconds(row.value_ms),
                    blocks.bounds(_interval(row, latency.count), row.interval, "ms"),
                )
                for row in latency.quantiles
            ),
        ),
        folded=False,
    )


def _over_time(rows: Sequence[TimeRow], limits: tuple[charts.Limit, ...]) -> Chart:
    middles = [(row.start_ns + row.end_ns) // 2 for row in rows]
    worst = max(rows, key=lambda row: row.p95_ms)
    digits = _digits_between(rows[0].start_ns, rows[0].end_ns)
    return Chart(
        title="Turn latency over time",
        told=(
            f"Median and p95 of the turns that started in each of {len(rows):,} stretches of time; the highest p95 is "
            f"{wording.milliseconds(worst.p95_ms)} ms, from {time_text(worst.start_ns, digits)}."
        ),
        drawing=charts.Lines(
            lines=(
                charts.Line(name="p95", points=tuple(zip(middles, (row.p95_ms for row in rows), strict=True))),
                charts.Line(name="median", points=tuple(zip(middles, (row.median_ms for row in rows), strict=True))),
            ),
            first_ns=rows[0].start_ns,
            last_ns=rows[-1].end_ns,
            limits=limits,
        ),
        table=Table(
            head=("Turns started from", "Turns", "Failed", "Median ms", "p95 ms", "p95 sample"),
            rows=tuple(
                (
                    blocks.words(time_text(row.start_ns, digits)),
                    blocks.count(row.turns),
                    blocks.count(row.failed),
                    blocks.milliseconds(row.median_ms),
                    blocks.milliseconds(row.p95_ms),
                    blocks.words("sufficient" if row.p95_sufficient else wording.INSUFFICIENT),
                )
                for row in rows
            ),
        ),
    )


def _waterfalls_told(slowest: Sequence[SlowTurn]) -> str:
    told = []
    if any(row.steps for row in slowest):
        told.append("When components ran in the turn (where they are many, the longest); what ran at once overlaps.")
    if any(not row.steps for row in slowest):
        told.append(f"{_UNTIMED}: self time in each component, the longest first, one after the other.")
    return " ".join(told)


def _waterfall(row: SlowTurn) -> charts.Waterfall:
    left_out = f", +{row.steps_left_out:,} shorter" if row.steps_left_out else ""
    trace = wording.plain(row.trace_id[:8])
    untimed = "" if row.steps else f", {_UNTIMED.lower()}"
    return charts.Waterfall(
        name=row.agent,
        text=f"{wording.milliseconds(row.duration_ms)} ms, {row.outcome}, trace {trace}{left_out}{untimed}",
        duration_ms=row.duration_ms,
        steps=tuple(_timed_steps(row) if row.steps else _self_times_in_a_row(row)),
    )


def _timed_steps(row: SlowTurn) -> Iterator[charts.Step]:
    for step in row.steps:
        yield charts.Step(
            name=step.component, component=step.component, start_ms=step.start_ms, duration_ms=step.duration_ms
        )


def _self_times_in_a_row(row: SlowTurn) -> Iterator[charts.Step]:
    """All that can be drawn of a turn that tells no times: of an older store, or of a tracker."""
    passed_ms = 0.0
    for name, ms in sorted(row.components_ms.items(), key=lambda item: (item[0] == UNATTRIBUTED, -item[1])):
        if ms > 0:
            yield charts.Step(name=name, component=name, start_ms=passed_ms, duration_ms=ms)
            passed_ms += ms


def _agent_components(row: AgentRow, names: Sequence[str]) -> tuple[Cell, ...]:
    parts = (blocks.milliseconds(row.component_ms.get(name, 0.0)) for name in names)
    return blocks.named(row.agent), *parts, blocks.milliseconds(row.mean_ms)


def _slowest_agent(agents: Sequence[AgentRow]) -> str:
    slowest = max(agents, key=lambda row: row.mean_ms)
    longest = max(slowest.component_ms, key=lambda name: slowest.component_ms[name], default="")
    most = f", most of it {longest}" if longest else ""
    who = wording.shortened(slowest.agent)
    return f"The slowest is {who} with {wording.milliseconds(slowest.mean_ms)} ms{most}."


def _name(row: QuantileRow) -> str:
    return f"p{100 * row.q:g}"


def _interval(row: QuantileRow, count: int) -> str:
    if row.interval is None:
        return wording.insufficient_text(count, row.needed)
    return f"{wording.milliseconds(row.interval.low)} .. {wording.milliseconds(row.interval.high)}"


def _range(bucket: Bucket) -> str:
    if bucket.below_ms is None:
        return f"{bucket.from_ms:,.0f} ms and more"
    return f"{bucket.from_ms:,.10g} .. {bucket.below_ms:,.10g} ms"


def _told(limits: Sequence[charts.Limit]) -> str:
    return ", ".join(limit.text for limit in limits) or "none"


def time_text(time_ns: int, digits: int = 0) -> str:
    """A time in UTC, to the second, or to so many ``digits`` of its fraction."""
    seconds, rest_ns = divmod(time_ns, _NANOS)
    fraction = f".{rest_ns:09d}"[: digits + 1] if digits else ""
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d %H:%M:%S{fraction} UTC")


def _digits_between(start_ns: int, end_ns: int) -> int:
    """Digits of a second's fraction by which times so far apart are told apart: none, or three at a time."""
    digits = 0
    while digits < _MOST_DIGITS and (end_ns - start_ns) * 10**digits < _NANOS:
        digits += 3
    return digits
