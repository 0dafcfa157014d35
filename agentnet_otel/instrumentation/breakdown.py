"""The breakdown of a turn that just ended, from the recorder's own objects."""

from collections.abc import Mapping, Sequence

from agentnet_otel.core.intervals import ComponentInterval, clip, self_times
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import LatencyComponent

Part = ComponentSpan | TurnSpan
"""A component, or a turn nested in the one that is looked at: that is orchestration."""


def intervals_of(turn: TurnSpan, parts: Sequence[Part], end_ns: int) -> list[ComponentInterval]:
    """When each part of the turn ran, clipped to the turn; where no span has an id, by its place among the parts."""
    within = (turn.start_ns, end_ns)
    names = {id(part): part.span_id or f"{place:016x}" for place, part in enumerate(parts)}
    intervals = []
    for part in parts:
        start_ns, part_end_ns = clip(part.start_ns, part.end_ns, within)
        intervals.append(
            ComponentInterval(
                span_id=names[id(part)],
                parent_id=_kept_ancestor(part, names),
                start_ns=start_ns,
                end_ns=part_end_ns,
                component=component_of(part),
            )
        )
    return intervals


def component_of(part: Part) -> LatencyComponent:
    """The component that a part's time belongs to."""
    if isinstance(part, TurnSpan) or part.component is None:
        return LatencyComponent.ORCHESTRATION
    return part.component


def self_times_of(turn: TurnSpan, intervals: list[ComponentInterval], end_ns: int) -> dict[LatencyComponent, int]:
    """Self time of each component, nanoseconds."""
    return self_times(intervals, (turn.start_ns, end_ns))


def _kept_ancestor(part: Part, names: Mapping[int, str]) -> str:
    here: OpenSpan | None = part.parent
    while here is not None and id(here) not in names:
        here = here.parent
    return "" if here is None else names[id(here)]
