"""The Vercel AI SDK's own spans (up to release 6; later ones write the GenAI conventions).

What a function is called (``functionId``) is the agent's name; the usage of a call that took several steps is that of
its last step, and is told again on the step.
"""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import Spoken, TokenKeys, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.model import LatencyComponent, SpanRecord

_AGENTS: Final = ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject")
_CALLS: Final = (".doGenerate", ".doStream")


def _kind(span: Spoken) -> str:
    return text_of(span, semconv.VERCEL_OPERATION)


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    """A function without a name is a turn only where nothing else is one."""
    del span
    if kind in _AGENTS and facts.agent is None:
        return msgspec.structs.replace(facts, role=Role.WORKFLOW)
    return facts


VERCEL: Final = replace(
    genai.GENAI,
    name="vercel-ai",
    kind=_kind,
    components={
        **{agent + call: LatencyComponent.INFERENCE for agent in _AGENTS for call in _CALLS},
        "ai.toolCall": LatencyComponent.TOOL_EXECUTION,
        "ai.embed.doEmbed": LatencyComponent.MEMORY_ACCESS,
        "ai.embedMany.doEmbed": LatencyComponent.MEMORY_ACCESS,
        "ai.rerank.doRerank": LatencyComponent.MEMORY_ACCESS,
    },
    roles=dict.fromkeys(_AGENTS, Role.TURN),
    agent=(semconv.VERCEL_FUNCTION,),
    subject=(semconv.VERCEL_TOOL_NAME,),
    session=(semconv.VERCEL_SESSION, semconv.VERCEL_SESSION_SNAKE, semconv.VERCEL_THREAD),
    request_model=(semconv.REQUEST_MODEL, semconv.VERCEL_MODEL),
    response_model=(semconv.RESPONSE_MODEL, semconv.VERCEL_RESPONSE_MODEL),
    tokens=TokenKeys(
        input=(
            semconv.USAGE_INPUT_TOKENS,
            semconv.VERCEL_INPUT_TOKENS,
            semconv.VERCEL_FORMER_INPUT_TOKENS,
            semconv.VERCEL_EMBEDDING_TOKENS,
        ),
        output=(semconv.USAGE_OUTPUT_TOKENS, semconv.VERCEL_OUTPUT_TOKENS, semconv.VERCEL_FORMER_OUTPUT_TOKENS),
        cached=(semconv.VERCEL_CACHED_TOKENS, semconv.VERCEL_CACHED_DETAIL),
        reasoning=(semconv.VERCEL_REASONING_TOKENS, semconv.VERCEL_REASONING_DETAIL),
    ),
    first_chunk_ms=(semconv.VERCEL_FIRST_CHUNK_MS, semconv.VERCEL_STREAM_FIRST_CHUNK_MS),
    refine=_refine,
)
