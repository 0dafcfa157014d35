"""Turns for reports, made by hand."""

import pytest

from agentnet_otel.model import LatencyComponent, Outcome, QualitySource, TokenCategory, TokenUsage, Turn

START_NS = 1_700_000_000_000_000_000
NANOS_PER_MS = 1_000_000


def turn(number=0, *, ms=100.0, start_ms=None, **given):
    """A turn of ``ms`` milliseconds that starts a second after the one before it."""
    start_ns = START_NS + round((1000 * number if start_ms is None else start_ms) * NANOS_PER_MS)
    inference_ns = round(0.75 * ms * NANOS_PER_MS)
    facts = {
        "turn_id": f"turn-{number}",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "agent": "planner",
        "start_ns": start_ns,
        "end_ns": start_ns + round(ms * NANOS_PER_MS),
        "outcome": Outcome.SUCCESS,
        "models": ("m-large",),
        "component_self_ns": {LatencyComponent.INFERENCE: inference_ns},
        "component_sum_ns": {LatencyComponent.INFERENCE: inference_ns},
        "component_counts": {LatencyComponent.INFERENCE: 1},
        "unattributed_ns": round(ms * NANOS_PER_MS) - inference_ns,
        "tokens": TokenUsage(input=20, output=80),
        "tokens_by_category": {TokenCategory.REASONING: 100},
        "tokens_by_model": {"m-large": TokenUsage(input=20, output=80)},
        "cost_usd": 0.002,
        "quality": 0.9,
        "quality_source": QualitySource.EVALUATED,
        "efficiency": 0.8,
        "sampling_probability": 1.0,
    }
    return Turn(**facts | given)


@pytest.fixture
def make_turn():
    """Makes a turn; every fact can be given."""
    return turn


@pytest.fixture
def make_turns():
    """Makes ``n`` turns, one second after the other, with the facts given."""
    return lambda n, **given: [turn(number, **given) for number in range(n)]
