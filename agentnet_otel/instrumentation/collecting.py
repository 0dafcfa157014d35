"""Collecting the turns of one piece of work: a subscription that travels with the context.

A listener of the recorder hears every turn of the process. Whoever runs several pieces of work at the same time, as a
benchmark does, wants to know which turn belongs to which. So a collector stands in the OpenTelemetry context of each
piece, wherever that context goes: tasks, threads and executors below it (`thread_carrying`). A turn is the matter of
the collector that was there when it began.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import TokenUsage, Turn

MAX_COLLECTED: Final = 10_000
"""Turns, and calls outside any turn, that one collector keeps; beyond it the oldest goes, and is counted."""

_COLLECTOR: Final = otel_context.create_key("agentnet-otel-collector")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedTurn:
    """A turn that ended. ``nested``: it ran inside another turn of the same collector."""

    turn: Turn
    nested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedCall:
    """A call outside any turn that used tokens. ``cost_usd`` is None where nobody told it."""

    tokens: TokenUsage
    cost_usd: float | None
    estimated: bool


class TurnCollector:
    """Keeps the turns of one piece of work, until it is closed. Appending is atomic, so that no lock is needed."""

    def __init__(self) -> None:
        self.turns: deque[CollectedTurn] = deque(maxlen=MAX_COLLECTED)
        self.calls: deque[CollectedCall] = deque(maxlen=MAX_COLLECTED)
        self.closed = False
        self.dropped = 0
        self.late = 0

    def close(self) -> None:
        """Take nothing more: what ends from now on is late, and counted."""
        self.closed = True

    def time_out(self) -> None:
        """End the turns that still run, as timed out, and take nothing more: the work is let go."""
        for span in lifecycle.open_spans():
            if isinstance(span, TurnSpan) and collector_in(span.context) is self:
                span.time_out()
        self.close()

    def take_turn(self, turn: Turn, *, nested: bool) -> None:
        """Take a turn that ended."""
        if self.closed:
            self.late += 1
            return
        self.dropped += len(self.turns) == MAX_COLLECTED
        self.turns.append(CollectedTurn(turn=turn, nested=nested))

    def take_call(self, call: CollectedCall) -> None:
        """Take a call outside any turn that ended."""
        if self.closed:
            self.late += 1
            return
        self.dropped += len(self.calls) == MAX_COLLECTED
        self.calls.append(call)


def with_collector(collector: TurnCollector | None, context: Context | None = None) -> Context:
    """``context`` (default: the current one) in which turns are the matter of ``collector``."""
    return otel_context.set_value(_COLLECTOR, collector, context)


def collector_in(context: Context | None = None) -> TurnCollector | None:
    """The collector of ``context`` (default: the current one)."""
    found: TurnCollector | None = otel_context.get_value(_COLLECTOR, context)  # type: ignore[assignment]
    return found


def is_let_go() -> bool:
    """Whether the running code belongs to a piece of work that was let go."""
    collector = collector_in()
    return collector is not None and collector.closed
