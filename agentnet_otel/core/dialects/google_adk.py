"""Google's Agent Development Kit: the GenAI conventions; former releases told agents and calls by span names alone."""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import Spoken, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.model import SpanRecord


def _kind(span: Spoken) -> str:
    operation = text_of(span, semconv.OPERATION_NAME)
    if operation:
        return operation
    if span.name == semconv.ADK_CALL_SPAN:
        return semconv.OP_CHAT
    return semconv.OP_INVOKE_AGENT if span.name.startswith(semconv.ADK_AGENT_SPAN_PREFIX) else ""


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    """An agent without attributes is named by its span: ``agent_run [planner]``."""
    if kind != semconv.OP_INVOKE_AGENT or facts.agent is not None:
        return facts
    agent = span.name.removeprefix(semconv.ADK_AGENT_SPAN_PREFIX).removesuffix("]")
    return msgspec.structs.replace(facts, agent=agent, role=Role.TURN) if agent else facts


GOOGLE_ADK: Final = replace(
    genai.GENAI,
    name="google-adk",
    kind=_kind,
    session=(semconv.CONVERSATION_ID, semconv.ADK_SESSION),
    refine=_refine,
)
