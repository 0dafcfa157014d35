"""Tools and violated rules, each with the trace it was seen in last."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from agentnet_otel.model import Turn
from agentnet_otel.outputs.reports.tables.trace_links import trace_link

UNNAMED_RULE: Final = "unknown"
"""Stands for the rules of violations of which only the number is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """One tool. ``trace_id``, ``url``: of the newest turn in which it failed; None where it never did."""

    tool: str
    calls: int
    failures: int
    trace_id: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationRow:
    """One violated rule. ``trace_id``, ``url``: of the newest turn that violated it; None where it has no trace."""

    rule: str
    severity: str | None
    count: int
    trace_id: str | None
    url: str | None


def tool_rows(turns: Sequence[Turn], trace_url: str | None) -> tuple[ToolRow, ...]:
    """Tools, those that fail most first, with links where a template is given."""
    calls: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    newest: dict[str, Turn] = {}
    for turn in turns:
        for call in turn.tool_calls:
            calls[call.name] += 1
            if call.failed:
                failures[call.name] += 1
                newest[call.name] = turn
    rows = [
        ToolRow(tool=tool, calls=count, failures=failures[tool], **_trace(newest.get(tool), trace_url))
        for tool, count in calls.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.failures, -row.calls, row.tool)))


def violation_rows(turns: Sequence[Turn], trace_url: str | None) -> tuple[ViolationRow, ...]:
    """Violated rules, the most frequent first, with links where a template is given."""
    found: Counter[tuple[str, str | None]] = Counter()
    newest: dict[tuple[str, str | None], Turn] = {}
    for turn in turns:
        kinds = Counter((violation.rule, violation.severity) for violation in turn.violations)
        if turn.unnamed_violations:
            kinds[UNNAMED_RULE, None] += turn.unnamed_violations
        found.update(kinds)
        newest.update(dict.fromkeys(kinds, turn))
    return tuple(
        ViolationRow(rule=rule, severity=severity, count=count, **_trace(newest[rule, severity], trace_url))
        for (rule, severity), count in found.most_common()
    )


class _Trace(TypedDict):
    trace_id: str | None
    url: str | None


def _trace(turn: Turn | None, trace_url: str | None) -> _Trace:
    if turn is None:
        return {"trace_id": None, "url": None}
    return {"trace_id": turn.trace_id or None, "url": trace_link(trace_url, turn)}
