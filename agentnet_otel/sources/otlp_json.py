"""OTLP in JSON, as the Collector's file exporter and OTLP/HTTP write it: one request to `SpanRecord`s.

Field names and number forms are those of the OTLP specification: ids in hex, 64-bit integers as text or number,
enums as number (their names are accepted too). Each span is decoded on its own, so that a bad one costs only itself.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.errors import InputError
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode

Number = int | float | str
TellBadSpan = Callable[[str], None]

_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16


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


class _Event(msgspec.Struct, rename="camel"):
    time_unix_nano: Number = 0
    name: str = ""
    attributes: list[_KeyValue] = []


class _Status(msgspec.Struct):
    code: int | str = 0
    message: str = ""


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_state: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: Number = 0
    end_time_unix_nano: Number = 0
    attributes: list[_KeyValue] = []
    events: list[_Event] = []
    status: _Status | None = None
    flags: Number = 0


class _Scope(msgspec.Struct):
    name: str = ""
    version: str = ""


class _ScopeSpans(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] = []


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None
    resource_metrics: msgspec.Raw | None = None
    resource_logs: msgspec.Raw | None = None
    resource_profiles: msgspec.Raw | None = None


_request_decoder: Final = msgspec.json.Decoder(_Request)
_span_decoder: Final = msgspec.json.Decoder(_Span)


def decode_request(data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
    """The spans of one request; requests of other signals have none. A bad span is told and left out.

    Raises:
        InputError: it is no JSON, or no OTLP request.
    """
    try:
        request = _request_decoder.decode(data)
    except msgspec.ValidationError as error:
        message = f"not an OTLP request: {error}"
        raise InputError(message) from None
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise InputError(message) from None
    if request.resource_spans is None:
        _check_other_signal(request, data)
        return
    for resource_spans in request.resource_spans:
        resource = {} if resource_spans.resource is None else _attributes(resource_spans.resource.attributes)
        service_name = str(resource.get(semconv.SERVICE_NAME, ""))
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope or _Scope()
            for raw in scope_spans.spans:
                record = _decode_span(raw, service_name, scope, tell_bad_span)
                if record is not None:
                    yield record


def _check_other_signal(request: _Request, data: bytes) -> None:
    others = (request.resource_metrics, request.resource_logs, request.resource_profiles)
    if all(other is None for other in others) and data.strip() != b"{}":
        message = "not an OTLP request: it has no resourceSpans"
        raise InputError(message)


def _decode_span(raw: msgspec.Raw, service_name: str, scope: _Scope, tell_bad_span: TellBadSpan) -> SpanRecord | None:
    try:
        span = _span_decoder.decode(raw)
        return _record(span, service_name, scope)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        tell_bad_span(f"a span was left out: {error}")
        return None


def _record(span: _Span, service_name: str, scope: _Scope) -> SpanRecord:
    flags = _integer(span.flags)
    status = span.status or _Status()
    return SpanRecord(
        trace_id=_hex_id(span.trace_id, _TRACE_ID_DIGITS, "traceId"),
        span_id=_hex_id(span.span_id, _SPAN_ID_DIGITS, "spanId"),
        parent_span_id=_hex_id(span.parent_span_id, _SPAN_ID_DIGITS, "parentSpanId") if _is_set(span) else None,
        parent_is_remote=bool(flags & _IS_REMOTE) if flags & _HAS_IS_REMOTE else None,
        name=span.name,
        kind=_kind(span.kind),
        start_ns=_integer(span.start_time_unix_nano),
        end_ns=_integer(span.end_time_unix_nano),
        status=_status(status.code),
        status_description=status.message,
        trace_state=span.trace_state,
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(name=e.name, time_ns=_integer(e.time_unix_nano), attributes=_attributes(e.attributes))
            for e in span.events
        ),
        service_name=service_name,
        scope_name=scope.name,
        scope_version=scope.version,
    )


def _is_set(span: _Span) -> bool:
    return span.parent_span_id.strip("0") != ""


def _hex_id(text: str, digits: int, field: str) -> str:
    lowered = text.lower()
    if len(lowered) != digits or lowered.strip("0123456789abcdef") or not lowered.strip("0"):
        message = f"{field} {text!r} is not {digits} hex digits that are not all zero"
        raise ValueError(message)
    return lowered


def _integer(value: Number) -> int:
    number = int(value)
    if number < 0:
        message = f"{value!r} is negative"
        raise ValueError(message)
    return number


_KINDS: Final = {f"SPAN_KIND_{kind.name}": kind for kind in SpanKind} | {str(kind.value): kind for kind in SpanKind}
_STATUSES: Final = {f"STATUS_CODE_{code.name}": code for code in StatusCode} | {
    str(code.value): code for code in StatusCode
}


def _kind(value: int | str) -> SpanKind:
    """The kind; what a newer specification may add is unspecified here."""
    return _KINDS.get(str(value), SpanKind.UNSPECIFIED)


def _status(value: int | str) -> StatusCode:
    return _STATUSES.get(str(value), StatusCode.UNSET)


def _attributes(pairs: list[_KeyValue]) -> Mapping[str, AttributeValue]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: _AnyValue | None) -> AttributeValue:
    if value is None:
        return None
    if value.array_value is not None:
        return tuple(_value(item) for item in value.array_value.values)
    if value.kvlist_value is not None:
        return _attributes(value.kvlist_value.values)
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
