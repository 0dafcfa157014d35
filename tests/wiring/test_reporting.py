"""From turns and what is known of their reading to a report."""

import pytest

from agentnet_otel.core.assembler import Counts
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.wiring import reporting


def turn(**given):
    """A turn."""
    facts = {
        "turn_id": "t",
        "trace_id": "0" * 32,
        "span_id": "0" * 16,
        "agent": "a",
        "start_ns": 0,
        "end_ns": 1_000_000,
        "outcome": Outcome.SUCCESS,
    }
    return Turn(**facts | given)


def test_what_was_read_and_lost_is_in_the_report():
    """Each counter of reader and assembler has its place in the data quality."""
    counts = Counts(spans=9, duplicates=1, without_ids=2, late=3, outside=4, evicted_traces=5, clipped=6, incomplete=7)
    read = ReadReport(bad_spans=10, bad_lines=11, skipped_lines=12, cut_off_ends=13, unreadable_sources=14)
    read.cut_windows, read.bad_turns = 16, 17
    quality = reporting.make_report([], counts, read=read, dropped_turns=15).quality
    assert (quality.spans, quality.duplicates, quality.dropped_spans, quality.late_spans) == (9, 1, 12, 3)
    assert (quality.calls_outside_turns, quality.evicted_traces, quality.clipped_spans) == (4, 5, 6)
    assert (quality.incomplete_turns, quality.bad_lines, quality.oversized_lines) == (7, 11, 12)
    assert (quality.cut_off_ends, quality.unreadable_sources, quality.dropped_turns) == (13, 14, 15)
    assert (quality.cut_windows, quality.damaged_turns) == (16, 17)
    assert any("15 older turns are no longer held" in note for note in quality.notes)
    assert any("Input that was left out: 14 unreadable sources" in note for note in quality.notes)


def test_turns_that_may_be_a_sample_are_told():
    """A turn that tells no probability may be one of many; one that tells 1 is itself."""
    unknown = reporting.make_report([turn(), turn(sampling_probability=0.5)], Counts()).quality
    assert (unknown.turns_of_unknown_sampling, unknown.sampled_turns) == (1, 1)
    assert any("Totals may be those of a sample" in note for note in unknown.notes)
    whole = reporting.make_report([turn(sampling_probability=1.0)], Counts(), environment={"Python": "3"}).quality
    assert whole.notes == ()


def test_revised_and_estimated_turns_are_counted():
    """They stand under data quality."""
    quality = reporting.make_report([turn(revision=2), turn(estimated=True)], Counts()).quality
    assert (quality.revised_turns, quality.estimated_turns) == (1, 1)


def test_templates_are_checked():
    """A template needs a place for the trace id."""
    assert reporting.checked_trace_url(None) is None
    assert reporting.checked_trace_url("x{trace_id}") == "x{trace_id}"
    with pytest.raises(ConfigurationError, match=r"has no \{trace_id\} in it; give one such as"):
        reporting.make_report([], Counts(), trace_url="http://host/{span_id}")
