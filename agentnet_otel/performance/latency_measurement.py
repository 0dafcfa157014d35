"""The latency of one turn, in the shape that the documentation gives it."""

from dataclasses import dataclass, field
from typing import Any, Final

from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.open_turns import OpenTurn

_NANOS_PER_SECOND: Final = 1_000_000_000
_NANOS_PER_MS: Final = 1_000_000
_MS_PER_SECOND: Final = 1000
_CLOCK_GRAIN_MS: Final = 1e-3
"""Epoch seconds as a float are good to a quarter of a microsecond."""


@dataclass
class TurnLatencyMeasurement:
    """Latency of one turn, as documented: times in seconds since the epoch, components in milliseconds.

    ``metadata`` is what the newer dialect has in place of the five fields before it; both are here. ``duration_ms``
    is the exact length where it is known: the difference of two such times is good to a quarter of a microsecond.

    Raises:
        ValueError: a field has the wrong type or range; the turn ends before it starts.
    """

    turn_id: str
    agent_id: str
    start_time: float
    end_time: float
    component_latencies: dict[LatencyComponent, float] = field(default_factory=dict)
    prompt_length: int = 0
    response_length: int = 0
    tokens_processed: int = 0
    policy_violations: int = 0
    tools_used: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    duration_ms: float | None = None

    def __post_init__(self) -> None:
        check.name("turn_id", self.turn_id)
        check.name("agent_id", self.agent_id)
        start = check.moment("start_time", self.start_time)
        if check.moment("end_time", self.end_time) < start:
            check.refuse("end_time", self.end_time, f"a time from start_time ({self.start_time!r}) on")
        self.component_latencies = check.members(
            "component_latencies", self.component_latencies, LatencyComponent, check.amount
        )
        for name in ("prompt_length", "response_length", "tokens_processed", "policy_violations"):
            setattr(self, name, check.count(name, getattr(self, name)))
        self.tools_used = check.names("tools_used", self.tools_used)
        self.metadata = check.plain_data("metadata", self.metadata)

    @property
    def total_latency_ms(self) -> float:
        """The whole turn."""
        between_ms = (self.end_time - self.start_time) * _MS_PER_SECOND
        exact_ms = self.duration_ms
        return between_ms if exact_ms is None or abs(exact_ms - between_ms) > _CLOCK_GRAIN_MS else exact_ms

    @property
    def latency_breakdown(self) -> dict[str, float]:
        """Per cent of the turn that each component took; empty for a turn without length."""
        total_ms = self.total_latency_ms
        if total_ms == 0:
            return {}
        return {component.value: ms / total_ms * 100 for component, ms in self.component_latencies.items()}

    @property
    def latency_breakdown_percent(self) -> dict[str, float]:
        """What the newer dialect calls `latency_breakdown`."""
        return self.latency_breakdown


def latency_of(turn: Turn) -> TurnLatencyMeasurement:
    """The documented measurement of a turn. A component's latency is its self time, so the parts never exceed it.

    ``tools_used`` has a name for each use; ``metadata`` says where the turn came from and how it ended.
    """
    start = turn.start_ns / _NANOS_PER_SECOND
    origin = {
        "trace_id": turn.trace_id,
        "span_id": turn.span_id,
        "session": turn.session,
        "model": turn.model,
        "outcome": turn.outcome.value,
    }
    return TurnLatencyMeasurement(
        turn_id=turn.turn_id,
        agent_id=turn.agent,
        start_time=start,
        end_time=start + turn.duration_ns / _NANOS_PER_SECOND,
        component_latencies={c: own_ns / _NANOS_PER_MS for c, own_ns in turn.component_self_ns.items()},
        prompt_length=turn.prompt_length or 0,
        response_length=turn.response_length or 0,
        tokens_processed=turn.tokens.total,
        policy_violations=turn.policy_violations,
        tools_used=[call.name for call in turn.tool_calls],
        metadata={key: value for key, value in origin.items() if value},
        duration_ms=turn.duration_ns / _NANOS_PER_MS,
    )


def latency_of_open_turn(
    turn_id: str, opened: OpenTurn, duration_ns: int, response_length: int, tokens_processed: int
) -> TurnLatencyMeasurement:
    """The documented measurement of a turn that was measured by hand, and has ended; it lasted ``duration_ns``."""
    start = opened.start_ns / _NANOS_PER_SECOND
    return TurnLatencyMeasurement(
        turn_id=turn_id,
        agent_id=opened.agent_id,
        start_time=start,
        end_time=start + duration_ns / _NANOS_PER_SECOND,
        component_latencies={c: ns / _NANOS_PER_MS for c, ns in opened.component_ns.items()},
        prompt_length=opened.prompt_length,
        response_length=response_length,
        tokens_processed=tokens_processed,
        policy_violations=opened.policy_violations,
        tools_used=opened.tools_used,
        metadata=opened.metadata,
        duration_ms=duration_ns / _NANOS_PER_MS,
    )
