"""Tools and violated rules, each with the trace it was seen in last."""

from dataclasses import dataclass
from typing import TypedDict

from agentnet_otel.core.columns import Met, TurnColumns
from agentnet_otel.outputs.reports.tables.trace_links import trace_link


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


def tool_rows(turns: TurnColumns, trace_url: str | None) -> tuple[ToolRow, ...]:
    """Tools, those that fail most first, with links where a template is given."""
    rows = []
    for tool, calls in turns.incidents.calls_by_tool.items():
        failed = turns.incidents.failing_tools.get(tool)
        failures = 0 if failed is None else failed.times
        rows.append(ToolRow(tool=tool, calls=calls, failures=failures, **_trace(turns, failed, trace_url)))
    return tuple(sorted(rows, key=lambda row: (-row.failures, -row.calls, row.tool)))


def violation_rows(turns: TurnColumns, trace_url: str | None) -> tuple[ViolationRow, ...]:
    """Violated rules, the most frequent first, with links where a template is given."""
    rows = [
        ViolationRow(rule=rule, severity=severity, count=met.times, **_trace(turns, met, trace_url))
        for (rule, severity), met in turns.incidents.violations.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.count))


class _Trace(TypedDict):
    trace_id: str | None
    url: str | None


def _trace(turns: TurnColumns, met: Met | None, trace_url: str | None) -> _Trace:
    """Of the newest turn in which something was met."""
    if met is None:
        return {"trace_id": None, "url": None}
    place = met.newest[-1]
    trace_id = turns.trace_id(place)
    return {"trace_id": trace_id or None, "url": trace_link(trace_url, trace_id, turns.span_id(place))}
