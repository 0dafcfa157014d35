"""The documented analyses as sections of the document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.analysis import (
    AgentTokens,
    Analysis,
    Answer,
    BenchmarkAnalysis,
    BenchmarkRow,
    BenchmarkTrend,
    LatencyAnalysis,
    RecentTrend,
    Spread,
    TokenAnalysis,
    Trends,
)
from agentnet_otel.outputs.reports.blocks import (
    MAX_ROWS,
    Block,
    Cell,
    Listing,
    MakeCell,
    Section,
    Table,
    Tone,
    growing_table,
    name_of,
    own,
    paragraph,
    sentence,
)

EXAMPLES: Final = 3
ALL_AGENTS: Final = "all"
_BENCHMARK_HEAD: Final = (
    "Benchmark",
    "Type",
    "Operations",
    "Failed",
    "Success",
    "Mean ms",
    "p95 ms",
    "Ops/s",
    "Tokens/turn",
    "Cost/turn",
    "Limits",
)
_STATISTICS: Final = ("mean", "median", "min", "max", "stdev", "p95", "p99")


def summary_table(analysis: Analysis) -> Table:
    """The figures of the documented executive summary."""
    share = analysis.pass_share if analysis.benchmarks is not None else None
    latency_ms = analysis.mean_latency_ms if analysis.benchmarks is not None else None
    rows = (
        ("Total benchmarks", blocks.count(analysis.benchmark_count)),
        ("Benchmarks that passed", blocks.percent(share)),
        ("Average turn latency (mean of the benchmarks), ms", blocks.milliseconds(latency_ms)),
        ("Total tokens analyzed", blocks.count(analysis.total_tokens)),
        ("Overall efficiency score", blocks.decimals(analysis.efficiency if analysis.total_tokens else None)),
    )
    return Table(head=("Summary", "Value"), rows=tuple((blocks.words(what), cell) for what, cell in rows))


def benchmark_blocks(found: BenchmarkAnalysis) -> Iterator[Block]:
    """Each benchmark, their spread, and what is to be known of them."""
    yield growing_table(_BENCHMARK_HEAD, found.rows, _benchmark)
    yield Table(
        head=("Over all benchmarks", "Average", "Lowest", "Highest", "p95"),
        rows=(
            _spread("Turn latency, ms", found.latency, blocks.milliseconds),
            _spread("Operations per second", found.throughput, _rate),
            _spread("Success rate", found.success, blocks.percent),
        ),
    )
    remarks = [
        (name_of(row.name), own(": "), sentence(text))
        for row in found.rows[:MAX_ROWS]
        for text in (*row.warnings, *(f"Failed: {wording.shortened(error)}" for error in row.errors[:EXAMPLES]))
    ]
    if remarks:
        yield Listing(items=tuple(remarks[:MAX_ROWS]))


def analysis_sections(analysis: Analysis) -> Iterator[Section]:
    """What the trackers say, and the trends."""
    if analysis.latency is not None:
        yield Section(title="Latency Tracker", level=3, blocks=tuple(_latency(analysis.latency)))
    if analysis.tokens is not None:
        yield Section(title="Token Tracker", level=3, blocks=tuple(_tokens(analysis.tokens)))
    rows = tuple(_trend_rows(analysis.trends))
    if rows:
        head = ("Trend", "Direction", "Before", "Now", "Change")
        yield Section(title="Trends", level=3, blocks=(Table(head=head, rows=rows),))


def _benchmark(row: BenchmarkRow) -> tuple[Cell, ...]:
    kept = blocks.words("passed", Tone.GOOD) if row.passed else blocks.words("not kept", Tone.BAD)
    return (
        blocks.named(row.name),
        blocks.words(row.type),
        blocks.count(row.operations),
        blocks.count(row.failed),
        blocks.percent(row.success_rate),
        blocks.milliseconds(row.latency_ms),
        blocks.milliseconds(row.p95_ms),
        _rate(row.ops_per_sec),
        blocks.figure(f"{row.tokens_per_turn:,.1f}", row.tokens_per_turn, "tokens"),
        blocks.usd(row.cost_per_turn_usd),
        kept if row.completed else blocks.words("cut short", Tone.MUTED),
    )


def _agent_tokens(item: tuple[str, AgentTokens]) -> tuple[Cell, ...]:
    agent, row = item
    return (
        blocks.named(agent),
        blocks.count(row.turns),
        blocks.count(row.input_tokens),
        blocks.count(row.output_tokens),
        blocks.decimals(row.efficiency),
        blocks.usd(row.cost_usd),
    )


def _spread(what: str, spread: Spread, cell: MakeCell) -> tuple[Cell, ...]:
    p95 = cell(spread.p95) if spread.p95 is not None else blocks.figure("-", None)
    return blocks.words(what), cell(spread.avg), cell(spread.min), cell(spread.max), p95


def _rate(value: float | None) -> Cell:
    return blocks.figure(wording.NOT_AVAILABLE if value is None else f"{value:,.2f}", value, "1/s")


def _latency(found: LatencyAnalysis) -> Iterator[Block]:
    dropped = f"; {found.dropped:,} older ones are no longer held" if found.dropped else ""
    yield paragraph(f"{found.measurements:,} measured turns of {len(found.agents):,} agents{dropped}.")
    agents = list(found.agents.items())[:MAX_ROWS]
    yield Table(
        head=("Agent", "Turns", *(f"{name} ms" for name in _STATISTICS)),
        rows=(
            _statistics(blocks.words(ALL_AGENTS), found.statistics),
            *(_statistics(blocks.named(agent), own_answers.statistics) for agent, own_answers in agents),
        ),
        left_out=max(0, len(found.agents) - MAX_ROWS),
    )
    yield Table(
        head=("Component", "Average ms", "Share of averages", "Turns"),
        rows=tuple(_component(name, answer) for name, answer in found.components.items()),
    )
    yield _kinds("Turns that stand out", found.issues)


def _statistics(name: Cell, answer: Answer) -> tuple[Cell, ...]:
    figures = (blocks.milliseconds(_number(answer, key)) for key in _STATISTICS)
    return name, blocks.count(_number(answer, "count")), *figures


def _component(name: str, answer: Answer) -> tuple[Cell, ...]:
    share = _number(answer, "percentage")
    return (
        blocks.words(name),
        blocks.milliseconds(_number(answer, "avg_latency_ms")),
        blocks.percent(None if share is None else share / 100),
        blocks.count(_number(answer, "count")),
    )


def _tokens(found: TokenAnalysis) -> Iterator[Block]:
    dropped = f"; {found.dropped:,} older turns are no longer held" if found.dropped else ""
    yield paragraph(f"{found.total_tokens:,} tokens of {len(found.agents):,} agents{dropped}.")
    yield growing_table(
        ("Agent", "Turns", "Input tokens", "Output tokens", "Efficiency", "Cost"), found.agents.items(), _agent_tokens
    )
    if found.assumed_cost_usd:
        yield paragraph(
            f"Of the cost, {wording.usd(found.assumed_cost_usd)} is assumed: nobody told it, so the documented "
            "table of prices stands in. No limit is judged by it.",
            figures=[blocks.Figure(value=found.assumed_cost_usd, unit="USD", of="assumed cost")],
        )
    yield _kinds("Tokens that could be saved", found.opportunities)


def _kinds(head: str, kinds: Mapping[str, Sequence[str]]) -> Table:
    return Table(
        head=(head, "Number", "First"),
        rows=tuple(
            (
                blocks.words(kind.replace("_", " ")),
                blocks.count(len(texts)),
                Cell(spans=blocks.joined([(name_of(text),) for text in texts[:EXAMPLES]], "; ")),
            )
            for kind, texts in kinds.items()
        ),
    )


def _trend_rows(trends: Trends) -> Iterator[tuple[Cell, ...]]:
    if trends.benchmarks is not None:
        yield from _benchmark_trend(trends.benchmarks)
    if trends.latency is not None:
        yield _recent("p95 latency, newest tenth of the turns, ms", trends.latency, blocks.milliseconds)
    if trends.cost is not None:
        yield _recent("Mean cost of a turn, newest tenth of the turns", trends.cost, blocks.usd)


def _benchmark_trend(trend: BenchmarkTrend) -> Iterator[tuple[Cell, ...]]:
    first_ms, latest_ms = map(blocks.milliseconds, trend.latency_ms)
    change = _change(trend.latency_change_pct)
    yield blocks.words("Mean latency, latest benchmark, ms"), blocks.words(trend.latency), first_ms, latest_ms, change
    first, latest = map(blocks.percent, trend.success_rates)
    change = _change(trend.success_change_pct)
    yield blocks.words("Success rate, latest benchmark"), blocks.words(trend.success), first, latest, change


def _recent(what: str, trend: RecentTrend, cell: MakeCell) -> tuple[Cell, ...]:
    now = _change(trend.change_pct)
    return blocks.words(what), blocks.words(trend.trend), cell(trend.overall), cell(trend.recent), now


def _change(change_pct: float | None) -> Cell:
    text = wording.NOT_AVAILABLE if change_pct is None else f"{round(change_pct, 1) + 0.0:+.1f} %"
    return blocks.figure(text, change_pct, "%")


def _number(answer: Answer, key: str) -> float | None:
    value = answer.get(key)
    return value if isinstance(value, int | float) else None
