"""What a finding rests on: the figure with its interval, number and limits, and the turns to look at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from operator import itemgetter
from typing import Final

from agentnet_otel.core.columns import Met, TurnColumns
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.thresholds import Metric
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.outputs.reports.measures import Measure
from agentnet_otel.outputs.reports.tables.trace_links import trace_link
from agentnet_otel.outputs.reports.wording import decimals, milliseconds, usd

NAMED_TURNS: Final = 3
"""Turns that a finding names."""
_VALUE: Final = itemgetter(1)


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


def named(turns: TurnColumns, place: int, value: str, trace_url: str | None) -> NamedTurn:
    """A turn to look at."""
    trace_id, span_id = turns.trace_id(place), turns.span_id(place)
    return NamedTurn(
        turn_id=turns.turn_id(place),
        trace_id=trace_id,
        span_id=span_id,
        agent=turns.agents[place],
        value=value,
        url=trace_link(trace_url, trace_id, span_id),
    )


class TurnsToSee:
    """Picks the turns that a finding names."""

    def __init__(self, turns: TurnColumns, trace_url: str | None) -> None:
        self._turns = turns
        self._trace_url = trace_url

    def of_limit(self, row: Judgement) -> tuple[NamedTurn, ...]:
        """Those that are worst by the metric, of the agent or the model that is judged."""
        match row.threshold.metric:
            case Metric.TURN_LATENCY:
                return self.slowest(row.agent, row.model)
            case Metric.SUCCESS_RATE:
                return self.failed(row.agent, row.model)
            case Metric.TOKEN_EFFICIENCY:
                worst = ((place, -value) for place, value in self._turns.spent.efficiency.pairs())
                return self._most(worst, lambda v: decimals(-v), row.agent, row.model)
            case Metric.COST_PER_TURN:
                return self._most(self._turns.spent.cost_usd.pairs(), usd, row.agent, row.model)

    def slowest(self, agent: str | None = None, model: str | None = None) -> tuple[NamedTurn, ...]:
        """The slowest turns, of an agent or a model."""
        return self._most(enumerate(self._turns.latencies_ms), _ms, agent, model)

    def failed(self, agent: str | None = None, model: str | None = None) -> tuple[NamedTurn, ...]:
        """The newest turns that failed, of an agent or a model."""
        kinds = self._turns.incidents.failures
        found = islice((place for place in reversed(kinds) if self._counts(place, agent, model)), NAMED_TURNS)
        return tuple(named(self._turns, place, kinds[place], self._trace_url) for place in found)

    def failing_tool(self, tool: str) -> tuple[NamedTurn, ...]:
        """The newest turns in which a tool failed."""
        return self._newest(self._turns.incidents.failing_tools.get(tool), f"{tool} failed")

    def violating(self, rule: str) -> tuple[NamedTurn, ...]:
        """The newest turns that violated a rule."""
        return self._newest(self._turns.incidents.violated_rules.get(rule), rule)

    def longest_in(self, component: str) -> tuple[NamedTurn, ...]:
        """The turns with most time in a component."""
        times_ms = ((place, own_ns / NANOS_PER_MS) for place, own_ns in self._turns.times_in(component))
        return self._most(times_ms, _ms)

    def _newest(self, met: Met | None, value: str) -> tuple[NamedTurn, ...]:
        newest = () if met is None else reversed(met.newest)
        return tuple(named(self._turns, place, value, self._trace_url) for place in newest)

    def _most(
        self,
        values: Iterable[tuple[int, float]],
        text: Callable[[float], str],
        agent: str | None = None,
        model: str | None = None,
    ) -> tuple[NamedTurn, ...]:
        """The turns with the largest values; equal ones in order of the turns."""
        if agent is not None or model is not None:
            values = (pair for pair in values if self._counts(pair[0], agent, model))
        return tuple(
            named(self._turns, place, text(value), self._trace_url)
            for place, value in nlargest(NAMED_TURNS, values, key=_VALUE)
        )

    def _counts(self, place: int, agent: str | None, model: str | None) -> bool:
        return agent in {None, self._turns.agents[place]} and model in {None, self._turns.models[place]}


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms"
