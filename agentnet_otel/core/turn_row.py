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


class JudgedRow(msgspec.Struct, array_like=True, gc=False):
    """What of a row is judged, and kept to compare others with; ``end_ns``: epoch nanoseconds."""

    agent: str | None
    latency_ms: float
    outcome: Outcome
    tokens: int | None
    cost_usd: float | None
    efficiency: float | None
    session: str | None
    models: tuple[str, ...]
    end_ns: int

    @property
    def observation(self) -> Observation:
        """As `observation_of` has it of the turn."""
        return Observation(
            agent=self.agent or "",
            latency_ms=self.latency_ms,
            outcome=self.outcome,
            tokens=self.tokens,
            cost_usd=self.cost_usd,
            efficiency=self.efficiency,
            session=self.session,
        )


def judged_of(row: TurnRow) -> JudgedRow:
    """What of a row is judged."""
    into, out = row.input_tokens, row.output_tokens
    return JudgedRow(
        row.agent,
        row.duration_ms,
        _OUTCOMES[row.outcome],
        None if into is None and out is None else (into or 0) + (out or 0),
        row.cost_usd,
        row.efficiency,
        row.session,
        row.models,
        row.start_time_unix_nano + round(row.duration_ms * NANOS_PER_MS),
    )


def ending_key(turn: Turn) -> EndingKey:
    """The place of a turn in the order of ending."""
    return turn.end_ns, turn.start_ns, turn.trace_id, turn.span_id
