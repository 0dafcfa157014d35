"""What a report says, whatever it is rendered as. Durations are milliseconds, money is USD, shares are 0 to 1."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentnet_otel.core.columns import Turns, columns_of
from agentnet_otel.core.thresholds import ThresholdTable, Verdict
from agentnet_otel.core.verdicts import Judgement, judge_columns, worst
from agentnet_otel.outputs.reports.advice import analysis_findings, analysis_recommendations
from agentnet_otel.outputs.reports.analysis import Analysis
from agentnet_otel.outputs.reports.evidence import Finding, TurnsToSee
from agentnet_otel.outputs.reports.findings import (
    ALL_FINE,
    GENERAL,
    KEEP_A_BASELINE,
    NOTHING_FOUND,
    RECORD_TURNS,
    Recommendation,
    by_priority,
    findings_of,
    limits_passed,
    recommendations_of,
)
from agentnet_otel.outputs.reports.opportunities import Opportunity, opportunities_of
from agentnet_otel.outputs.reports.over_time import TimeRow, time_rows
from agentnet_otel.outputs.reports.runs import Run, Runs, runs_of
from agentnet_otel.outputs.reports.tables.agents_and_models import AgentRow, ModelRow, agent_rows, model_rows
from agentnet_otel.outputs.reports.tables.components import ComponentRow, component_rows
from agentnet_otel.outputs.reports.tables.latency import (
    FirstTokenSummary,
    LatencySummary,
    first_token_summary,
    latency_summary,
)
from agentnet_otel.outputs.reports.tables.slowest import SlowTurn, slow_turns
from agentnet_otel.outputs.reports.tables.tokens import TokenSummary, token_summary
from agentnet_otel.outputs.reports.tables.tools_and_violations import ToolRow, ViolationRow, tool_rows, violation_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuality:
    """What the figures rest on, and what could not be used.

    ``dropped_spans`` could not be used themselves (no ids, or a part that is wrong); ``bad_lines`` could not be read,
    ``oversized_lines`` were skipped unread; ``cut_windows`` are windows of time of which a server did not tell all.
    ``damaged_turns`` stood in a store and cannot be read. ``dropped_turns`` are those that an in-process reader no
    longer held.
    """

    spans: int = 0
    duplicates: int = 0
    late_spans: int = 0
    dropped_spans: int = 0
    bad_lines: int = 0
    oversized_lines: int = 0
    cut_off_ends: int = 0
    cut_windows: int = 0
    unreadable_sources: int = 0
    evicted_traces: int = 0
    damaged_turns: int = 0
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
    """One report.

    ``analysis``: what the documented report says of benchmarks and trackers, where it was made of such; ``documented``:
    what it would say of trackers that hold these turns. ``runs``: where the turns are of several.
    ``recommendations`` is None where they are not wanted.
    """

    generated_ns: int
    version: str
    turns: int
    sessions: int
    first_ns: int | None
    last_ns: int | None
    outcomes: Mapping[str, int]
    error_types: Mapping[str, int]
    verdicts: tuple[Judgement, ...]
    key_findings: tuple[Finding, ...]
    latency: LatencySummary | None
    over_time: tuple[TimeRow, ...]
    first_token: FirstTokenSummary | None
    components: tuple[ComponentRow, ...]
    tokens: TokenSummary
    agents: tuple[AgentRow, ...]
    models: tuple[ModelRow, ...]
    slowest: tuple[SlowTurn, ...]
    tools: tuple[ToolRow, ...]
    violations: tuple[ViolationRow, ...]
    opportunities: tuple[Opportunity, ...]
    recommendations: tuple[Recommendation, ...] | None
    analysis: Analysis | None = None
    documented: Analysis | None = None
    runs: Runs | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    quality: DataQuality = field(default_factory=DataQuality)

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings in words."""
        return tuple(finding.text for finding in self.key_findings)


def report_on(
    turns: Turns,
    *,
    thresholds: ThresholdTable,
    generated_ns: int,
    version: str,
    trace_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    quality: DataQuality | None = None,
    analysis: Analysis | None = None,
    verdicts: tuple[Judgement, ...] | None = None,
    recommend: bool = True,
    documented: Analysis | None = None,
    runs: Sequence[Run] = (),
) -> ReportContent:
    """The report on ``turns``, and on what was analysed beside them.

    Args:
        turns: as they are, or as columns; may be none where there is an ``analysis``.
        thresholds: the limits.
        generated_ns: when; epoch nanoseconds.
        version: of this package.
        trace_url: a template with ``{trace_id}``, and ``{span_id}`` if wanted.
        environment: what the figures depend on.
        quality: what they rest on.
        analysis: of benchmarks and trackers.
        verdicts: the verdict table, where it rests on more than the turns.
        recommend: whether recommendations are wanted.
        documented: the documented analyses of these turns, for the JSON report.
        runs: where the turns are of several, those of each.
    """
    turns = columns_of(turns)
    verdicts = judge_columns(turns, thresholds) if verdicts is None else verdicts
    components = component_rows(turns)
    agents = agent_rows(turns)
    tools = tool_rows(turns, trace_url)
    violations = violation_rows(turns, trace_url)
    return ReportContent(
        generated_ns=generated_ns,
        version=version,
        turns=len(turns),
        sessions=len({session for session in turns.sessions if session is not None}),
        first_ns=min(turns.starts_ns, default=None),
        last_ns=turns.last_ns,
        outcomes={outcome.value: count for outcome, count in Counter(turns.outcomes).most_common()},
        error_types=dict(turns.incidents.error_types.most_common()),
        verdicts=verdicts,
        key_findings=_findings(
            analysis,
            findings_of(verdicts, turns, components, agents, tools, violations, TurnsToSee(turns, trace_url))
            if turns
            else (),
            verdicts,
        ),
        latency=latency_summary(turns),
        over_time=time_rows(turns),
        first_token=first_token_summary(turns),
        components=components,
        tokens=token_summary(turns),
        agents=agents,
        models=model_rows(turns),
        slowest=slow_turns(turns, trace_url),
        tools=tools,
        violations=violations,
        opportunities=opportunities_of(turns, trace_url),
        recommendations=_recommendations(analysis, recommendations_of(verdicts, turns, components, tools), verdicts)
        if recommend
        else None,
        analysis=analysis,
        documented=documented,
        runs=runs_of(runs, thresholds) if len(runs) > 1 else None,
        environment=environment or {},
        quality=quality or DataQuality(),
    )


def _findings(
    analysis: Analysis | None, on_turns: tuple[Finding, ...], verdicts: Sequence[Judgement]
) -> tuple[Finding, ...]:
    """Those by the documented limits first; never empty."""
    if analysis is None:
        return on_turns or (Finding(text=NOTHING_FOUND, n=0),)
    found = (*analysis_findings(analysis), *(on_turns or limits_passed(verdicts)))
    nothing_wrong = ALL_FINE if _has_data(verdicts) else NOTHING_FOUND
    return tuple(finding for finding in found if finding.text != ALL_FINE) or (Finding(text=nothing_wrong),)


def _recommendations(
    analysis: Analysis | None, on_turns: tuple[Recommendation, ...], verdicts: Sequence[Judgement]
) -> tuple[Recommendation, ...]:
    """The documented ones first; a general one only where there is nothing else to say."""
    if analysis is None:
        return on_turns
    documented = tuple(analysis_recommendations(analysis))
    said = {(item.category, item.priority) for item in documented}
    others = [item for item in on_turns if item.category != GENERAL and (item.category, item.priority) not in said]
    return by_priority([*documented, *others]) or (KEEP_A_BASELINE if _has_data(verdicts) else RECORD_TURNS,)


def _has_data(verdicts: Sequence[Judgement]) -> bool:
    return worst(verdicts) is not Verdict.NO_DATA
