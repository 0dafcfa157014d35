"""What the documented trackers say of the turns of a report; only the JSON report tells it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agentnet_otel.model import Turn
from agentnet_otel.outputs.reports.analysis import Analysis
from agentnet_otel.performance.analysing import analysis_of
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.tokens import TokenUtilizationTracker

MAX_ANALYSED: Final = 10_000
"""Turns that the documented analyses of a report are of: as many as a tracker holds by default."""


class NewestTurns:
    """The newest `MAX_ANALYSED` of turns that come one by one, for trackers that take them all at once in the end."""

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque(maxlen=MAX_ANALYSED)
        self._with_tokens: deque[Turn] = deque(maxlen=MAX_ANALYSED)
        self._number = self._number_with_tokens = 0

    def extend(self, turns: Sequence[Turn]) -> None:
        """Take turns in."""
        with_tokens = [turn for turn in turns if turn.tokens.known]
        self._turns.extend(turns)
        self._with_tokens.extend(with_tokens)
        self._number += len(turns)
        self._number_with_tokens += len(with_tokens)

    def analysis(self) -> Analysis | None:
        """What trackers say of them, and how many older ones there were; None without any turn."""
        if not self._turns:
            return None
        found = analysis_of(
            [],
            LatencyTracker.from_turns(self._turns, MAX_ANALYSED),
            TokenUtilizationTracker.from_turns(self._with_tokens, MAX_ANALYSED),
        )
        older, older_with_tokens = (
            number - len(held)
            for number, held in ((self._number, self._turns), (self._number_with_tokens, self._with_tokens))
        )
        return replace(
            found,
            latency=found.latency and replace(found.latency, dropped=older),
            tokens=found.tokens and replace(found.tokens, dropped=older_with_tokens),
        )
