"""The SDK's spans as they are taken off an application's hands: what is needed of them, as quickly as can be."""

from collections.abc import Mapping, Sequence

import msgspec
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode

from agentnet_otel import semconv
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord
from agentnet_otel.model import StatusCode as ModelStatusCode


class CapturedSpan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an ended span says. The span itself, which is several times as large, is let go."""

    context: SpanContext | None
    parent: SpanContext | None
    name: str
    kind: int
    """As OTLP counts: from 1."""
    start_ns: int
    end_ns: int
    status: StatusCode
    status_description: str
    attributes: Mapping[str, AttributeValue]
    events: Sequence[Event]
    resource: Mapping[str, object]
    scope_name: str
    scope_version: str

    def record(self) -> SpanRecord:
        """The span in the normal form."""
        context, parent = self.context, self.parent
        return SpanRecord(
            trace_id="" if context is None else format(context.trace_id, "032x"),
            span_id="" if context is None else format(context.span_id, "016x"),
            parent_span_id=None if parent is None else format(parent.span_id, "016x"),
            parent_is_remote=None if parent is None else parent.is_remote,
            name=self.name,
            kind=SpanKind(self.kind),
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            status=ModelStatusCode(self.status.value),
            status_description=self.status_description,
            trace_state=context.trace_state.to_header() if context is not None and context.trace_state else "",
            attributes=self.attributes,
            events=tuple(
                SpanEvent(name=e.name, time_ns=e.timestamp, attributes=_copied(e.attributes)) for e in self.events
            ),
            service_name=str(self.resource.get(semconv.SERVICE_NAME, "")),
            scope_name=self.scope_name,
            scope_version=self.scope_version,
        )

    @property
    def failed(self) -> bool:
        """Whether its status says so."""
        return self.status is StatusCode.ERROR

    @property
    def is_outermost(self) -> bool:
        """Whether no span of this process is around it."""
        return self.parent is None or self.parent.is_remote

    @property
    def characters(self) -> int:
        """How much text it holds, about: what makes spans large."""
        size = 0
        for value in self.attributes.values():
            if type(value) is str or type(value) is tuple:
                size += len(value)
        for event in self.events:
            size += sum(len(value) for value in (event.attributes or {}).values() if isinstance(value, str))
        return size


def captured(span: ReadableSpan) -> CapturedSpan:
    """Take what is needed of a span; an open one ends where it began."""
    scope, status = span.instrumentation_scope, span.status
    start_ns = span.start_time or 0
    return CapturedSpan(
        context=span.context,
        parent=span.parent,
        name=span.name,
        kind=span.kind.value + 1,
        start_ns=start_ns,
        end_ns=span.end_time or start_ns,
        status=status.status_code,
        status_description=status.description or "",
        attributes=_copied(span.attributes),
        events=span.events,
        resource=span.resource.attributes,
        scope_name="" if scope is None else scope.name,
        scope_version="" if scope is None else scope.version or "",
    )


def to_record(span: ReadableSpan) -> SpanRecord:
    """The SDK's span in the normal form; an open one ends where it began."""
    return captured(span).record()


def _copied(attributes: Mapping[str, object] | None) -> dict[str, AttributeValue]:
    """A copy; the SDK's own mappings make one many times as fast as reading key by key does."""
    copy = getattr(attributes, "copy", None)
    if copy is not None:
        return copy()  # type: ignore[no-any-return]
    return dict(attributes) if attributes else {}  # type: ignore[arg-type]
