"""What a report says, whatever it is rendered as. Durations are milliseconds, money is USD, shares are 0 to 1."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.verdicts import Judgement, judge
from agentnet_otel.model import Turn
from agentnet_otel.outputs.reports.findings import Recommendation, findings_of, recommendations_of
from agentnet_otel.outputs.reports.opportunities import Opportunity, opportunities_of
from agentnet_otel.outputs.reports.tables import (
    AgentRow,
    ComponentRow,
    FirstTokenSummary,
    LatencySummary,
    ModelRow,
    SlowTurn,
    TokenSummary,
    ToolRow,
    ViolationRow,
    agent_rows,
    component_rows,
    first_token_summary,
    latency_summary,
    model_rows,
    slow_turns,
    token_summary,
    tool_rows,
    violation_rows,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuality:
    """What the figures rest on, and what could not be used.

    ``dropped_spans`` could not be used themselves (no ids, or a part that is wrong); ``bad_lines`` could not be read,
    ``oversized_lines`` were skipped unread. ``dropped_turns`` are those that an in-process reader no longer held.
    """

    spans: int = 0
    duplicates: int = 0
    late_spans: int = 0
    dropped_spans: int = 0
    bad_lines: int = 0
    oversized_lines: int = 0
    cut_off_ends: int = 0
    unreadable_sources: int = 0
    evicted_traces: int = 0
    dropped_turns: int = 0
    calls_outside_turns: int = 0
    clipped_spans: int = 0
    incomplete_turns: int = 0
    revised_turns: int = 0
    estimated_turns: int = 0
    sampled_turns: int = 0
    turns_of_unknown_sampling: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """One report."""

    generated_ns: int
    version: str
    turns: int
    sessions: int
    first_ns: int | None
    last_ns: int | None
    outcomes: Mapping[str, int]
    error_types: Mapping[str, int]
    verdicts: tuple[Judgement, ...]
    findings: tuple[str, ...]
    latency: LatencySummary | None
    first_token: FirstTokenSummary | None
    components: tuple[ComponentRow, ...]
    tokens: TokenSummary
    agents: tuple[AgentRow, ...]
    models: tuple[ModelRow, ...]
    slowest: tuple[SlowTurn, ...]
    tools: tuple[ToolRow, ...]
    violations: tuple[ViolationRow, ...]
    opportunities: tuple[Opportunity, ...]
    recommendations: tuple[Recommendation, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    quality: DataQuality = field(default_factory=DataQuality)


def report_on(
    turns: Sequence[Turn],
    *,
    thresholds: ThresholdTable,
    generated_ns: int,
    version: str,
    trace_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    quality: DataQuality | None = None,
) -> ReportContent:
    """The report on ``turns``. ``trace_url``: a template with ``{trace_id}``, and ``{span_id}`` if wanted."""
    verdicts = judge(turns, thresholds)
    components = component_rows(turns)
    agents = agent_rows(turns)
    tools = tool_rows(turns)
    violations = violation_rows(turns)
    return ReportContent(
        generated_ns=generated_ns,
        version=version,
        turns=len(turns),
        sessions=len({turn.session for turn in turns if turn.session is not None}),
        first_ns=min((turn.start_ns for turn in turns), default=None),
        last_ns=max((turn.end_ns for turn in turns), default=None),
        outcomes=_counted(turn.outcome.value for turn in turns),
        error_types=_counted(turn.error_type for turn in turns if turn.error_type is not None),
        verdicts=verdicts,
        findings=findings_of(verdicts, turns, components, agents, tools, violations),
        latency=latency_summary(turns),
        first_token=first_token_summary(turns),
        components=components,
        tokens=token_summary(turns),
        agents=agents,
        models=model_rows(turns),
        slowest=slow_turns(turns, trace_url),
        tools=tools,
        violations=violations,
        opportunities=opportunities_of(turns),
        recommendations=recommendations_of(verdicts, turns, components, tools),
        environment=environment or {},
        quality=quality or DataQuality(),
    )


def _counted(items: Iterable[str]) -> dict[str, int]:
    """How often each occurs, most frequent first."""
    return dict(Counter(items).most_common())
