"""MLflow, by its OTLP export: every value is JSON. Its GenAI mode writes the conventions instead (`MLFLOW_GENAI`)."""

from dataclasses import replace
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import genai
from agentnet_otel.core.dialects.dialect import Dialect, Spoken, TokenKeys, text_of
from agentnet_otel.core.dialects.facts import Role, SpanFacts
from agentnet_otel.model import LatencyComponent, SpanRecord

KINDS: Final = {
    "CHAT_MODEL": LatencyComponent.INFERENCE,
    "LLM": LatencyComponent.INFERENCE,
    "TOOL": LatencyComponent.TOOL_EXECUTION,
    "MEMORY": LatencyComponent.MEMORY_ACCESS,
    "RETRIEVER": LatencyComponent.MEMORY_ACCESS,
    "EMBEDDING": LatencyComponent.MEMORY_ACCESS,
    "RERANKER": LatencyComponent.MEMORY_ACCESS,
    "GUARDRAIL": LatencyComponent.POLICY_CHECK,
    "PARSER": LatencyComponent.RESPONSE_PROCESSING,
    "CHAIN": LatencyComponent.ORCHESTRATION,
    "WORKFLOW": LatencyComponent.ORCHESTRATION,
    "TASK": LatencyComponent.ORCHESTRATION,
}
_FIRST_CHUNK: Final = frozenset({semconv.MLFLOW_FIRST_CHUNK_EVENT})
ROLES: Final = {"AGENT": Role.TURN, "CHAIN": Role.WORKFLOW, "WORKFLOW": Role.WORKFLOW}


def _kind(span: Spoken) -> str:
    return values.text(values.unquoted(span.attributes.get(semconv.MLFLOW_KIND))) or ""


def _refine(span: SpanRecord, kind: str, facts: SpanFacts) -> SpanFacts:
    """Take the quotes off what was read as it stands."""
    del span, kind
    model, session = (values.text(values.unquoted(said)) for said in (facts.response_model, facts.session))
    return msgspec.structs.replace(facts, response_model=model, session=session)


MLFLOW: Final = Dialect(
    name="mlflow",
    kind=_kind,
    components=KINDS,
    roles=ROLES,
    unnamed_turn=Role.TURN,
    named_by_span=frozenset({"AGENT", "TOOL"}),
    session=(semconv.MLFLOW_SESSION, semconv.OPENINFERENCE_SESSION),
    response_model=(semconv.MLFLOW_MODEL,),
    tokens=TokenKeys(objects=(semconv.MLFLOW_USAGE,)),
    cost_objects=(semconv.MLFLOW_COST,),
    first_chunk_events=_FIRST_CHUNK,
    refine=_refine,
)
MLFLOW_GENAI: Final = replace(
    genai.GENAI,
    name="mlflow-genai",
    kind=lambda span: text_of(span, semconv.OPERATION_NAME),
    components={**genai.OPERATIONS, **KINDS},
    roles={**genai.ROLES, **ROLES},
    first_chunk_events=_FIRST_CHUNK,
)
