"""What to do first: findings and recommendations, each with the figures it rests on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentnet_otel.core.thresholds import Metric, Verdict
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.model import QualitySource, TokenCategory, Turn
from agentnet_otel.outputs.reports.tables import UNATTRIBUTED, AgentRow, ComponentRow, ToolRow, ViolationRow
from agentnet_otel.outputs.reports.wording import limit_text, percent, value_text

MAX_FINDINGS: Final = 3
_SLOWER_THAN_OTHERS: Final = 1.5
_LARGE_SHARE: Final = 0.4
_LARGE_CATEGORY: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Something to do. ``priority``: high, medium or low."""

    category: str
    priority: str
    title: str
    description: str
    action: str


def findings_of(
    verdicts: Sequence[Judgement],
    turns: Sequence[Turn],
    components: Sequence[ComponentRow],
    agents: Sequence[AgentRow],
    tools: Sequence[ToolRow],
    violations: Sequence[ViolationRow],
) -> tuple[str, ...]:
    """The findings that matter most, worst first, at most `MAX_FINDINGS`; never empty."""
    if not turns:
        return ("No turn was found: nothing can be said.",)
    found = [
        *(_passed_limit(row) for row in verdicts if row.verdict is Verdict.FAIL),
        *_failures(turns),
        *(_passed_limit(row) for row in verdicts if row.verdict is Verdict.WARN),
        *_slow_agent(agents),
        *_failing_tool(tools),
        *_violated(violations),
        *_time(components),
    ]
    return tuple(found[:MAX_FINDINGS]) or ("Every metric with data is within its recommended limit.",)


def recommendations_of(
    verdicts: Sequence[Judgement],
    turns: Sequence[Turn],
    components: Sequence[ComponentRow],
    tools: Sequence[ToolRow],
) -> tuple[Recommendation, ...]:
    """Recommendations, by priority; one general one where nothing stands out."""
    found = [
        *_on_limits(verdicts, components),
        *_on_quality(verdicts, turns),
        *_on_tools(tools),
        *_on_categories(turns),
    ]
    if not found:
        found.append(
            Recommendation(
                category="general",
                priority="low",
                title="Keep a baseline",
                description="No limit is passed and nothing stands out.",
                action="Save these figures as a baseline, so that a later change can be compared with them.",
            )
        )
    order = {"high": 0, "medium": 1, "low": 2}
    return tuple(sorted(found, key=lambda item: order[item.priority]))


def _passed_limit(row: Judgement) -> str:
    threshold = row.threshold
    who = "" if row.agent is None else f" of {row.agent}"
    critical = row.verdict is Verdict.FAIL
    limit = threshold.critical if critical else threshold.recommended
    name = "critical" if critical else "recommended"
    unsure = "" if row.sufficient else f" (only {row.n} turns, {row.needed} are needed to be sure)"
    value = value_text(row.value, threshold)
    return f"{threshold.label}{who} is {value}; the {name} limit is {limit_text(limit, threshold)}{unsure}."


def _failures(turns: Sequence[Turn]) -> list[str]:
    failed = [turn for turn in turns if turn.outcome.failed]
    if not failed:
        return []
    kind, count = Counter(turn.error_type or turn.outcome.value for turn in failed).most_common(1)[0]
    agent, of_agent = Counter(turn.agent for turn in failed).most_common(1)[0]
    what = f"{len(failed)} of {len(turns)} turns failed, most often with {kind} ({count})"
    return [f"{what}; {agent} has most of them ({of_agent})."]


def _slow_agent(agents: Sequence[AgentRow]) -> list[str]:
    if len(agents) < 2 or not 0 < _SLOWER_THAN_OTHERS * agents[1].p95_ms <= agents[0].p95_ms:  # noqa: PLR2004 - needs another
        return []
    slow, other = agents[0], agents[1]
    factor = slow.p95_ms / other.p95_ms
    return [f"{slow.agent} is the slowest agent: p95 {slow.p95_ms:,.0f} ms, {factor:.1f} times that of {other.agent}."]


def _failing_tool(tools: Sequence[ToolRow]) -> list[str]:
    if not tools or not tools[0].failures:
        return []
    worst = tools[0]
    return [f"Tool {worst.tool} failed in {worst.failures} of {worst.calls} calls."]


def _violated(violations: Sequence[ViolationRow]) -> list[str]:
    if not violations:
        return []
    total = sum(row.count for row in violations)
    first = violations[0]
    return [f"{total} policy violations, most often {first.rule} ({first.count})."]


def _time(components: Sequence[ComponentRow]) -> list[str]:
    if not components:
        return []
    largest = max(components, key=lambda row: row.total_ms)
    return [f"{percent(largest.share)} of the time of all turns is {largest.component}."]


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
                    title=title if row.agent is None else f"{title}: {row.agent}",
                    description=_passed_limit(row),
                    action=action,
                )
            )
    return found


def _on_quality(verdicts: Sequence[Judgement], turns: Sequence[Turn]) -> list[Recommendation]:
    """With an assumed quality the documented limit may be out of reach; the figures tell."""
    efficiency = next(row for row in verdicts if row.threshold.metric is Metric.TOKEN_EFFICIENCY)
    assumed = [turn for turn in turns if turn.efficiency is not None and turn.quality_source is QualitySource.ASSUMED]
    if efficiency.verdict not in {Verdict.FAIL, Verdict.WARN} or not assumed:
        return []
    reachable = max(_best_efficiency(turn) for turn in assumed)
    return [
        Recommendation(
            category="token_efficiency",
            priority="low",
            title="Quality is assumed",
            description=(
                f"{len(assumed)} turns have no evaluation. With the assumed quality and their share of output tokens "
                f"the best efficiency that any of them could reach is {reachable:.2f}."
            ),
            action="Record an evaluation or a confidence, or set limits that fit your prompts.",
        )
    ]


def _best_efficiency(turn: Turn) -> float:
    """The efficiency of a turn if it had been as fast as the formula rewards."""
    quality = turn.quality or 0.0
    share = (turn.tokens.output or 0) / turn.tokens.total if turn.tokens.total else 0.0
    return 0.5 * share * quality + 0.3 * quality + 0.2


def _on_tools(tools: Sequence[ToolRow]) -> list[Recommendation]:
    return [
        Recommendation(
            category="reliability",
            priority="medium",
            title=f"Tool {row.tool} fails",
            description=f"{row.failures} of {row.calls} calls failed.",
            action="Look at its outcomes; give it a fallback or a retry.",
        )
        for row in tools
        if row.failures
    ]


def _on_categories(turns: Sequence[Turn]) -> list[Recommendation]:
    spent: Counter[TokenCategory] = Counter()
    for turn in turns:
        spent.update(turn.tokens_by_category)
    total = sum(spent.values())
    return [
        Recommendation(
            category="token_efficiency",
            priority="low",
            title=f"Many tokens go to {category.value}",
            description=f"{percent(count / total)} of all tokens are spent for {category.value}.",
            action="Check whether that part needs a model of this size, or a context of this length.",
        )
        for category, count in spent.items()
        if total and category is not TokenCategory.REASONING and count / total > _LARGE_CATEGORY
    ]
