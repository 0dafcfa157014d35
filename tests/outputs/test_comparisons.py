"""A comparison with a baseline in words."""

import random

from agentnet_otel.core.observations import Observation
from agentnet_otel.core.regression import compare
from agentnet_otel.outputs.reports.comparisons import (
    comparison_object,
    comparison_remarks,
    evidence_text,
    regression_lines,
)


def observations(sessions, slow=1.0, seed=1):
    """40 turns in so many sessions, each with a speed of its own."""
    draw = random.Random(seed)
    speeds = [draw.lognormvariate(0, 0.5) for _ in range(sessions)]
    return [
        Observation(latency_ms=100 * slow * speeds[place % sessions], cost_usd=0.01, session=place % sessions)
        for place in range(40)
    ]


def test_correlated_turns_are_told_in_the_evidence():
    """How many times the variance counts, because turns of one session are alike."""
    row = compare(observations(20), observations(20, slow=2.0, seed=2)).metrics[0]
    assert row.design_effect > 1.5
    assert f"so the variance counts {row.design_effect:.2f} times" in evidence_text(row)


def test_few_sessions_are_a_remark():
    """What a side is worth in sessions, and what follows."""
    remarks = comparison_remarks(compare(observations(4), observations(20)))
    told = (
        "Turns of one session are alike, and a side is worth only about 4 sessions of equal size: with fewer than 10, "
    )
    assert remarks == [told + "false alarms are more frequent than intended."]
    assert comparison_remarks(compare(observations(20), observations(20))) == []


def test_what_could_not_be_tested_is_told_without_a_test():
    """A metric of too few values, or of none, has its values only."""
    found = compare(observations(20), observations(20)[:5])
    assert "p " not in evidence_text(found.metrics[0])
    assert evidence_text(found.metrics[0]).endswith("in the baseline 108.6 ms (40 turns)")
    assert evidence_text(found.metrics[2]) == (
        "Tokens per turn (median) is n/a (0 turns), in the baseline n/a (0 turns)"
    )
    assert regression_lines(found) == []
    latency = comparison_object(found)["metrics"][0]
    assert latency["ratio"] is latency["ratio_interval"] is latency["p_value"] is None
