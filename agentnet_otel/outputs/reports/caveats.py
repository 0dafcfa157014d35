"""What keeps figures from being the whole truth, said where they stand: samples, estimates, what is lost or late."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentnet_otel.outputs.reports.content import ReportContent


def on_verdicts(report: "ReportContent") -> Iterator[str]:
    """What the verdicts should be read with."""
    quality = report.quality
    if quality.sampled_turns:
        yield (
            f"{quality.sampled_turns:,} of {report.turns:,} turns stand for more than themselves: they are a sample, "
            "and rates are those of the sample."
        )
    if quality.turns_of_unknown_sampling:
        yield (
            f"Of {quality.turns_of_unknown_sampling:,} of {report.turns:,} turns it is not known whether a sampler "
            "left others out: totals may be too small."
        )
    lost = quality.bad_lines + quality.oversized_lines + quality.dropped_spans + quality.cut_off_ends
    if lost:
        yield f"{lost:,} lines, spans or ends of files could not be read: what they told is missing from all figures."
    if quality.unreadable_sources:
        yield f"{quality.unreadable_sources:,} sources could not be read: nothing of them is in the figures."
    if quality.cut_windows:
        yield f"Of {quality.cut_windows:,} windows of time the server did not tell all: traces are missing."
    if quality.damaged_turns:
        yield f"{quality.damaged_turns:,} turns of a store are damaged and not in the figures."
    if quality.dropped_turns:
        yield f"{quality.dropped_turns:,} older turns are no longer held and not in the figures."


def on_latency(report: "ReportContent") -> Iterator[str]:
    """What the latencies should be read with."""
    quality = report.quality
    if quality.incomplete_turns:
        yield (
            f"{quality.incomplete_turns:,} turns lack their own span: their latency is that of the parts that came, "
            "and may be too small."
        )
    late = quality.late_spans
    if late:
        yield f"{late:,} spans came too late for their turn: what they took is in no component."
    if quality.evicted_traces:
        yield f"{quality.evicted_traces:,} traces were closed early: parts of their turns may be missing."
    if quality.clipped_spans:
        yield f"{quality.clipped_spans:,} spans left their turn or ran backwards, and were clipped to it."


def on_tokens(report: "ReportContent") -> Iterator[str]:
    """What tokens and cost should be read with."""
    tokens = report.tokens
    silent = report.turns - tokens.turns_with_tokens
    if silent and tokens.turns_with_tokens:
        yield f"{silent:,} of {report.turns:,} turns tell no tokens: sums are of the others."
    if tokens.estimated_turns:
        yield f"Tokens of {tokens.estimated_turns:,} turns are estimates, and so is what is derived from them."
    assumed = {name: cost for name, cost in tokens.cost_by_source.items() if name in {"genai-prices", "table"}}
    if assumed:
        yield (
            f"${sum(assumed.values()):,.4f} of the cost is computed from lists of prices ({', '.join(assumed)}), "
            "not told by whoever made the call."
        )
