"""Which attribute means what: one table of dialects, and the facts read through it.

A dialect is a row: how to recognise its spans, what its kinds of span are called, and under which keys its facts
stand. Rows are asked in order; the first that recognises a span reads it. A further dialect is a further row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeVar

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.model import (
    AttributeValue,
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    SpanRecord,
    TokenCategory,
    TokenUsage,
)

E = TypeVar("E", bound=Enum)


class Role(Enum):
    """What a span is to a turn."""

    TURN = auto()
    SESSION = auto()
    """Holds turns, is never one."""
    WORKFLOW = auto()
    """A turn only if no turn is below it."""
    COMPONENT = auto()
    OTHER = auto()
    """No fact of ours: its time belongs to what is around it."""


_NO_USAGE: Final = TokenUsage()


class SpanFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one span says, in our words. None: not said."""

    role: Role = Role.OTHER
    component: LatencyComponent | None = None
    ours: bool = False
    agent: str | None = None
    subject: str | None = None
    turn_id: str | None = None
    session: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    usage: TokenUsage = _NO_USAGE
    category: TokenCategory | None = None
    estimated: bool = False
    cost_usd: float | None = None
    cost_source: CostSource | None = None
    attempts: int | None = None
    first_chunk_s: float | None = None
    """From the start of a call to the first chunk of its answer, seconds."""
    tool_outcome: str | None = None
    error_type: str | None = None
    violations: tuple[tuple[int, PolicyViolation], ...] = ()
    """With the epoch nanoseconds of each."""

    @property
    def model(self) -> str | None:
        """The model that answered, else the one that was asked."""
        return self.response_model or self.request_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One row. Tuples of keys are tried in order; the first that has a value counts."""

    name: str
    recognises: Callable[[SpanRecord], bool]
    kind: Callable[[SpanRecord], str]
    components: Mapping[str, LatencyComponent]
    turns: frozenset[str] = frozenset()
    workflows: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    turn_needs_name: bool = True
    ours: bool = False
    agent: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    request_model: tuple[str, ...] = ()
    response_model: tuple[str, ...] = ()
    input_tokens: tuple[str, ...] = ()
    output_tokens: tuple[str, ...] = ()
    cached_tokens: tuple[str, ...] = ()
    reasoning_tokens: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()


_GEN_AI_COMPONENTS: Final = {
    semconv.OP_CHAT: LatencyComponent.INFERENCE,
    semconv.OP_GENERATE_CONTENT: LatencyComponent.INFERENCE,
    semconv.OP_TEXT_COMPLETION: LatencyComponent.INFERENCE,
    semconv.OP_EXECUTE_TOOL: LatencyComponent.TOOL_EXECUTION,
    semconv.OP_SEARCH_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_CREATE_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_UPDATE_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_UPSERT_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_DELETE_MEMORY: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_RETRIEVAL: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_EMBEDDINGS: LatencyComponent.MEMORY_ACCESS,
    semconv.OP_APPLY_GUARDRAIL: LatencyComponent.POLICY_CHECK,
    semconv.OP_RUN_GUARDRAIL: LatencyComponent.POLICY_CHECK,
    semconv.OP_PLAN: LatencyComponent.ORCHESTRATION,
}
_OWN_COMPONENTS: Final = {
    component.value: component for component in LatencyComponent if component is not LatencyComponent.TOTAL
}
_AGENTNET_COMPONENTS: Final = {
    semconv.AGENTNET_INFERENCE_SPAN: LatencyComponent.INFERENCE,
    semconv.AGENTNET_TOOL_SPAN: LatencyComponent.TOOL_EXECUTION,
    semconv.AGENTNET_MONITOR_SPAN: LatencyComponent.POLICY_CHECK,
    semconv.AGENTNET_DAG_SPAN: LatencyComponent.ORCHESTRATION,
}
_AGENTNET_SPANS: Final = frozenset({semconv.AGENTNET_TURN_SPAN, *_AGENTNET_COMPONENTS})


def _is_own(span: SpanRecord) -> bool:
    return (
        span.scope_name == semconv.SCOPE_NAME
        or semconv.LATENCY_COMPONENT in span.attributes
        or semconv.TURN_OUTCOME in span.attributes
    )


def _own_kind(span: SpanRecord) -> str:
    """Our component, else the operation (turn, session)."""
    component = span.attributes.get(semconv.LATENCY_COMPONENT)
    return _operation(span) if component is None else str(component)


def _operation(span: SpanRecord) -> str:
    return str(span.attributes.get(semconv.OPERATION_NAME, ""))


def _is_agentnets(span: SpanRecord) -> bool:
    marks = (semconv.AGENTNET_CORRELATION_ID, semconv.AGENTNET_SESSION_ID)
    return span.name in _AGENTNET_SPANS and (
        span.scope_name.partition(".")[0] == "agentnet" or any(mark in span.attributes for mark in marks)
    )


DIALECTS: Final = (
    Dialect(
        name="agentnet-otel",
        recognises=_is_own,
        kind=_own_kind,
        components=_OWN_COMPONENTS,
        turns=frozenset({semconv.OP_INVOKE_AGENT}),
        sessions=frozenset({semconv.OP_INVOKE_WORKFLOW}),
        turn_needs_name=False,
        ours=True,
        agent=(semconv.AGENT_NAME,),
        subject=(
            semconv.TOOL_NAME,
            semconv.POLICY_NAME,
            semconv.ORCHESTRATION_STEP,
            semconv.PROCESSING_STEP,
            semconv.WORKFLOW_NAME,
        ),
        session=(semconv.CONVERSATION_ID,),
        request_model=(semconv.REQUEST_MODEL,),
        response_model=(semconv.RESPONSE_MODEL,),
        input_tokens=(semconv.USAGE_INPUT_TOKENS,),
        output_tokens=(semconv.USAGE_OUTPUT_TOKENS,),
        cached_tokens=(semconv.USAGE_CACHE_READ_INPUT_TOKENS,),
        reasoning_tokens=(semconv.USAGE_REASONING_OUTPUT_TOKENS,),
        cost=(semconv.COST_USD,),
    ),
    Dialect(
        name="agentnet",
        recognises=_is_agentnets,
        kind=lambda span: span.name,
        components=_AGENTNET_COMPONENTS,
        turns=frozenset({semconv.AGENTNET_TURN_SPAN}),
        turn_needs_name=False,
        agent=(semconv.AGENTNET_AGENT_NAME, semconv.AGENTNET_DAG_AGENT),
        subject=(semconv.AGENTNET_TOOL_NAME, semconv.AGENTNET_MONITOR_NAME, semconv.AGENTNET_DAG_NODE),
        session=(semconv.AGENTNET_CORRELATION_ID, semconv.AGENTNET_SESSION_ID),
        request_model=(semconv.AGENTNET_AGENT_MODEL,),
        output_tokens=(semconv.AGENTNET_OUTPUT_TOKENS,),
        cost=(semconv.AGENTNET_COST_USD,),
    ),
    Dialect(
        name="opentelemetry-genai",
        recognises=lambda span: semconv.OPERATION_NAME in span.attributes,
        kind=_operation,
        components=_GEN_AI_COMPONENTS,
        turns=frozenset({semconv.OP_INVOKE_AGENT}),
        workflows=frozenset({semconv.OP_INVOKE_WORKFLOW}),
        agent=(semconv.AGENT_NAME,),
        subject=(semconv.TOOL_NAME, semconv.WORKFLOW_NAME),
        session=(semconv.CONVERSATION_ID,),
        request_model=(semconv.REQUEST_MODEL,),
        response_model=(semconv.RESPONSE_MODEL,),
        input_tokens=(semconv.USAGE_INPUT_TOKENS, semconv.USAGE_PROMPT_TOKENS),
        output_tokens=(semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_COMPLETION_TOKENS),
        cached_tokens=(semconv.USAGE_CACHE_READ_INPUT_TOKENS,),
        reasoning_tokens=(semconv.USAGE_REASONING_OUTPUT_TOKENS,),
        cost=(semconv.USAGE_COST, semconv.OPERATION_COST),
    ),
)

_NOTHING: Final = SpanFacts()


def read_facts(span: SpanRecord) -> SpanFacts:
    """What a span says, by the first dialect that recognises it."""
    for dialect in DIALECTS:
        if dialect.recognises(span):
            return _facts(dialect, span)
    return _NOTHING


def is_turn_from_start(scope_name: str, operation: object) -> bool | None:
    """Whether a span that begins will be a turn, by its scope and ``gen_ai.operation.name``; None: it may become one.

    Only our own recorder is known to name the operation at the start.
    """
    return operation == semconv.OP_INVOKE_AGENT if scope_name == semconv.SCOPE_NAME else None


def _facts(dialect: Dialect, span: SpanRecord) -> SpanFacts:
    attributes = span.attributes
    kind = dialect.kind(span)
    component = dialect.components.get(kind)
    agent = _first_text(attributes, dialect.agent)
    cost_usd = values.amount(_first(attributes, dialect.cost))
    return SpanFacts(
        role=_role(dialect, kind, component, agent),
        component=component,
        ours=dialect.ours,
        agent=agent,
        subject=_first_text(attributes, dialect.subject),
        turn_id=values.text(attributes.get(semconv.TURN_ID)),
        session=_first_text(attributes, dialect.session),
        request_model=_first_text(attributes, dialect.request_model),
        response_model=_first_text(attributes, dialect.response_model),
        usage=_usage(dialect, attributes),
        category=_member(TokenCategory, attributes.get(semconv.TOKEN_CATEGORY)),
        estimated=values.flag(attributes.get(semconv.TOKENS_ESTIMATED)),
        cost_usd=cost_usd,
        cost_source=None
        if cost_usd is None
        else _member(CostSource, attributes.get(semconv.COST_SOURCE)) or CostSource.SPAN,
        attempts=_first_count(attributes, (semconv.INFERENCE_ATTEMPTS,)),
        first_chunk_s=values.amount(attributes.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK)),
        tool_outcome=_tool_outcome(span) if component is LatencyComponent.TOOL_EXECUTION else None,
        error_type=values.text(attributes.get(semconv.ERROR_TYPE)) or (_raised(span) if span.failed else None),
        violations=_violations(span) if span.events else (),
    )


def _role(dialect: Dialect, kind: str, component: LatencyComponent | None, agent: str | None) -> Role:
    if kind in dialect.turns:
        return Role.TURN if agent or not dialect.turn_needs_name else Role.OTHER
    if kind in dialect.workflows:
        return Role.WORKFLOW
    if kind in dialect.sessions:
        return Role.SESSION
    return Role.OTHER if component is None else Role.COMPONENT


def _tool_outcome(span: SpanRecord) -> str:
    """What the tool's span says, else what its status says."""
    said = values.text(span.attributes.get(semconv.TOOL_OUTCOME))
    return said or (Outcome.ERROR if span.failed else Outcome.SUCCESS).value


def _raised(span: SpanRecord) -> str | None:
    """The type of the exception that a failed span recorded last."""
    types = (e.attributes.get(semconv.EXCEPTION_TYPE) for e in span.events if e.name == semconv.EXCEPTION_EVENT)
    return next((text for found in reversed(list(types)) if (text := values.text(found)) is not None), None)


def _violations(span: SpanRecord) -> tuple[tuple[int, PolicyViolation], ...]:
    return tuple(
        (
            event.time_ns,
            PolicyViolation(
                rule=values.text(event.attributes.get(semconv.POLICY_RULE)) or semconv.ERROR_TYPE_OTHER,
                severity=values.text(event.attributes.get(semconv.POLICY_SEVERITY)),
            ),
        )
        for event in span.events
        if event.name == semconv.POLICY_VIOLATION_EVENT
    )


def _first(attributes: values.Attributes, keys: tuple[str, ...]) -> AttributeValue:
    for key in keys:
        value = attributes.get(key)
        if value is not None:
            return value
    return None


def _first_text(attributes: values.Attributes, keys: tuple[str, ...]) -> str | None:
    value = _first(attributes, keys)
    return value or None if isinstance(value, str) else values.text(value)


def _first_count(attributes: values.Attributes, keys: tuple[str, ...]) -> int | None:
    value = _first(attributes, keys)
    return None if value is None else values.count(value)


def _usage(dialect: Dialect, attributes: values.Attributes) -> TokenUsage:
    usage = TokenUsage(
        input=_first_count(attributes, dialect.input_tokens),
        output=_first_count(attributes, dialect.output_tokens),
        cached=_first_count(attributes, dialect.cached_tokens),
        reasoning=_first_count(attributes, dialect.reasoning_tokens),
    )
    return _NO_USAGE if usage.empty else usage


def _member(kind: type[E], value: object) -> E | None:
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        return None
