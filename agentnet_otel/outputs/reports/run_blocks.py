"""Runs side by side as blocks of a document."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from agentnet_otel.core.regression import Change, Comparison, MetricComparison
from agentnet_otel.core.thresholds import Verdict
from agentnet_otel.outputs.reports import blocks, charts, wording
from agentnet_otel.outputs.reports.blocks import (
    Block,
    Cell,
    Chart,
    Document,
    Figure,
    Listing,
    Section,
    Table,
    Tone,
    own,
)
from agentnet_otel.outputs.reports.comparisons import (
    LABELS,
    comparison_remarks,
    evidence_text,
    p_text,
    ratio_text,
    side_text,
)
from agentnet_otel.outputs.reports.runs import Difference, Estimated, RunRow, Runs
from agentnet_otel.outputs.reports.tables.latency import QuantileRow

DIFF_TITLE: Final = "Two runs compared"
_OVERVIEW: Final = (
    "Run",
    "Turns",
    "Success",
    "Success, 95 % interval",
    "Mean ms",
    "Mean ms, 95 % interval",
    "Tokens/turn",
    "Cost/turn",
    "Efficiency",
    "Sample",
    "Verdict",
)
_VERDICTS: Final = {
    Verdict.PASS: Tone.GOOD,
    Verdict.WARN: Tone.WARN,
    Verdict.FAIL: Tone.BAD,
    Verdict.NO_DATA: Tone.MUTED,
}
_CHANGES: Final = {Change.REGRESSION: Tone.BAD, Change.IMPROVED: Tone.GOOD}


def run_blocks(runs: Runs) -> Iterator[Block]:
    """A row a run, then for two what became of each metric and what changed most."""
    yield _overview(runs.rows)
    yield _percentiles(runs.rows)
    if runs.comparison is not None:
        yield _comparison(runs.comparison)
        remarks = tuple((own(text),) for text in comparison_remarks(runs.comparison))
        if remarks:
            yield Listing(items=remarks)
        yield _differences(runs.differences)


def _nothing_told(comparison: Comparison) -> str:
    """What is said where no metric got better or worse; where it cannot be known that is no good news."""
    if not comparison.baseline_turns or not comparison.current_turns:
        return "Nothing can be compared: one of the runs has no turns."
    if comparison.too_few:
        return "There are too few turns to tell whether anything changed."
    return "No metric changed beyond chance and the factor."


def diff_document(runs: Runs) -> Document:
    """Two runs compared, as a document of their own."""
    before, now = runs.rows
    comparison = runs.comparison
    verdicts: list[Block] = []
    if comparison is not None:
        told = [row for row in comparison.metrics if row.change in {Change.REGRESSION, Change.IMPROVED}]
        sentences = [(own(f"{row.change.value}: {evidence_text(row)}."),) for row in told]
        verdicts = [Listing(items=tuple(sentences or [(own(_nothing_told(comparison)),)]))]
    return Document(
        title=DIFF_TITLE,
        lead=(blocks.paragraph("Before: ", blocks.name_of(before.name), "; now: ", blocks.name_of(now.name), "."),),
        sections=(
            Section(title="What became of it", level=2, blocks=tuple(verdicts)),
            Section(title="Side by side", level=2, blocks=tuple(run_blocks(runs))),
            Section(title="Components of a turn", level=2, blocks=(_means(before, now, "component_ms"),)),
            Section(title="Tokens of a turn", level=2, blocks=(_means(before, now, "tokens_by_category"),)),
        ),
    )


def _overview(rows: Sequence[RunRow]) -> Table:
    return Table(
        head=_OVERVIEW,
        rows=tuple(
            (
                blocks.named(row.name),
                blocks.count(row.turns),
                blocks.percent(row.success_rate.value),
                _interval(row.success_rate, "%"),
                blocks.milliseconds(row.mean_ms.value),
                _interval(row.mean_ms, "ms"),
                _tokens(row.tokens_per_turn.value),
                blocks.usd(row.cost_per_turn_usd.value),
                blocks.decimals(row.efficiency.value),
                blocks.words("sufficient" if row.mean_ms.sufficient else wording.INSUFFICIENT),
                blocks.words(row.verdict.value, _VERDICTS[row.verdict]),
            )
            for row in rows
        ),
    )


def _interval(figure: Estimated, unit: str) -> Cell:
    interval = figure.interval
    if interval is None:
        return Cell(spans=(own("-"),))
    percent = unit == "%"
    low, high = (blocks.percentage(v) if percent else v for v in (interval.low, interval.high))
    text = wording.percent if percent else wording.milliseconds
    return Cell(
        spans=(own(f"{text(interval.low)} .. {text(interval.high)}"),),
        figures=(Figure(value=low, unit=unit, of="low"), Figure(value=high, unit=unit, of="high")),
    )


def _tokens(value: float | None) -> Cell:
    return blocks.figure(wording.NOT_AVAILABLE if value is None else f"{value:,.1f}", value, "tokens")


def _percentiles(rows: Sequence[RunRow]) -> Chart:
    pairs = [(row, quantile) for row in rows for quantile in row.quantiles]
    ordered = sorted(pairs, key=lambda pair: pair[1].q)
    return Chart(
        title="Percentiles of turn latency, run by run",
        told="; ".join(f"{_place(q)} of {row.name} {wording.milliseconds(q.value_ms)} ms" for row, q in ordered),
        drawing=charts.Estimates(
            rows=tuple(
                charts.Estimate(
                    name=f"{_place(q)} {_letter(rows, row)}",
                    value=q.value_ms,
                    low=None if q.interval is None else q.interval.low,
                    high=None if q.interval is None else q.interval.high,
                )
                for row, q in ordered
            )
        ),
        table=Table(
            head=("Percentile", "Run", "Letter", "ms", "95 % interval"),
            rows=tuple(
                (
                    blocks.words(_place(q)),
                    blocks.named(row.name),
                    blocks.words(_letter(rows, row)),
                    blocks.milliseconds(q.value_ms),
                    blocks.bounds(_bounds(q, row.turns), q.interval, "ms"),
                )
                for row, q in ordered
            ),
        ),
        folded=False,
    )


def _place(quantile: QuantileRow) -> str:
    return f"p{100 * quantile.q:g}"


def _letter(rows: Sequence[RunRow], row: RunRow) -> str:
    """A run's short name in a chart."""
    place = rows.index(row)
    return chr(ord("A") + place) if place < 26 else str(place + 1)  # noqa: PLR2004 - letters


def _bounds(quantile: QuantileRow, n: int) -> str:
    if quantile.interval is None:
        return wording.insufficient_text(n, quantile.needed)
    return f"{wording.milliseconds(quantile.interval.low)} .. {wording.milliseconds(quantile.interval.high)}"


def _comparison(comparison: Comparison) -> Table:
    return Table(
        head=("Metric", "Before", "Now", "Ratio", "p", "Change"),
        rows=tuple(_metric(row) for row in comparison.metrics),
    )


def _metric(row: MetricComparison) -> tuple[Cell, ...]:
    before, now = (
        Cell(
            spans=(own(side_text(row.metric, side)),), figures=(Figure(value=side.value), Figure(value=side.n, of="n"))
        )
        for side in (row.baseline, row.current)
    )
    ratio = None if row.ratio is None else row.ratio.value
    return (
        blocks.words(LABELS[row.metric]),
        before,
        now,
        blocks.figure(ratio_text(row.ratio), None if ratio == float("inf") else ratio),
        blocks.figure(p_text(row.p_value), row.p_value),
        blocks.words(row.change.value, _CHANGES.get(row.change)),
    )


def _differences(differences: Sequence[Difference]) -> Table:
    return Table(
        head=("What changed most", "Of", "Before", "Now", "Change of the whole"),
        rows=tuple(
            (
                blocks.words(one.what),
                blocks.named(one.name),
                _with_unit(one.before, one.unit),
                _with_unit(one.now, one.unit),
                blocks.figure(f"{100 * one.effect:+.1f} %", 100 * one.effect, "%"),
            )
            for one in differences
        ),
    )


def _with_unit(value: float, unit: str) -> Cell:
    match unit:
        case "USD":
            return blocks.usd(value)
        case "ms":
            return blocks.figure(f"{wording.milliseconds(value)} ms", value, "ms")
        case "%":
            return blocks.figure(wording.percentage(value), value, "%")
        case "tokens":
            return blocks.figure(f"{value:,.1f}", value, "tokens")
        case _:
            return blocks.decimals(value)


def _means(before: RunRow, now: RunRow, of: str) -> Table:
    """Means of a turn, part by part."""
    components = of == "component_ms"
    old = before.component_ms if components else before.tokens_by_category
    new = now.component_ms if components else now.tokens_by_category
    unit = "ms" if components else "tokens"
    write: Callable[[float], str] = wording.milliseconds if components else "{:,.1f}".format
    names = dict.fromkeys([*old, *new])
    both = before.turns > 0 and now.turns > 0
    return Table(
        head=(
            "Component" if components else "Category",
            f"Before, {unit} of a turn",
            f"Now, {unit} of a turn",
            "Change",
        ),
        rows=tuple(
            (
                blocks.words(name),
                _mean(old.get(name, 0.0) if before.turns else None, write, unit),
                _mean(new.get(name, 0.0) if now.turns else None, write, unit),
                _change(new.get(name, 0.0) - old.get(name, 0.0), write, unit) if both else _mean(None, write, unit),
            )
            for name in names
        ),
    )


def _mean(value: float | None, write: Callable[[float], str], unit: str) -> Cell:
    return blocks.figure(wording.NOT_AVAILABLE if value is None else write(value), value, unit)


def _change(value: float, write: Callable[[float], str], unit: str) -> Cell:
    return blocks.figure(f"{'+' if value >= 0 else ''}{write(value)}", value, unit)
