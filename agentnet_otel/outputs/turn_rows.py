"""A turn as one JSON object: the lines of `agentnet-otel turns`. Every key is always there, null where unknown."""

from typing import Any

from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.outputs.json_text import strict_json


def turn_row(turn: Turn) -> dict[str, Any]:
    """The row of a turn; durations in milliseconds, cost in USD."""
    return {
        "turn_id": turn.turn_id,
        "trace_id": turn.trace_id,
        "span_id": turn.span_id,
        "agent": turn.agent or None,
        "models": list(turn.models),
        "session": turn.session,
        "outcome": turn.outcome.value,
        "start_time_unix_nano": turn.start_ns,
        "duration_ms": turn.duration_ns / NANOS_PER_MS,
        "components": {c.value: turn.component_self_ns[c] / NANOS_PER_MS for c in _present(turn)},
        "component_sums": {c.value: turn.component_sum_ns[c] / NANOS_PER_MS for c in _present(turn)},
        "unattributed_ms": turn.unattributed_ns / NANOS_PER_MS,
        "input_tokens": turn.tokens.input,
        "output_tokens": turn.tokens.output,
        "cached_tokens": turn.tokens.cached,
        "reasoning_tokens": turn.tokens.reasoning,
        "tokens_by_category": {category.value: count for category, count in turn.tokens_by_category.items()},
        "cost_usd": turn.cost_usd,
        "cost_source": None if turn.cost_source is None else turn.cost_source.value,
        "efficiency": turn.efficiency,
        "quality_source": None if turn.quality_source is None else turn.quality_source.value,
        "tools": list(turn.tools),
        "policy_violations": turn.policy_violations,
        "spans": turn.spans,
        "revision": turn.revision,
        "estimated": turn.estimated,
        "incomplete": turn.incomplete,
    }


def turn_line(turn: Turn) -> bytes:
    """The row as one line of JSON."""
    return strict_json(turn_row(turn)) + b"\n"


def _present(turn: Turn) -> list[LatencyComponent]:
    return [component for component in LatencyComponent if component in turn.component_self_ns]
