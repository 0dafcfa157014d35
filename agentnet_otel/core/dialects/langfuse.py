"""Langfuse, by its own SDK: agents, else the top chain, else the root span around a generation is the turn."""

from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects.dialect import Dialect, TokenKeys, seconds_to, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.core.dialects.langgraph import is_node_of_agent
from agentnet_otel.model import LatencyComponent, SpanRecord

_ERROR_LEVEL: Final = "ERROR"


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    """A failed call is told with a cost of 0, and what it cost is not known; nodes of LangGraph are called agents."""
    if kind == "agent" and semconv.LANGFUSE_LANGGRAPH_NODE in span.attributes and is_node_of_agent(span.name):
        return msgspec.structs.replace(facts, role=Role.COMPONENT, component=LatencyComponent.ORCHESTRATION, agent=None)
    if semconv.LANGFUSE_FIRST_TOKEN_AT in span.attributes:
        facts = msgspec.structs.replace(facts, first_chunk_s=seconds_to(_first_token_ns(span), span))
    if facts.cost_usd == 0 and facts.usage.empty:
        return msgspec.structs.replace(facts, cost_usd=None, cost_source=None)
    return facts


def _first_token_ns(span: SpanRecord) -> int | None:
    """When the first token came, epoch nanoseconds."""
    return values.moment_ns(values.unquoted(span.attributes.get(semconv.LANGFUSE_FIRST_TOKEN_AT)))


LANGFUSE: Final = Dialect(
    name="langfuse",
    kind=lambda span: text_of(span, semconv.LANGFUSE_KIND).lower(),
    components={
        "generation": LatencyComponent.INFERENCE,
        "tool": LatencyComponent.TOOL_EXECUTION,
        "retriever": LatencyComponent.MEMORY_ACCESS,
        "embedding": LatencyComponent.MEMORY_ACCESS,
        "guardrail": LatencyComponent.POLICY_CHECK,
        "chain": LatencyComponent.ORCHESTRATION,
        "span": LatencyComponent.ORCHESTRATION,
    },
    roles={"agent": Role.TURN, "chain": Role.WORKFLOW, "span": Role.ROOT},
    unnamed_turn=Role.TURN,
    named_by_span=frozenset({"agent", "tool"}),
    session=(semconv.OPENINFERENCE_SESSION, semconv.LANGFUSE_SESSION),
    response_model=(semconv.LANGFUSE_MODEL,),
    tokens=TokenKeys(objects=(semconv.LANGFUSE_USAGE,)),
    cost_objects=(semconv.LANGFUSE_COST,),
    failed=lambda span: span.failed or text_of(span, semconv.LANGFUSE_LEVEL) == _ERROR_LEVEL,
    refine=_refine,
)
