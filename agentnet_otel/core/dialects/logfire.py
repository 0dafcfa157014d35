"""Logfire and Pydantic AI: the GenAI conventions, and spans that are only about spans.

Each span has a twin that is sent when it begins. What a streamed call used stands in a log record beside the call's
span. Agents repeat the usage of their calls as ``gen_ai.aggregated_usage``.
"""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import Spoken, TokenKeys, text_of
from agentnet_otel.core.dialects.facts import NOTHING, Role, SpanFacts
from agentnet_otel.model import LatencyComponent, SpanRecord

TWIN: Final = msgspec.structs.replace(NOTHING, role=Role.TWIN)


def _kind(span: Spoken) -> str:
    """The operation; former releases had none on agents and tools."""
    operation = text_of(span, semconv.OPERATION_NAME)
    if operation:
        return operation
    if semconv.PYDANTIC_AGENT_NAME in span.attributes and semconv.PYDANTIC_MODEL_NAME in span.attributes:
        return semconv.OP_INVOKE_AGENT
    return semconv.OP_EXECUTE_TOOL if semconv.TOOL_NAME in span.attributes else ""


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    """A log record is no call of its own: it completes the one before it."""
    if text_of(span, semconv.LOGFIRE_KIND) != semconv.LOGFIRE_LOG:
        return facts
    is_call = genai.OPERATIONS.get(kind) is LatencyComponent.INFERENCE
    return msgspec.structs.replace(
        facts, role=Role.OTHER, component=None, tool_outcome=None, completes_call=is_call and not facts.usage.empty
    )


LOGFIRE: Final = replace(
    genai.GENAI,
    name="logfire",
    kind=_kind,
    agent=(semconv.AGENT_NAME, semconv.PYDANTIC_AGENT_NAME),
    tokens=TokenKeys(
        input=(*genai.TOKENS.input, semconv.LOGFIRE_AGGREGATED_INPUT_TOKENS),
        output=(*genai.TOKENS.output, semconv.LOGFIRE_AGGREGATED_OUTPUT_TOKENS),
        cached=(
            *genai.TOKENS.cached,
            semconv.LOGFIRE_CACHED_TOKENS,
            semconv.LOGFIRE_FORMER_CACHED_TOKENS,
            semconv.LOGFIRE_AGGREGATED_CACHED_TOKENS,
        ),
        reasoning=(
            *genai.TOKENS.reasoning,
            semconv.LOGFIRE_REASONING_TOKENS,
            semconv.LOGFIRE_AGGREGATED_REASONING_TOKENS,
        ),
        objects=(semconv.LOGFIRE_RAW_USAGE,),
    ),
    refine=_refine,
)
