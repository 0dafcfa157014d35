"""A span in the form in which nearly all of them come, cut down to what a turn needs of it.

Millions of spans go through here, so one object is made of each, by the reader of its format, and nothing is derived
from it before it is needed. Its fields are named, for the decoder, as OTLP JSON names them. What is unusual about a
span (another dialect, a value of an odd type, an id in capitals) makes it no plain span: it takes the general way.

Of the attributes those are kept that the two plain dialects read: our own, and the GenAI conventions. So what the
general way reads out of a plain span (`member_of_plain`) is what it would read out of the span as it was.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.dialects import SpanFacts, read_facts
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.core.values import Attributes
from agentnet_otel.model import SpanEvent, SpanKind, SpanRecord, StatusCode

HAS_IS_REMOTE: Final = 0x100
IS_REMOTE: Final = 0x200
NOT_READ: Final = msgspec.Raw(b"null")

_KINDS: Final = {kind.value: kind for kind in SpanKind}
_STATUSES: Final = {code.value: code for code in StatusCode}


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all spans of one scope of one resource share. ``ours``: whether our own recorder wrote them."""

    resource: Attributes
    service_name: str
    scope_name: str
    scope_version: str
    ours: bool


def origin_of(span: SpanRecord) -> Origin:
    """The origin of a span in the normal form."""
    return Origin(
        resource=span.resource,
        service_name=span.service_name,
        scope_name=span.scope_name,
        scope_version=span.scope_version,
        ours=span.scope_name == semconv.SCOPE_NAME,
    )


NO_ORIGIN: Final = Origin(resource={}, service_name="", scope_name="", scope_version="", ours=False)


class Kind(msgspec.Struct, frozen=True, gc=False):
    """What a span is: the turn itself, or spent on a component, or neither."""

    turn: bool = False
    component: str | None = None
    call: bool = False
    """Whether it counts where it lies outside any turn."""


OTHER: Final = Kind()

if TYPE_CHECKING:
    Said = Attributes
    Events = tuple[SpanEvent, ...]
    From = Origin
    What = Kind
else:  # the decoder, which no JSON gives these, need not know how they are decoded
    Said = Events = From = What = Any


LARGEST: Final = 2**63 - 1
"""Times and flags that are larger in JSON are unusual: they take the general way."""
Number = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]


class Status(msgspec.Struct, gc=False):
    """How a span ended, as OTLP numbers it."""

    code: int = 0


class PlainSpan(
    msgspec.Struct,
    gc=False,
    rename={
        "trace_id": "traceId",
        "span_id": "spanId",
        "parent_span_id": "parentSpanId",
        "trace_state": "traceState",
        "start_ns": "startTimeUnixNano",
        "end_ns": "endTimeUnixNano",
        "encoded": "attributes",
        "encoded_events": "events",
        "attributes": " attributes",
        "events": " events",
        "origin": " origin",
        "what": " what",
    },
):
    """One ended span; ids as in `SpanRecord`, but a root's parent is the empty text.

    The reader takes ``encoded`` and ``encoded_events`` for ``attributes`` and ``events``; no JSON has the names that
    these, ``origin`` and ``what`` go by. The name is let go: of a plain span nothing reads it.
    """

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_state: str = ""
    flags: Number = 0
    name: str = ""
    kind: int = 0
    start_ns: Number = 0
    end_ns: Number = 0
    encoded: msgspec.Raw = NOT_READ
    encoded_events: tuple[msgspec.Raw, ...] = ()
    status: Status | None = None
    attributes: Said = {}
    events: Events = ()
    origin: From = NO_ORIGIN
    what: What = OTHER
    """Set where its trace is looked at."""

    @property
    def parent_is_remote(self) -> bool | None:
        """Whether the parent is in another process; None where the carrier does not tell."""
        return bool(self.flags & IS_REMOTE) if self.flags & HAS_IS_REMOTE else None

    @property
    def failed(self) -> bool:
        """Whether its status says so."""
        return self.status is not None and self.status.code == StatusCode.ERROR


def record_of_plain(span: PlainSpan, attributes: Attributes | None = None) -> SpanRecord:
    """The span in the normal form, with the given attributes or those that it has kept."""
    origin, status = span.origin, span.status
    return SpanRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id or None,
        parent_is_remote=span.parent_is_remote,
        name=span.name,
        kind=_KINDS.get(span.kind, SpanKind.UNSPECIFIED),
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        status=StatusCode.UNSET if status is None else _STATUSES.get(status.code, StatusCode.UNSET),
        trace_state=span.trace_state,
        attributes=span.attributes if attributes is None else attributes,
        events=span.events,
        service_name=origin.service_name,
        resource=origin.resource,
        scope_name=origin.scope_name,
        scope_version=origin.scope_version,
    )


def facts_of_plain(span: PlainSpan) -> SpanFacts:
    """What the span says."""
    return read_facts(record_of_plain(span))


def member_of_plain(span: PlainSpan) -> Member:
    """The span as the general way takes it."""
    record = record_of_plain(span)
    return member_of(record, read_facts(record))
