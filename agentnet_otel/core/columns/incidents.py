"""What happened in turns: failures, calls of tools, violated rules."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Final

from agentnet_otel.core.columns.held import INTEGERS, Met, Told
from agentnet_otel.core.turn_figures import TurnFigures
from agentnet_otel.model import Outcome

UNNAMED_RULE: Final = "unknown"
"""Stands for the rules of violations of which only the number is known."""
_FAILED: Final = frozenset(outcome.value for outcome in Outcome if outcome.failed)


class Incidents:
    """Failures, tools and violations of turns."""

    def __init__(self) -> None:
        self.failures: dict[int, str] = {}
        """Places of turns that failed, with the type of the error or else the outcome."""
        self.error_types: Counter[str] = Counter()
        self.tool_calls = Told(INTEGERS)
        """Of turns with any."""
        self.calls_by_tool: Counter[str] = Counter()
        self.failing_tools: defaultdict[str, Met] = defaultdict(Met)
        self.policy_violations = Told(INTEGERS)
        """Of turns with any."""
        self.violations: defaultdict[tuple[str, str | None], Met] = defaultdict(Met)
        """By rule and severity."""
        self.violated_rules: defaultdict[str, Met] = defaultdict(Met)
        """By rule: how many turns violated it."""
        self.violating_turns = 0

    def extend(self, turns: Sequence[TurnFigures], first: int) -> None:
        """Look at turns, which follow each other from place ``first``."""
        for place, turn in enumerate(turns, first):
            if turn.outcome in _FAILED:
                self.failures[place] = turn.error_type or turn.outcome
            for tool in turn.failed_tools:
                self.failing_tools[tool].note(place)
            if turn.policy_violations or turn.violations:
                self._add_violations(turn, place)
        self.error_types.update([turn.error_type for turn in turns if turn.error_type is not None])
        self.calls_by_tool.update(chain.from_iterable([turn.tools for turn in turns]))
        self.tool_calls.extend(first, [len(turn.tools) or None for turn in turns])
        self.policy_violations.extend(first, [turn.policy_violations or None for turn in turns])

    def _add_violations(self, turn: TurnFigures, place: int) -> None:
        unnamed = turn.policy_violations - len(turn.violations)
        rules = {rule for rule, _ in turn.violations}
        for kind in turn.violations:
            self.violations[kind].note(place)
        if unnamed > 0:
            rules.add(UNNAMED_RULE)
            self.violations[UNNAMED_RULE, None].note(place, unnamed)
        for rule in rules:
            self.violated_rules[rule].note(place)
        self.violating_turns += bool(rules)
