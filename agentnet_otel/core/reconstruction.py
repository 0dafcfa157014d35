"""From the spans of one turn to the `Turn`: what the turn's own span says goes first, its parts fill in the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.efficiency import quality_of, token_efficiency
from agentnet_otel.core.intervals import ComponentInterval, Stretch, clip, self_times, steps_of
from agentnet_otel.core.repetitions import completed, distinct
from agentnet_otel.core.sampling import trace_state_probability
from agentnet_otel.core.turn_parts import Member, TurnParts
from agentnet_otel.core.usage import Usage, main_model, usage_of
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    StatusCode,
    Step,
    TokenCategory,
    ToolCall,
    Turn,
)

E = TypeVar("E", bound=Enum)
T = TypeVar("T")

_CATEGORY_KEYS: Final = {category: semconv.TURN_TOKENS_PREFIX + category.value for category in TokenCategory}
_TIMEOUT_WORDS: Final = ("timeout", "timedout", "timed_out", "deadline_exceeded", "deadlineexceeded")
_TIMEOUT_CODES: Final = frozenset({"408", "504"})
"""Of HTTP, which may stand for the type of an error."""
_CANCELLED_WORDS: Final = (
    "cancelled", "canceled", "cancellederror", "aborterror", "keyboardinterrupt", "generatorexit"
)  # fmt: skip


def reconstruct(parts: TurnParts, prices: PriceBook | None = None) -> Turn:
    """The turn that these spans are. ``prices`` are for calls whose cost no span tells.

    Raises:
        ValueError: there is no span at all.
    """
    below = completed(sorted(parts.below, key=lambda member: (member.start_ns, member.span_id)))
    once = distinct(below)
    members = below if parts.root is None else [parts.root, *below]
    if not members:
        message = "a turn needs at least one span"
        raise ValueError(message)
    within = _within(parts.root, below)
    times = _times(parts, below, once.calls, within)
    usage = usage_of(parts.root, once.spending, prices)
    own = _Own(parts.root)
    quality, quality_source = quality_of(own.ratio(semconv.TURN_QUALITY), own.ratio(semconv.TURN_CONFIDENCE))
    said_by_category = own.categories()
    cost_usd, cost_source = _cost(own, usage)
    violations = _violations(members)
    return Turn(
        turn_id=_turn_id(parts, below),
        trace_id=members[0].trace_id,
        span_id=parts.root_id,
        parent_span_id=None if parts.root is None else parts.root.parent_span_id,
        agent=_first_known(m.facts.agent for m in members) or (members[0].service_name if parts.of_calls else ""),
        service_name=members[0].service_name,
        session=_session(parts, below),
        start_ns=within[0],
        end_ns=within[1],
        outcome=_outcome(parts, own, once.calls),
        error_type=None if parts.root is None else parts.root.facts.error_type,
        model=_model(parts.root, usage),
        models=usage.models or _models_of_root(parts.root),
        component_self_ns=times.own_ns,
        component_sum_ns=times.sum_ns,
        component_counts=times.counts,
        unattributed_ns=max(0, within[1] - within[0] - sum(times.own_ns.values())),
        steps=times.steps,
        clipped_spans=times.clipped,
        tokens=usage.total,
        tokens_by_category=said_by_category if _agree(said_by_category, usage) else usage.by_category,
        tokens_by_model=usage.by_model,
        token_shares=usage.shares,
        context_tokens=usage.context_tokens,
        estimated=usage.estimated or own.flag(semconv.TOKENS_ESTIMATED),
        cost_usd=cost_usd,
        cost_source=cost_source,
        confidence=own.ratio(semconv.TURN_CONFIDENCE),
        quality=quality,
        quality_source=own.member(QualitySource, semconv.QUALITY_SOURCE) or quality_source,
        efficiency=_efficiency(own, usage, quality, within, trusted=_agree(said_by_category, usage)),
        prompt_length=own.count(semconv.TURN_PROMPT_LENGTH),
        response_length=own.count(semconv.TURN_RESPONSE_LENGTH),
        time_to_first_token_ns=_first_token_ns(own, below, within),
        inference_attempts=_attempts(below),
        model_calls=tuple(usage.calls),
        tool_calls=_tool_calls(once.calls),
        policy_violations=max(own.count(semconv.TURN_POLICY_VIOLATIONS) or 0, len(violations)),
        violations=violations,
        spans=len(parts.below) + (parts.root is not None),
        revision=parts.revision,
        incomplete=parts.root is None and not parts.of_calls,
        fallback=own.flag(semconv.TURN_FALLBACK),
        interrupted=own.flag(semconv.TURN_INTERRUPTED),
        metrics_recorded=_is_counted(parts, own),
        sampling_probability=own.ratio(semconv.SAMPLING_PROBABILITY) or _sampling_probability(members[0]),
    )


class _Own:
    """What the turn's own span says; nothing where it never came."""

    def __init__(self, root: Member | None) -> None:
        self._words: values.Attributes = {} if root is None else root.words

    def text(self, key: str) -> str | None:
        return values.text(self._words[key]) if key in self._words else None

    def count(self, key: str) -> int | None:
        return values.count(self._words[key]) if key in self._words else None

    def amount(self, key: str) -> float | None:
        return values.amount(self._words[key]) if key in self._words else None

    def ratio(self, key: str) -> float | None:
        return values.ratio(self._words[key]) if key in self._words else None

    def flag(self, key: str) -> bool:
        return key in self._words and values.flag(self._words[key])

    def member(self, kind: type[E], key: str) -> E | None:
        said = self.text(key)
        return None if said is None else next((member for member in kind if member.value == said), None)

    def categories(self) -> dict[TokenCategory, int]:
        """Tokens by category, as far as the span tells them."""
        if not self._words:
            return {}
        said = {category: self.count(key) for category, key in _CATEGORY_KEYS.items()}
        return {category: count for category, count in said.items() if count is not None}


# --- time ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    own_ns: Mapping[LatencyComponent, int]
    sum_ns: Mapping[LatencyComponent, int]
    counts: Mapping[LatencyComponent, int]
    steps: tuple[Step, ...]
    clipped: int


def _within(root: Member | None, below: Sequence[Member]) -> Stretch:
    if root is not None:
        return root.start_ns, max(root.end_ns, root.start_ns)
    return below[0].start_ns, max(max(m.end_ns, m.start_ns) for m in below)


def _times(parts: TurnParts, below: Sequence[Member], once: Sequence[Member], within: Stretch) -> _Times:
    """Self times, sums and counts of the components; a nested turn counts as orchestration."""
    components = [(m, m.facts.component) for m in once if m.facts.component is not None]
    components += [(m, LatencyComponent.ORCHESTRATION) for m in parts.nested]
    kept = {member.span_id for member, _ in components}
    parents = {m.span_id: m.parent_span_id or "" for m in (*below, *parts.nested)}
    intervals = []
    sum_ns: dict[LatencyComponent, int] = {}
    counts: dict[LatencyComponent, int] = {}
    for member, component in components:
        start_ns, end_ns = clip(member.start_ns, member.end_ns, within)
        intervals.append(
            ComponentInterval(
                span_id=member.span_id,
                parent_id=_kept_ancestor(member.span_id, parents, kept),
                start_ns=start_ns,
                end_ns=end_ns,
                component=component,
            )
        )
        sum_ns[component] = sum_ns.get(component, 0) + end_ns - start_ns
        counts[component] = counts.get(component, 0) + 1
    return _Times(
        own_ns=self_times(intervals, within),
        sum_ns=sum_ns,
        counts=counts,
        steps=steps_of(intervals, within[0]),
        clipped=_clipped(parts, below, within),
    )


def _clipped(parts: TurnParts, below: Sequence[Member], within: Stretch) -> int:
    """Spans of the turn whose times ran backwards or left it."""
    low, high = within
    backwards = parts.root is not None and parts.root.end_ns < parts.root.start_ns
    return backwards + sum(not low <= m.start_ns <= m.end_ns <= high for m in (*below, *parts.nested))


def _kept_ancestor(span_id: str, parents: Mapping[str, str], kept: set[str]) -> str:
    """The nearest span above that is a component: spans that say nothing of ours do not hide it."""
    seen = {span_id}
    here = parents.get(span_id, "")
    while here and here not in kept and here not in seen:
        seen.add(here)
        here = parents.get(here, "")
    return here


def _first_token_ns(own: _Own, below: Sequence[Member], within: Stretch) -> int | None:
    chunks = [(member.start_ns - within[0], member.facts.first_chunk_s) for member in below]
    return first_token_ns(own.amount(semconv.TURN_TIME_TO_FIRST_TOKEN), chunks)


def first_token_ns(told_s: float | None, chunks: Iterable[tuple[int, float | None]]) -> int | None:
    """When the first token came, since the turn began: as the turn tells, or else its calls.

    ``chunks``: of each call its begin since that of the turn (nanoseconds), and the seconds to its first chunk. What 64
    bits do not hold is unknown.
    """
    told = values.nanoseconds(told_s)
    if told is not None:
        return told
    after = [(begin_ns, values.nanoseconds(seconds)) for begin_ns, seconds in chunks if seconds is not None]
    known = [begin_ns + first_ns for begin_ns, first_ns in after if first_ns is not None]
    found = max(0, min(known)) if known else None
    return None if found is None or found > values.LARGEST else found


# --- tokens and cost -------------------------------------------------------------------------------------


def _agree(said: Mapping[TokenCategory, int], usage: Usage) -> bool:
    """Whether the turn's own split of its tokens, if there is one, is about those that were found (or none were)."""
    return bool(said) and (usage.total.empty or sum(said.values()) == usage.total.total)


def _efficiency(own: _Own, usage: Usage, quality: float, within: Stretch, *, trusted: bool) -> float | None:
    said = own.ratio(semconv.TURN_TOKEN_EFFICIENCY)
    if said is not None and (trusted or usage.total.empty):
        return said
    return token_efficiency(tokens=usage.total, quality=quality, duration_ns=within[1] - within[0])


def _cost(own: _Own, usage: Usage) -> tuple[float | None, CostSource | None]:
    """The turn's own word, else what its calls come to."""
    said = own.amount(semconv.TURN_COST_USD)
    if said is not None:
        return said, own.member(CostSource, semconv.TURN_COST_SOURCE) or CostSource.SPAN
    return usage.cost_usd, usage.cost_source


def _model(root: Member | None, usage: Usage) -> str | None:
    said = None if root is None else root.facts.model
    return main_model(usage.by_model) or said or next(iter(usage.models), None)


def _models_of_root(root: Member | None) -> tuple[str, ...]:
    model = None if root is None else root.facts.model
    return () if model is None else (model,)


# --- the rest --------------------------------------------------------------------------------------------


def _turn_id(parts: TurnParts, below: Sequence[Member]) -> str:
    """The id that the turn's own span says, or the top-most of its spans where that never came; else the span's id."""
    if parts.root is not None:
        return parts.root.facts.turn_id or parts.root_id
    ids = {member.span_id for member in below}
    return _first_known(m.facts.turn_id for m in below if m.parent_span_id not in ids) or parts.root_id


def _is_counted(parts: TurnParts, own: _Own) -> bool:
    """Whether its application counts it: its own span says so; where that did not come, our recorder did or will."""
    if parts.root is None:
        return not parts.of_calls and any(member.facts.ours for member in parts.below)
    return own.flag(semconv.METRICS_RECORDED)


def _session(parts: TurnParts, below: Sequence[Member]) -> str | None:
    """What the turn says itself, else what stands around it, else what its parts say."""
    own = None if parts.root is None else parts.root.facts.session
    return own or parts.inherited_session or _first_known(m.facts.session for m in below)


def _outcome(parts: TurnParts, own: _Own, calls: Sequence[Member]) -> Outcome:
    """How the turn ended; a turn whose own span was lost usually raised, but nobody knows: error."""
    root = parts.root
    if root is None:
        ended_well = parts.of_calls and not _last_inference_failed(calls)
        return Outcome.SUCCESS if ended_well else Outcome.ERROR
    said = own.member(Outcome, semconv.TURN_OUTCOME)
    if said is not None:
        return said
    failed = root.facts.failed or (root.status is StatusCode.UNSET and root.facts.error_type is not None)
    if not failed and not (root.facts.judged_by_calls and _last_inference_failed(calls)):
        return Outcome.SUCCESS
    return outcome_of_failure(root.facts.error_type)


def outcome_of_failure(error_type: str | None) -> Outcome:
    """What a turn that failed came to, by the type of what it failed with."""
    kind = (error_type or "").rpartition(".")[2].lower()
    if kind in _TIMEOUT_CODES or any(word in kind for word in _TIMEOUT_WORDS):
        return Outcome.TIMEOUT
    return Outcome.CANCELLED if kind in _CANCELLED_WORDS else Outcome.ERROR


def _last_inference_failed(calls: Sequence[Member]) -> bool:
    asked = [member for member in calls if member.facts.component is LatencyComponent.INFERENCE]
    return bool(asked) and max(asked, key=lambda member: member.end_ns).facts.failed


def _sampling_probability(member: Member) -> float | None:
    return trace_state_probability(member.trace_state) if member.trace_state else None


def _violations(members: Sequence[Member]) -> tuple[PolicyViolation, ...]:
    return in_order_of_time(timed for member in members for timed in member.facts.violations)


def in_order_of_time(timed: Iterable[tuple[int, PolicyViolation]]) -> tuple[PolicyViolation, ...]:
    """Violations by their epoch nanoseconds (of one moment by rule and severity, so that two readers agree)."""
    return tuple(v for _, v in sorted(timed, key=lambda pair: (pair[0], pair[1].rule, pair[1].severity or "")))


def _tool_calls(below: Sequence[Member]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            name=m.facts.subject or semconv.ERROR_TYPE_OTHER,
            outcome=m.facts.tool_outcome,
            duration_ns=max(0, m.end_ns - m.start_ns),
            error_type=m.facts.error_type,
        )
        for m in below
        if m.facts.component is LatencyComponent.TOOL_EXECUTION
    )


def _attempts(below: Sequence[Member]) -> int | None:
    attempts = [m.facts.attempts for m in below if m.facts.attempts is not None]
    return sum(attempts) if attempts else None


def _first_known(found: Iterable[T | None]) -> T | None:
    return next((item for item in found if item is not None), None)
