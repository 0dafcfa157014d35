"""The tables of a report, each made from turns."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, stdev
from typing import Final, TypedDict

from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.statistics import (
    MIN_MEAN_N,
    Interval,
    mean_interval,
    min_n_for_quantile,
    outliers,
    quantile,
    quantile_interval,
)
from agentnet_otel.core.verdicts import latencies_ms, success_rate
from agentnet_otel.model import CostSource, LatencyComponent, Step, TokenCategory, TokenUsage, Turn

SLOWEST: Final = 10
BUCKET_EDGES_MS: Final = (50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 30_000.0)
HISTOGRAM_STEPS: Final = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
"""Edges of a decade that are alike in ratio (the preferred numbers R10), so that bins of a logarithmic axis are of one
width; the documented limits, 2 s and 5 s, are among them."""
HISTOGRAM_EDGES_MS: Final = tuple(step * 10**decade for decade in range(7) for step in HISTOGRAM_STEPS)
UNATTRIBUTED: Final = "unattributed"
QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
P95: Final = 0.95
P95_NEEDS: Final = min_n_for_quantile(P95)
"""Values that a p95 needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileRow:
    """A quantile of the latency; its interval where there were the turns that one needs."""

    q: float
    value_ms: float
    interval: Interval | None
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Turns that took at least ``from_ms`` and less than ``below_ms`` (None: no limit)."""

    from_ms: float
    below_ms: float | None
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """The distribution of turn latency. ``peak_concurrency``: turns that ran at the same time, at most.

    ``buckets`` are the same in every report; ``histogram`` is finer, from the first that has a turn to the last.
    """

    count: int
    mean_ms: float
    mean_interval: Interval | None
    min_ms: float
    max_ms: float
    stdev_ms: float
    quantiles: tuple[QuantileRow, ...]
    outliers: int
    buckets: tuple[Bucket, ...]
    histogram: tuple[Bucket, ...]
    peak_concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTokenSummary:
    """How long turns whose answer was streamed took to its first token."""

    turns: int
    median_ms: float
    p95_ms: float
    p95_sufficient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """One component: its self time over all turns, and its share of the time of all turns.

    Mean and p95 are those of the turns that have it; the flags tell whether these are enough.
    """

    component: str
    turns: int
    calls: int
    total_ms: float
    share: float
    mean_ms: float
    p95_ms: float
    mean_sufficient: bool
    p95_sufficient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedTotals:
    """What a sample stands for: each turn weighted by the inverse of its sampling probability."""

    turns: float
    tokens: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSummary:
    """Tokens and cost of all turns; None where no turn tells.

    ``weighted`` is there where turns were sampled and each tells its probability.
    """

    usage: TokenUsage
    by_category: Mapping[str, int]
    turns_with_tokens: int
    estimated_turns: int
    cost_usd: float | None
    cost_by_source: Mapping[str, float]
    turns_with_cost: int
    mean_efficiency: float | None
    quality_sources: Mapping[str, int]
    weighted: WeightedTotals | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """One agent. The flags tell whether its turns are enough for rates and means, and for the p95.

    ``component_ms``: self time in each component, mean of all its turns, so that the sum is its mean latency.
    """

    agent: str
    turns: int
    success_rate: float | None
    mean_ms: float
    p95_ms: float
    tokens: int | None
    cost_usd: float | None
    efficiency: float | None
    component_ms: Mapping[str, float]
    mean_sufficient: bool
    p95_sufficient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model: turns it answered in, and its tokens where known.

    ``cost_usd``: of the turns in which it had the most output tokens, for only whole turns tell a cost.
    """

    model: str
    turns: int
    usage: TokenUsage
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """When one component of a turn ran, since the turn began."""

    component: str
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowTurn:
    """One of the slowest turns. ``component``: where most of its time went; ``components_ms``: where all of it went.

    ``steps``: when components ran, as far as the turn tells; ``steps_left_out``: how many shorter ones it does not.
    """

    turn_id: str
    trace_id: str
    span_id: str
    agent: str
    duration_ms: float
    outcome: str
    component: str
    component_ms: float
    components_ms: Mapping[str, float]
    steps: tuple[StepRow, ...]
    steps_left_out: int
    url: str | None


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


def latency_summary(turns: Sequence[Turn]) -> LatencySummary | None:
    """The distribution of latency; None without turns."""
    ordered = latencies_ms(turns)
    if not ordered:
        return None
    return LatencySummary(
        count=len(ordered),
        mean_ms=fmean(ordered),
        mean_interval=mean_interval([t.duration_ns / NANOS_PER_MS for t in turns], [t.session for t in turns]),
        min_ms=ordered[0],
        max_ms=ordered[-1],
        stdev_ms=stdev(ordered) if len(ordered) > 1 else 0.0,
        quantiles=quantile_rows(ordered),
        outliers=outliers(ordered),
        buckets=_buckets(ordered, (0.0, *BUCKET_EDGES_MS)),
        histogram=_histogram(ordered),
        peak_concurrency=_peak_concurrency(turns),
    )


def quantile_rows(ordered: Sequence[float]) -> tuple[QuantileRow, ...]:
    """The quantiles of sorted latencies; none without any."""
    if not ordered:
        return ()
    return tuple(
        QuantileRow(
            q=q,
            value_ms=quantile(ordered, q),
            interval=quantile_interval(ordered, q),
            needed=min_n_for_quantile(q),
        )
        for q in QUANTILES
    )


def first_token_summary(turns: Sequence[Turn]) -> FirstTokenSummary | None:
    """Time to first token; None where no answer was streamed."""
    ordered = sorted(t.time_to_first_token_ns / NANOS_PER_MS for t in turns if t.time_to_first_token_ns is not None)
    if not ordered:
        return None
    return FirstTokenSummary(
        turns=len(ordered),
        median_ms=quantile(ordered, 0.5),
        p95_ms=quantile(ordered, P95),
        p95_sufficient=len(ordered) >= P95_NEEDS,
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
    categories: Counter[TokenCategory] = Counter()
    cost_by_source: defaultdict[CostSource | None, float] = defaultdict(float)
    for turn in turns:
        for category, count in turn.tokens_by_category.items():
            categories[category] += count
        if turn.cost_usd is not None:
            cost_by_source[turn.cost_source] += turn.cost_usd
    efficiencies = [turn.efficiency for turn in turns if turn.efficiency is not None]
    sources = Counter(turn.quality_source for turn in turns if turn.efficiency is not None and turn.quality_source)
    costs_by_name = {"unknown" if source is None else source.value: cost for source, cost in cost_by_source.items()}
    costs = [turn.cost_usd for turn in turns if turn.cost_usd is not None]
    return TokenSummary(
        usage=_summed(turn.tokens for turn in turns),
        by_category={category.value: count for category, count in categories.most_common()},
        turns_with_tokens=sum(turn.tokens.known for turn in turns),
        estimated_turns=sum(turn.estimated for turn in turns),
        cost_usd=sum(costs) if costs else None,
        cost_by_source=dict(sorted(costs_by_name.items())),
        turns_with_cost=len(costs),
        mean_efficiency=fmean(efficiencies) if efficiencies else None,
        quality_sources=dict(sorted((source.value, count) for source, count in sources.items())),
        weighted=_weighted(turns),
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
    usages: defaultdict[str, list[TokenUsage]] = defaultdict(list)
    costs: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        for model, usage in turn.tokens_by_model.items():
            usages[model].append(usage)
        if turn.cost_usd is not None and turn.model is not None:
            costs[turn.model] += turn.cost_usd
    rows = [
        ModelRow(model=model, turns=count, usage=_summed(usages.get(model, ())), cost_usd=costs.get(model))
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
                components_ms={name: own / NANOS_PER_MS for name, own in parts.items()},
                steps=tuple(map(_step_row, turn.steps)),
                steps_left_out=turn.steps_left_out,
                url=trace_link(trace_url, turn),
            )
        )
    return tuple(rows)


def _step_row(step: Step) -> StepRow:
    return StepRow(
        component=step.component.value,
        start_ms=step.offset_ns / NANOS_PER_MS,
        duration_ms=step.duration_ns / NANOS_PER_MS,
    )


def trace_link(template: str | None, turn: Turn) -> str | None:
    """The address of a turn's trace; None without a template or without a trace."""
    if template is None or not turn.trace_id:
        return None
    return template.replace("{trace_id}", turn.trace_id).replace("{span_id}", turn.span_id)


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
        for violation in turn.violations:
            found[violation.rule, violation.severity] += 1
            newest[violation.rule, violation.severity] = turn
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


def _histogram(ordered: Sequence[float]) -> tuple[Bucket, ...]:
    """Bins alike in ratio; those without a turn at both ends are left out."""
    found = _buckets(ordered, (0.0, *HISTOGRAM_EDGES_MS))
    held = [place for place, bucket in enumerate(found) if bucket.turns]
    return found[held[0] : held[-1] + 1]


def _buckets(ordered: Sequence[float], edges: Sequence[float]) -> tuple[Bucket, ...]:
    places = [bisect_left(ordered, edge) for edge in edges]
    return tuple(
        Bucket(
            from_ms=edge,
            below_ms=edges[place + 1] if place + 1 < len(edges) else None,
            turns=(places[place + 1] if place + 1 < len(edges) else len(ordered)) - places[place],
        )
        for place, edge in enumerate(edges)
    )


def _peak_concurrency(turns: Sequence[Turn]) -> int:
    """Turns open at one instant, at most; one that ends as another starts does not overlap it."""
    changes = sorted(
        [(turn.start_ns, 1) for turn in turns] + [(turn.start_ns + turn.duration_ns, -1) for turn in turns]
    )
    return max(1, *accumulate(change for _, change in changes))


def _weighted(turns: Sequence[Turn]) -> WeightedTotals | None:
    weights = [1 / t.sampling_probability for t in turns if t.sampling_probability]
    if len(weights) < len(turns) or sum(weights) == len(turns):
        return None
    costs = [(weight, turn.cost_usd) for weight, turn in zip(weights, turns, strict=True) if turn.cost_usd is not None]
    return WeightedTotals(
        turns=sum(weights),
        tokens=sum(weight * turn.tokens.total for weight, turn in zip(weights, turns, strict=True)),
        cost_usd=sum(weight * cost for weight, cost in costs) if costs else None,
    )


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
        p95_ms=quantile(ordered, P95),
        mean_sufficient=len(ordered) >= MIN_MEAN_N,
        p95_sufficient=len(ordered) >= P95_NEEDS,
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
        p95_ms=quantile(ordered, P95),
        tokens=usage.total if usage.known else None,
        cost_usd=sum(costs) if costs else None,
        efficiency=fmean(efficiencies) if efficiencies else None,
        component_ms=component_means_ms(turns),
        mean_sufficient=len(turns) >= MIN_MEAN_N,
        p95_sufficient=len(turns) >= P95_NEEDS,
    )


def component_means_ms(turns: Sequence[Turn]) -> dict[str, float]:
    """Self time of a turn in each component, in the order of the enumeration, and what is in none."""
    if not turns:
        return {}
    spent_ns = dict.fromkeys(LatencyComponent, 0)
    seen = set()
    rest_ns = 0
    for turn in turns:
        rest_ns += turn.unattributed_ns
        for component, own_ns in turn.component_self_ns.items():
            spent_ns[component] += own_ns
            seen.add(component)
    scale = NANOS_PER_MS * len(turns)
    found = {component.value: own_ns / scale for component, own_ns in spent_ns.items() if component in seen}
    return {**found, UNATTRIBUTED: rest_ns / scale} if rest_ns else found


def _summed(usages: Iterable[TokenUsage]) -> TokenUsage:
    """All together; what is unknown in all stays unknown."""
    known = list(usages)
    return TokenUsage(
        input=_sum_known([usage.input for usage in known]),
        output=_sum_known([usage.output for usage in known]),
        cached=_sum_known([usage.cached for usage in known]),
        reasoning=_sum_known([usage.reasoning for usage in known]),
    )


def _sum_known(counts: Sequence[int | None]) -> int | None:
    told = [count for count in counts if count is not None]
    return sum(told) if told else None
