"""OpenLLMetry (Traceloop): the GenAI conventions, with kinds of its own on decorated functions and frameworks.

``gen_ai.agent.name`` stands on every span below an agent and marks no turn. On LangChain an agent is two spans: one
that only wraps it, and the run itself, a workflow by its kind. Of an agent that a tool calls, the run stands beside the
wrapper as a task of the agent's name.
"""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import Spoken, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.model import LatencyComponent, SpanRecord

_LANGCHAIN: Final = "opentelemetry.instrumentation.langchain"
_FORMER_REQUESTS: Final = {
    "chat": semconv.OP_CHAT,
    "completion": semconv.OP_TEXT_COMPLETION,
    "embedding": semconv.OP_EMBEDDINGS,
    "rerank": semconv.OP_RETRIEVAL,
}
_KINDS: Final = {
    "agent": semconv.OP_INVOKE_AGENT,
    "workflow": semconv.OP_INVOKE_WORKFLOW,
    "tool": semconv.OP_EXECUTE_TOOL,
    "task": "execute_task",
}
_VECTOR_STORES: Final = frozenset({"chroma", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate"})
_VECTOR_STORE: Final = "vector_store"


def is_vector_store(span: Spoken) -> bool:
    """Whether it is a call of a vector database."""
    system = span.attributes.get(semconv.DB_SYSTEM)
    return isinstance(system, str) and system.lower() in _VECTOR_STORES


def _kind(span: Spoken) -> str:
    """The operation, unless its kind says that it is no agent but what runs one."""
    kind = text_of(span, semconv.TRACELOOP_KIND)
    operation = text_of(span, semconv.OPERATION_NAME)
    if operation and not (operation == semconv.OP_INVOKE_AGENT and kind in {"workflow", "task"}):
        return operation
    if kind:
        return _KINDS.get(kind, kind)
    if is_vector_store(span):
        return _VECTOR_STORE
    if semconv.GUARDRAIL_NAME in span.attributes:
        return semconv.OP_RUN_GUARDRAIL
    request = text_of(span, semconv.LLM_REQUEST_TYPE)
    return _FORMER_REQUESTS.get(request, request)


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    entity = text_of(span, semconv.TRACELOOP_ENTITY_NAME) or None
    if facts.role is Role.OTHER and kind == semconv.OP_INVOKE_AGENT:
        return facts if entity is None else msgspec.structs.replace(facts, role=Role.TURN, agent=entity)
    if facts.role is Role.TURN:
        return msgspec.structs.replace(facts, body_beside=span.scope_name == _LANGCHAIN)
    return facts if facts.subject is not None else msgspec.structs.replace(facts, subject=entity)


OPENLLMETRY: Final = replace(
    genai.GENAI,
    name="openllmetry",
    kind=_kind,
    components={**genai.OPERATIONS, _VECTOR_STORE: LatencyComponent.MEMORY_ACCESS},
    subject=(semconv.TOOL_NAME, semconv.GUARDRAIL_NAME),
    first_chunk_events=frozenset({semconv.TRACELOOP_CHUNK_EVENT, semconv.TRACELOOP_FORMER_CHUNK_EVENT}),
    refine=_refine,
)
