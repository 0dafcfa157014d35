"""The local page's questions: which turns, one turn, what is new; answered from a store, or from turns in memory."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from agentnet_otel.core.observations import observation_of
from agentnet_otel.core.running_verdicts import RunningVerdicts
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.outputs.local_page.frame import LIST_PATH, POLICY, TURN_PATH
from agentnet_otel.outputs.local_page.turn_list import TurnFilter, TurnList, min_ms_of, turn_list_page
from agentnet_otel.outputs.local_page.turn_page import missing_page, turn_page
from agentnet_otel.service.answers import MAX_NUMBER, Answer, Query, page_answer, text_answer, whole_number
from agentnet_otel.sources.store.turn_store import StoredTurn

PAGE_TURNS: Final = 100
"""Turns of a page."""
JUDGED_TURNS: Final = 1000
"""The newest turns that the verdicts are on, where turns may arrive: they are judged anew whenever one does."""
LOOKED_THROUGH: Final = 20_000
"""Turns that a page looks through for those that are wanted; the next page goes on behind them."""
NAMED_AGENTS: Final = 200
"""Agents to choose from."""

_BATCH: Final = 1000
_BAD_REQUEST, _NOT_FOUND = 400, 404


class Turns(Protocol):
    """Where turns are. `before` gives the newest first."""

    def before(self, place: int | None, limit: int) -> list[StoredTurn]:
        """Turns that came before a place (None: the newest)."""

    def find(self, trace_id: str, span_id: str) -> Turn | None:
        """A turn by its ids."""

    def last_seq(self) -> int:
        """The place of the newest."""

    def close(self) -> None:
        """It is no longer needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The verdicts on turns, as they were at a place: on how many, and whose they are."""

    last: int
    verdicts: Sequence[Judgement]
    turns: int
    agents: Sequence[str]


class LocalPage:
    """Answers with pages. ``open_turns`` opens them for one answer. ``note``: said on top.

    ``live``: turns may arrive, and the verdicts are on the newest; else they are on all, judged once.
    ``trace_url``: a template of the address of a trace elsewhere.
    """

    def __init__(
        self,
        open_turns: Callable[[], Turns],
        thresholds: ThresholdTable,
        trace_url: str | None = None,
        *,
        live: bool = True,
        note: str = "",
    ) -> None:
        self._open_turns = open_turns
        self._thresholds = thresholds
        self._trace_url = trace_url
        self._live = live
        self._note = note
        self._lock = threading.Lock()
        self._newest: _Judged | None = None

    def pages(self) -> Mapping[str, Callable[[Query], Answer]]:
        """The pages by path."""
        return {LIST_PATH: self.turns, TURN_PATH: self.turn}

    def turns(self, query: Query) -> Answer:
        """The newest turns, or those before a place, of those that are wanted."""
        try:
            wanted = _filter_of(query.parameters)
            before = whole_number(query, "before", 0, MAX_NUMBER) if "before" in query.parameters else None
        except ConfigurationError as error:
            return text_answer(_BAD_REQUEST, str(error))
        turns = self._open_turns()
        try:
            last = turns.last_seq()
            judged = self._judged_at(turns, last)
            found, older, looked_through = _page(turns, wanted, before)
        finally:
            turns.close()
        shown = TurnList(
            turns=found,
            verdicts=judged.verdicts,
            judged=judged.turns,
            agents=judged.agents,
            last=last,
            wanted=wanted,
            before=before,
            older=older,
            looked_through=looked_through,
            live=self._live,
            note=self._note,
        )
        return page_answer(turn_list_page(shown), POLICY)

    def _judged_at(self, turns: Turns, last: int) -> _Judged:
        """Worked out once for all who ask until there is news."""
        with self._lock:
            if self._newest is None or self._newest.last != last:
                newest = turns.before(None, JUDGED_TURNS if self._live else last)
                self._newest = _judged([stored.turn for stored in newest], last, self._thresholds)
            return self._newest

    def turn(self, query: Query) -> Answer:
        """One turn."""
        ids = [query.parameters.get(name, "") for name in ("trace", "span")]
        turns = self._open_turns()
        try:
            found = turns.find(*ids)
        finally:
            turns.close()
        if found is None:
            why = "There is no such turn, or it is no longer kept."
            return page_answer(missing_page(why), POLICY, _NOT_FOUND)
        return page_answer(turn_page(found, self._trace_url), POLICY)

    def last(self) -> int:
        """The place of the newest turn: when it changes there is news."""
        turns = self._open_turns()
        try:
            return turns.last_seq()
        finally:
            turns.close()


def _judged(newest_first: Sequence[Turn], last: int, thresholds: ThresholdTable) -> _Judged:
    """In the order in which `check` takes them, so that it says the same of the same turns."""
    running = RunningVerdicts(thresholds)
    for turn in reversed(newest_first):
        running.add(observation_of(turn))
    agents = sorted({turn.agent for turn in newest_first})[:NAMED_AGENTS]
    return _Judged(last=last, verdicts=running.judgements(), turns=running.turns, agents=agents)


def _page(turns: Turns, wanted: TurnFilter, before: int | None) -> tuple[list[Turn], int | None, int]:
    """Turns that are wanted, where the next page begins (None: nowhere), and how many were looked through."""
    found: list[Turn] = []
    place, looked = before, 0
    while looked < LOOKED_THROUGH:
        batch = turns.before(place, PAGE_TURNS + 1 if wanted == TurnFilter() else _BATCH)
        for stored in batch:
            if len(found) == PAGE_TURNS:
                return found, place, looked
            looked += 1
            place = stored.seq
            if wanted.takes(stored.turn):
                found.append(stored.turn)
        if not batch:
            return found, None, looked
    return found, place, looked


def _filter_of(parameters: Mapping[str, str]) -> TurnFilter:
    outcome, min_ms = (parameters.get(name, "").strip() for name in ("outcome", "min_ms"))
    try:
        named = Outcome(outcome) if outcome else None
    except ValueError:
        allowed = ", ".join(one.value for one in Outcome)
        message = f"outcome={outcome!r} is unknown; allowed are: {allowed}"
        raise ConfigurationError(message) from None
    try:
        least = min_ms_of(min_ms) if min_ms else None
    except ValueError:
        message = f"min_ms={min_ms!r} is no number of milliseconds"
        raise ConfigurationError(message) from None
    return TurnFilter(agent=parameters.get("agent") or None, outcome=named, min_ms=least)
