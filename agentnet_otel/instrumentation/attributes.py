"""What stands on the spans: names and attributes, made from facts. Unknown ones are left out."""

from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import LatencyComponent, TokenUsage, Turn

MAX_TOOL_NAMES: Final = 100
"""Names of tools on a turn's span."""

_NANOS: Final = 1e9

_OPERATION: Final = {
    LatencyComponent.INFERENCE: semconv.OP_CHAT,
    LatencyComponent.TOOL_EXECUTION: semconv.OP_EXECUTE_TOOL,
    LatencyComponent.MEMORY_ACCESS: semconv.OP_SEARCH_MEMORY,
}
_SPAN_WORD: Final = {
    LatencyComponent.POLICY_CHECK: semconv.SPAN_POLICY_CHECK,
    LatencyComponent.RESPONSE_PROCESSING: semconv.SPAN_RESPONSE_PROCESSING,
    LatencyComponent.ORCHESTRATION: semconv.SPAN_ORCHESTRATION,
}
_SUBJECT_KEY: Final = {
    LatencyComponent.TOOL_EXECUTION: semconv.TOOL_NAME,
    LatencyComponent.POLICY_CHECK: semconv.POLICY_NAME,
    LatencyComponent.RESPONSE_PROCESSING: semconv.PROCESSING_STEP,
    LatencyComponent.ORCHESTRATION: semconv.ORCHESTRATION_STEP,
}


def turn_start_attributes(turn: TurnSpan) -> dict[str, Any]:
    """What a sampler may want to know."""
    known = {
        semconv.OPERATION_NAME: semconv.OP_INVOKE_AGENT,
        semconv.AGENT_NAME: turn.agent,
        semconv.TURN_ID: turn.turn_id,
        semconv.CONVERSATION_ID: turn.conversation_id,
        semconv.REQUEST_MODEL: turn.model,
    }
    return {key: value for key, value in known.items() if value is not None}


def turn_end_attributes(turn: TurnSpan, facts: Turn) -> dict[str, Any]:
    """What a turn came to."""
    known: dict[str, Any] = {
        semconv.TURN_OUTCOME: facts.outcome.value,
        semconv.METRICS_RECORDED: facts.metrics_recorded,
        semconv.TURN_POLICY_VIOLATIONS: facts.policy_violations,
        semconv.CONVERSATION_ID: facts.session,
        semconv.RESPONSE_MODEL: facts.model,
        semconv.TURN_PROMPT_LENGTH: facts.prompt_length,
        semconv.TURN_RESPONSE_LENGTH: facts.response_length,
        semconv.TURN_TOOLS: facts.tools[:MAX_TOOL_NAMES] or None,
        semconv.TURN_CONFIDENCE: facts.confidence,
        semconv.TURN_QUALITY: turn.quality,
        semconv.TURN_COST_USD: facts.cost_usd,
        semconv.TURN_COST_SOURCE: None if facts.cost_source is None else facts.cost_source.value,
        semconv.TURN_TOKEN_EFFICIENCY: facts.efficiency,
        semconv.QUALITY_SOURCE: None if facts.quality_source is None else facts.quality_source.value,
        semconv.TURN_FALLBACK: facts.fallback or None,
        semconv.TOKENS_ESTIMATED: facts.estimated or None,
        semconv.SAMPLING_PROBABILITY: facts.sampling_probability,
    }
    if facts.time_to_first_token_ns is not None:
        known[semconv.TURN_TIME_TO_FIRST_TOKEN] = facts.time_to_first_token_ns / _NANOS
    for category, count in facts.tokens_by_category.items():
        known[semconv.TURN_TOKENS_PREFIX + category.value] = count
    if not turn.ledger.has_leaves:
        known.update(_usage(facts.tokens))
    return {key: value for key, value in known.items() if value is not None}


def component_name(component: ComponentSpan, kind: LatencyComponent) -> str:
    """The name of a component's span."""
    if kind is LatencyComponent.MEMORY_ACCESS:
        return component.operation or semconv.OP_SEARCH_MEMORY
    if kind is LatencyComponent.RESPONSE_PROCESSING:
        return semconv.SPAN_RESPONSE_PROCESSING
    if kind is LatencyComponent.INFERENCE:
        return semconv.span_name(component.operation or semconv.OP_CHAT, component.model)
    word = component.operation or _OPERATION.get(kind) or _SPAN_WORD[kind]
    return semconv.span_name(word, component.name)


def component_start_attributes(component: ComponentSpan, kind: LatencyComponent) -> dict[str, Any]:
    """What is known of a component when it begins."""
    subject_key = _SUBJECT_KEY.get(kind)
    known: dict[str, Any] = {
        semconv.LATENCY_COMPONENT: kind.value,
        semconv.OPERATION_NAME: component.operation or _OPERATION.get(kind),
        semconv.AGENT_NAME: component.agent,
        semconv.CONVERSATION_ID: component.conversation_id,
        semconv.TURN_ID: None if component.turn is None else component.turn.turn_id,
        semconv.REQUEST_MODEL: component.model,
    }
    if kind is LatencyComponent.INFERENCE:
        known[semconv.PROVIDER_NAME] = component.provider or semconv.UNKNOWN_PROVIDER
    if kind is LatencyComponent.TOOL_EXECUTION:
        known[semconv.TOOL_TYPE] = semconv.TOOL_TYPE_FUNCTION
    if subject_key is not None:
        known[subject_key] = component.name
    known.update(component.attributes)
    component.attributes.clear()
    return {key: value for key, value in known.items() if value is not None}


def component_end_attributes(component: ComponentSpan) -> dict[str, Any]:
    """What a component came to. Usage and cost stand on the leaf only: a span around others does not repeat theirs."""
    known: dict[str, Any] = {
        semconv.RESPONSE_MODEL: component.response_model,
        semconv.INFERENCE_ATTEMPTS: component.attempts or None,
        semconv.INFERENCE_BATCH: component.batch or None,
        semconv.TOOL_OUTCOME: component.outcome,
    }
    if component.first_chunk_ns is not None:
        known[semconv.REQUEST_STREAM] = True if component.component is LatencyComponent.INFERENCE else None
        known[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = (component.first_chunk_ns - component.start_ns) / _NANOS
    if not component.has_inner_cost:
        known[semconv.COST_USD] = component.cost_usd
        known[semconv.COST_SOURCE] = None if component.cost_source is None else component.cost_source.value
    if not component.has_inner_usage:
        known.update(_usage(component.usage))
        known[semconv.TOKENS_ESTIMATED] = any(count.estimated for count in component.tokens) or None
        categories = {count.category for count in component.tokens}
        if len(categories) == 1 and (category := categories.pop()) is not None:
            known[semconv.TOKEN_CATEGORY] = category.value
    return {key: value for key, value in known.items() if value is not None}


def _usage(tokens: TokenUsage) -> dict[str, int | None]:
    return {
        semconv.USAGE_INPUT_TOKENS: tokens.input,
        semconv.USAGE_OUTPUT_TOKENS: tokens.output,
        semconv.USAGE_CACHE_READ_INPUT_TOKENS: tokens.cached,
        semconv.USAGE_REASONING_OUTPUT_TOKENS: tokens.reasoning,
    }
