"""`TurnColumns`: turns, each of which was looked at once."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from typing import Final, TypeAlias, Union

from agentnet_otel.core.columns.held import FLOATS, INTEGERS, Texts, Told, longer
from agentnet_otel.core.columns.incidents import Incidents
from agentnet_otel.core.columns.spent import Spent
from agentnet_otel.core.observations import NANOS_PER_MS, Observation
from agentnet_otel.model import LatencyComponent, Outcome, Turn

SLOWEST: Final = 10
"""Turns that are kept whole, for they took longest."""
AT_ONCE: Final = 1000
"""Turns that are looked at together, at most."""
UNATTRIBUTED: Final = "unattributed"
"""Stands for the time in no component."""

Turns: TypeAlias = Union[Sequence[Turn], "TurnColumns"]
"""Turns as they are, or looked at already."""


def _slowest_first(turn: Turn) -> tuple[int, str, str]:
    return -turn.duration_ns, turn.trace_id, turn.span_id


class TurnColumns:
    """Turns, each of which was looked at once. Not safe for threads."""

    def __init__(self) -> None:
        self.agents: list[str] = []
        self.models: list[str | None] = []
        self.sessions: list[str | None] = []
        self.outcomes: list[Outcome] = []
        self.starts_ns: MutableSequence[int] = array(INTEGERS)
        self.durations_ns: MutableSequence[int] = array(INTEGERS)
        self.unattributed_ns: MutableSequence[int] = array(INTEGERS)
        self._turn_ids, self._trace_ids, self._span_ids = Texts(), Texts(), Texts()
        self._names: dict[str, str] = {}

        self.last_ns: int | None = None
        self.own_ns: dict[LatencyComponent, Told] = {}
        self.component_calls: Counter[LatencyComponent] = Counter()
        self.first_token_ns: MutableSequence[int] = array(INTEGERS)
        self.weights = array(FLOATS)
        """What each turn of known sampling probability stands for."""
        self.sampled_turns = 0
        self.turns_of_unknown_sampling = 0
        self.estimated_turns = 0
        self.revised_turns = 0
        self.spent = Spent()
        self.incidents = Incidents()

        self._latencies_ms = array(FLOATS)
        self._ordered_ms = array(FLOATS)
        self._slowest: list[Turn] = []
        self._slow_ns = -1
        """So long has to last what may be one of the slowest."""

    def __len__(self) -> int:
        return len(self.agents)

    # --- taking turns in -----------------------------------------------------------------------------

    def extend(self, turns: Sequence[Turn]) -> None:
        """Look at turns, best many at once: one figure of all takes less time than all figures of one."""
        first = len(self)
        self._extend_names(turns)
        self._extend_times(turns, first)
        self.spent.extend(turns, first)
        self.incidents.extend(turns, first)
        self.estimated_turns += sum([turn.estimated for turn in turns])
        self.revised_turns += sum([turn.revision > 1 for turn in turns])
        probabilities = [turn.sampling_probability for turn in turns]
        self.turns_of_unknown_sampling += probabilities.count(None)
        self.sampled_turns += sum([told < 1 for told in probabilities if told is not None])
        self.weights.extend([1 / told for told in probabilities if told])

    def _extend_names(self, turns: Sequence[Turn]) -> None:
        one = self._names.setdefault  # one object for each name
        self.agents += [one(turn.agent, turn.agent) for turn in turns]
        self.models += [turn.model and one(turn.model, turn.model) for turn in turns]
        self.sessions += [turn.session and one(turn.session, turn.session) for turn in turns]
        self.outcomes += [turn.outcome for turn in turns]
        self._turn_ids.extend([turn.turn_id for turn in turns])
        self._trace_ids.extend([turn.trace_id for turn in turns])
        self._span_ids.extend([turn.span_id for turn in turns])

    def _extend_times(self, turns: Sequence[Turn], first: int) -> None:
        durations_ns = [turn.duration_ns for turn in turns]
        self.starts_ns = longer(self.starts_ns, [turn.start_ns for turn in turns])
        self.durations_ns = longer(self.durations_ns, durations_ns)
        self.unattributed_ns = longer(self.unattributed_ns, [turn.unattributed_ns for turn in turns])
        first_tokens_ns = [turn.time_to_first_token_ns for turn in turns]
        self.first_token_ns = longer(self.first_token_ns, [told for told in first_tokens_ns if told is not None])
        ends_ns = [turn.end_ns for turn in turns]
        self.last_ns = max(ends_ns if self.last_ns is None else [self.last_ns, *ends_ns], default=None)
        self._extend_components(turns, first)
        self._slowest += [turn for turn, long_ns in zip(turns, durations_ns, strict=True) if long_ns >= self._slow_ns]
        if len(self._slowest) > SLOWEST:
            self._slowest.sort(key=_slowest_first)
            del self._slowest[SLOWEST:]
            self._slow_ns = self._slowest[-1].duration_ns

    def _extend_components(self, turns: Sequence[Turn], first: int) -> None:
        places: defaultdict[LatencyComponent, list[int]] = defaultdict(list)
        values: defaultdict[LatencyComponent, list[int]] = defaultdict(list)
        for place, turn in enumerate(turns, first):
            for component, own_ns in turn.component_self_ns.items():
                places[component].append(place)
                values[component].append(own_ns)
            for component, calls in turn.component_counts.items():
                self.component_calls[component] += calls
        for component, theirs in values.items():
            if component not in self.own_ns:
                self.own_ns[component] = Told(INTEGERS)
            self.own_ns[component].extend_sparse(places[component], theirs)

    # --- asking --------------------------------------------------------------------------------------

    def turn_id(self, place: int) -> str:
        """The id of a turn."""
        return self._turn_ids[place]

    def trace_id(self, place: int) -> str:
        """The id of its trace; empty where it has none."""
        return self._trace_ids[place]

    def span_id(self, place: int) -> str:
        """The id of its span; empty where it has none."""
        return self._span_ids[place]

    def slowest(self) -> list[Turn]:
        """The `SLOWEST` slowest turns, as they came; equally slow ones in order of their ids."""
        return sorted(self._slowest, key=_slowest_first)

    @property
    def latencies_ms(self) -> "array[float]":
        """How long each turn took."""
        if len(self._latencies_ms) != len(self):
            self._latencies_ms = array(FLOATS, [duration_ns / NANOS_PER_MS for duration_ns in self.durations_ns])
        return self._latencies_ms

    @property
    def ordered_ms(self) -> "array[float]":
        """The same in order of size."""
        if len(self._ordered_ms) != len(self):
            self._ordered_ms = array(FLOATS, sorted(self.latencies_ms))
        return self._ordered_ms

    def success(self, outcomes: Iterable[Outcome] | None = None) -> tuple[int, int]:
        """Turns that did not fail, and turns that count: cancelled ones are on neither side."""
        met = Counter(self.outcomes if outcomes is None else outcomes)
        counted = met.total() - met[Outcome.CANCELLED]
        return counted - sum(times for outcome, times in met.items() if outcome.failed), counted

    def sessions_of(self, told: Told) -> list[str | None]:
        """The session of each value."""
        return [self.sessions[place] for place in told.places]

    def times_in(self, component: str) -> Iterable[tuple[int, float]]:
        """The self time in a component, or in none (`UNATTRIBUTED`), of the turns that have it, each with its place."""
        if component == UNATTRIBUTED:
            return enumerate(self.unattributed_ns)
        told = self.own_ns.get(LatencyComponent(component))
        return () if told is None else told.pairs()

    def observations(self) -> Iterator[Observation]:
        """What each turn tells."""
        spent = self.spent
        tokens, costs, efficiencies = (dict(told.pairs()) for told in (spent.tokens, spent.cost_usd, spent.efficiency))
        for place, agent in enumerate(self.agents):
            yield Observation(
                agent=agent,
                model=self.models[place],
                latency_ms=self.latencies_ms[place],
                outcome=self.outcomes[place],
                tokens=tokens.get(place),
                cost_usd=costs.get(place),
                efficiency=efficiencies.get(place),
                session=self.sessions[place],
            )


def columns_of(turns: Turns) -> TurnColumns:
    """The columns of turns."""
    if isinstance(turns, TurnColumns):
        return turns
    columns = TurnColumns()
    for begin in range(0, len(turns), AT_ONCE):
        columns.extend(turns[begin : begin + AT_ONCE])
    return columns
