"""OTLP JSON to plain spans: the quick way of nearly all files, beside `otlp_json`, which reads everything.

Decoding costs least where nothing is decoded. A request is gone through once, into one struct a span, whose attributes
are left as they are written. They are then cut apart at what stands between two of them, and each piece is looked up:
of all attributes of a stream only ids, times and counts are new from span to span. Cutting is exact: the bytes
``}},{"key":"`` cannot stand in a text of valid JSON, whose quotes would be escaped; and a piece that was cut out of a
nested value is no JSON by itself, so it is not taken for an attribute.

A request in which anything is wrong, or only unusual, is read by `otlp_json` as a whole: it tells what, and where.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import starmap
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import ODD, PlainKeys, plain_keys_of, read_facts
from agentnet_otel.core.plain_span import NOT_READ, Origin, PlainSpan, record_of_plain
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.model import AttributeValue
from agentnet_otel.sources.message_density import check_density_of_json
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.share import Batch, Share

MAX_PIECES: Final = 10_000
"""Attributes of which what they say is remembered; when there are more, the memory starts anew."""
MAX_WHOLE: Final = 1000
"""The same of all attributes of a span together, which are seldom the same where there are many or long ones."""
MAX_WHOLE_BYTES: Final = 400
MAX_ORIGINS: Final = 1000

_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16
_MAX_UINT64: Final = 2**64 - 1
_QUOTES: Final = 7
"""Quotes in an attribute with a text, from behind the one that opens its key to the last one."""
_START: Final = b'[{"key":"'
_BETWEEN: Final = b'}},{"key":"'
_SPACED_START: Final = b'[{"key": "'
_SPACED_BETWEEN: Final = b'}}, {"key": "'
"""How attributes begin and what stands between them: without spaces, and as Python's json writes them."""
_END: Final = b"}}]"
_BEHIND: Final = len(_START)
_BEFORE: Final = -len(_END)
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


class _Pieces(dict[bytes, tuple[str, AttributeValue]]):
    """What pieces of attributes say, by their bytes."""

    def __init__(self, keys: PlainKeys, json: JsonDecoder) -> None:
        super().__init__()
        self.keys_read = keys
        self.whole: dict[bytes, dict[str, AttributeValue]] = {}
        """What all attributes of a span say together, where other spans may say the same."""
        self._json = json

    def __missing__(self, piece: bytes) -> tuple[str, AttributeValue]:
        """Read a piece; one that is no attribute is odd."""
        if len(self) >= MAX_PIECES:
            self.clear()
        self[piece] = found = self.keys_read.plain(*self._read(piece))
        return found

    def remember(self, encoded: bytes, attributes: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
        """Keep what all attributes of a span say, unless they name its turn, which no other turn's spans do."""
        if len(encoded) <= MAX_WHOLE_BYTES and semconv.TURN_ID not in attributes:
            if len(self.whole) >= MAX_WHOLE:
                self.whole.clear()
            self.whole[encoded] = attributes
        return attributes

    def _read(self, piece: bytes) -> tuple[str, AttributeValue]:
        if b"\\" not in piece and piece.count(b'"') == _QUOTES and piece.endswith(b'"'):
            key, middle, text = piece.partition(b'","value":{"stringValue":"')
            if middle:
                return key.decode(), text[:-1].decode()
        return self._json.attribute(b'{"key":"' + piece + b"}}")


class PlainJsonDecoder:
    """Decodes requests; one a reader, for it remembers attributes.

    ``note`` is called with the origins of spans; of these only those in ``share`` are read further.
    """

    def __init__(self, note: Callable[[Origin], None], share: Share) -> None:
        self._note = note
        self._share = share
        self._json = JsonDecoder()
        self._origins: dict[tuple[bytes, bytes], tuple[Origin, _Pieces | None]] = {}
        self._pieces: dict[PlainKeys, _Pieces] = {}

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
                    origin, pieces = self._origin(resource_spans.resource, scope_spans.scope)
                    self._note(origin)
                    passed += len(scope_spans.spans)
                    self._read(self._share.plain(scope_spans.spans), origin, pieces, spans)
        except (msgspec.MsgspecError, AgentNetOtelError, ValueError, RecursionError, OverflowError):
            return None
        return Batch(spans, passed)

    def _origin(self, resource: msgspec.Raw, scope: msgspec.Raw) -> tuple[Origin, _Pieces | None]:
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
        pieces = None if keys is None else self._pieces.setdefault(keys, _Pieces(keys, self._json))
        self._origins[written] = origin, pieces
        return origin, pieces

    def _read(
        self, spans: Sequence[PlainSpan], origin: Origin, pieces: _Pieces | None, into: list[PlainSpan | Member]
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
            encoded = bytes(span.encoded)
            span.encoded = NOT_READ  # it holds the whole request
            attributes = _ODDLY if pieces is None else self._attributes(encoded, pieces)
            if ODD in attributes:
                into.append(self._member(span, encoded))
                continue
            if origin.ours or semconv.OPERATION_NAME in attributes:
                span.attributes = attributes
            span.name = ""  # nothing reads the name of a plain span
            into.append(span)

    def _attributes(self, encoded: bytes, pieces: _Pieces) -> dict[str, AttributeValue]:
        known = pieces.whole.get(encoded) if len(encoded) <= MAX_WHOLE_BYTES else None
        if known is not None:
            return known
        try:
            if encoded.startswith(_START) and encoded.endswith(_END):
                return pieces.remember(encoded, dict(map(pieces.__getitem__, encoded[_BEHIND:_BEFORE].split(_BETWEEN))))
            if encoded.startswith(_SPACED_START) and encoded.endswith(_END):
                cut = encoded[len(_SPACED_START) : _BEFORE].split(_SPACED_BETWEEN)
                return dict(map(pieces.__getitem__, cut))
        except (msgspec.MsgspecError, ValueError):
            pass  # as where a value holds attributes of its own
        return dict(starmap(pieces.keys_read.plain, self._json.attributes(encoded).items()))

    def _member(self, span: PlainSpan, encoded: bytes) -> Member:
        record = record_of_plain(span, self._json.attributes(encoded))
        return member_of(record, read_facts(record))


def are_well_formed(spans: Sequence[PlainSpan]) -> bool:
    """Whether ids and numbers are as the specification asks, with ids in lower case; all spans are looked at together.

    A span without its start is left to the general way: its end decides what is wrong with it.

    Raises:
        ValueError: an id is no hexadecimal number.
    """
    if not spans:
        return True
    starts, ends = [span.start_ns for span in spans], [span.end_ns for span in spans]
    parents = {span.parent_span_id for span in spans}
    parents.discard("")
    return (
        _are_ids({span.trace_id for span in spans}, _TRACE_ID_DIGITS)
        and _are_ids([span.span_id for span in spans], _SPAN_ID_DIGITS)
        and _are_ids(parents, _SPAN_ID_DIGITS)
        and min(starts) > 0
        and min(ends) >= 0
        and max(starts) <= _MAX_UINT64
        and max(ends) <= _MAX_UINT64
        and min([span.flags for span in spans]) >= 0
    )


def _are_ids(texts: Collection[str], digits: int) -> bool:
    """Reading them as hexadecimal is the quickest check; it alone would take capitals and spaces."""
    if not texts:
        return True
    joined = "".join(texts)
    return (
        len(bytes.fromhex(joined)) * 2 == digits * len(texts)
        and joined == joined.lower()
        and set(map(len, texts)) == {digits}
        and "0" * digits not in texts
    )
