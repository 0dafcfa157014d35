"""LangSmith's own OpenTelemetry export: LangChain's runs, with the GenAI keys on them.

Its kind goes before the operation, which calls prompts chats too. A run that failed has the status OK, and an
exception among its events.
"""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import TokenKeys, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.core.dialects.json_figures import usage_in
from agentnet_otel.model import LatencyComponent, SpanRecord, TokenUsage

_CHAIN: Final = "chain"
_TOOL: Final = "tool"


def _failed(span: SpanRecord) -> bool:
    return span.failed or any(event.name == semconv.EXCEPTION_EVENT for event in span.events)


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    if kind == _CHAIN and facts.agent is not None and facts.agent == span.name:
        facts = msgspec.structs.replace(facts, role=Role.TURN)
    return msgspec.structs.replace(facts, usage=_with_details(span, facts.usage))


def _with_details(span: SpanRecord, usage: TokenUsage) -> TokenUsage:
    """Cached and reasoning tokens may stand in objects of their own."""
    sides = (semconv.LANGSMITH_INPUT_DETAILS, semconv.LANGSMITH_OUTPUT_DETAILS)
    into, out = (values.mapping(span.attributes.get(key)) for key in sides)
    if not into and not out:
        return usage
    details = usage_in({"input_details": into, "output_details": out})
    return msgspec.structs.replace(
        usage,
        cached=details.cached if usage.cached is None else usage.cached,
        reasoning=details.reasoning if usage.reasoning is None else usage.reasoning,
    )


LANGSMITH: Final = replace(
    genai.GENAI,
    name="langsmith",
    kind=lambda span: text_of(span, semconv.LANGSMITH_KIND).lower(),
    components={
        "llm": LatencyComponent.INFERENCE,
        _TOOL: LatencyComponent.TOOL_EXECUTION,
        "retriever": LatencyComponent.MEMORY_ACCESS,
        "embedding": LatencyComponent.MEMORY_ACCESS,
        "parser": LatencyComponent.RESPONSE_PROCESSING,
        _CHAIN: LatencyComponent.ORCHESTRATION,
    },
    roles={_CHAIN: Role.WORKFLOW},
    named_by_span=frozenset({_TOOL}),
    agent=(semconv.AGENT_NAME, semconv.LANGSMITH_AGENT_NAME),
    session=(
        semconv.LANGSMITH_SESSION,
        semconv.LANGSMITH_THREAD,
        semconv.LANGSMITH_CONVERSATION,
        semconv.CONVERSATION_ID,
    ),
    tokens=TokenKeys(
        input=genai.TOKENS.input,
        output=genai.TOKENS.output,
        cached=genai.TOKENS.cached,
        reasoning=genai.TOKENS.reasoning,
        objects=(semconv.LANGSMITH_USAGE,),
    ),
    failed=_failed,
    refine=_refine,
)
