"""From the spans of one turn to the `Turn`: what the turn's own span says goes first, its parts fill in the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import SpanFacts
from agentnet_otel.core.efficiency import quality_of, token_efficiency
from agentnet_otel.core.intervals import ComponentInterval, Stretch, clip, self_times
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    SpanRecord,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

NANOS: Final = 1_000_000_000

_CATEGORY_OF: Final = {
    LatencyComponent.TOOL_EXECUTION: TokenCategory.TOOL_CALLS,
    LatencyComponent.MEMORY_ACCESS: TokenCategory.MEMORY,
    LatencyComponent.POLICY_CHECK: TokenCategory.POLICY,
}
_TIMEOUT_ERRORS: Final = frozenset(
    {"timeout", "TimeoutError", "asyncio.TimeoutError", "asyncio.exceptions.TimeoutError"}
)
_CANCELLED_ERRORS: Final = frozenset({"CancelledError", "asyncio.CancelledError", "asyncio.exceptions.CancelledError"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A span with what it says."""

    span: SpanRecord
    facts: SpanFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnParts:
    """The spans of one turn.

    ``root`` is the turn's own span, None where it never came; ``root_id`` is its id all the same. ``below`` are the
    spans below it, those in nested turns left out; ``nested`` are the own spans of the turns nested directly in it.
    """

    root: Member | None
    root_id: str
    below: Sequence[Member]
    nested: Sequence[Member] = ()
    inherited_session: str | None = None
    inherited_probability: float | None = None
    revision: int = 1


def reconstruct(parts: TurnParts) -> Turn:
    """The turn that these spans are.

    Raises:
        ValueError: there is no span at all.
    """
    below = sorted(parts.below, key=lambda member: (member.span.start_ns, member.span.span_id))
    first = parts.root or (below[0] if below else None)
    if first is None:
        message = "a turn needs at least one span"
        raise ValueError(message)
    within = _within(parts.root, below)
    times = _times(parts, below, within)
    usage = _usage(parts.root, below)
    own = _Own(parts.root)
    quality, quality_source = quality_of(own.ratio(semconv.TURN_QUALITY), own.ratio(semconv.TURN_CONFIDENCE))
    cost_usd, cost_source = _cost(own, usage)
    efficiency = own.ratio(semconv.TURN_TOKEN_EFFICIENCY)
    if efficiency is None:
        efficiency = token_efficiency(tokens=usage.total, quality=quality, duration_ns=within[1] - within[0])
    violations = _violations(parts.root, below)
    return Turn(
        turn_id=_first_known(m.facts.turn_id for m in _all(parts.root, below)) or parts.root_id,
        trace_id=first.span.trace_id,
        span_id=parts.root_id,
        parent_span_id=None if parts.root is None else parts.root.span.parent_span_id,
        agent=_first_known(m.facts.agent for m in _all(parts.root, below)) or "",
        service_name=first.span.service_name,
        session=_first_known(m.facts.session for m in _all(parts.root, ()))
        or parts.inherited_session
        or _first_known(m.facts.session for m in below),
        start_ns=within[0],
        end_ns=within[1],
        outcome=_outcome(parts.root),
        error_type=own.text(semconv.ERROR_TYPE),
        model=usage.main_model() or (None if parts.root is None else parts.root.facts.model) or _last_model(usage),
        models=usage.models or _models_of_root(parts.root),
        component_self_ns=times.own_ns,
        component_sum_ns=times.sum_ns,
        component_counts=times.counts,
        unattributed_ns=max(0, within[1] - within[0] - sum(times.own_ns.values())),
        clipped_spans=times.clipped,
        tokens=usage.total,
        tokens_by_category=_by_category(own, usage),
        tokens_by_model=usage.by_model,
        estimated=usage.estimated or own.flag(semconv.TOKENS_ESTIMATED),
        cost_usd=cost_usd,
        cost_source=cost_source,
        confidence=own.ratio(semconv.TURN_CONFIDENCE),
        quality=quality,
        quality_source=own.member(QualitySource, semconv.QUALITY_SOURCE) or quality_source,
        efficiency=efficiency,
        prompt_length=own.count(semconv.TURN_PROMPT_LENGTH),
        response_length=own.count(semconv.TURN_RESPONSE_LENGTH),
        time_to_first_token_ns=_first_token_ns(own, below, within),
        inference_attempts=_attempts(below),
        tool_calls=_tool_calls(below),
        policy_violations=max(own.count(semconv.TURN_POLICY_VIOLATIONS) or 0, len(violations)),
        violations=violations,
        spans=len(below) + (0 if parts.root is None else 1),
        revision=parts.revision,
        incomplete=parts.root is None,
        fallback=own.flag(semconv.TURN_FALLBACK),
        interrupted=own.flag(semconv.TURN_INTERRUPTED),
        metrics_recorded=own.flag(semconv.METRICS_RECORDED),
        sampling_probability=own.ratio(semconv.SAMPLING_PROBABILITY) or parts.inherited_probability,
    )


class _Own:
    """The turn's own attributes; none where its span never came."""

    def __init__(self, root: Member | None) -> None:
        self._attributes: values.Attributes = {} if root is None else root.span.attributes

    def text(self, key: str) -> str | None:
        return values.text(self._attributes.get(key))

    def count(self, key: str) -> int | None:
        return values.count(self._attributes.get(key))

    def amount(self, key: str) -> float | None:
        return values.amount(self._attributes.get(key))

    def ratio(self, key: str) -> float | None:
        return values.ratio(self._attributes.get(key))

    def flag(self, key: str) -> bool:
        return values.flag(self._attributes.get(key))

    def member(self, kind: type[E], key: str) -> E | None:
        try:
            return kind(self._attributes.get(key))
        except ValueError:
            return None


# --- time ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    own_ns: Mapping[LatencyComponent, int]
    sum_ns: Mapping[LatencyComponent, int]
    counts: Mapping[LatencyComponent, int]
    clipped: int


def _within(root: Member | None, below: Sequence[Member]) -> Stretch:
    if root is not None:
        return root.span.start_ns, max(root.span.end_ns, root.span.start_ns)
    return below[0].span.start_ns, max(max(m.span.end_ns, m.span.start_ns) for m in below)


def _times(parts: TurnParts, below: Sequence[Member], within: Stretch) -> _Times:
    """Self times, sums and counts of the components; a nested turn counts as orchestration."""
    components = [(m, m.facts.component) for m in below if m.facts.component is not None]
    components += [(m, LatencyComponent.ORCHESTRATION) for m in parts.nested]
    kept = {member.span.span_id for member, _ in components}
    parents = {m.span.span_id: m.span.parent_span_id or "" for m in (*below, *parts.nested)}
    intervals = []
    clipped = 0
    for member, component in components:
        span = member.span
        start_ns, end_ns = clip(span.start_ns, span.end_ns, within)
        clipped += (start_ns, end_ns) != (span.start_ns, span.end_ns)
        intervals.append(
            ComponentInterval(
                span_id=span.span_id,
                parent_id=_kept_ancestor(span.span_id, parents, kept),
                start_ns=start_ns,
                end_ns=end_ns,
                component=component,
            )
        )
    sum_ns: dict[LatencyComponent, int] = {}
    counts: dict[LatencyComponent, int] = {}
    for interval in intervals:
        sum_ns[interval.component] = sum_ns.get(interval.component, 0) + interval.end_ns - interval.start_ns
        counts[interval.component] = counts.get(interval.component, 0) + 1
    return _Times(own_ns=self_times(intervals, within), sum_ns=sum_ns, counts=counts, clipped=clipped)


def _kept_ancestor(span_id: str, parents: Mapping[str, str], kept: set[str]) -> str:
    """The nearest span above that is a component: spans that say nothing of ours do not hide it."""
    seen = {span_id}
    here = parents.get(span_id, "")
    while here and here not in kept and here not in seen:
        seen.add(here)
        here = parents.get(here, "")
    return here


def _first_token_ns(own: _Own, below: Sequence[Member], within: Stretch) -> int | None:
    said = own.amount(semconv.TURN_TIME_TO_FIRST_TOKEN)
    if said is not None:
        return round(said * NANOS)
    chunks = [
        member.span.start_ns + round(seconds * NANOS) - within[0]
        for member in below
        if (seconds := values.amount(member.span.attributes.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK))) is not None
    ]
    return max(0, min(chunks)) if chunks else None


# --- tokens and cost -------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Usage:
    total: TokenUsage = field(default_factory=TokenUsage)
    by_model: dict[str, TokenUsage] = field(default_factory=dict)
    by_category: dict[TokenCategory, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    estimated: bool = False
    cost_usd: float | None = None
    cost_sources: set[CostSource] = field(default_factory=set)
    costless: bool = False

    def add(self, facts: SpanFacts, category: TokenCategory) -> None:
        """Count one leaf."""
        self.total = self.total.plus(facts.usage)
        if facts.model is not None:
            self.by_model[facts.model] = self.by_model.get(facts.model, TokenUsage()).plus(facts.usage)
        if facts.usage.known:
            self.by_category[category] = self.by_category.get(category, 0) + facts.usage.total
        self.estimated = self.estimated or facts.estimated
        if facts.cost_usd is not None and facts.cost_source is not None:
            self.cost_usd = (self.cost_usd or 0.0) + facts.cost_usd
            self.cost_sources.add(facts.cost_source)
        elif facts.usage.known:
            self.costless = True

    def main_model(self) -> str | None:
        """The model with most output tokens (the first of them where several have)."""
        return max(self.by_model, key=lambda model: self.by_model[model].output or 0, default=None)


def _usage(root: Member | None, below: Sequence[Member]) -> _Usage:
    """Tokens and cost of the turn, leaves first: what stands around a leaf that has usage is a repetition."""
    by_id = {member.span.span_id: member for member in below}
    around = {id_ for member in below if _spends(member.facts) for id_ in _ancestors(member, by_id)}
    leaves = [m for m in below if m.span.span_id not in around and (_spends(m.facts) or _is_call(m.facts))]
    usage = _Usage()
    usage.models = tuple(dict.fromkeys(m.facts.model for m in leaves if m.facts.model is not None))
    for member in leaves:
        if _spends(member.facts):
            usage.add(member.facts, _category(member, by_id))
    if root is not None and _spends(root.facts):
        if not usage.total.known:
            usage.add(root.facts, root.facts.category or TokenCategory.REASONING)
        elif usage.costless and root.facts.cost_usd is not None:
            usage.cost_usd, usage.costless = root.facts.cost_usd, False
            usage.cost_sources = {root.facts.cost_source or CostSource.SPAN}
    return usage


def _spends(facts: SpanFacts) -> bool:
    return facts.usage.known or facts.cost_usd is not None


def _is_call(facts: SpanFacts) -> bool:
    return facts.component is LatencyComponent.INFERENCE


def _ancestors(member: Member, by_id: Mapping[str, Member]) -> list[str]:
    found: list[str] = []
    here = by_id.get(member.span.parent_span_id or "")
    while here is not None and here.span.span_id not in found:
        found.append(here.span.span_id)
        here = by_id.get(here.span.parent_span_id or "")
    return found


def _category(member: Member, by_id: Mapping[str, Member]) -> TokenCategory:
    """What the span says its tokens were for, else what the nearest tool, memory or policy component says."""
    if member.facts.category is not None:
        return member.facts.category
    for span_id in (member.span.span_id, *_ancestors(member, by_id)):
        component = by_id[span_id].facts.component
        if component in _CATEGORY_OF:
            return _CATEGORY_OF[component]
    return TokenCategory.REASONING


def _by_category(own: _Own, usage: _Usage) -> dict[TokenCategory, int]:
    said = {category: own.count(semconv.TURN_TOKENS_PREFIX + category.value) for category in TokenCategory}
    known = {category: count for category, count in said.items() if count is not None}
    return known or usage.by_category


def _cost(own: _Own, usage: _Usage) -> tuple[float | None, CostSource | None]:
    """The turn's own word, else the sum of its calls if each that has tokens has a cost: unknown is not zero."""
    said = own.amount(semconv.TURN_COST_USD)
    if said is not None:
        return said, own.member(CostSource, semconv.TURN_COST_SOURCE) or CostSource.SPAN
    if usage.costless or usage.cost_usd is None:
        return None, None
    return usage.cost_usd, next(iter(usage.cost_sources)) if len(usage.cost_sources) == 1 else CostSource.USER


def _last_model(usage: _Usage) -> str | None:
    return usage.models[0] if usage.models else None


def _models_of_root(root: Member | None) -> tuple[str, ...]:
    model = None if root is None else root.facts.model
    return () if model is None else (model,)


# --- the rest --------------------------------------------------------------------------------------------


def _outcome(root: Member | None) -> Outcome:
    """How the turn ended; a turn whose own span was lost usually raised, but nobody knows: error."""
    if root is None:
        return Outcome.ERROR
    said = values.text(root.span.attributes.get(semconv.TURN_OUTCOME))
    if said in {outcome.value for outcome in Outcome}:
        return Outcome(said)
    if not root.span.failed:
        return Outcome.SUCCESS
    error_type = values.text(root.span.attributes.get(semconv.ERROR_TYPE))
    if error_type in _TIMEOUT_ERRORS:
        return Outcome.TIMEOUT
    return Outcome.CANCELLED if error_type in _CANCELLED_ERRORS else Outcome.ERROR


def _violations(root: Member | None, below: Sequence[Member]) -> tuple[PolicyViolation, ...]:
    return tuple(violation for member in _all(root, below) for violation in member.facts.violations)


def _tool_calls(below: Sequence[Member]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(name=m.facts.subject or semconv.ERROR_TYPE_OTHER, outcome=m.facts.tool_outcome)
        for m in below
        if m.facts.component is LatencyComponent.TOOL_EXECUTION
    )


def _attempts(below: Sequence[Member]) -> int | None:
    attempts = [m.facts.attempts for m in below if m.facts.attempts is not None]
    return sum(attempts) if attempts else None


def _all(root: Member | None, below: Sequence[Member]) -> tuple[Member, ...]:
    return (*(() if root is None else (root,)), *below)


def _first_known(found: Iterable[T | None]) -> T | None:
    return next((item for item in found if item is not None), None)
