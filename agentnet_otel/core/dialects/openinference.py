"""OpenInference (Arize), on whichever framework.

Agents are named in three ways: by ``agent.name``, by their span, or not at all. LangChain's have no AGENT span: the
chain that bears the name of the agent in its metadata is the agent, else the top chain.
"""

from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects.dialect import Dialect, TokenKeys, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.core.dialects.langgraph import is_node_of_agent
from agentnet_otel.model import CostSource, LatencyComponent, SpanRecord

_AGENT: Final = "AGENT"
_CHAIN: Final = "CHAIN"
_TOOL: Final = "TOOL"
_LLM: Final = "LLM"
_LANGCHAIN: Final = "openinference.instrumentation.langchain"
"""Takes each run with "agent" in its name for one, also a node of a graph."""
_SMOLAGENTS: Final = "openinference.instrumentation.smolagents"
_OPENAI_AGENTS: Final = "openinference.instrumentation.openai_agents"
"""Its former releases close agents that failed with the status OK."""
_LLAMA_INDEX: Final = "openinference.instrumentation.llama_index"
_LLAMA_INDEX_AGENT: Final = "Agent.run"
_LLAMA_INDEX_PREPARATION: Final = "._prepare_chat_with_tools"
"""Bears the kind of a call, and calls nothing."""
_RUN_SUFFIXES: Final = (".run", "._execute_core")
"""What smolagents, LlamaIndex and CrewAI append to the name of an agent, or of its class."""
_HANDOFF_PREFIX: Final = "handoff"


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    if facts.cost_usd is None:
        facts = _with_cost_of_parts(span, facts)
    if kind == _AGENT:
        if span.scope_name == _LANGCHAIN and facts.role is Role.UNNAMED_TURN and is_node_of_agent(span.name):
            return msgspec.structs.replace(
                facts, role=Role.WORKFLOW, component=LatencyComponent.ORCHESTRATION, agent=None
            )
        named = facts if facts.role is Role.TURN else _named_otherwise(span, facts)
        return msgspec.structs.replace(named, judged_by_calls=True) if span.scope_name == _OPENAI_AGENTS else named
    if kind == _CHAIN:
        return _chain(span, facts)
    if kind == _LLM and span.name.endswith(_LLAMA_INDEX_PREPARATION):
        return msgspec.structs.replace(facts, role=Role.OTHER, component=None)
    if kind == _TOOL and semconv.OPENINFERENCE_TOOL_NAME not in span.attributes:
        return _handoff_or_tool(span, facts)
    return facts


def _with_cost_of_parts(span: SpanRecord, facts: SpanFacts) -> SpanFacts:
    """A cost of which only both parts are told is their sum."""
    parts = [values.amount(span.attributes.get(key)) for key in _PARTS_OF_COST]
    known = [usd for usd in parts if usd is not None]
    if len(known) < len(parts):
        return facts
    return msgspec.structs.replace(facts, cost_usd=sum(known), cost_source=facts.cost_source or CostSource.SPAN)


def _named_otherwise(span: SpanRecord, facts: SpanFacts) -> SpanFacts:
    """An agent without ``agent.name``: the metadata or the graph may name it, else the span does."""
    named = _agent_in_metadata(span) or values.text(span.attributes.get(semconv.OPENINFERENCE_GRAPH_NODE))
    if named is not None:
        return msgspec.structs.replace(facts, role=Role.TURN, agent=named)
    return msgspec.structs.replace(facts, agent=_without_suffix(facts.agent or ""))


def _without_suffix(name: str) -> str | None:
    for suffix in _RUN_SUFFIXES:
        name = name.removesuffix(suffix)
    return name or None


def _chain(span: SpanRecord, facts: SpanFacts) -> SpanFacts:
    if span.scope_name == _SMOLAGENTS:  # a step, also where the agent around it was lost
        return msgspec.structs.replace(facts, role=Role.COMPONENT)
    if span.scope_name == _LLAMA_INDEX and span.name.endswith(_LLAMA_INDEX_AGENT):
        return msgspec.structs.replace(facts, role=Role.UNNAMED_TURN, agent=facts.agent or _without_suffix(span.name))
    agent = _agent_in_metadata(span)
    if agent is None:
        return facts
    return msgspec.structs.replace(facts, agent=agent, role=Role.TURN if agent == span.name else facts.role)


def _handoff_or_tool(span: SpanRecord, facts: SpanFacts) -> SpanFacts:
    """A hand-over from agent to agent looks like a tool without a name."""
    if span.name.lower().startswith(_HANDOFF_PREFIX):
        return msgspec.structs.replace(facts, component=LatencyComponent.ORCHESTRATION, subject=None, tool_outcome=None)
    return msgspec.structs.replace(facts, subject=facts.subject or span.name or None)


def _agent_in_metadata(span: SpanRecord) -> str | None:
    metadata = span.attributes.get(semconv.OPENINFERENCE_METADATA)
    if metadata is None or (isinstance(metadata, str) and not any(name in metadata for name in _METADATA_NAMES)):
        return None
    fields = values.mapping(metadata)
    return next((text for name in _METADATA_NAMES if (text := values.text(fields.get(name))) is not None), None)


_PARTS_OF_COST: Final = (semconv.OPENINFERENCE_INPUT_COST, semconv.OPENINFERENCE_OUTPUT_COST)
_METADATA_NAMES: Final = (semconv.LANGCHAIN_AGENT_NAME, semconv.PYDANTIC_AGENT_NAME, semconv.OPENINFERENCE_AGENT_NAME)

OPENINFERENCE: Final = Dialect(
    name="openinference",
    kind=lambda span: text_of(span, semconv.OPENINFERENCE_KIND).upper(),
    components={
        _LLM: LatencyComponent.INFERENCE,
        _TOOL: LatencyComponent.TOOL_EXECUTION,
        "RETRIEVER": LatencyComponent.MEMORY_ACCESS,
        "EMBEDDING": LatencyComponent.MEMORY_ACCESS,
        "RERANKER": LatencyComponent.MEMORY_ACCESS,
        "GUARDRAIL": LatencyComponent.POLICY_CHECK,
        _CHAIN: LatencyComponent.ORCHESTRATION,
    },
    roles={_AGENT: Role.TURN, _CHAIN: Role.WORKFLOW},
    unnamed_turn=Role.UNNAMED_TURN,
    named_by_span=frozenset({_AGENT}),
    agent=(semconv.OPENINFERENCE_AGENT_NAME,),
    subject=(semconv.OPENINFERENCE_TOOL_NAME,),
    session=(semconv.OPENINFERENCE_SESSION,),
    request_model=(semconv.OPENINFERENCE_REQUEST_MODEL,),
    response_model=(
        semconv.OPENINFERENCE_RESPONSE_MODEL,
        semconv.OPENINFERENCE_MODEL,
        semconv.OPENINFERENCE_EMBEDDING_MODEL,
        semconv.OPENINFERENCE_RERANKER_MODEL,
    ),
    tokens=TokenKeys(
        input=(semconv.OPENINFERENCE_INPUT_TOKENS,),
        output=(semconv.OPENINFERENCE_OUTPUT_TOKENS,),
        cached=(semconv.OPENINFERENCE_CACHED_TOKENS, semconv.OPENINFERENCE_CACHED_INPUT_TOKENS),
        reasoning=(semconv.OPENINFERENCE_REASONING_TOKENS,),
    ),
    cost=(semconv.OPENINFERENCE_COST,),
    first_chunk_ms=(semconv.OPENINFERENCE_FIRST_TOKEN_MS,),
    first_chunk_events=frozenset({semconv.OPENINFERENCE_FIRST_TOKEN_EVENT}),
    refine=_refine,
)
