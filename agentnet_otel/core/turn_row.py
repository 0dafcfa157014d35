"""A turn as one row of figures: what `turns` prints and what `check` judges.

It is made of a `Turn`, or straight of plain spans: of the millions of turns of a large file nothing else is needed.
"""

from typing import Final

import msgspec

from agentnet_otel.core.observations import NANOS_PER_MS, Observation
from agentnet_otel.model import LatencyComponent, Outcome, Turn

_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}

EndingKey = tuple[int, int, str, str]
"""End, start, trace id and span id of a turn: rows are told in this order, whatever the order of their spans."""


class TurnRow(msgspec.Struct, gc=False):
    """A row, its fields in the order in which they are printed; durations in milliseconds, cost in USD."""

    turn_id: str
    trace_id: str
    span_id: str
    agent: str | None
    models: tuple[str, ...]
    session: str | None
    outcome: str
    start_time_unix_nano: int
    duration_ms: float
    components: dict[str, float]
    component_sums: dict[str, float]
    unattributed_ms: float
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    tokens_by_category: dict[str, int]
    cost_usd: float | None
    cost_source: str | None
    efficiency: float | None
    quality_source: str | None
    tools: tuple[str, ...]
    policy_violations: int
    spans: int
    revision: int
    estimated: bool
    incomplete: bool


def row_of(turn: Turn) -> TurnRow:
    """The row of a turn."""
    present = [component for component in LatencyComponent if component in turn.component_self_ns]
    return TurnRow(
        turn_id=turn.turn_id,
        trace_id=turn.trace_id,
        span_id=turn.span_id,
        agent=turn.agent or None,
        models=turn.models,
        session=turn.session,
        outcome=turn.outcome.value,
        start_time_unix_nano=turn.start_ns,
        duration_ms=turn.duration_ns / NANOS_PER_MS,
        components={c.value: turn.component_self_ns[c] / NANOS_PER_MS for c in present},
        component_sums={c.value: turn.component_sum_ns[c] / NANOS_PER_MS for c in present},
        unattributed_ms=turn.unattributed_ns / NANOS_PER_MS,
        input_tokens=turn.tokens.input,
        output_tokens=turn.tokens.output,
        cached_tokens=turn.tokens.cached,
        reasoning_tokens=turn.tokens.reasoning,
        tokens_by_category={category.value: count for category, count in turn.tokens_by_category.items()},
        cost_usd=turn.cost_usd,
        cost_source=None if turn.cost_source is None else turn.cost_source.value,
        efficiency=turn.efficiency,
        quality_source=None if turn.quality_source is None else turn.quality_source.value,
        tools=turn.tools,
        policy_violations=turn.policy_violations,
        spans=turn.spans,
        revision=turn.revision,
        estimated=turn.estimated,
        incomplete=turn.incomplete,
    )


def observation_of_row(row: TurnRow) -> Observation:
    """What a row tells, as `observation_of` has it of the turn."""
    into, out = row.input_tokens, row.output_tokens
    return Observation(
        agent=row.agent or "",
        latency_ms=row.duration_ms,
        outcome=_OUTCOMES[row.outcome],
        tokens=None if into is None and out is None else (into or 0) + (out or 0),
        cost_usd=row.cost_usd,
        efficiency=row.efficiency,
        session=row.session,
    )


def end_of_row(row: TurnRow) -> int:
    """When the turn ended, epoch nanoseconds."""
    return row.start_time_unix_nano + round(row.duration_ms * NANOS_PER_MS)


def ending_key(turn: Turn) -> EndingKey:
    """The place of a turn in the order of ending."""
    return turn.end_ns, turn.start_ns, turn.trace_id, turn.span_id
