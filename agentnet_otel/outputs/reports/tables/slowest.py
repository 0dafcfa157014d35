"""The slowest turns, and when each of their components ran."""

from collections.abc import Mapping
from dataclasses import dataclass

from agentnet_otel.core.columns import UNATTRIBUTED, TurnColumns
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.model import Step
from agentnet_otel.outputs.reports.tables.trace_links import trace_link


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """When one component of a turn ran, since the turn began."""

    component: str
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowTurn:
    """One of the slowest turns. ``component``: where most of its time went; ``components_ms``: where all of it went.

    ``steps``: when components ran, as far as the turn tells; ``steps_left_out``: how many shorter ones it does not.
    """

    turn_id: str
    trace_id: str
    span_id: str
    agent: str
    duration_ms: float
    outcome: str
    component: str
    component_ms: float
    components_ms: Mapping[str, float]
    steps: tuple[StepRow, ...]
    steps_left_out: int
    url: str | None


def slow_turns(turns: TurnColumns, trace_url: str | None) -> tuple[SlowTurn, ...]:
    """The slowest turns, with links where a template is given."""
    rows = []
    for turn in turns.slowest():
        parts = {component.value: own for component, own in turn.component_self_ns.items()}
        parts[UNATTRIBUTED] = turn.unattributed_ns
        component = max(parts, key=lambda name: parts[name])
        rows.append(
            SlowTurn(
                turn_id=turn.turn_id,
                trace_id=turn.trace_id,
                span_id=turn.span_id,
                agent=turn.agent,
                duration_ms=turn.duration_ns / NANOS_PER_MS,
                outcome=turn.outcome.value,
                component=component,
                component_ms=parts[component] / NANOS_PER_MS,
                components_ms={name: own / NANOS_PER_MS for name, own in parts.items()},
                steps=tuple(map(_step_row, turn.steps)),
                steps_left_out=turn.steps_left_out,
                url=trace_link(trace_url, turn.trace_id, turn.span_id),
            )
        )
    return tuple(rows)


def _step_row(step: Step) -> StepRow:
    return StepRow(
        component=step.component.value,
        start_ms=step.offset_ns / NANOS_PER_MS,
        duration_ms=step.duration_ns / NANOS_PER_MS,
    )
