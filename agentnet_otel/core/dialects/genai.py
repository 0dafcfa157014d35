"""The OpenTelemetry conventions for generative AI, with the current and the former names of keys.

Many write it: the instrumentations of OpenTelemetry itself, the Vercel AI SDK since 7, and, with keys of their own
beside, those that have a row of their own: their rows are this one with changes.
"""

from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.dialects.dialect import Dialect, TokenKeys, text_of
from agentnet_otel.core.dialects.facts import Role
from agentnet_otel.model import LatencyComponent

OPERATIONS: Final = {
    semconv.OP_CHAT: LatencyComponent.INFERENCE,
    semconv.OP_GENERATE_CONTENT: LatencyComponent.INFERENCE,
    semconv.OP_TEXT_COMPLETION: LatencyComponent.INFERENCE,
    "completion": LatencyComponent.INFERENCE,
    "decide": LatencyComponent.INFERENCE,
    semconv.OP_EXECUTE_TOOL: LatencyComponent.TOOL_EXECUTION,
    semconv.OP_SEARCH_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_CREATE_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_UPDATE_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_UPSERT_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_DELETE_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_CREATE_MEMORY_STORE: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_DELETE_MEMORY_STORE: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_RETRIEVAL: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_EMBEDDINGS: LatencyComponent.MEMORY_ACCESS,
    "vector_db_retrieve": LatencyComponent.MEMORY_ACCESS,
    "rerank": LatencyComponent.MEMORY_ACCESS,
    semconv.OP_APPLY_GUARDRAIL: LatencyComponent.POLICY_CHECK,
    semconv.OP_RUN_GUARDRAIL: LatencyComponent.POLICY_CHECK,
    "guardrail.run": LatencyComponent.POLICY_CHECK,
    semconv.OP_PLAN: LatencyComponent.ORCHESTRATION,
    "execute_task": LatencyComponent.ORCHESTRATION,
    "handoff": LatencyComponent.ORCHESTRATION,
    "agent_handoff": LatencyComponent.ORCHESTRATION,
}
ROLES: Final = {
    semconv.OP_INVOKE_AGENT: Role.TURN,
    semconv.OP_INVOKE_WORKFLOW: Role.WORKFLOW,
}
AGENT: Final = (semconv.AGENT_NAME,)
SUBJECT: Final = (semconv.TOOL_NAME, semconv.WORKFLOW_NAME)
SESSION: Final = (semconv.CONVERSATION_ID, semconv.TRACELOOP_SESSION, semconv.OPENINFERENCE_SESSION)
REQUEST_MODEL: Final = (semconv.REQUEST_MODEL,)
RESPONSE_MODEL: Final = (semconv.RESPONSE_MODEL,)
TOKENS: Final = TokenKeys(
    input=(semconv.USAGE_INPUT_TOKENS, semconv.USAGE_PROMPT_TOKENS),
    output=(semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_COMPLETION_TOKENS),
    cached=(semconv.USAGE_CACHE_READ_INPUT_TOKENS, semconv.USAGE_CACHE_READ_TOKENS, semconv.USAGE_CACHED_TOKENS),
    reasoning=(
        semconv.USAGE_REASONING_OUTPUT_TOKENS,
        semconv.USAGE_REASONING_TOKENS,
        semconv.USAGE_THOUGHTS_TOKENS,
    ),
)
COST: Final = (semconv.USAGE_COST, semconv.OPERATION_COST, semconv.TOTAL_COST)


GENAI: Final = Dialect(
    name="opentelemetry-genai",
    kind=lambda span: text_of(span, semconv.OPERATION_NAME),
    components=OPERATIONS,
    roles=ROLES,
    agent=AGENT,
    subject=SUBJECT,
    session=SESSION,
    request_model=REQUEST_MODEL,
    response_model=RESPONSE_MODEL,
    tokens=TOKENS,
    cost=COST,
)
