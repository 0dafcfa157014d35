"""The tables of a report, each made from turns."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from agentnet_otel.core.statistics import Interval, outliers, quantile, quantile_interval
from agentnet_otel.core.verdicts import NANOS_PER_MS, latencies_ms, success_rate
from agentnet_otel.model import LatencyComponent, Outcome, TokenUsage, Turn

SLOWEST: Final = 10
BUCKET_EDGES_MS: Final = (50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 30_000.0)
UNATTRIBUTED: Final = "unattributed"
QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileRow:
    """A quantile of the latency with its interval, where there were enough turns for one."""

    q: float
    value_ms: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """The distribution of turn latency. ``buckets``: upper edge (None: no limit) and number of turns."""

    count: int
    mean_ms: float
    min_ms: float
    max_ms: float
    stdev_ms: float
    quantiles: tuple[QuantileRow, ...]
    outliers: int
    buckets: tuple[tuple[float | None, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """One component: its self time over all turns, and its share of the time of all turns."""

    component: str
    turns: int
    calls: int
    total_ms: float
    share: float
    mean_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSummary:
    """Tokens and cost of all turns; None where no turn tells."""

    usage: TokenUsage
    by_category: Mapping[str, int]
    turns_with_tokens: int
    estimated_turns: int
    cost_usd: float | None
    cost_by_source: Mapping[str, float]
    turns_with_cost: int
    mean_efficiency: float | None
    quality_sources: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """One agent."""

    agent: str
    turns: int
    success_rate: float | None
    mean_ms: float
    p95_ms: float
    tokens: int | None
    cost_usd: float | None
    efficiency: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model: turns it answered in, and its tokens where known."""

    model: str
    turns: int
    usage: TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowTurn:
    """One of the slowest turns. ``component``: where most of its time went."""

    turn_id: str
    trace_id: str
    span_id: str
    agent: str
    duration_ms: float
    outcome: str
    component: str
    component_ms: float
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """One tool."""

    tool: str
    calls: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationRow:
    """One violated rule."""

    rule: str
    severity: str | None
    count: int


def latency_summary(turns: Sequence[Turn]) -> LatencySummary | None:
    """The distribution of latency; None without turns."""
    ordered = latencies_ms(turns)
    if not ordered:
        return None
    return LatencySummary(
        count=len(ordered),
        mean_ms=fmean(ordered),
        min_ms=ordered[0],
        max_ms=ordered[-1],
        stdev_ms=stdev(ordered) if len(ordered) > 1 else 0.0,
        quantiles=tuple(
            QuantileRow(q=q, value_ms=quantile(ordered, q), interval=quantile_interval(ordered, q)) for q in QUANTILES
        ),
        outliers=outliers(ordered),
        buckets=_buckets(ordered),
    )


def component_rows(turns: Sequence[Turn]) -> tuple[ComponentRow, ...]:
    """Components by their share of the time, and what no component accounts for."""
    whole_ns = sum(turn.duration_ns for turn in turns)
    rows = []
    for component in LatencyComponent:
        own = [turn.component_self_ns[component] for turn in turns if component in turn.component_self_ns]
        if own:
            calls = sum(turn.component_counts.get(component, 0) for turn in turns)
            rows.append(_component_row(component.value, own, calls, whole_ns))
    rows.sort(key=lambda row: -row.total_ms)
    rest = [turn.unattributed_ns for turn in turns if turn.unattributed_ns > 0]
    if rest:
        rows.append(_component_row(UNATTRIBUTED, rest, 0, whole_ns))
    return tuple(rows)


def token_summary(turns: Sequence[Turn]) -> TokenSummary:
    """Tokens and cost over all turns."""
    categories: Counter[str] = Counter()
    cost_by_source: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        categories.update({category.value: count for category, count in turn.tokens_by_category.items()})
        if turn.cost_usd is not None:
            cost_by_source["unknown" if turn.cost_source is None else turn.cost_source.value] += turn.cost_usd
    efficiencies = [turn.efficiency for turn in turns if turn.efficiency is not None]
    sources = Counter(t.quality_source.value for t in turns if t.efficiency is not None and t.quality_source)
    costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
    return TokenSummary(
        usage=_summed(turn.tokens for turn in turns),
        by_category=dict(categories.most_common()),
        turns_with_tokens=sum(turn.tokens.known for turn in turns),
        estimated_turns=sum(turn.estimated for turn in turns),
        cost_usd=sum(costs) if costs else None,
        cost_by_source=dict(sorted(cost_by_source.items())),
        turns_with_cost=len(costs),
        mean_efficiency=fmean(efficiencies) if efficiencies else None,
        quality_sources=dict(sorted(sources.items())),
    )


def agent_rows(turns: Sequence[Turn]) -> tuple[AgentRow, ...]:
    """Agents, the slowest first."""
    by_agent: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        by_agent[turn.agent].append(turn)
    rows = [_agent_row(agent, theirs) for agent, theirs in by_agent.items()]
    return tuple(sorted(rows, key=lambda row: (-row.p95_ms, row.agent)))


def model_rows(turns: Sequence[Turn]) -> tuple[ModelRow, ...]:
    """Models, those with most tokens first."""
    answered = Counter(model for turn in turns for model in turn.models)
    rows = [
        ModelRow(
            model=model,
            turns=count,
            usage=_summed(t.tokens_by_model[model] for t in turns if model in t.tokens_by_model),
        )
        for model, count in answered.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.usage.total, row.model)))


def slow_turns(turns: Sequence[Turn], trace_url: str | None) -> tuple[SlowTurn, ...]:
    """The slowest turns, with links where a template is given."""
    slowest = sorted(turns, key=lambda turn: (-turn.duration_ns, turn.trace_id, turn.span_id))[:SLOWEST]
    rows = []
    for turn in slowest:
        parts = {component.value: own for component, own in turn.component_self_ns.items()}
        parts[UNATTRIBUTED] = turn.unattributed_ns
        component = max(parts, key=lambda name: parts[name])
        url = None
        if trace_url is not None:
            url = trace_url.replace("{trace_id}", turn.trace_id).replace("{span_id}", turn.span_id)
        rows.append(
            SlowTurn(
                turn_id=turn.turn_id,
                trace_id=turn.trace_id,
                span_id=turn.span_id,
                agent=turn.agent,
                duration_ms=turn.duration_ns / NANOS_PER_MS,
                outcome=turn.outcome.value,
                component=component,
                component_ms=parts[component] / NANOS_PER_MS,
                url=url,
            )
        )
    return tuple(rows)


def tool_rows(turns: Sequence[Turn]) -> tuple[ToolRow, ...]:
    """Tools, those that fail most first."""
    calls: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for turn in turns:
        for call in turn.tool_calls:
            calls[call.name] += 1
            failures[call.name] += call.outcome not in {None, Outcome.SUCCESS.value}
    rows = [ToolRow(tool=tool, calls=count, failures=failures[tool]) for tool, count in calls.items()]
    return tuple(sorted(rows, key=lambda row: (-row.failures, -row.calls, row.tool)))


def violation_rows(turns: Sequence[Turn]) -> tuple[ViolationRow, ...]:
    """Violated rules, the most frequent first."""
    found = Counter((v.rule, v.severity) for turn in turns for v in turn.violations)
    return tuple(
        ViolationRow(rule=rule, severity=severity, count=count) for (rule, severity), count in found.most_common()
    )


def _buckets(ordered: Sequence[float]) -> tuple[tuple[float | None, int], ...]:
    counts: list[tuple[float | None, int]] = []
    below = 0
    for edge in BUCKET_EDGES_MS:
        up_to = sum(value < edge for value in ordered)
        counts.append((edge, up_to - below))
        below = up_to
    return (*counts, (None, len(ordered) - below))


def _component_row(name: str, own_ns: Sequence[int], calls: int, whole_ns: int) -> ComponentRow:
    ordered = sorted(value / NANOS_PER_MS for value in own_ns)
    total_ms = sum(own_ns) / NANOS_PER_MS
    return ComponentRow(
        component=name,
        turns=len(ordered),
        calls=calls,
        total_ms=total_ms,
        share=sum(own_ns) / whole_ns if whole_ns else 0.0,
        mean_ms=fmean(ordered),
        p95_ms=quantile(ordered, 0.95),
    )


def _agent_row(agent: str, turns: Sequence[Turn]) -> AgentRow:
    ordered = latencies_ms(turns)
    good, counted = success_rate(turns)
    costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
    efficiencies = [turn.efficiency for turn in turns if turn.efficiency is not None]
    usage = _summed(turn.tokens for turn in turns)
    return AgentRow(
        agent=agent,
        turns=len(turns),
        success_rate=good / counted if counted else None,
        mean_ms=fmean(ordered),
        p95_ms=quantile(ordered, 0.95),
        tokens=usage.total if usage.known else None,
        cost_usd=sum(costs) if costs else None,
        efficiency=fmean(efficiencies) if efficiencies else None,
    )


def _summed(usages: Iterable[TokenUsage]) -> TokenUsage:
    total = TokenUsage()
    for usage in usages:
        total = total.plus(usage)
    return total
