"""What matters most and what to do, as blocks of the document: findings with what they rest on, recommendations."""

from collections.abc import Iterator, Sequence
from typing import Final

from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.blocks import (
    Block,
    Cell,
    Figure,
    Listing,
    Span,
    Table,
    joined,
    name_of,
    own,
    sentence,
)
from agentnet_otel.outputs.reports.evidence import Finding, NamedTurn
from agentnet_otel.outputs.reports.findings import Recommendation
from agentnet_otel.outputs.reports.measures import measure_interval_text, measure_text
from agentnet_otel.outputs.reports.verdict_blocks import verdict_cells

FIRST_STEPS: Final = 3


def finding_blocks(findings: Sequence[Finding]) -> Iterator[Block]:
    """Each finding in a sentence, and what they rest on."""
    yield Listing(items=tuple((sentence(finding.text),) for finding in findings), numbered=True)
    yield from _evidence(findings)


def _evidence(findings: Sequence[Finding]) -> Iterator[Table]:
    """What each finding rests on, by its number."""
    rows = [
        (blocks.words(str(number)), *_figures_of(finding), turns_cell(finding.turns))
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
    _, value, interval, recommended, critical, _ = verdict_cells(row)
    return value, interval, n, recommended, critical


def turns_cell(turns: Sequence[NamedTurn]) -> Cell:
    """The turns to look at, a dash where there are none."""
    return Cell(
        spans=joined([_turn_spans(turn) for turn in turns], "; ") or (own("-"),),
        figures=tuple(Figure(value=wording.shortened(turn.trace_id or turn.turn_id)) for turn in turns),
    )


def _turn_spans(turn: NamedTurn) -> tuple[Span, ...]:
    """A turn to look at: whose it is, its trace (or, without one, its id), and why."""
    which = (
        Span(text=wording.shortened(turn.trace_id), foreign=True, url=turn.url)
        if turn.trace_id
        else name_of(turn.turn_id)
    )
    return name_of(turn.agent), own(" "), which, own(" ("), name_of(turn.value), own(")")


def first_steps(recommendations: Sequence[Recommendation]) -> Listing:
    """What to do first."""
    steps = recommendations[:FIRST_STEPS]
    items = [(sentence(step.title, strong=True), own(": "), sentence(step.action)) for step in steps]
    return Listing(items=tuple(items), numbered=True)


def recommendations_listing(recommendations: Sequence[Recommendation]) -> Listing:
    """All that can be done, and why."""
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
