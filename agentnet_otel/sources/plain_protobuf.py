"""OTLP protobuf to plain spans: what `plain_json` is for JSON, in the same words.

The library decodes the message; what is quick here is that each span is asked for little, and that its attributes,
which are left encoded, are looked up by their bytes. Texts, which differ most, are cut out of an attribute by hand.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import ODD, Plain, PlainKeys, plain_keys_of, read_facts
from agentnet_otel.core.plain_span import Origin, PlainSpan, Status
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.errors import InputError
from agentnet_otel.model import AttributeValue, SpanEvent
from agentnet_otel.sources.message_density import check_density
from agentnet_otel.sources.native.spans import Told, native_pieces, reader_of
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder, Resource, Scope, Span, TracesData, decode_attribute
from agentnet_otel.sources.pieces import MAX_PIECE_BYTES, MAX_PIECES, Pieces
from agentnet_otel.sources.plain_json import MAX_ORIGIN_BYTES, MAX_ORIGINS, are_well_formed
from agentnet_otel.sources.share import Batch, Share

_KEY: Final = 0x0A
_VALUE: Final = 0x12
_TEXT: Final = 0x0A
_SHORT: Final = 0x80
"""A length below it is one byte."""


def _text_in(encoded: bytes) -> tuple[str, str] | None:
    """A key and its text, if that is all that an attribute is, and both are short."""
    size = len(encoded)
    if not 6 <= size < _SHORT or encoded[0] != _KEY:  # noqa: PLR2004 - two bytes before each of key, value and text
        return None
    at = 2 + encoded[1]
    if at + 4 > size or encoded[at : at + 3 : 2] != _VALUE_TEXT or at + 2 + encoded[at + 1] != size:
        return None
    if encoded[at + 3] != size - at - 4:
        return None
    return encoded[2:at].decode(), encoded[at + 4 :].decode()


_VALUE_TEXT: Final = bytes((_VALUE, _TEXT))


class _Scope(msgspec.Struct, gc=False):
    """What is known of the spans of a scope, and of their attributes if they may be plain."""

    origin: Origin
    pieces: Pieces | None
    told: Told


class PlainProtobufDecoder:
    """Decodes messages; one a reader, for it remembers attributes.

    ``note`` is called with the origins of spans; of these only those in ``share`` are read further.
    """

    def __init__(self, note: Callable[[Origin], None], share: Share) -> None:
        self._note = note
        self._share = share
        self._general = ProtobufDecoder()
        self._scopes: dict[tuple[bytes, bytes], _Scope] = {}
        self._pieces: dict[PlainKeys | None, tuple[Pieces, Any]] = {}
        self._native = reader_of(self._told_scope, share)

    def decode(self, data: bytes) -> Batch | None:
        """The spans of one message; None where it has to be read in the general way."""
        try:
            check_density(data)
            found = None if self._native is None else self._native.protobuf(data)
            return self._decoded(data) if found is None else found
        except (DecodeError, InputError, ValueError, RecursionError):
            return None

    def _decoded(self, data: bytes) -> Batch | None:
        passed = 0
        into: list[PlainSpan | Member] = []
        message = TracesData.FromString(data)
        if not message.resource_spans:
            return None
        for resource_spans in message.resource_spans:
            if resource_spans.instrumentation_library_spans:
                return None
            resource = resource_spans.resource.SerializeToString()
            for scope_spans in resource_spans.scope_spans:
                scope = self._scope(resource, scope_spans.scope.SerializeToString())
                self._note(scope.origin)
                passed += len(scope_spans.spans)
                if not self._read(list(scope_spans.spans), scope.origin, scope.pieces, into):
                    return None
        return Batch(into, passed)

    def _scope(self, resource: bytes, scope: bytes) -> _Scope:
        """What the spans of a scope share."""
        known = self._scopes.get((resource, scope))
        if known is not None:
            return known
        if len(self._scopes) >= MAX_ORIGINS:
            self._scopes.clear()
        attributes = self._general.resource(Resource.FromString(resource))
        named = Scope.FromString(scope)
        origin = Origin(
            resource=attributes,
            service_name=values.text(attributes.get(semconv.SERVICE_NAME)) or "",
            scope_name=named.name,
            scope_version=named.version,
            ours=named.name == semconv.SCOPE_NAME,
        )
        pieces, native = self._pieces_of(plain_keys_of(named.name))
        told = (origin, native, origin.ours, partial(self._read_odd, origin, pieces), self._read_events)
        found = _Scope(origin, pieces, told)
        if len(resource) + len(scope) <= MAX_ORIGIN_BYTES:
            self._scopes[resource, scope] = found
        return found

    def _pieces_of(self, keys: PlainKeys | None) -> tuple[Pieces | None, Any]:
        """What encoded attributes say in one dialect, and the same for the C way."""
        if keys is None:
            return None, None
        if keys not in self._pieces:

            def read(encoded: bytes) -> Plain:
                return keys.plain(*(_text_in(encoded) or decode_attribute(encoded)))

            self._pieces[keys] = Pieces(read, MAX_PIECES, MAX_PIECE_BYTES), native_pieces(read)
        return self._pieces[keys]

    def _told_scope(self, resource: bytes, scope: bytes) -> Told:
        found = self._scope(resource, scope)
        self._note(found.origin)
        return found.told

    def _read_odd(self, origin: Origin, pieces: Pieces | None, encoded: bytes) -> PlainSpan | Member:
        """A span that the C way does not read.

        Raises:
            ValueError: it is to be read in the general way, with all of its message.
        """
        into: list[PlainSpan | Member] = []
        if not self._read([Span.FromString(encoded)], origin, pieces, into):
            message = "its ids or times are unusual"
            raise ValueError(message)
        return into[0]

    def _read_events(self, encoded: bytes) -> tuple[SpanEvent, ...]:
        """The events of a span.

        Raises:
            DecodeError: an attribute of one is none.
        """
        return self._general.events(Span.FromString(encoded))

    def _read(self, written: list[Any], origin: Origin, pieces: Pieces | None, into: list[PlainSpan | Member]) -> bool:
        """Read spans of one scope; whether all are well-formed. What is unusual becomes a member at once."""
        spans = [_span(span, origin) for span in written]
        if not are_well_formed(spans):
            return False
        parent = ""
        takes = self._share.takes
        for span, source in zip(spans, written, strict=True):
            if not takes(span.trace_id):
                continue
            attributes = _ODD if pieces is None else pieces.mapping_of(list(source.attributes))
            if ODD in attributes:
                record = self._general.record(source, origin.resource, (origin.scope_name, origin.scope_version))
                into.append(member_of(record, read_facts(record)))
                continue
            if source.events:
                span.events = self._general.events(source)
            if span.parent_span_id == parent:
                span.parent_span_id = parent  # one text for all of them
            else:
                parent = span.parent_span_id
            span.attributes = attributes if origin.ours or semconv.OPERATION_NAME in attributes else _NOTHING_SAID
            into.append(span)
        return True


_ODD: Final[dict[str, AttributeValue]] = {ODD: True}
_NOTHING_SAID: Final[dict[str, AttributeValue]] = {}
_FAILED: Final = Status(code=2)
_OK: Final = Status(code=1)
_STATUSES: Final = {0: None, 1: _OK, 2: _FAILED}


def _span(span: Any, origin: Origin) -> PlainSpan:
    return PlainSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        trace_state=span.trace_state,
        flags=span.flags,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=_STATUSES.get(span.status.code),
        origin=origin,
    )
