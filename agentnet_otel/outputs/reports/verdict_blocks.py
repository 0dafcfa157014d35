"""The verdict table of the document."""

from collections.abc import Sequence
from typing import Final

from agentnet_otel.core.thresholds import Verdict
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.blocks import Cell, Table, Tone

VERDICT_HEAD: Final = ("Metric", "Value", "95 % interval", "Recommended", "Critical", "Verdict")

_TONES: Final = {
    Verdict.PASS: Tone.GOOD,
    Verdict.WARN: Tone.WARN,
    Verdict.FAIL: Tone.BAD,
    Verdict.NO_DATA: Tone.MUTED,
}


def verdicts_table(verdicts: Sequence[Judgement]) -> Table:
    """The figures that are judged, their limits, and the verdicts."""
    return Table(head=VERDICT_HEAD, rows=tuple(verdict_cells(row) for row in verdicts))


def verdict_cells(row: Judgement) -> tuple[Cell, ...]:
    """A row of that table."""
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
