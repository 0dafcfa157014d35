"""OTLP JSON to plain spans: the quick way of nearly all files, beside `otlp_json`, which reads everything.

Decoding costs least where nothing is decoded. A request is gone through once, into one struct a span, whose attributes
are left as they are written. They are then cut into pieces (`pieces`), each of which is read once.

A request in which anything is wrong, or only unusual, is read by `otlp_json` as a whole: it tells what, and where.
"""

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import ODD, Plain, PlainKeys, plain_keys_of, read_facts
from agentnet_otel.core.plain_span import NOT_READ, Origin, PlainSpan, record_of_plain
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.model import AttributeValue
from agentnet_otel.sources.message_density import check_density_of_json
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
    spans: list[PlainSpan] = []


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: msgspec.Raw = msgspec.Raw(b"null")
    scope_spans: list[_ScopeSpans] = []


class _Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans]


_request_decoder: Final = msgspec.json.Decoder(_Request, strict=False)


class _Attributes:
    """What the attributes of spans say in one dialect."""

    def __init__(self, keys: PlainKeys, json: JsonDecoder) -> None:
        self._keys = keys
        self._json = json
        self._mapping = Pieces(self._read, MAX_PIECES, MAX_PIECE_BYTES).mapping

    def of(self, encoded: msgspec.Raw) -> dict[str, AttributeValue]:
        """The plain ones among the attributes of a span."""
        try:
            found = self._mapping(encoded)
        except (msgspec.MsgspecError, ValueError):
            found = None  # as where a value holds attributes of its own
        if found is None:
            return dict(starmap(self._keys.plain, self._json.attributes(bytes(encoded)).items()))
        return found

    def _read(self, piece: bytes) -> Plain:
        """What a piece says; texts, which are new most often, are read without a decoder."""
        key, _, text = piece.partition(_TEXT)
        known = self._keys.texts.get(key)
        if known is not None and b"\\" not in text and text.find(b'"') == len(text) - 1 > 0:
            return known, text[:-1].decode()
        return self._keys.plain(*self._json.attribute(b'{"key":"' + piece + b"}}"))


class PlainJsonDecoder:
    """Decodes requests; one a reader, for it remembers attributes.

    ``note`` is called with the origins of spans; of these only those in ``share`` are read further.
    """

    def __init__(self, note: Callable[[Origin], None], share: Share) -> None:
        self._note = note
        self._share = share
        self._json = JsonDecoder()
        self._origins: dict[tuple[bytes, bytes], tuple[Origin, _Attributes | None]] = {}
        self._spoken: dict[PlainKeys | None, _Attributes] = {}

    def decode(self, data: bytes) -> Batch | None:
        """The spans of one request; None where it has to be read in the general way."""
        passed = 0
        try:
            check_density_of_json(data)
            request = _request_decoder.decode(data)
            spans: list[PlainSpan | Member] = []
            for resource_spans in request.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    if not are_well_formed(scope_spans.spans):
                        return None
                    origin, spoken = self._origin(resource_spans.resource, scope_spans.scope)
                    self._note(origin)
                    passed += len(scope_spans.spans)
                    self._read(self._share.plain(scope_spans.spans), origin, spoken, spans)
        except (msgspec.MsgspecError, AgentNetOtelError, ValueError, RecursionError, OverflowError):
            return None
        return Batch(spans, passed)

    def _origin(self, resource: msgspec.Raw, scope: msgspec.Raw) -> tuple[Origin, _Attributes | None]:
        """What the spans of a scope share, and what is known of their attributes if they may be plain."""
        written = (bytes(resource), bytes(scope))
        known = self._origins.get(written)
        if known is not None:
            return known
        if len(self._origins) >= MAX_ORIGINS:
            self._origins.clear()
        attributes = self._json.resource(written[0])
        name, version = self._json.scope(written[1])
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
        if len(written[0]) + len(written[1]) <= MAX_ORIGIN_BYTES:
            self._origins[written] = origin, spoken
        return origin, spoken

    def _read(
        self, spans: Sequence[PlainSpan], origin: Origin, spoken: _Attributes | None, into: list[PlainSpan | Member]
    ) -> None:
        """Read the attributes of spans of one origin; what is unusual becomes a member at once."""
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
