"""What a finding rests on: the figure with its interval, number and limits, and the turns to look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.thresholds import Metric
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.outputs.reports.measures import Measure
from agentnet_otel.outputs.reports.tables.components import UNATTRIBUTED
from agentnet_otel.outputs.reports.tables.tools_and_violations import UNNAMED_RULE
from agentnet_otel.outputs.reports.tables.trace_links import trace_link
from agentnet_otel.outputs.reports.wording import decimals, milliseconds, usd

NAMED_TURNS: Final = 3
"""Turns that a finding names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTurn:
    """A turn to look at, and why: ``value`` in words. ``url``: of its trace, where a template was given."""

    turn_id: str
    trace_id: str
    span_id: str
    agent: str
    value: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A sentence, and what it rests on.

    ``judgement``: the figure with its interval, number and limits, as the verdict table has it, whether or not a limit
    is passed; ``measure``: the figure where no limit of the table judges it; ``n``: values that it rests on;
    ``turns``: those that stand out most.
    """

    text: str
    n: int | None = None
    judgement: Judgement | None = None
    measure: Measure | None = None
    turns: tuple[NamedTurn, ...] = ()


def named(turn: Turn, value: str, trace_url: str | None) -> NamedTurn:
    """A turn to look at."""
    return NamedTurn(
        turn_id=turn.turn_id,
        trace_id=turn.trace_id,
        span_id=turn.span_id,
        agent=turn.agent,
        value=value,
        url=trace_link(trace_url, turn),
    )


def _any(turn: Turn) -> bool:
    del turn
    return True


class TurnsToSee:
    """Picks the turns that a finding names."""

    def __init__(self, turns: Sequence[Turn], trace_url: str | None) -> None:
        self._turns = turns
        self._trace_url = trace_url

    def of_limit(self, row: Judgement) -> tuple[NamedTurn, ...]:
        """Those that are worst by the metric, of the agent or the model that is judged."""

        def counts(turn: Turn) -> bool:
            return row.agent in {None, turn.agent} and row.model in {None, turn.model}

        match row.threshold.metric:
            case Metric.TURN_LATENCY:
                return self.slowest(counts)
            case Metric.SUCCESS_RATE:
                return self.failed(counts)
            case Metric.TOKEN_EFFICIENCY:
                return self._most(lambda turn: _negated(turn.efficiency), lambda v: decimals(-v), counts)
            case Metric.COST_PER_TURN:
                return self._most(lambda turn: turn.cost_usd, usd, counts)

    def slowest(self, counts: Callable[[Turn], bool] = _any) -> tuple[NamedTurn, ...]:
        """The slowest turns of those that count."""
        return self._most(lambda turn: turn.duration_ns / NANOS_PER_MS, _ms, counts)

    def failed(self, counts: Callable[[Turn], bool] = _any) -> tuple[NamedTurn, ...]:
        """The newest turns that failed, of those that count."""
        found = [turn for turn in self._turns if turn.outcome.failed and counts(turn)][-NAMED_TURNS:]
        return tuple(named(turn, turn.error_type or turn.outcome.value, self._trace_url) for turn in reversed(found))

    def failing_tool(self, tool: str) -> tuple[NamedTurn, ...]:
        """The newest turns in which a tool failed."""
        found = [turn for turn in self._turns if any(call.name == tool and call.failed for call in turn.tool_calls)]
        return tuple(named(turn, f"{tool} failed", self._trace_url) for turn in reversed(found[-NAMED_TURNS:]))

    def violating(self, rule: str) -> tuple[NamedTurn, ...]:
        """The newest turns that violated a rule."""
        found = [
            turn
            for turn in self._turns
            if any(violation.rule == rule for violation in turn.violations)
            or (rule == UNNAMED_RULE and turn.unnamed_violations)
        ]
        return tuple(named(turn, rule, self._trace_url) for turn in reversed(found[-NAMED_TURNS:]))

    def longest_in(self, component: str) -> tuple[NamedTurn, ...]:
        """The turns with most time in a component."""
        if component == UNATTRIBUTED:
            return self._most(lambda turn: turn.unattributed_ns / NANOS_PER_MS, _ms)
        member = LatencyComponent(component)
        return self._most(lambda turn: turn.component_self_ns.get(member, 0) / NANOS_PER_MS, _ms)

    def _most(
        self,
        value: Callable[[Turn], float | None],
        text: Callable[[float], str],
        counts: Callable[[Turn], bool] = _any,
    ) -> tuple[NamedTurn, ...]:
        """The turns with the largest values; equal ones in order of the turns."""
        known = (
            (-amount, place)
            for place, turn in enumerate(self._turns)
            if counts(turn) and (amount := value(turn)) is not None
        )
        return tuple(
            named(self._turns[place], text(-negative), self._trace_url)
            for negative, place in nsmallest(NAMED_TURNS, known)
        )


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms"
