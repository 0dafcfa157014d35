"""OTLP in protobuf: one message (a request, or the same as ``TracesData``) to `SpanRecord`s.

The schema is that of opentelemetry-proto with few changes: attributes of spans and events are left encoded, because
the `AttributeCache` finds most of them without decoding (on the wire a message and its bytes are the same); and what
nothing reads, as links, is left out. What scopes were called before is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.errors import InputError
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode
from agentnet_otel.sources.attribute_cache import Attribute, AttributeCache
from agentnet_otel.sources.message_density import check_density
from agentnet_otel.sources.otlp_json import TellBadSpan
from agentnet_otel.sources.quoted import quoted

_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_KINDS: Final = {kind.value: kind for kind in SpanKind}
_STATUSES: Final = {code.value: code for code in StatusCode}


def _classes() -> tuple[Any, Any, Any, Any]:
    """The classes of the message, and of a span, a resource and a scope in it, in a pool of their own."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        schema = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(schema)
        for message in schema.message_type:
            _leave_out(message, _NOT_READ.get(message.name, ()))
            if message.name == "ResourceSpans":
                _add_former_scopes(message)
            if message.name == "Span":
                for part in (message, *message.nested_type):
                    _leave_attributes_encoded(part)
        pool.Add(schema)
    names = ("trace.v1.TracesData", "trace.v1.Span", "resource.v1.Resource", "common.v1.InstrumentationScope")
    whole, span, resource, scope = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"opentelemetry.proto.{name}")) for name in names
    )
    return whole, span, resource, scope


_NOT_READ: Final = {
    "Span": ("links",),
    "Resource": ("entity_refs",),
    "InstrumentationScope": ("attributes",),
}
"""Fields that nothing reads: to the parser they are unknown, so that it makes nothing of them."""


def _leave_out(message: descriptor_pb2.DescriptorProto, names: Sequence[str]) -> None:
    kept = [field for field in message.field if field.name not in names]
    del message.field[:]
    message.field.extend(kept)


def _add_former_scopes(message: descriptor_pb2.DescriptorProto) -> None:
    """Give scopes with their spans their former field as well; on the wire they are the same."""
    message.ClearField("reserved_range")
    former = message.field.add()
    former.CopyFrom(next(field for field in message.field if field.name == "scope_spans"))
    former.name, former.number, former.json_name = "instrumentation_library_spans", 1000, ""


def _leave_attributes_encoded(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        if field.name == "attributes":
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")


TracesData, Span, Resource, Scope = _classes()
"""The message, attributes of spans and events left encoded; and a span, a resource and a scope of it."""


class ProtobufDecoder:
    """Decodes messages; one a reader, for it remembers attributes."""

    def __init__(self) -> None:
        self._attributes = AttributeCache(decode_attribute)

    def decode(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The spans of one message. A bad span is told and left out.

        Raises:
            InputError: it is no such message.
        """
        for resource_spans in _parsed(data).resource_spans:
            resource = self.resource(resource_spans.resource)
            for scope_spans in _scopes(resource_spans):
                scope = (scope_spans.scope.name, scope_spans.scope.version)
                for span in scope_spans.spans:
                    try:
                        record = self.record(span, resource, scope)
                    except (DecodeError, ValueError, RecursionError) as error:
                        tell_bad_span(f"a span was left out: {error}")
                    else:
                        yield record

    def record(self, span: Any, resource: Mapping[str, AttributeValue], scope: tuple[str, str]) -> SpanRecord:
        """A span of a message in the normal form; ``scope`` is name and version.

        Raises:
            ValueError: an id is none, or the start is missing.
            DecodeError: an attribute is none.
        """
        if span.end_time_unix_nano and not span.start_time_unix_nano:
            message = "it has an end and no start_time_unix_nano"
            raise ValueError(message)
        flags, parent = span.flags, span.parent_span_id
        status = span.status
        return SpanRecord(
            trace_id=_hex_id(span.trace_id, _TRACE_ID_BYTES, "trace_id"),
            span_id=_hex_id(span.span_id, _SPAN_ID_BYTES, "span_id"),
            parent_span_id=_hex_id(parent, _SPAN_ID_BYTES, "parent_span_id") if parent.strip(b"\0") else None,
            parent_is_remote=bool(flags & _IS_REMOTE) if flags & _HAS_IS_REMOTE else None,
            name=span.name,
            kind=_KINDS.get(span.kind, SpanKind.UNSPECIFIED),
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            status=_STATUSES.get(status.code, StatusCode.UNSET),
            status_description=status.message,
            trace_state=span.trace_state,
            attributes=self._attributes.mapping(span.attributes),
            events=self.events(span),
            service_name=values.text(resource.get(semconv.SERVICE_NAME)) or "",
            resource=resource,
            scope_name=scope[0],
            scope_version=scope[1],
        )

    def resource(self, resource: Any) -> Mapping[str, AttributeValue]:
        """The attributes of a resource of a message."""
        return {pair.key: _value(pair.value) for pair in resource.attributes}

    def events(self, span: Any) -> tuple[SpanEvent, ...]:
        """The events of a span of a message.

        Raises:
            DecodeError: an attribute of one is none.
        """
        return tuple(map(self._event, span.events))

    def _event(self, event: Any) -> SpanEvent:
        return SpanEvent(
            name=event.name, time_ns=event.time_unix_nano, attributes=self._attributes.mapping(event.attributes)
        )


def _parsed(data: bytes) -> Any:
    """The message.

    Raises:
        InputError: it is none, or one of something else, or has too many parts for its size.
    """
    check_density(data)
    try:
        message = TracesData.FromString(data)
    except DecodeError as error:
        text = f"not an OTLP protobuf message: {error}"
        raise InputError(text) from None
    if data and not message.resource_spans:
        text = "not an OTLP protobuf message of spans: it has no resource_spans"
        raise InputError(text)
    return message


def _scopes(resource_spans: Any) -> Sequence[Any]:
    """The scopes with their spans, be it under their former name; where both are written, they say the same."""
    found: Sequence[Any] = resource_spans.scope_spans or resource_spans.instrumentation_library_spans
    return found


def _hex_id(raw: bytes, length: int, field: str) -> str:
    if len(raw) != length or not raw.strip(b"\0"):
        message = f"{field} {quoted(raw.hex())} is not {length} bytes that are not all zero"
        raise ValueError(message)
    return raw.hex()


def decode_attribute(encoded: bytes) -> Attribute:
    """A key and its value.

    Raises:
        DecodeError: it is no attribute.
    """
    pair = common_pb2.KeyValue.FromString(encoded)
    return pair.key, _value(pair.value)


def _value(value: common_pb2.AnyValue) -> AttributeValue:
    field = value.WhichOneof("value")
    if field is None:
        return None
    if field == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if field == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    found: AttributeValue = getattr(value, field)
    return found


def inspect_message(data: bytes) -> tuple[int, int]:
    """Look at a message without decoding it: how many spans it holds, and how many of them cannot be used.

    Raises:
        InputError: it is no such message.
    """
    spans = bad = 0
    for resource_spans in _parsed(data).resource_spans:
        for scope_spans in _scopes(resource_spans):
            spans += len(scope_spans.spans)
            bad += sum(not _is_usable(span) for span in scope_spans.spans)
    return spans, bad


def _is_usable(span: Any) -> bool:
    """Whether it has ids, and a start if it has an end."""
    if span.end_time_unix_nano and not span.start_time_unix_nano:
        return False
    trace_id, span_id = span.trace_id, span.span_id
    return len(trace_id) == _TRACE_ID_BYTES and len(span_id) == _SPAN_ID_BYTES and any(trace_id) and any(span_id)
