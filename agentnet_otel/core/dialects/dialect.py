"""A row of the table of dialects, and the one way in which all rows are read.

Millions of spans go through `read`. So a row is turned once into an index from each of its keys to the fact that stands
there, and the attributes of a span are gone through once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects.facts import NO_USAGE, Role, SpanFacts
from agentnet_otel.core.dialects.json_figures import cost_in, usage_in
from agentnet_otel.model import (
    AttributeValue,
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    SpanEvent,
    SpanRecord,
    TokenCategory,
    TokenUsage,
)

Keys = tuple[str, ...]
"""Tried in order; the first that has a value counts."""

_TURNS: Final = frozenset({Role.TURN, Role.UNNAMED_TURN})


class Spoken(Protocol):
    """A span as far as its kind is read from it: a `SpanRecord`, or what is kept of one in the process."""

    @property
    def name(self) -> str:
        """What its writer calls it."""

    @property
    def scope_name(self) -> str:
        """Who wrote it."""

    @property
    def attributes(self) -> values.Attributes:
        """What it says."""

    @property
    def failed(self) -> bool:
        """Whether its status says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKeys:
    """Where token counts stand. What the keys lack is looked for in ``objects``: usage as JSON or as a mapping."""

    input: Keys = ()
    output: Keys = ()
    cached: Keys = ()
    reasoning: Keys = ()
    objects: Keys = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One row.

    ``kind`` names what a span is, in the dialect's words; ``roles`` and ``components`` say what that is in ours.
    ``unnamed_turn`` is the role of an agent whose name stands under none of the keys ``agent``. Spans of the kinds
    ``named_by_span`` have their own name as that of the agent or of the tool. ``refine`` puts right what no key tells.
    """

    name: str
    kind: Callable[[Spoken], str]
    roles: Mapping[str, Role] = field(default_factory=dict)
    components: Mapping[str, LatencyComponent]
    unnamed_turn: Role = Role.OTHER
    named_by_span: frozenset[str] = frozenset()
    ours: bool = False
    agent: Keys = ()
    subject: Keys = ()
    session: Keys = ()
    request_model: Keys = ()
    response_model: Keys = ()
    tokens: TokenKeys = field(default_factory=TokenKeys)
    cost: Keys = ()
    cost_objects: Keys = ()
    """Instead of ``cost``."""
    first_chunk_ms: Keys = ()
    """Instead of `FIRST_CHUNK_KEYS`, in milliseconds."""
    first_chunk_events: frozenset[str] = frozenset()
    """Names of events; the first such tells when the first chunk came, if no key does."""
    failed: Callable[[SpanRecord], bool] | None = None
    """None: its status says so."""
    refine: Callable[[SpanRecord, str, SpanFacts], SpanFacts] | None = None
    index: Mapping[str, "Place"] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", _index_of(self))


Place = tuple[str, int, Callable[[AttributeValue], object]]
"""Which fact stands under a key, how many keys go before it (`_ALONE`: it has no other), and how its value is read."""


def _index_of(dialect: Dialect) -> dict[str, Place]:
    tokens = dialect.tokens
    facts: tuple[tuple[str, Keys, Callable[[AttributeValue], object]], ...] = (
        ("agent", dialect.agent, values.text),
        ("subject", dialect.subject, values.text),
        ("session", dialect.session, values.text),
        ("request_model", dialect.request_model, values.text),
        ("response_model", dialect.response_model, values.text),
        (_INPUT, tokens.input, values.count),
        (_OUTPUT, tokens.output, values.count),
        (_CACHED, tokens.cached, values.count),
        (_REASONING, tokens.reasoning, values.count),
        (_USAGE_OBJECT, tokens.objects, usage_in),
        ("cost_usd", dialect.cost_objects, cost_in),
        ("cost_usd", dialect.cost, values.amount),
        ("first_chunk_s", dialect.first_chunk_ms, _seconds),
        *_OF_ALL_DIALECTS,
    )
    return {
        key: (fact, _ALONE if len(keys) == 1 else rank, convert)
        for fact, keys, convert in facts
        for rank, key in enumerate(keys)
    }


def read(dialect: Dialect, span: SpanRecord) -> SpanFacts:
    """What a span says in a dialect."""
    said = _said(dialect, span.attributes)
    kind = dialect.kind(span)
    component = dialect.components.get(kind)
    role = dialect.roles.get(kind)
    if role is None:
        role = Role.OTHER if component is None else Role.COMPONENT
    elif role is Role.TURN and "agent" not in said:
        role = dialect.unnamed_turn
    if kind in dialect.named_by_span and span.name:
        said.setdefault("agent" if role in _TURNS else "subject", span.name)
    failed = span.failed if dialect.failed is None else dialect.failed(span)
    if component is LatencyComponent.TOOL_EXECUTION:
        said.setdefault("tool_outcome", (Outcome.ERROR if failed else Outcome.SUCCESS).value)
    else:
        said.pop("tool_outcome", None)
    if failed and "error_type" not in said:
        said["error_type"] = raised_in(span.events)
    if span.events:
        said["violations"] = violations_in(span.events)
        if dialect.first_chunk_events and "first_chunk_s" not in said:
            said["first_chunk_s"] = _first_of(dialect.first_chunk_events, span)
    facts = SpanFacts(role=role, dialect=dialect.name, component=component, ours=dialect.ours, failed=failed, **said)
    return facts if dialect.refine is None else dialect.refine(span, kind, facts)


def _said(dialect: Dialect, attributes: values.Attributes) -> dict[str, Any]:
    """The facts that stand under keys of the dialect, as arguments of `SpanFacts`."""
    place_of = dialect.index.get
    said: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    for key, value in attributes.items():
        place = place_of(key)
        if place is None:
            continue
        fact, rank, convert = place
        if rank != _ALONE and rank > ranks.get(fact, _LAST):
            continue
        fact_read = value if convert is values.text and type(value) is str and value else convert(value)
        if fact_read is not None:
            said[fact] = fact_read
            if rank != _ALONE:
                ranks[fact] = rank
    if not _TOKENS.isdisjoint(said):
        said["usage"] = _usage(said)
    if "cost_usd" in said:
        said.setdefault("cost_source", CostSource.SPAN)
    else:
        said.pop("cost_source", None)
    return said


def _usage(said: dict[str, Any]) -> TokenUsage:
    """Take the counts out of what was said; what they lack is taken from a usage object."""
    whole = said.pop(_USAGE_OBJECT, NO_USAGE)
    usage = TokenUsage(
        input=said.pop(_INPUT, whole.input),
        output=said.pop(_OUTPUT, whole.output),
        cached=said.pop(_CACHED, whole.cached),
        reasoning=said.pop(_REASONING, whole.reasoning),
    )
    return NO_USAGE if usage.empty else usage


def text_of(span: Spoken, key: str) -> str:
    """An attribute as text, empty where there is none."""
    value = span.attributes.get(key)
    return value if isinstance(value, str) else values.text(value) or ""


def raised_in(events: Sequence[SpanEvent]) -> str | None:
    """The type of the exception that a failed span recorded last."""
    types = (e.attributes.get(semconv.EXCEPTION_TYPE) for e in events if e.name == semconv.EXCEPTION_EVENT)
    return next((text for found in reversed(list(types)) if (text := values.text(found)) is not None), None)


def _first_of(names: frozenset[str], span: SpanRecord) -> float | None:
    """From the start of a span to the first of its events of these names, seconds."""
    return seconds_to(min((event.time_ns for event in span.events if event.name in names), default=None), span)


def seconds_to(time_ns: int | None, span: SpanRecord) -> float | None:
    """From the start of a span to a moment; None where there is none, or one before it. Its end may be before that.

    Spans of streams are ended when the stream is given out.
    """
    return None if time_ns is None or time_ns < span.start_ns else (time_ns - span.start_ns) / _NANOS


def _seconds(milliseconds: AttributeValue) -> float | None:
    found = values.amount(milliseconds)
    return None if found is None else found / 1000


def violations_in(events: Sequence[SpanEvent]) -> tuple[tuple[int, PolicyViolation], ...]:
    """The violated rules that a span recorded, with the time of each."""
    return tuple(
        (
            event.time_ns,
            PolicyViolation(
                rule=values.text(event.attributes.get(semconv.POLICY_RULE)) or semconv.ERROR_TYPE_OTHER,
                severity=values.text(event.attributes.get(semconv.POLICY_SEVERITY)),
            ),
        )
        for event in events
        if event.name == semconv.POLICY_VIOLATION_EVENT
    )


def _member_in(kind: type[Enum]) -> Callable[[AttributeValue], object]:
    """A reader of members by their value; None where it is none."""
    members = {member.value: member for member in kind}
    return lambda value: members.get(value) if isinstance(value, str) else None


PROVIDER_KEYS: Final = (
    semconv.PROVIDER_NAME,
    semconv.SYSTEM,
    semconv.OPENINFERENCE_PROVIDER,
    semconv.AGENTNET_AGENT_PROVIDER,
)
"""Who sells the model, whoever writes it."""

FIRST_CHUNK_KEYS: Final = (
    semconv.RESPONSE_TIME_TO_FIRST_CHUNK,
    semconv.OPERATION_TIME_TO_FIRST_CHUNK,
    semconv.SERVER_TIME_TO_FIRST_TOKEN,
    semconv.SERVER_TTFT,
)
"""From the start of a call to the first chunk of its answer, seconds."""

_NANOS: Final = 1_000_000_000
_LAST: Final = 1_000
_ALONE: Final = -1
"""The rank of a key that shares its fact with no other."""
_INPUT: Final = "input"
_OUTPUT: Final = "output"
_CACHED: Final = "cached"
_REASONING: Final = "reasoning"
_USAGE_OBJECT: Final = "usage_object"
_TOKENS: Final = frozenset({_INPUT, _OUTPUT, _CACHED, _REASONING, _USAGE_OBJECT})
_OF_ALL_DIALECTS: Final[tuple[tuple[str, Keys, Callable[[AttributeValue], object]], ...]] = (
    ("turn_id", (semconv.TURN_ID,), values.text),
    ("category", (semconv.TOKEN_CATEGORY,), _member_in(TokenCategory)),
    ("estimated", (semconv.TOKENS_ESTIMATED,), values.flag),
    ("provider", PROVIDER_KEYS, values.text),
    ("batch", (semconv.INFERENCE_BATCH,), values.flag),
    ("cost_source", (semconv.COST_SOURCE,), _member_in(CostSource)),
    ("attempts", (semconv.INFERENCE_ATTEMPTS,), values.count),
    ("first_chunk_s", FIRST_CHUNK_KEYS, values.amount),
    ("tool_outcome", (semconv.TOOL_OUTCOME,), values.text),
    ("error_type", (semconv.ERROR_TYPE,), values.text),
)
