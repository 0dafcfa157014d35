"""What conditions are judged on: turns counted by minute, for everybody whom the rules keep apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.model import Outcome, QualitySource, Turn
from agentnet_otel.outputs.rules.health import SEVERITIES
from agentnet_otel.outputs.rules.scopes import limits_of_agent, limits_of_model

MINUTE_NS: Final = 60_000_000_000
KEPT_MINUTES: Final = 120
"""The longest window of the limits."""
MAX_SERIES: Final = 10_000
"""Turns of more services, agents and models than make these are counted as left out, and not judged."""
UNKNOWN_SERVICE: Final = "unknown_service"
"""The service of turns that name none, as in metrics."""
MAX_NAME_CHARACTERS: Final = 256
"""Of a label, as metrics have it."""


class Kind(str, Enum):
    """What is counted."""

    LATENCY = "latency"
    SUCCESS = "success"
    EVALUATED = "evaluated efficiency"
    UNEVALUATED = "unevaluated efficiency"
    COST = "cost"
    VIOLATIONS = "policy violations"
    SEVERE = "severe policy violations"
    TOOL = "tool calls"


METRIC_OF: Final = {
    Kind.LATENCY: Metric.TURN_LATENCY,
    Kind.SUCCESS: Metric.SUCCESS_RATE,
    Kind.EVALUATED: Metric.TOKEN_EFFICIENCY,
    Kind.UNEVALUATED: Metric.TOKEN_EFFICIENCY,
    Kind.COST: Metric.COST_PER_TURN,
}
"""The kinds that the table has limits of."""


class Figures(NamedTuple):
    """Of one window: ``n`` values, their ``total`` (of shares: the bad ones), and those past the critical limit.

    Of violations: turns, and how often they violated a policy.
    """

    n: int = 0
    total: float = 0.0
    critical: float = 0.0

    def plus(self, other: "Figures") -> "Figures":
        """Both together."""
        return Figures(self.n + other.n, self.total + other.total, self.critical + other.critical)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Whose figures they are. ``limits`` and ``model``: as the rules mark them; empty where limits are for all.

    ``subject``: the tool, or the rule that was violated severely.
    """

    kind: Kind
    limits: str = ""
    service: str
    agent: str
    model: str = ""
    subject: str = ""


class TurnMinutes:
    """Counts turns of the last two hours. ``left_out``: figures of turns beyond `MAX_SERIES`."""

    def __init__(self, table: ThresholdTable) -> None:
        self._table = table
        self._minutes: dict[Whom, dict[int, Figures]] = {}
        self.left_out = 0

    def add(self, turn: Turn, at_ns: int) -> None:
        """Count a turn in the minute of ``at_ns``, epoch nanoseconds."""
        for whom, figures in (*self._of_limits(turn), *_of_policies_and_tools(turn)):
            if whom not in self._minutes and len(self._minutes) >= MAX_SERIES:
                self.left_out += 1
                continue
            counted = self._minutes.setdefault(whom, {})
            minute = at_ns // MINUTE_NS
            counted[minute] = counted.get(minute, Figures()).plus(figures)

    def forget(self, now_ns: int) -> None:
        """Let go of what no window holds any more."""
        oldest = now_ns // MINUTE_NS - KEPT_MINUTES
        for whom in list(self._minutes):
            kept = {minute: figures for minute, figures in self._minutes[whom].items() if minute > oldest}
            if kept:
                self._minutes[whom] = kept
            else:
                del self._minutes[whom]

    def __iter__(self) -> Iterator[Whom]:
        return iter(self._minutes)

    def window(self, whom: Whom, minutes: int, now_ns: int) -> Figures:
        """The figures of the last minutes, that of ``now_ns`` among them."""
        last = now_ns // MINUTE_NS
        found = self._minutes.get(whom, {})
        figures = Figures()
        for minute in range(last - minutes + 1, last + 1):
            figures = figures.plus(found.get(minute, Figures()))
        return figures

    def _of_limits(self, turn: Turn) -> Iterator[tuple[Whom, Figures]]:
        limits = self._table.of(Metric.TURN_LATENCY, turn.agent, turn.model)
        took_ms = turn.duration_ns / NANOS_PER_MS
        slow = Figures(1, float(took_ms >= limits.recommended), float(took_ms >= limits.critical))
        yield self._whom(Kind.LATENCY, turn), slow
        if turn.outcome is not Outcome.CANCELLED:
            failed = float(turn.outcome.failed)
            yield self._whom(Kind.SUCCESS, turn), Figures(1, failed, failed)
        if turn.efficiency is not None:
            evaluated = turn.quality_source is QualitySource.EVALUATED
            kind = Kind.EVALUATED if evaluated else Kind.UNEVALUATED
            yield self._whom(kind, turn), Figures(1, turn.efficiency)
        if turn.cost_usd is not None:
            yield self._whom(Kind.COST, turn), Figures(1, turn.cost_usd)

    def _whom(self, kind: Kind, turn: Turn) -> Whom:
        """As `rules.scopes` keeps them apart: an agent's own limits go before those of a model."""
        metric = METRIC_OF[kind]
        limits, model = "", ""
        if metric in self._table.own_of(turn.agent):
            limits = limits_of_agent(turn.agent)
        elif turn.model is not None and metric in self._table.models.get(turn.model, {}):
            limits, model = limits_of_model(turn.model), turn.model
        service, agent = _who(turn)
        return Whom(kind=kind, limits=limits, service=service, agent=agent, model=_cut(model))


def _cut(name: str) -> str:
    return name[:MAX_NAME_CHARACTERS]


def _who(turn: Turn) -> tuple[str, str]:
    return _cut(turn.service_name or UNKNOWN_SERVICE), _cut(turn.agent)


def _of_policies_and_tools(turn: Turn) -> Iterator[tuple[Whom, Figures]]:
    service, agent = _who(turn)
    counted = int(turn.outcome is not Outcome.CANCELLED)
    violations = len(turn.violations) + turn.unnamed_violations
    if counted or violations:
        violated = Figures(counted, float(violations))
        yield Whom(kind=Kind.VIOLATIONS, service=service, agent=agent), violated
    for violation in turn.violations:
        if violation.severity in SEVERITIES:
            yield Whom(kind=Kind.SEVERE, service=service, agent=agent, subject=_cut(violation.rule)), Figures(1)
    for call in turn.tool_calls:
        whom = Whom(kind=Kind.TOOL, service=service, agent=agent, subject=_cut(call.name))
        yield whom, Figures(1, float(call.failed))
