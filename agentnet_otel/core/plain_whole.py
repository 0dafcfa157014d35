"""From the plain spans of one trace straight to its turns, whole.

What `plain_turns` does for rows, with what else a `Turn` has: when its components ran, each call of a model and of a
tool, the rules that were violated. Both ways give the same turn as `reconstruction` does of the same spans.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects.dialect import FIRST_CHUNK_KEYS, PROVIDER_KEYS, raised_in, violations_in
from agentnet_otel.core.dialects.facts import NO_USAGE
from agentnet_otel.core.efficiency import quality_of
from agentnet_otel.core.plain_kinds import Said, first
from agentnet_otel.core.plain_span import PlainSpan
from agentnet_otel.core.plain_turns import (
    AGENTS,
    SESSIONS,
    SUBJECTS,
    Odd,
    Parts,
    PlainTold,
    PlainTurn,
    first_said,
    general_turn,
    models_of,
    odd_turn_by,
    outcome_of,
    parts_of,
    told_by_turn,
    told_of_trace,
)
from agentnet_otel.core.plain_usage import TOKENS, usage_of_calls
from agentnet_otel.core.reconstruction import first_token_ns, in_order_of_time
from agentnet_otel.core.sampling import trace_state_probability
from agentnet_otel.core.turn_row import EndingKey
from agentnet_otel.core.usage import Usage, main_model
from agentnet_otel.model import (
    MAX_STEPS,
    CostSource,
    LatencyComponent,
    ModelCall,
    Outcome,
    PolicyViolation,
    QualitySource,
    Step,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)

_COMPONENTS: Final = {component.value: component for component in LatencyComponent}
_CATEGORIES: Final = {category.value: category for category in TokenCategory}
_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}
_COST_SOURCES: Final = {source.value: source for source in CostSource}
_QUALITY_SOURCES: Final = {source.value: source for source in QualitySource}
_FIRST: Final = itemgetter(0, 1, 2)
_LONGEST: Final = itemgetter(1, 0, 2)
_TOOL: Final = LatencyComponent.TOOL_EXECUTION.value


def turns_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[Turn] | None:
    """All turns of a trace; None where it is not so simple."""
    return told_of_trace(spans, prices, _simple_turn, as_it_is)


def whole_turn(turn: PlainTurn, by_id: Mapping[str, PlainSpan], prices: PriceBook | None) -> Turn:
    """One turn around which nothing stands, of the spans ``by_id``."""
    made = _simple_turn(turn, by_id, None, prices)
    return general_turn(turn, None, prices) if made is None else made[1]


def as_it_is(turn: Turn) -> Turn:
    """What is made of a turn where the turn itself is wanted."""
    return turn


def _simple_turn(
    turn: PlainTurn, by_id: Mapping[str, PlainSpan], session: str | None, prices: PriceBook | None
) -> tuple[EndingKey, Turn] | None:
    """A turn that leaves nothing to decide, and of whose spans only calls of models used tokens."""
    root, below = turn.root, turn.below
    said: Said = root.attributes
    parts = parts_of(turn, by_id)
    if parts is None:
        return None
    used = usage_of_calls(parts.calls, said, prices)
    duration_ns = root.end_ns - root.start_ns
    told = told_by_turn(said, used, duration_ns)
    times = _times_of(parts, root)
    calls = _of_calls(parts.calls, said.get(semconv.REQUEST_MODEL))
    models = used.models or models_of(said)
    made = Turn(
        turn_id=said.get(semconv.TURN_ID) or root.span_id,
        trace_id=root.trace_id,
        span_id=root.span_id,
        parent_span_id=root.parent_span_id or None,
        agent=said.get(semconv.AGENT_NAME) or first_said(below, AGENTS) or "",
        service_name=root.origin.service_name,
        session=first(said, SESSIONS[root.origin.ours]) or session or first_said(below, SESSIONS),
        start_ns=root.start_ns,
        end_ns=root.end_ns,
        outcome=_OUTCOMES[outcome_of(root)],
        error_type=_error_type(root),
        model=main_model(calls.by_model) or next(iter(models_of(said)), None) or next(iter(models), None),
        models=models,
        component_self_ns=times.own_ns,
        component_sum_ns=times.sum_ns,
        component_counts=times.counts,
        unattributed_ns=duration_ns - sum(times.own_ns.values()),
        steps=times.steps,
        tokens=calls.total,
        tokens_by_category={_CATEGORIES[name]: count for name, count in told.by_category.items()},
        tokens_by_model=calls.by_model,
        token_shares=calls.shares,
        context_tokens=calls.context_tokens,
        cost_usd=told.cost_usd,
        cost_source=None if told.cost_source is None else _COST_SOURCES[told.cost_source],
        confidence=said.get(semconv.TURN_CONFIDENCE),
        quality=quality_of(said.get(semconv.TURN_QUALITY), said.get(semconv.TURN_CONFIDENCE))[0],
        quality_source=_QUALITY_SOURCES[told.quality_source],
        efficiency=told.efficiency,
        prompt_length=said.get(semconv.TURN_PROMPT_LENGTH),
        response_length=said.get(semconv.TURN_RESPONSE_LENGTH),
        time_to_first_token_ns=_first_token_ns(root, below),
        inference_attempts=_attempts(below),
        model_calls=tuple(calls.calls),
        tool_calls=_tool_calls(parts),
        policy_violations=max(said.get(semconv.TURN_POLICY_VIOLATIONS) or 0, parts.violations),
        violations=_violations(root, below) if parts.violations else (),
        spans=len(below) + 1,
        estimated=used.estimated or said.get(semconv.TOKENS_ESTIMATED) is True,
        fallback=said.get(semconv.TURN_FALLBACK) is True,
        interrupted=said.get(semconv.TURN_INTERRUPTED) is True,
        metrics_recorded=said.get(semconv.METRICS_RECORDED) is True,
        sampling_probability=_sampling_probability(root),
    )
    return (root.end_ns, root.start_ns, root.trace_id, root.span_id), made


whole_of_odd_turn: Final[Odd[Turn]] = odd_turn_by(_simple_turn, as_it_is)


# --- components ------------------------------------------------------------------------------------------


class _Times(msgspec.Struct, gc=False):
    own_ns: dict[LatencyComponent, int]
    sum_ns: dict[LatencyComponent, int]
    counts: dict[LatencyComponent, int]
    steps: tuple[Step, ...]


def _times_of(parts: Parts, root: PlainSpan) -> _Times:
    sum_ns: dict[LatencyComponent, int] = {}
    counts: dict[LatencyComponent, int] = {}
    begin = root.start_ns
    ran = []
    for span, name, _ in parts.components:
        component = _COMPONENTS[name]
        duration_ns = span.end_ns - span.start_ns
        sum_ns[component] = sum_ns.get(component, 0) + duration_ns
        counts[component] = counts.get(component, 0) + 1
        ran.append((span.start_ns - begin, -duration_ns, span.span_id, component))
    if len(ran) > MAX_STEPS:
        ran = sorted(ran, key=_LONGEST)[:MAX_STEPS]
    own_ns = sum_ns
    if parts.overlap:
        own_ns = {_COMPONENTS[name]: own for name, own in parts.own_times(root).items()}
    steps = tuple(
        [
            Step(component=component, offset_ns=offset_ns, duration_ns=-shorter_ns)
            for offset_ns, shorter_ns, _, component in sorted(ran, key=_FIRST)
        ]
    )
    return _Times(own_ns, sum_ns, counts, steps)


# --- tokens ----------------------------------------------------------------------------------------------


def _of_calls(spans: Sequence[PlainSpan], asked: str | None) -> Usage:
    """Calls of models, and what they used; ``asked``: the model that the turn asked for, where a call names none."""
    found = Usage()
    for span in spans:
        said: Said = span.attributes
        usage = _usage_of(span)
        response, request = said.get(semconv.RESPONSE_MODEL), said.get(semconv.REQUEST_MODEL)
        found.calls.append(
            ModelCall(
                duration_ns=span.end_ns - span.start_ns,
                usage=usage,
                provider=first(said, PROVIDER_KEYS),
                request_model=request,
                response_model=response,
                error_type=_error_type(span),
            )
        )
        if usage is not NO_USAGE:
            category = _CATEGORIES.get(said.get(semconv.TOKEN_CATEGORY, ""), TokenCategory.REASONING)
            found.add(usage, response or request or asked, category)
    return found


def _usage_of(span: PlainSpan) -> TokenUsage:
    said: Said = span.attributes
    keys = TOKENS[span.origin.ours]
    usage = TokenUsage(
        input=first(said, keys.input),
        output=first(said, keys.output),
        cached=first(said, keys.cached),
        reasoning=first(said, keys.reasoning),
    )
    return NO_USAGE if usage.empty else usage


# --- the rest --------------------------------------------------------------------------------------------


def _error_type(span: PlainSpan) -> str | None:
    said: Said = span.attributes
    error_type: str | None = said.get(semconv.ERROR_TYPE)
    return raised_in(span.events) if error_type is None and span.failed else error_type


def _tool_calls(parts: Parts) -> tuple[ToolCall, ...]:
    if not parts.tools:
        return ()
    return tuple(
        [
            ToolCall(
                name=str(first(span.attributes, SUBJECTS[span.origin.ours]) or semconv.ERROR_TYPE_OTHER),
                outcome=_tool_outcome(span),
                duration_ns=span.end_ns - span.start_ns,
                error_type=_error_type(span),
            )
            for span, name, _ in parts.components
            if name == _TOOL
        ]
    )


def _tool_outcome(span: PlainSpan) -> str:
    said: Said = span.attributes
    outcome: str | None = said.get(semconv.TOOL_OUTCOME)
    return (Outcome.ERROR if span.failed else Outcome.SUCCESS).value if outcome is None else outcome


def _violations(root: PlainSpan, below: Sequence[PlainSpan]) -> tuple[PolicyViolation, ...]:
    return in_order_of_time(timed for span in (root, *below) for timed in violations_in(span.events))


def _first_token_ns(root: PlainSpan, below: Sequence[PlainSpan]) -> int | None:
    said: Said = root.attributes
    chunks = [(span.start_ns - root.start_ns, first(span.attributes, FIRST_CHUNK_KEYS)) for span in below]
    return first_token_ns(said.get(semconv.TURN_TIME_TO_FIRST_TOKEN), chunks)


def _attempts(below: Sequence[PlainSpan]) -> int | None:
    attempts: int | None = None
    for span in below:
        said: Said = span.attributes
        told: int | None = said.get(semconv.INFERENCE_ATTEMPTS)
        if told is not None:
            attempts = told + (attempts or 0)
    return attempts


def _sampling_probability(root: PlainSpan) -> float | None:
    said: Said = root.attributes
    told: float | None = said.get(semconv.SAMPLING_PROBABILITY)
    if told:
        return told
    return trace_state_probability(root.trace_state) if root.trace_state else None
