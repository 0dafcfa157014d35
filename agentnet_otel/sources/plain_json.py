"""OTLP JSON to plain spans: the quick way of nearly all files, beside `otlp_json`, which reads everything.

Decoding costs least where nothing is decoded. A request is gone through once, into one struct a span, whose attributes
are left as they are written. They are then cut into pieces (`pieces`), each of which is read once. Where there is C
(`native`), it does all of that; what follows here is for what it leaves, and for where there is none.

A request in which anything is wrong, or only unusual, is read by `otlp_json` as a whole: it tells what, and where.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import ODD, Plain, PlainKeys, plain_keys_of, read_facts
from agentnet_otel.core.plain_span import NOT_READ, Origin, PlainSpan, record_of_plain
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.model import AttributeValue, SpanEvent
from agentnet_otel.sources.message_density import check_density_of_json
from agentnet_otel.sources.native.spans import Told, native_pieces, reader_of
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.pieces import MAX_PIECE_BYTES, MAX_PIECES, Pieces, are_ids
from agentnet_otel.sources.share import Batch, Share

MAX_ORIGINS: Final = 1000
MAX_ORIGIN_BYTES: Final = 10_000
"""Resources that are written longer than this are read each time they come."""

_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16
_TEXT: Final = b'","value":{"stringValue":"'
"""What stands between the key and the value of a text."""
_ODDLY: Final[dict[str, AttributeValue]] = {ODD: True}


class _ScopeSpans(msgspec.Struct, rename="camel", gc=False):
    scope: msgspec.Raw = msgspec.Raw(b"null")
    instrumentation_library: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    spans: list[PlainSpan] = []


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: msgspec.Raw = msgspec.Raw(b"null")
    scope_spans: list[_ScopeSpans] = []
    instrumentation_library_spans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """Former names are left to the general way."""


class _Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans]


_request_decoder: Final = msgspec.json.Decoder(_Request, strict=False)
_span_decoder: Final = msgspec.json.Decoder(PlainSpan, strict=False)


class _Attributes:
    """What the attributes of spans say in one dialect."""

    def __init__(self, keys: PlainKeys, json: JsonDecoder) -> None:
        self._keys = keys
        self._json = json
        self._mapping = Pieces(self._read, MAX_PIECES, MAX_PIECE_BYTES).mapping
        self.native = native_pieces(self._read)
        """The same for the C way."""

    def of(self, encoded: msgspec.Raw) -> dict[str, AttributeValue]:
        """The plain ones among the attributes of a span."""
        try:
            found = self._mapping(encoded)
        except (msgspec.MsgspecError, ValueError):
            found = None  # as where a value holds attributes of its own
        if found is None:
            found = dict(starmap(self._keys.plain, self._json.attributes(bytes(encoded)).items()))
            found.pop("", None)
        return found

    def _read(self, piece: bytes) -> Plain:
        """What a piece says; texts, which are new most often, are read without a decoder."""
        key, _, text = piece.partition(_TEXT)
        known = self._keys.texts.get(key)
        if known is not None and b"\\" not in text and text.find(b'"') == len(text) - 1 > 0:
            return known, text[:-1].decode()
        return self._keys.plain(*self._json.attribute(b'{"key":"' + piece + b"}}"))


class _Scope(msgspec.Struct, gc=False):
    """What is known of the spans of a scope, and of their attributes if they may be plain."""

    origin: Origin
    spoken: _Attributes | None
    told: Told | None = None
    """The same for the C way."""


class PlainJsonDecoder:
    """Decodes requests; one a reader, for it remembers attributes.

    ``note`` is called with the origins of spans; of these only those in ``share`` are read further.
    """

    def __init__(self, note: Callable[[Origin], None], share: Share) -> None:
        self._note = note
        self._share = share
        self._json = JsonDecoder()
        self._scopes: dict[tuple[bytes, bytes], _Scope] = {}
        self._spoken: dict[PlainKeys | None, _Attributes] = {}
        self._native = reader_of(self._told_scope, share)

    def decode(self, data: bytes) -> Batch | None:
        """The spans of one request; None where it has to be read in the general way."""
        try:
            check_density_of_json(data)
            found = None if self._native is None else self._native.json(data)
            return self._decoded(data) if found is None else found
        except (msgspec.MsgspecError, AgentNetOtelError, ValueError, RecursionError, OverflowError):
            return None

    def _decoded(self, data: bytes) -> Batch | None:
        passed = 0
        request = _request_decoder.decode(data)
        spans: list[PlainSpan | Member] = []
        for resource_spans in request.resource_spans:
            if resource_spans.instrumentation_library_spans is not msgspec.UNSET:
                return None
            for scope_spans in resource_spans.scope_spans:
                if not _is_usual(scope_spans):
                    return None
                scope = self._scope(bytes(resource_spans.resource), bytes(scope_spans.scope))
                self._note(scope.origin)
                passed += len(scope_spans.spans)
                self._read(self._share.plain(scope_spans.spans), scope, spans)
        return Batch(spans, passed)

    def _scope(self, resource: bytes, scope: bytes) -> _Scope:
        """What the spans of a scope share."""
        known = self._scopes.get((resource, scope))
        if known is not None:
            return known
        if len(self._scopes) >= MAX_ORIGINS:
            self._scopes.clear()
        attributes = self._json.resource(resource)
        name, version = self._json.scope(scope)
        keys = plain_keys_of(name)
        origin = Origin(
            resource=attributes,
            service_name=values.text(attributes.get(semconv.SERVICE_NAME)) or "",
            scope_name=name,
            scope_version=version,
            ours=name == semconv.SCOPE_NAME,
        )
        spoken = self._spoken.get(keys)
        if spoken is None and keys is not None:
            spoken = self._spoken[keys] = _Attributes(keys, self._json)
        found = _Scope(origin, spoken)
        if len(resource) + len(scope) <= MAX_ORIGIN_BYTES:
            self._scopes[resource, scope] = found
        return found

    def _told_scope(self, resource: bytes, scope: bytes) -> Told:
        found = self._scope(resource, scope)
        self._note(found.origin)
        if found.told is None:
            pieces = None if found.spoken is None else found.spoken.native
            odd = partial(self._read_odd, found)
            found.told = (found.origin, pieces, found.origin.ours, odd, self._read_events)
        return found.told

    def _read_odd(self, scope: _Scope, encoded: bytes) -> PlainSpan | Member:
        """A span that the C way does not read.

        Raises:
            ValueError: it is to be read in the general way, with all of its request.
        """
        span = _span_decoder.decode(encoded)
        if not are_well_formed([span]):
            message = "its ids or times are unusual"
            raise ValueError(message)
        into: list[PlainSpan | Member] = []
        self._read([span], scope, into)
        return into[0]

    def _read_events(self, encoded: bytes) -> tuple[SpanEvent, ...]:
        """The events of a span.

        Raises:
            MsgspecError: one of them is none.
        """
        return self._json.events(_span_decoder.decode(encoded).encoded_events)

    def _read(self, spans: Sequence[PlainSpan], scope: _Scope, into: list[PlainSpan | Member]) -> None:
        """Read the attributes of spans of one scope; what is unusual becomes a member at once."""
        origin, spoken = scope.origin, scope.spoken
        parent = ""
        for span in spans:
            span.origin = origin
            if span.parent_span_id == parent:
                span.parent_span_id = parent  # one text for all of them
            else:
                parent = span.parent_span_id
            if span.encoded_events:
                span.events = self._json.events(span.encoded_events)
                span.encoded_events = ()
            encoded = span.encoded
            span.encoded = NOT_READ  # it holds the whole request
            attributes = _ODDLY if spoken is None else spoken.of(encoded)
            if ODD in attributes:
                into.append(self._member(span, bytes(encoded)))
                continue
            if origin.ours or semconv.OPERATION_NAME in attributes:
                span.attributes = attributes
            span.name = ""  # nothing reads the name of a plain span
            into.append(span)

    def _member(self, span: PlainSpan, encoded: bytes) -> Member:
        record = record_of_plain(span, self._json.attributes(encoded))
        return member_of(record, read_facts(record))


def _is_usual(scope_spans: _ScopeSpans) -> bool:
    return scope_spans.instrumentation_library is msgspec.UNSET and are_well_formed(scope_spans.spans)


def are_well_formed(spans: Sequence[PlainSpan]) -> bool:
    """Whether ids are as the specification asks, in lower case, and all have a start; all spans are looked at together.

    A span without its start is left to the general way: its end decides what is wrong with it. Of what size times and
    flags are the decoder has seen to.
    """
    parents = {span.parent_span_id for span in spans}
    parents.discard("")
    return (
        are_ids(list({span.trace_id for span in spans}), _TRACE_ID_DIGITS)
        and are_ids([span.span_id for span in spans], _SPAN_ID_DIGITS)
        and are_ids(list(parents), _SPAN_ID_DIGITS)
        and 0 not in [span.start_ns for span in spans]
    )
