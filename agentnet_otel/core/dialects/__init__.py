"""Which attribute means what: one table of dialects, and the facts read through it.

A dialect is a row (`Dialect`): what its kinds of span are called, and under which keys its facts stand. A span is read
by the row whose mark it bears; the marks are asked in order. A further dialect is a further row, its mark in `MARKS`,
and a recording of the library that writes it under ``tests/recordings``.
"""

from functools import lru_cache
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.dialects import agentnet
from agentnet_otel.core.dialects.agentnet import AGENTNET
from agentnet_otel.core.dialects.dialect import Dialect, Spoken, TokenKeys, read
from agentnet_otel.core.dialects.facts import MAYBE_TURNS, NOTHING, Role, SpanFacts
from agentnet_otel.core.dialects.genai import GENAI
from agentnet_otel.core.dialects.google_adk import GOOGLE_ADK
from agentnet_otel.core.dialects.langfuse import LANGFUSE
from agentnet_otel.core.dialects.langsmith import LANGSMITH
from agentnet_otel.core.dialects.logfire import LOGFIRE, TWIN
from agentnet_otel.core.dialects.mlflow import MLFLOW, MLFLOW_GENAI
from agentnet_otel.core.dialects.openinference import OPENINFERENCE
from agentnet_otel.core.dialects.openlit import OPENLIT
from agentnet_otel.core.dialects.openllmetry import OPENLLMETRY, is_vector_store
from agentnet_otel.core.dialects.own import OWN
from agentnet_otel.core.dialects.plain import ODD, Plain, PlainKeys, genai_keys, own_keys
from agentnet_otel.core.dialects.vercel import VERCEL
from agentnet_otel.model import LatencyComponent, SpanRecord

__all__ = [
    "DIALECTS",
    "MARKS",
    "MAYBE_TURNS",
    "ODD",
    "SCOPES",
    "Dialect",
    "Plain",
    "PlainKeys",
    "Role",
    "SpanFacts",
    "Spoken",
    "TokenKeys",
    "dialect_of",
    "is_turn_from_start",
    "kind_of",
    "plain_keys",
    "plain_keys_of",
    "read_facts",
]

MARKS: Final = (
    (semconv.LATENCY_COMPONENT, OWN),
    (semconv.TURN_OUTCOME, OWN),
    (semconv.LANGFUSE_KIND, LANGFUSE),
    (semconv.OPENINFERENCE_KIND, OPENINFERENCE),
    (semconv.MLFLOW_KIND, MLFLOW),
    (semconv.LANGSMITH_KIND, LANGSMITH),
    (semconv.VERCEL_OPERATION, VERCEL),
    (semconv.TRACELOOP_KIND, OPENLLMETRY),
    (semconv.LLM_REQUEST_TYPE, OPENLLMETRY),
    (semconv.GUARDRAIL_NAME, OPENLLMETRY),
    (semconv.LOGFIRE_KIND, LOGFIRE),
)
"""Keys that only one library writes, and on all of its spans that matter here; the most specific ones first."""
_MARK_KEYS: Final = frozenset(mark for mark, _ in MARKS)
_OWN_KEYS: Final = own_keys()
_GENAI_KEYS: Final = genai_keys(tuple(_MARK_KEYS))
SCOPES: Final = (
    (semconv.OPENLIT_SCOPE_PREFIX, OPENLIT),
    ("opentelemetry.instrumentation.langchain", OPENLLMETRY),
    ("opentelemetry.instrumentation.openai.v", OPENLLMETRY),
    ("opentelemetry.instrumentation.cohere", OPENLLMETRY),
    (semconv.ADK_SCOPE, GOOGLE_ADK),
    ("mlflow.", MLFLOW_GENAI),
    ("pydantic-ai", LOGFIRE),
)
"""Whose spans bear no mark beyond the GenAI conventions: told apart by the beginning of their scope."""
DIALECTS: Final = (
    OWN,
    AGENTNET,
    GENAI,
    GOOGLE_ADK,
    OPENINFERENCE,
    OPENLLMETRY,
    OPENLIT,
    LANGFUSE,
    MLFLOW,
    MLFLOW_GENAI,
    LOGFIRE,
    LANGSMITH,
    VERCEL,
)


def read_facts(span: SpanRecord) -> SpanFacts:
    """What a span says, in the dialect that it is written in. No attribute of whatever type makes it raise."""
    dialect = dialect_of(span)
    if dialect is None:
        return NOTHING
    if span.attributes.get(semconv.LOGFIRE_KIND) == semconv.LOGFIRE_PENDING:
        return TWIN
    return read(dialect, span)


def dialect_of(span: Spoken) -> Dialect | None:
    """The dialect that a span is written in; None where it says nothing of agents."""
    scope, attributes = span.scope_name, span.attributes
    if scope == semconv.SCOPE_NAME:
        return OWN
    if not _MARK_KEYS.isdisjoint(attributes):
        for mark, dialect in MARKS:
            if mark in attributes:
                return dialect
    if span.name in agentnet.SPANS and agentnet.recognises(span):
        return AGENTNET
    by_scope = _dialect_of_scope(scope)
    if by_scope is not None:
        return by_scope
    if semconv.OPERATION_NAME in attributes:
        return GENAI
    return OPENLLMETRY if semconv.DB_SYSTEM in attributes and is_vector_store(span) else None


def kind_of(span: Spoken) -> tuple[Role, LatencyComponent | None]:
    """What spans of its kind are, by the table alone: a small part of what `read_facts` costs.

    What else a span says may make less of it, or make a turn of what may be one; never a turn of anything else.
    """
    dialect = dialect_of(span)
    if dialect is None:
        return Role.OTHER, None
    if span.attributes.get(semconv.LOGFIRE_KIND) == semconv.LOGFIRE_PENDING:
        return Role.TWIN, None
    kind = dialect.kind(span)
    component = dialect.components.get(kind)
    return dialect.roles.get(kind) or (Role.OTHER if component is None else Role.COMPONENT), component


def plain_keys_of(scope_name: str) -> PlainKeys | None:
    """The keys that count in the plain spans of a scope; None where its spans are all read in the general way."""
    if scope_name == semconv.SCOPE_NAME:
        return _OWN_KEYS
    of_framework = agentnet.is_scope(scope_name) or _dialect_of_scope(scope_name) is not None
    return None if of_framework else _GENAI_KEYS


def plain_keys() -> tuple[PlainKeys, ...]:
    """The keys of each of the plain dialects."""
    return _OWN_KEYS, _GENAI_KEYS


@lru_cache(maxsize=256)
def _dialect_of_scope(scope_name: str) -> Dialect | None:
    for beginning, dialect in SCOPES:
        if scope_name.startswith(beginning):
            return dialect
    return None


def is_turn_from_start(scope_name: str, operation: object) -> bool | None:
    """Whether a span that begins will be a turn, by its scope and ``gen_ai.operation.name``; None: it may become one.

    Only our own recorder is known to name the operation at the start.
    """
    return operation == semconv.OP_INVOKE_AGENT if scope_name == semconv.SCOPE_NAME else None
