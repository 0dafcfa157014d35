"""What happened in turns: failures, calls of tools, violated rules."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from agentnet_otel.core.columns.held import INTEGERS, Met, Told
from agentnet_otel.model import Outcome, Turn

UNNAMED_RULE: Final = "unknown"
"""Stands for the rules of violations of which only the number is known."""
_FAILED: Final = frozenset(outcome for outcome in Outcome if outcome.failed)


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

    def extend(self, turns: Sequence[Turn], first: int) -> None:
        """Look at turns, which follow each other from place ``first``."""
        for place, turn in enumerate(turns, first):
            if turn.outcome in _FAILED:
                self.failures[place] = turn.error_type or turn.outcome.value
            if turn.tool_calls:
                self._add_tools(turn, place)
            if turn.policy_violations or turn.violations:
                self._add_violations(turn, place)
        self.error_types.update([turn.error_type for turn in turns if turn.error_type is not None])
        self.tool_calls.extend(first, [len(turn.tool_calls) or None for turn in turns])
        self.policy_violations.extend(first, [turn.policy_violations or None for turn in turns])

    def _add_tools(self, turn: Turn, place: int) -> None:
        for call in turn.tool_calls:
            self.calls_by_tool[call.name] += 1
            if call.failed:
                self.failing_tools[call.name].note(place)

    def _add_violations(self, turn: Turn, place: int) -> None:
        unnamed = turn.unnamed_violations
        rules = {violation.rule for violation in turn.violations}
        for violation in turn.violations:
            self.violations[violation.rule, violation.severity].note(place)
        if unnamed:
            rules.add(UNNAMED_RULE)
            self.violations[UNNAMED_RULE, None].note(place, unnamed)
        for rule in rules:
            self.violated_rules[rule].note(place)
        self.violating_turns += bool(rules)
