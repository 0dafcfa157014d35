"""The facts of a turn that ends, as the recorder knows them: the same `Turn` that the bridge rebuilds from spans."""

from collections.abc import Iterable

from agentnet_otel import semconv
from agentnet_otel.core.efficiency import quality_of, token_efficiency
from agentnet_otel.core.intervals import ComponentInterval, steps_of
from agentnet_otel.core.reconstruction import in_order_of_time
from agentnet_otel.core.usage import main_model
from agentnet_otel.instrumentation.breakdown import Part, intervals_of, self_times_of
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.outcomes import Ending
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    ModelCall,
    Outcome,
    TokenCategory,
    TokenShare,
    TokenUsage,
    ToolCall,
    Turn,
)


def facts_of(turn: TurnSpan, ending: Ending | None, end_ns: int, *, metrics_recorded: bool) -> Turn:
    """All facts of ``turn``, which ends at ``end_ns`` (epoch nanoseconds) with ``ending``."""
    parts = parts_of(turn)
    components = [part for part in parts if isinstance(part, ComponentSpan)]
    intervals = intervals_of(turn, parts, end_ns)
    own_ns = self_times_of(turn, intervals, end_ns)
    tokens = turn.ledger.total
    by_model = turn.ledger.by_named_model
    models = models_of(turn, components)
    quality, quality_source = quality_of(turn.quality, turn.confidence)
    cost_usd, cost_source = _cost_of(turn)
    return Turn(
        turn_id=turn.turn_id or "",
        trace_id=turn.trace_id or "",
        span_id=turn.span_id or "",
        parent_span_id=_parent_id(turn),
        agent=turn.agent,
        service_name=_service_name(turn),
        model=main_model(by_model) or turn.model or next(iter(models), None),
        models=models or ((turn.model,) if turn.model else ()),
        session=turn.conversation_id,
        outcome=Outcome.SUCCESS if ending is None else ending.outcome,
        error_type=None if ending is None else ending.error_type,
        start_ns=turn.start_ns,
        end_ns=end_ns,
        component_self_ns=own_ns,
        component_sum_ns=_sums(intervals),
        component_counts=_counts(intervals),
        unattributed_ns=max(0, end_ns - turn.start_ns - sum(own_ns.values())),
        steps=steps_of(intervals, turn.start_ns),
        tokens=tokens,
        tokens_by_category=dict(turn.ledger.by_category),
        token_shares=_token_shares(turn, components),
        context_tokens=_context_tokens(turn, components),
        tokens_by_model=by_model,
        cost_usd=cost_usd,
        cost_source=cost_source,
        confidence=turn.confidence,
        quality=quality,
        quality_source=quality_source,
        efficiency=token_efficiency(tokens=tokens, quality=quality, duration_ns=end_ns - turn.start_ns),
        prompt_length=turn.prompt_length,
        response_length=turn.response_length,
        time_to_first_token_ns=None if turn.first_token_ns is None else turn.first_token_ns - turn.start_ns,
        inference_attempts=sum(component.attempts for component in components) or None,
        model_calls=_model_calls(components),
        tool_calls=_tool_calls(components),
        policy_violations=turn.violation_count,
        violations=in_order_of_time(turn.violations),
        spans=1 + len(components),
        estimated=turn.ledger.estimated,
        fallback=turn.fallback,
        interrupted=semconv.TURN_INTERRUPTED in turn.attributes,
        metrics_recorded=metrics_recorded,
        sampling_probability=turn.sampling_probability,
    )


def _cost_of(turn: TurnSpan) -> tuple[float | None, CostSource | None]:
    """What the user said of the turn, else the sum of its calls where each that has tokens has a cost."""
    if turn.user_cost_usd is not None:
        return turn.user_cost_usd, CostSource.USER
    cost_usd = turn.ledger.known_cost_usd
    return cost_usd, None if cost_usd is None else turn.ledger.cost_source


def _context_tokens(turn: TurnSpan, components: Iterable[ComponentSpan]) -> int | None:
    """The largest input of one call; of a turn whose tokens were recorded as a whole, the whole."""
    if not turn.ledger.has_leaves:
        return turn.ledger.total.input
    inputs = (component.usage.input for component in components if not component.has_inner_usage)
    return max((tokens for tokens in inputs if tokens is not None), default=None)


def parts_of(turn: TurnSpan) -> list[Part]:
    """The parts of a turn, in order of start."""
    return sorted(turn.parts, key=lambda part: (part.start_ns, part.span_id or ""))


def model_of_whole(turn: TurnSpan) -> str | None:
    """The model that tokens of the turn as a whole are put to: its own, else the first that was asked."""
    if turn.model is not None or turn.ledger.has_leaves or not turn.ledger.whole:
        return turn.model
    components = [part for part in parts_of(turn) if isinstance(part, ComponentSpan)]
    return next(iter(models_of(turn, components)), None)


def models_of(turn: TurnSpan, components: Iterable[ComponentSpan]) -> tuple[str, ...]:
    """The models that were asked in a turn, or that used tokens, in order of start."""
    calls = (
        c.response_model or c.model or turn.model
        for c in components
        if not c.has_inner_usage and (c.component is LatencyComponent.INFERENCE or not c.usage.empty)
    )
    return tuple(dict.fromkeys(model for model in calls if model))


def _sums(intervals: Iterable[ComponentInterval]) -> dict[LatencyComponent, int]:
    sums: dict[LatencyComponent, int] = {}
    for interval in intervals:
        sums[interval.component] = sums.get(interval.component, 0) + interval.end_ns - interval.start_ns
    return sums


def _counts(intervals: Iterable[ComponentInterval]) -> dict[LatencyComponent, int]:
    counts: dict[LatencyComponent, int] = {}
    for interval in intervals:
        counts[interval.component] = counts.get(interval.component, 0) + 1
    return counts


def _tool_calls(components: Iterable[ComponentSpan]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            name=c.name or semconv.ERROR_TYPE_OTHER,
            outcome=c.outcome,
            duration_ns=c.end_ns - c.start_ns,
            error_type=None if c.ending is None else c.ending.error_type,
        )
        for c in components
        if c.component is LatencyComponent.TOOL_EXECUTION
    )


def _model_calls(components: Iterable[ComponentSpan]) -> tuple[ModelCall, ...]:
    return tuple(
        ModelCall(
            duration_ns=c.end_ns - c.start_ns,
            usage=c.usage,
            provider=c.provider or semconv.UNKNOWN_PROVIDER,
            request_model=c.model,
            response_model=c.response_model,
            error_type=None if c.ending is None else c.ending.error_type,
        )
        for c in components
        if c.component is LatencyComponent.INFERENCE and not c.has_inner_usage
    )


def _token_shares(turn: TurnSpan, components: Iterable[ComponentSpan]) -> tuple[TokenShare, ...]:
    """As spans can tell it: one purpose a call, that of its place where its caller named several."""
    shares: dict[tuple[str | None, TokenCategory], TokenUsage] = {}
    if not turn.ledger.has_leaves:
        total = turn.ledger.total
        shares = {(next(iter(turn.ledger.by_model)), TokenCategory.REASONING): total} if total.known else {}
    for component in components if turn.ledger.has_leaves else ():
        usage = component.usage
        if component.has_inner_usage or not usage.known:
            continue
        model = component.response_model or component.model or turn.model
        categories = {count.category or component.category for count in component.tokens}
        key = (model, categories.pop() if len(categories) == 1 else component.category)
        shares[key] = shares.get(key, TokenUsage()).plus(usage)
    return tuple(TokenShare(model=key[0], category=key[1], usage=usage) for key, usage in shares.items())


def _parent_id(turn: TurnSpan) -> str | None:
    """The id of the span around the turn, whoever wrote it (only the SDK's spans tell)."""
    parent = getattr(turn.span, "parent", None)
    return None if parent is None else format(parent.span_id, "016x")


def _service_name(turn: TurnSpan) -> str:
    """The service of the provider in use (only the SDK's spans tell)."""
    resource = getattr(turn.span, "resource", None)
    return "" if resource is None else str(resource.attributes.get(semconv.SERVICE_NAME, ""))
