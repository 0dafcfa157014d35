"""How many turns there were among spans of this process that went unread, whoever wrote them.

Spans go in the order in which they ended, so what lay in a span went before it, and started no earlier. From that alone
follows what a rebuild would decide by the tree: a workflow around a turn is none itself, the outermost of several
workflows is the turn. What may still lie in something, or repeat what is around it, is counted when the outermost span
of its trace in this process goes.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from agentnet_otel.core.dialects import MAYBE_TURNS, Role, kind_of, read_facts
from agentnet_otel.model import LatencyComponent
from agentnet_otel.sources.captured import CapturedSpan

TRACES: Final = 1000
"""Traces of which something went and their outermost span did not; beyond it the oldest is counted as it is."""
UNCOUNTED: Final = 100
"""Spans of a trace that may turn out to be parts of others; beyond it all of them are counted."""

_WIDER: Final = frozenset({Role.UNNAMED_TURN, Role.WORKFLOW})


class _Trace(msgspec.Struct, gc=False):
    """What went of one trace: the latest starts (epoch nanoseconds), and what is not counted yet."""

    turn_ns: int = -1
    named_ns: int = -1
    asked_ns: int = -1
    """Of calls of models."""
    maybe: list[tuple[int, Role]] = []
    """Spans that may be turns: their starts and roles."""
    below: dict[int, list[str | None]] = {}
    """The agents of turns that may repeat the span around them, by the id of that span."""

    @property
    def uncounted(self) -> int:
        """Turns, if nothing else goes of the trace."""
        return len(self.maybe) + sum(map(len, self.below.values()))


class GoneTurns:
    """Counts turns among spans that go in the order of their ends. Not safe for threads."""

    def __init__(self) -> None:
        self._traces: OrderedDict[int, _Trace] = OrderedDict()

    def take(self, span: CapturedSpan, *, is_turn: bool | None) -> int:
        """How many turns are known to be gone by this span; ``is_turn``: None where only what it says tells."""
        context = span.context
        if context is None:
            return 0
        role, component = kind_of(span) if is_turn is None else (Role.TURN if is_turn else Role.OTHER, None)
        trace = self._traces.pop(context.trace_id, None)
        if trace is None:
            if role is Role.OTHER and component is None:
                return 0
            trace = _Trace()
        count = self._take_into(trace, span, role, ours=is_turn is not None)
        if component is LatencyComponent.INFERENCE:
            trace.asked_ns = max(trace.asked_ns, span.start_ns)
        if span.is_outermost:
            return count + trace.uncounted
        self._traces[context.trace_id] = trace
        if len(self._traces) > TRACES:
            count += self._traces.popitem(last=False)[1].uncounted
        return count

    def _take_into(self, trace: _Trace, span: CapturedSpan, role: Role, *, ours: bool) -> int:
        agents = trace.below.pop(span.context.span_id, ()) if span.context is not None else ()
        if role is not Role.TURN and role not in MAYBE_TURNS:
            return len(agents)
        if ours:  # our own spans repeat nothing
            self._take_sure_turn(trace, span.start_ns)
            return 1 + len(agents)
        return self._take_turn(trace, span, agents)

    def _take_turn(self, trace: _Trace, span: CapturedSpan, agents: Sequence[str | None]) -> int:
        """A span that is a turn by its kind, or may be one, with the agents of turns just below it."""
        facts, start_ns = read_facts(span.record()), span.start_ns
        if facts.role is Role.TURN:
            self._take_sure_turn(trace, start_ns)
            around = 0 if span.parent is None else span.parent.span_id
            trace.below.setdefault(around, []).append(facts.agent)
            return sum(agent != facts.agent for agent in agents) + self._relieve(trace)
        count = len(agents)
        if facts.role is Role.UNNAMED_TURN:
            self._let_go_inside(trace, start_ns)
            trace.turn_ns = max(trace.turn_ns, start_ns)
            return count + (trace.named_ns < start_ns)
        if facts.role is Role.ROOT and not self._may_be_root_turn(trace, start_ns):
            return count
        if facts.role in MAYBE_TURNS:
            self._let_go_inside(trace, start_ns)
            if trace.turn_ns < start_ns:
                trace.maybe.append((start_ns, facts.role))
        return count + self._relieve(trace)

    @staticmethod
    def _may_be_root_turn(trace: _Trace, start_ns: int) -> bool:
        inside = {role for began_ns, role in trace.maybe if began_ns >= start_ns}
        return trace.asked_ns >= start_ns and _WIDER.isdisjoint(inside)

    def _take_sure_turn(self, trace: _Trace, start_ns: int) -> None:
        self._let_go_inside(trace, start_ns)
        trace.turn_ns = max(trace.turn_ns, start_ns)
        trace.named_ns = max(trace.named_ns, start_ns)

    @staticmethod
    def _let_go_inside(trace: _Trace, start_ns: int) -> None:
        if trace.maybe:
            trace.maybe = [kept for kept in trace.maybe if kept[0] < start_ns]

    @staticmethod
    def _relieve(trace: _Trace) -> int:
        """Count what waits, where it is too much."""
        count = trace.uncounted
        if count <= UNCOUNTED:
            return 0
        trace.maybe, trace.below = [], {}
        return count
