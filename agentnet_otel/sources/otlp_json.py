"""OTLP in JSON, as the Collector's file exporter and OTLP/HTTP write it: one request to `SpanRecord`s.

Field names and number forms are those of the OTLP specification: ids in hex, 64-bit integers as text or number,
enums as number (their names are accepted too).

A request is decoded at once into typed structs, its attributes left encoded for the `AttributeCache`. Where that
fails, each span is decoded on its own, so that a bad one costs only itself.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, TypeVar

import msgspec

from agentnet_otel import semconv
from agentnet_otel.errors import InputError, TruncatedError
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode
from agentnet_otel.sources.attribute_cache import Attribute, AttributeCache

Number = int | float | str
TellBadSpan = Callable[[str], None]
S = TypeVar("S")

_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16
_HEX: Final = "0123456789abcdef"
_TRUNCATED: Final = "Input data was truncated"
"""What msgspec says where the end is missing; it has no class for it."""


class _ArrayValue(msgspec.Struct):
    values: list["_AnyValue"] = []


class _KeyValues(msgspec.Struct):
    values: list["_KeyValue"] = []


class _AnyValue(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: _ArrayValue | None = None
    kvlist_value: _KeyValues | None = None


class _KeyValue(msgspec.Struct):
    key: str
    value: _AnyValue | None = None


class _Event(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: Number = 0
    name: str = ""
    attributes: list[msgspec.Raw] = []


class _Status(msgspec.Struct, gc=False):
    code: int | str = 0
    message: str = ""


_UNSET: Final = _Status()


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_state: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: Number = 0
    end_time_unix_nano: Number = 0
    attributes: list[msgspec.Raw] = []
    events: list[_Event] = []
    status: _Status | None = None
    flags: Number = 0


class _Scope(msgspec.Struct, gc=False):
    name: str = ""
    version: str = ""


class _ScopeSpans(msgspec.Struct, Generic[S], rename="camel", gc=False):
    scope: _Scope | None = None
    spans: list[S] = []


class _Resource(msgspec.Struct, gc=False):
    attributes: list[msgspec.Raw] = []


class _ResourceSpans(msgspec.Struct, Generic[S], rename="camel", gc=False):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans[S]] = []


class _Request(msgspec.Struct, Generic[S], rename="camel", gc=False):
    resource_spans: list[_ResourceSpans[S]] | None = None
    resource_metrics: msgspec.Raw | None = None
    resource_logs: msgspec.Raw | None = None
    resource_profiles: msgspec.Raw | None = None


_typed_decoder: Final = msgspec.json.Decoder(_Request[_Span])
_raw_decoder: Final = msgspec.json.Decoder(_Request[msgspec.Raw])
_span_decoder: Final = msgspec.json.Decoder(_Span)
_attribute_decoder: Final = msgspec.json.Decoder(_KeyValue)


class JsonDecoder:
    """Decodes requests; one a reader, for it remembers attributes."""

    def __init__(self) -> None:
        self._attributes = AttributeCache(_decode_attribute)

    def decode(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The spans of one request; requests of other signals have none. A bad span is told and left out.

        Raises:
            InputError: it is no JSON, or no OTLP request.
        """
        try:
            request = _typed_decoder.decode(data)
        except msgspec.ValidationError:
            yield from self._decode_one_by_one(data, tell_bad_span)
            return
        except (msgspec.DecodeError, RecursionError) as error:
            raise _not_json(error) from None
        if request.resource_spans is None:
            _check_other_signal(request, data)
            return
        for resource_spans in request.resource_spans:
            resource = self._resource(resource_spans.resource)
            for scope_spans in resource_spans.scope_spans:
                scope = scope_spans.scope or _Scope()
                for span in scope_spans.spans:
                    try:
                        record = self._record(span, resource, scope)
                    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
                        tell_bad_span(f"a span was left out: {error}")
                    else:
                        yield record

    def _decode_one_by_one(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The slow way, for a request that holds something wrong."""
        try:
            request = _raw_decoder.decode(data)
        except msgspec.ValidationError as error:
            message = f"not an OTLP request: {error}"
            raise InputError(message) from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise _not_json(error) from None
        for resource_spans in request.resource_spans or ():
            resource = self._resource(resource_spans.resource)
            for scope_spans in resource_spans.scope_spans:
                for raw in scope_spans.spans:
                    try:
                        span = _span_decoder.decode(raw)
                        record = self._record(span, resource, scope_spans.scope or _Scope())
                    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
                        tell_bad_span(f"a span was left out: {error}")
                    else:
                        yield record

    def _resource(self, resource: _Resource | None) -> Mapping[str, AttributeValue]:
        if resource is None:
            return {}
        try:
            return self._attributes.mapping(resource.attributes)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            message = f"not an OTLP request: a resource has a bad attribute: {error}"
            raise InputError(message) from None

    def _record(self, span: _Span, resource: Mapping[str, AttributeValue], scope: _Scope) -> SpanRecord:
        flags = _integer(span.flags)
        status = span.status or _UNSET
        return SpanRecord(
            trace_id=_hex_id(span.trace_id, _TRACE_ID_DIGITS, "traceId"),
            span_id=_hex_id(span.span_id, _SPAN_ID_DIGITS, "spanId"),
            parent_span_id=_parent_id(span.parent_span_id),
            parent_is_remote=bool(flags & _IS_REMOTE) if flags & _HAS_IS_REMOTE else None,
            name=span.name,
            kind=_KINDS.get(span.kind, SpanKind.UNSPECIFIED),  # what a newer specification may add is unspecified here
            start_ns=_integer(span.start_time_unix_nano),
            end_ns=_integer(span.end_time_unix_nano),
            status=_STATUSES.get(status.code, StatusCode.UNSET),
            status_description=status.message,
            trace_state=span.trace_state,
            attributes=self._attributes.mapping(span.attributes),
            events=tuple(map(self._event, span.events)) if span.events else (),
            service_name=str(resource.get(semconv.SERVICE_NAME, "")),
            resource=resource,
            scope_name=scope.name,
            scope_version=scope.version,
        )

    def _event(self, event: _Event) -> SpanEvent:
        return SpanEvent(
            name=event.name,
            time_ns=_integer(event.time_unix_nano),
            attributes=self._attributes.mapping(event.attributes),
        )


def _not_json(error: Exception) -> InputError:
    kind = TruncatedError if str(error) == _TRUNCATED else InputError
    return kind(f"not JSON: {error}")


def _check_other_signal(request: _Request[_Span], data: bytes) -> None:
    others = (request.resource_metrics, request.resource_logs, request.resource_profiles)
    if all(other is None for other in others) and data.strip() != b"{}":
        message = "not an OTLP request: it has no resourceSpans"
        raise InputError(message)


def _parent_id(text: str) -> str | None:
    """The id of the parent; none where it is empty or all zero."""
    if not text or text.strip("0") == "":
        return None
    return _hex_id(text, _SPAN_ID_DIGITS, "parentSpanId")


def _hex_id(text: str, digits: int, field: str) -> str:
    lowered = text.lower()
    if len(lowered) != digits or lowered.strip(_HEX) or lowered == "0" * digits:
        message = f"{field} {text!r} is not {digits} hex digits that are not all zero"
        raise ValueError(message)
    return lowered


def _integer(value: Number) -> int:
    number = int(value)
    if number < 0:
        message = f"{value!r} is negative"
        raise ValueError(message)
    return number


_KINDS: Final[Mapping[int | str, SpanKind]] = {
    name: kind for kind in SpanKind for name in (kind.value, str(kind.value), f"SPAN_KIND_{kind.name}")
}
_STATUSES: Final[Mapping[int | str, StatusCode]] = {
    name: code for code in StatusCode for name in (code.value, str(code.value), f"STATUS_CODE_{code.name}")
}


def _decode_attribute(encoded: bytes) -> Attribute:
    pair = _attribute_decoder.decode(encoded)
    return pair.key, _value(pair.value)


def _value(value: _AnyValue | None) -> AttributeValue:
    if value is None:
        return None
    if value.array_value is not None:
        return tuple(_value(item) for item in value.array_value.values)
    if value.kvlist_value is not None:
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return _scalar(value)


def _scalar(value: _AnyValue) -> AttributeValue:
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return int(value.int_value)
    if value.double_value is not None:
        return float(value.double_value)  # takes the texts NaN, Infinity and -Infinity too
    return _bytes(value.bytes_value) if value.bool_value is None else value.bool_value


def _bytes(text: str | None) -> AttributeValue:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except binascii.Error:
        return text
