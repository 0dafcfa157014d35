"""OTLP in JSON, as the Collector's file exporter and OTLP/HTTP write it: one request to `SpanRecord`s.

Field names and number forms are those of the OTLP specification and of protobuf's JSON mapping: ids in hex, 64-bit
integers as text or number, enums as number (their names are accepted too), null where a field is not set.

A request is decoded at once into typed structs. Where that fails, each resource, scope and span is decoded on its own,
so that a bad one costs only itself.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.errors import InputError
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode
from agentnet_otel.sources.lenient_json import BAD, decoded
from agentnet_otel.sources.message_density import check_density_of_json, check_elements_of_json
from agentnet_otel.sources.quoted import cut, quoted

Number = int | float | str
TellBadSpan = Callable[[str], None]
T = TypeVar("T")

MAX_KEYS: Final = 4096
"""Attribute keys of which one copy serves all spans."""

_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16
_IS_TRACE_ID: Final = re.compile(rf"(?!0+$)[0-9a-f]{{{_TRACE_ID_DIGITS}}}").fullmatch
_IS_SPAN_ID: Final = re.compile(rf"(?!0+$)[0-9a-f]{{{_SPAN_ID_DIGITS}}}").fullmatch
_MAX_UINT64: Final = 2**64 - 1
_NO_ID_IN_BASE64: Final = "AAAAAAAAAAA="
_BASE64: Final = str.maketrans("-_", "+/")
_SIGNALS: Final = frozenset({"resourceSpans", "resourceMetrics", "resourceLogs", "resourceProfiles"})
_NULL: Final = msgspec.Raw(b"null")


class _ArrayValue(msgspec.Struct, gc=False):
    values: list["_AnyValue"] | None = None


class _KeyValues(msgspec.Struct, gc=False):
    values: list["_KeyValue"] | None = None


class _AnyValue(msgspec.Struct, rename="camel", gc=False):
    string_value: str | None = None
    int_value: Number | None = None
    bool_value: bool | None = None
    double_value: Number | None = None
    bytes_value: str | None = None
    array_value: _ArrayValue | None = None
    kvlist_value: _KeyValues | None = None


class _KeyValue(msgspec.Struct, gc=False):
    key: str = ""  # JSON of protobuf leaves out what is empty
    value: _AnyValue | None = None


_Pairs = list[_KeyValue] | None


class _Event(msgspec.Struct, rename="camel", gc=False):
    time_unix_nano: Number | None = None
    name: str | None = None
    attributes: _Pairs = None


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None
    message: str | None = None


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: Number | None = None
    end_time_unix_nano: Number | None = None
    attributes: _Pairs = None
    events: list[_Event] | None = None
    status: _Status | None = None
    flags: Number | None = None


class _Scope(msgspec.Struct, gc=False):
    name: str | None = None
    version: str | None = None


class _Resource(msgspec.Struct, gc=False):
    attributes: _Pairs = None


class _ScopeSpans(msgspec.Struct, rename="camel", gc=False):
    scope: _Scope | None = None
    instrumentation_library: _Scope | None = None
    """Its former name."""
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None
    instrumentation_library_spans: list[_ScopeSpans] | None = None
    """Their former name; where both are written, they say the same."""


class _Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans] | None = None


class _RawScopeSpans(msgspec.Struct, rename="camel", gc=False):
    scope: msgspec.Raw = msgspec.Raw(b"null")
    instrumentation_library: msgspec.Raw = msgspec.Raw(b"null")
    spans: list[msgspec.Raw] | None = None


class _RawResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: msgspec.Raw = msgspec.Raw(b"null")
    scope_spans: list[msgspec.Raw] | None = None
    instrumentation_library_spans: list[msgspec.Raw] | None = None


class _RawRequest(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[msgspec.Raw] | None = None


_request_decoder: Final = msgspec.json.Decoder(_Request)
_raw_request_decoder: Final = msgspec.json.Decoder(_RawRequest)
_raw_resource_spans_decoder: Final = msgspec.json.Decoder(_RawResourceSpans)
_raw_scope_spans_decoder: Final = msgspec.json.Decoder(_RawScopeSpans)
_resource_decoder: Final = msgspec.json.Decoder(_Resource | None)
_scope_decoder: Final = msgspec.json.Decoder(_Scope | None)
_pair_decoder: Final = msgspec.json.Decoder(_KeyValue)
_pairs_decoder: Final = msgspec.json.Decoder(_Pairs)
_event_decoder: Final = msgspec.json.Decoder(_Event)
_span_decoder: Final = msgspec.json.Decoder(_Span)
_keys_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonDecoder:
    """Decodes requests; one a reader, for it remembers keys and ids, of which neighbours have the same."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._trace_id = ""
        self._parent_id = ""

    def decode(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The spans of one request; requests of other signals have none. A bad span is told and left out.

        Raises:
            InputError: it is no JSON, or no OTLP request.
        """
        check_density_of_json(data)
        try:
            request = decoded(_request_decoder, data)
        except msgspec.ValidationError:
            yield from self._decode_one_by_one(data, tell_bad_span)
            return
        if request.resource_spans is None:
            _check_other_signal(data)
            return
        number = 0
        for resource_spans in request.resource_spans:
            resource = self._usable_resource(resource_spans.resource, tell_bad_span)
            for scope_spans in resource_spans.scope_spans or resource_spans.instrumentation_library_spans or ():
                scope = scope_spans.scope or scope_spans.instrumentation_library or _Scope()
                for span in scope_spans.spans or ():
                    number += 1
                    try:
                        record = self._record(span, resource, scope)
                    except BAD as error:
                        tell_bad_span(f"span {number} was left out: {error}")
                    else:
                        yield record

    # --- parts, for a reader that finds them itself ------------------------------------------------------

    def resource(self, data: bytes) -> Mapping[str, AttributeValue]:
        """The attributes of a resource.

        Raises:
            InputError: an attribute is bad.
        """
        return self._resource(_resource_decoder.decode(data))

    def scope(self, data: bytes) -> tuple[str, str]:
        """Name and version of a scope."""
        scope = _scope_decoder.decode(data) or _Scope()
        return scope.name or "", scope.version or ""

    def attribute(self, data: bytes) -> tuple[str, AttributeValue]:
        """A key and its value."""
        pair = _pair_decoder.decode(data)
        return pair.key, self._value(pair.value)

    def attributes(self, data: bytes) -> dict[str, AttributeValue]:
        """A list of attributes as a mapping."""
        return self._mapping(_pairs_decoder.decode(data))

    def events(self, encoded: Iterable[msgspec.Raw]) -> tuple[SpanEvent, ...]:
        """The events of a span."""
        return tuple(self._event(_event_decoder.decode(event)) for event in encoded)

    # --- the slow way --------------------------------------------------------------------------------

    def _decode_one_by_one(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """For a request that holds something wrong."""
        check_elements_of_json(data)
        try:
            request = decoded(_raw_request_decoder, data)
        except msgspec.ValidationError as wrong:
            message = f"not an OTLP request: {wrong}"
            raise InputError(message) from None
        number = 0
        for raw in request.resource_spans or ():
            resource_spans = _part(_raw_resource_spans_decoder, raw, _RawResourceSpans(), "a resource", tell_bad_span)
            found = _part(_resource_decoder, resource_spans.resource, None, "the facts of a resource", tell_bad_span)
            resource = self._usable_resource(found, tell_bad_span)
            for raw_scope_spans in resource_spans.scope_spans or resource_spans.instrumentation_library_spans or ():
                scope_spans = _part(
                    _raw_scope_spans_decoder, raw_scope_spans, _RawScopeSpans(), "a scope", tell_bad_span
                )
                named = scope_spans.instrumentation_library if scope_spans.scope == _NULL else scope_spans.scope
                scope = _part(_scope_decoder, named, None, "the name of a scope", tell_bad_span)
                for raw_span in scope_spans.spans or ():
                    number += 1
                    try:
                        record = self._record(decoded(_span_decoder, raw_span), resource, scope or _Scope())
                    except BAD as wrong:
                        tell_bad_span(f"span {number} was left out: {wrong}")
                    else:
                        yield record

    # --- from structs to records ---------------------------------------------------------------------

    def _usable_resource(self, resource: _Resource | None, tell_bad_span: TellBadSpan) -> Mapping[str, AttributeValue]:
        """The attributes of a resource; where one is bad, which is told, those of none: its spans are what counts."""
        try:
            return self._resource(resource)
        except InputError as error:
            tell_bad_span(str(error))
            return {}

    def _resource(self, resource: _Resource | None) -> Mapping[str, AttributeValue]:
        try:
            return {} if resource is None else self._mapping(resource.attributes)
        except BAD as error:
            message = f"a resource has a bad attribute: {error}"
            raise InputError(message) from None

    def _record(self, span: _Span, resource: Mapping[str, AttributeValue], scope: _Scope) -> SpanRecord:
        flags = _uint64(span.flags, "flags") if span.flags else 0
        status = span.status
        start_ns = _uint64(span.start_time_unix_nano or 0, "startTimeUnixNano")
        end_ns = _uint64(span.end_time_unix_nano or 0, "endTimeUnixNano")
        if end_ns and not start_ns:
            message = "it has an end and no startTimeUnixNano"
            raise ValueError(message)
        if span.trace_id != self._trace_id:
            self._trace_id = _hex_id(span.trace_id, _TRACE_ID_DIGITS, "traceId")
        parent = span.parent_span_id or None
        if parent is not None and parent != self._parent_id:
            parent = self._parent_of(parent)
        return SpanRecord(
            trace_id=self._trace_id,
            span_id=_hex_id(span.span_id, _SPAN_ID_DIGITS, "spanId"),
            parent_span_id=parent,
            parent_is_remote=bool(flags & _IS_REMOTE) if flags & _HAS_IS_REMOTE else None,
            name=span.name or "",
            kind=_KINDS.get(span.kind, SpanKind.UNSPECIFIED),  # what a newer specification may add is unspecified here
            start_ns=start_ns,
            end_ns=end_ns,
            status=StatusCode.UNSET if status is None else _STATUSES.get(status.code, StatusCode.UNSET),
            status_description="" if status is None else status.message or "",
            trace_state=span.trace_state or "",
            attributes=self._mapping(span.attributes),
            events=tuple(map(self._event, span.events)) if span.events else (),
            service_name=values.text(resource.get(semconv.SERVICE_NAME)) or "",
            resource=resource,
            scope_name=scope.name or "",
            scope_version=scope.version or "",
        )

    def _parent_of(self, text: str) -> str | None:
        """The id of the parent; none where it is all zero."""
        if not text.strip("0") or text == _NO_ID_IN_BASE64:
            return None
        self._parent_id = _hex_id(text, _SPAN_ID_DIGITS, "parentSpanId")
        return self._parent_id

    def _event(self, event: _Event) -> SpanEvent:
        return SpanEvent(
            name=event.name or "",
            time_ns=_uint64(event.time_unix_nano or 0, "timeUnixNano"),
            attributes=self._mapping(event.attributes),
        )

    def _mapping(self, pairs: Iterable[_KeyValue] | None) -> dict[str, AttributeValue]:
        """Attributes by key; of those with one key the last counts."""
        known = self._keys
        found: dict[str, AttributeValue] = {}
        for pair in pairs or ():
            value = pair.value
            text = None if value is None else value.string_value
            key = known.get(pair.key) or self._keep(pair.key)
            found[key] = text if text is not None else self._value(value)
        return found

    def _keep(self, key: str) -> str:
        if len(self._keys) < MAX_KEYS:
            self._keys[key] = key
        return key

    def _value(self, value: _AnyValue | None) -> AttributeValue:
        if value is None:
            return None
        if value.int_value is not None:
            return _integer(value.int_value)
        if value.double_value is not None:
            return _fraction(value.double_value)
        return self._other_value(value) if value.bool_value is None else value.bool_value

    def _other_value(self, value: _AnyValue) -> AttributeValue:
        if value.array_value is not None:
            return tuple(map(self._value, value.array_value.values or ()))
        if value.kvlist_value is not None:
            return self._mapping(value.kvlist_value.values)
        return _bytes(value.bytes_value) if value.string_value is None else value.string_value


def _part(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, otherwise: T, what: str, tell_bad_span: TellBadSpan) -> T:
    """A part of a request, or ``otherwise`` where it is wrong; then that is told."""
    try:
        return decoded(decoder, raw)
    except BAD as error:
        tell_bad_span(f"{what} cannot be used: {error}")
        return otherwise


def _check_other_signal(data: bytes) -> None:
    """Requests of metrics, logs and profiles, and empty ones, have no spans, and nothing is wrong with them.

    Raises:
        InputError: it is none of these.
    """
    try:
        keys = _keys_decoder.decode(data).keys()
    except BAD as error:  # a key that is no UTF-8, which a decoder that looks for others passes over
        message = f"not an OTLP request: {error}"
        raise InputError(message) from None
    if keys and not keys & _SIGNALS:
        message = f"not an OTLP request: it has no resourceSpans, but {', '.join(cut(key) for key in sorted(keys)[:5])}"
        raise InputError(message)


def trace_id_of(text: str) -> str:
    """A trace id, however a request may have it, in lower-case hex.

    Raises:
        ValueError: it is none.
    """
    return _hex_id(text, _TRACE_ID_DIGITS, "traceId")


def _hex_id(text: str | None, digits: int, field: str) -> str:
    """The id in lower case.

    Raises:
        ValueError: it is none.
    """
    is_id = _IS_TRACE_ID if digits == _TRACE_ID_DIGITS else _IS_SPAN_ID
    if text and is_id(text):
        return text
    lowered = (text or "").lower()
    if not is_id(lowered):
        lowered = _out_of_base64(text, digits)
    if not is_id(lowered):
        message = f"{field} {quoted(text)} is not {digits} hex digits that are not all zero"
        raise ValueError(message)
    return lowered


def _out_of_base64(text: str | None, digits: int) -> str:
    """An id as protobuf's JSON has bytes, which OTLP does not, but who uses protobuf's own writer; empty if it is none.

    No hex digits of an id are as few.
    """
    raw = _bytes(text) if text and len(text) < digits else None
    return raw.hex() if isinstance(raw, bytes) and 2 * len(raw) == digits else ""


def _integer(value: Number) -> int:
    number = int(value)
    if type(value) is float and number != value:
        message = f"{quoted(value)} is not a whole number"
        raise ValueError(message)
    return number


def _fraction(value: Number) -> float:
    try:
        return float(value)  # takes the texts NaN, Infinity and -Infinity too
    except ValueError:
        message = f"doubleValue {quoted(value)} is not a number"
        raise ValueError(message) from None


def _uint64(value: Number, field: str) -> int:
    number = _integer(value)
    if not 0 <= number <= _MAX_UINT64:
        message = f"{field} {quoted(value)} is not a whole number from 0 to 2^64-1"
        raise ValueError(message)
    return number


_KINDS: Final[Mapping[int | str | None, SpanKind]] = {
    name: kind for kind in SpanKind for name in (kind.value, str(kind.value), f"SPAN_KIND_{kind.name}")
}
_STATUSES: Final[Mapping[int | str | None, StatusCode]] = {
    name: code for code in StatusCode for name in (code.value, str(code.value), f"STATUS_CODE_{code.name}")
}


def _bytes(text: str | None) -> AttributeValue:
    """Bytes out of Base64 in its usual or its URL-safe form; what is none stays text."""
    if text is None:
        return None
    padded = text.translate(_BASE64).rstrip("=")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text
