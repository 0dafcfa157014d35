"""What to do first: findings and recommendations, each with the figures it rests on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from agentnet_otel.core import documented_limits
from agentnet_otel.core.columns import UNATTRIBUTED, UNNAMED_RULE, TurnColumns
from agentnet_otel.core.thresholds import Metric, Verdict
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.model import TokenCategory
from agentnet_otel.outputs.reports import measures
from agentnet_otel.outputs.reports.evidence import Finding, NamedTurn, TurnsToSee
from agentnet_otel.outputs.reports.measures import Measure
from agentnet_otel.outputs.reports.tables.agents_and_models import AgentRow
from agentnet_otel.outputs.reports.tables.components import ComponentRow
from agentnet_otel.outputs.reports.tables.tools_and_violations import ToolRow, ViolationRow
from agentnet_otel.outputs.reports.wording import limit_text, percent, shortened, usd, value_text, whole_milliseconds

MAX_FINDINGS: Final = 3
NOTHING_FOUND: Final = "No turn was found: nothing can be said."
ALL_FINE: Final = "Every metric with data is within its recommended limit."
GENERAL: Final = "general"
"""Category of a recommendation that is made where there is no other."""
_SLOWER_THAN_OTHERS: Final = 1.5
_KINDS: Final = 2
"""Kinds of failure that a finding names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Something to do. ``priority``: high, medium or low."""

    category: str
    priority: str
    title: str
    description: str
    action: str


KEEP_A_BASELINE: Final = Recommendation(
    category=GENERAL,
    priority="low",
    title="Keep a baseline",
    description="No limit is passed and nothing stands out.",
    action="Save these figures as a baseline, so that a later change can be compared with them.",
)
RECORD_TURNS: Final = Recommendation(
    category=GENERAL,
    priority="high",
    title="Record turns",
    description="No turn was found in what was read.",
    action="Call agentnet_otel.instrument() before the agents run, and see what agentnet-otel doctor says.",
)


def findings_of(
    verdicts: Sequence[Judgement],
    turns: TurnColumns,
    components: Sequence[ComponentRow],
    agents: Sequence[AgentRow],
    tools: Sequence[ToolRow],
    violations: Sequence[ViolationRow],
    see: TurnsToSee,
) -> tuple[Finding, ...]:
    """The findings that matter most, worst first, at most `MAX_FINDINGS`; never empty.

    Each tells what it rests on, and names the turns to look at.
    """
    if not turns:
        return (Finding(text=NOTHING_FOUND, n=0),)
    n = len(turns)
    reasons = {
        Metric.TURN_LATENCY: _slow_agent(agents) or _time(components),
        Metric.SUCCESS_RATE: _failures(turns),
        Metric.COST_PER_TURN: _costly_agent(agents),
    }
    failed = [row for row in verdicts if row.verdict is Verdict.FAIL]
    warned = [row for row in verdicts if row.verdict is Verdict.WARN]
    told = {row.threshold.metric for row in (*failed, *warned) if row.of_all}
    found = chain(
        (_on_limit(row, reasons, see) for row in failed),
        (
            Finding(
                text=f"{text} The success rate is {value_text(row.value, row.threshold)}.",
                n=row.n,
                judgement=row,
                turns=see.failed(),
            )
            for row in _rows_on(Metric.SUCCESS_RATE, None, verdicts)
            for text in _failures(turns)
            if Metric.SUCCESS_RATE not in told
        ),
        (_on_limit(row, reasons, see) for row in warned),
        () if Metric.TURN_LATENCY in told else _slowest(verdicts, agents, turns, see),
        (
            _measured(text, measures.share_of_failed_calls(tools[0]), see.failing_tool(tools[0].tool))
            for text in _failing_tool(tools)
        ),
        (
            _measured(text, measures.share_of_violating(turns), see.violating(violations[0].rule))
            for text in _violated(violations)
        ),
        _most_time(components, turns, see),
    )
    return tuple(islice(found, MAX_FINDINGS)) or (Finding(text=ALL_FINE, n=n),)


def _measured(text: str, measure: Measure, turns: tuple[NamedTurn, ...]) -> Finding:
    return Finding(text=text, n=measure.n, measure=measure, turns=turns)


def _slowest(
    verdicts: Sequence[Judgement], agents: Sequence[AgentRow], turns: TurnColumns, see: TurnsToSee
) -> Iterator[Finding]:
    """An agent that is slower than the others, with the limits of its own where it has some."""
    for text in _slow_agent(agents):
        slow = agents[0].agent
        its_turns = see.slowest(slow)
        row = next(_rows_on(Metric.TURN_LATENCY, slow, verdicts), None)
        if row is None:
            yield _measured(text, measures.latency_p95(slow, turns), its_turns)
        else:
            yield Finding(text=text, n=row.n, judgement=row, turns=its_turns)


def _rows_on(metric: Metric, agent: str | None, verdicts: Sequence[Judgement]) -> Iterator[Judgement]:
    """The row of the verdict table on a metric of an agent, or over all turns."""
    return (r for r in verdicts if r.threshold.metric is metric and r.agent == agent and r.model is None)


def _most_time(components: Sequence[ComponentRow], turns: TurnColumns, see: TurnsToSee) -> Iterator[Finding]:
    for text in _time(components):
        component = _largest(components).component
        yield _measured(text, measures.share_of_time(component, turns), see.longest_in(component))


def limits_passed(verdicts: Sequence[Judgement]) -> tuple[Finding, ...]:
    """A finding on each limit that is passed, critical ones first."""
    order = (Verdict.FAIL, Verdict.WARN)
    return tuple(
        Finding(text=_passed_limit(row), n=row.n, judgement=row)
        for verdict in order
        for row in verdicts
        if row.verdict is verdict
    )


def _on_limit(row: Judgement, reasons: Mapping[Metric, Sequence[str]], see: TurnsToSee) -> Finding:
    return Finding(text=_with_reason(row, reasons), n=row.n, judgement=row, turns=see.of_limit(row))


def _with_reason(row: Judgement, reasons: Mapping[Metric, Sequence[str]]) -> str:
    """What is judged, and for all turns together where it comes from."""
    own = reasons.get(row.threshold.metric, ()) if row.of_all else ()
    return " ".join((_passed_limit(row), *own))


def recommendations_of(
    verdicts: Sequence[Judgement],
    turns: TurnColumns,
    components: Sequence[ComponentRow],
    tools: Sequence[ToolRow],
) -> tuple[Recommendation, ...]:
    """Recommendations, by priority; one general one where nothing stands out."""
    if not turns:
        return (RECORD_TURNS,)
    found = [
        *_on_limits(verdicts, components),
        *_on_quality(verdicts, turns),
        *_on_tools(tools),
        *_on_categories(turns),
    ]
    return by_priority(found) or (KEEP_A_BASELINE,)


def by_priority(found: Sequence[Recommendation]) -> tuple[Recommendation, ...]:
    """The most urgent first."""
    order = {"high": 0, "medium": 1, "low": 2}
    return tuple(sorted(found, key=lambda item: order[item.priority]))


def _passed_limit(row: Judgement) -> str:
    threshold = row.threshold
    who = f" of {shortened(row.owner)}" if row.owner else ""
    critical = row.verdict is Verdict.FAIL
    limit = threshold.critical if critical else threshold.recommended
    name = "critical" if critical else "recommended"
    unsure = "" if row.sufficient else f" (only {row.n} turns, {row.needed} are needed to be sure)"
    value = value_text(row.value, threshold)
    return f"{threshold.label}{who} is {value}; the {name} limit is {limit_text(limit, threshold)}{unsure}."


def _failures(turns: TurnColumns) -> list[str]:
    failed = turns.incidents.failures
    if not failed:
        return []
    kinds = Counter(failed.values()).most_common(_KINDS)
    named = " and ".join(f"{shortened(kind)} ({count:,})" for kind, count in kinds)
    agents = Counter(turns.agents[place] for place in failed).most_common(2)
    most = ""
    if len(agents) > 1 and agents[0][1] > agents[1][1]:
        most = f"; {shortened(agents[0][0])} has most of them ({agents[0][1]:,})"
    _, counted = turns.success()
    cancelled = f" ({len(turns) - counted:,} cancelled ones not counted)" if counted < len(turns) else ""
    return [f"{len(failed):,} of {counted:,} turns failed{cancelled}, most often with {named}{most}."]


def _slow_agent(agents: Sequence[AgentRow]) -> list[str]:
    if len(agents) < 2 or not 0 < _SLOWER_THAN_OTHERS * agents[1].p95_ms <= agents[0].p95_ms:  # noqa: PLR2004 - needs another
        return []
    slow, other = agents[0], agents[1]
    factor = slow.p95_ms / other.p95_ms
    who, than = shortened(slow.agent), shortened(other.agent)
    return [f"{who} is the slowest agent: p95 {whole_milliseconds(slow.p95_ms)} ms, {factor:.1f} times that of {than}."]


def _costly_agent(agents: Sequence[AgentRow]) -> list[str]:
    costs = [(row.cost_usd, row.agent) for row in agents if row.cost_usd is not None]
    if len(costs) < 2:  # noqa: PLR2004 - needs another
        return []
    cost, agent = max(costs)
    return [f"{shortened(agent)} spends most: {usd(cost)} of {usd(sum(cost for cost, _ in costs))}."]


def _failing_tool(tools: Sequence[ToolRow]) -> list[str]:
    if not tools or not tools[0].failures:
        return []
    worst = tools[0]
    return [f"Tool {shortened(worst.tool)} failed in {worst.failures} of {worst.calls} calls."]


def _violated(violations: Sequence[ViolationRow]) -> list[str]:
    if not violations:
        return []
    total = sum(row.count for row in violations)
    first = violations[0]
    rule = "of rules that are not told" if first.rule == UNNAMED_RULE else shortened(first.rule)
    return [f"{total:,} policy violations, most often {rule} ({first.count:,})."]


def _time(components: Sequence[ComponentRow]) -> list[str]:
    if not components:
        return []
    largest = _largest(components)
    return [f"{percent(largest.share)} of the time of all turns is {largest.component}."]


def _largest(components: Sequence[ComponentRow]) -> ComponentRow:
    return max(components, key=lambda row: row.total_ms)


def _on_limits(verdicts: Sequence[Judgement], components: Sequence[ComponentRow]) -> list[Recommendation]:
    largest = next((row for row in components if row.component != UNATTRIBUTED), None)
    where = f"Most time is {largest.component} ({percent(largest.share)}): begin there." if largest else "Begin there."
    advice = {
        Metric.TURN_LATENCY: ("latency", "Turns are slow", where),
        Metric.SUCCESS_RATE: ("reliability", "Turns fail", "Look at the error types and the slowest failed turns."),
        Metric.TOKEN_EFFICIENCY: (
            "token_efficiency",
            "Tokens are used inefficiently",
            "Shorten prompts and contexts: the share of output tokens weighs most.",
        ),
        Metric.COST_PER_TURN: ("cost", "Turns are expensive", "Use a smaller model where its answers are good enough."),
    }
    found = []
    for row in verdicts:
        if row.verdict in {Verdict.FAIL, Verdict.WARN}:
            category, title, action = advice[row.threshold.metric]
            priority = "high" if row.verdict is Verdict.FAIL else "medium"
            found.append(
                Recommendation(
                    category=category,
                    priority=priority,
                    title=f"{title}: {shortened(row.owner)}" if row.owner else title,
                    description=_passed_limit(row),
                    action=action,
                )
            )
    return found


def _on_quality(verdicts: Sequence[Judgement], turns: TurnColumns) -> list[Recommendation]:
    """Where nobody evaluates answers, long prompts may put the documented limit out of reach; the figures tell."""
    row = next(row for row in verdicts if row.threshold.metric is Metric.TOKEN_EFFICIENCY and row.of_all)
    if row.verdict not in {Verdict.FAIL, Verdict.WARN} or not turns.spent.unrated:
        return []
    limit, reachable = row.threshold.recommended, turns.spent.best_unrated
    beyond = sum([best <= limit for best in reachable])
    best = f"; the best could reach {max(reachable):.2f}" if reachable else ""
    return [
        Recommendation(
            category="token_efficiency",
            priority="low",
            title="Quality is not evaluated",
            description=(
                f"{turns.spent.unrated:,} turns have no evaluation; their quality is the agent's confidence, or "
                f"assumed. With that quality and their share of output tokens, {beyond:,} of them could not pass "
                f"{limit:g} however fast they were{best}."
            ),
            action="Record an evaluation, or set limits that fit your prompts.",
        )
    ]


def _on_tools(tools: Sequence[ToolRow]) -> list[Recommendation]:
    return [
        Recommendation(
            category="reliability",
            priority="medium",
            title=f"Tool {shortened(row.tool)} fails",
            description=f"{row.failures} of {row.calls} calls failed.",
            action="Look at its outcomes; give it a fallback or a retry.",
        )
        for row in tools
        if row.failures
    ]


def _on_categories(turns: TurnColumns) -> list[Recommendation]:
    spent = turns.spent.by_category
    total = spent.total()
    return [
        Recommendation(
            category="token_efficiency",
            priority="low",
            title=f"Many tokens go to {category.value}",
            description=f"{percent(count / total)} of all tokens are spent for {category.value}.",
            action="Check whether that part needs a model of this size, or a context of this length.",
        )
        for category, count in spent.items()
        if total and category is not TokenCategory.REASONING and count / total > documented_limits.CATEGORY_SHARE
    ]
