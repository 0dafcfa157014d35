"""OpenLIT: the GenAI conventions, with spans that call themselves agents and are none.

Runs and steps around an agent are ``invoke_agent`` without a name; the nodes of LangGraph's own agents bear the node's
name, a hand-over that of the agent that takes over. A span that failed has its name, and nothing else.
"""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import Spoken, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.core.dialects.langgraph import is_node_of_agent
from agentnet_otel.model import LatencyComponent, SpanRecord

_STREAM_SUFFIX: Final = " stream"
_MEMORY: Final = ("vectordb", "memory")
"""What it calls each call of a vector database, and of Mem0."""

_MODELS: Final = (
    "image",
    "audio",
    "video",
    "speech_to_text",
    "text_to_speech",
    "speech_to_text_translate",
    "translate",
)
"""What it calls calls of models that do not answer in text, or not to a question."""


def _kind(span: Spoken) -> str:
    """The operation; of a failed span that lacks it, the first word of its name."""
    operation = text_of(span, semconv.OPERATION_NAME)
    return operation or (span.name.partition(" ")[0] if span.failed else "")


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    if facts.first_chunk_s is not None and not values.flag(span.attributes.get(semconv.REQUEST_STREAM)):
        facts = msgspec.structs.replace(facts, first_chunk_s=None)  # of an answer in one piece: how long it took
    if kind == semconv.OP_INVOKE_WORKFLOW:
        return msgspec.structs.replace(facts, subject=facts.subject or _subject(span, kind))
    if kind != semconv.OP_INVOKE_AGENT:
        return facts
    if span.scope_name == semconv.OPENLIT_LANGGRAPH_SCOPE and is_node_of_agent(facts.agent or ""):
        return msgspec.structs.replace(facts, role=Role.OTHER, agent=None)
    if semconv.OPENLIT_AGENT_SOURCE in span.attributes:
        component = LatencyComponent.ORCHESTRATION
        return msgspec.structs.replace(facts, role=Role.COMPONENT, component=component, agent=None)
    if facts.agent is None and semconv.OPERATION_NAME not in span.attributes:
        agent = _subject(span, kind)
        return msgspec.structs.replace(facts, agent=agent, role=Role.OTHER if agent is None else Role.TURN)
    return facts


def _subject(span: SpanRecord, operation: str) -> str | None:
    """What the span's name says after the operation."""
    return span.name.removeprefix(operation).strip().removesuffix(_STREAM_SUFFIX) or None


OPENLIT: Final = replace(
    genai.GENAI,
    name="openlit",
    kind=_kind,
    components={
        **genai.OPERATIONS,
        **dict.fromkeys(_MEMORY, LatencyComponent.MEMORY_ACCESS),
        **dict.fromkeys(_MODELS, LatencyComponent.INFERENCE),
        "moderation": LatencyComponent.POLICY_CHECK,
        "mcp_tool_call": LatencyComponent.TOOL_EXECUTION,
    },
    tokens=replace(
        genai.TOKENS,
        cached=(*genai.TOKENS.cached, semconv.OPENLIT_CACHED_TOKENS),
        reasoning=(*genai.TOKENS.reasoning, semconv.OPENLIT_REASONING_TOKENS),
    ),
    refine=_refine,
)
