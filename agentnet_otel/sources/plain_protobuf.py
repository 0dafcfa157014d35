"""OTLP protobuf to plain spans: what `plain_json` is for JSON, in the same words.

The library decodes the message; what is quick here is that each span is asked for little, and that its attributes,
which are left encoded, are looked up by their bytes. Texts, which differ most, are cut out of an attribute by hand.
"""

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects import ODD, PlainKeys, plain_keys_of, read_facts
from agentnet_otel.core.plain_span import Origin, PlainSpan, Status
from agentnet_otel.core.turn_parts import Member, member_of
from agentnet_otel.errors import InputError
from agentnet_otel.model import AttributeValue
from agentnet_otel.sources.message_density import check_density
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder, TracesData, decode_attribute
from agentnet_otel.sources.pieces import MAX_PIECE_BYTES, MAX_PIECES, Pieces
from agentnet_otel.sources.plain_json import MAX_ORIGIN_BYTES, MAX_ORIGINS, are_well_formed
from agentnet_otel.sources.share import Batch, Share

_KEY: Final = 0x0A
_VALUE: Final = 0x12
_TEXT: Final = 0x0A
_SHORT: Final = 0x80
"""A length below it is one byte."""


def _pieces(keys: PlainKeys) -> Pieces:
    """What encoded attributes say in one dialect."""
    return Pieces(
        lambda encoded: keys.plain(*(_text_in(encoded) or decode_attribute(encoded))), MAX_PIECES, MAX_PIECE_BYTES
    )


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


class PlainProtobufDecoder:
    """Decodes messages; one a reader, for it remembers attributes.

    ``note`` is called with the origins of spans; of these only those in ``share`` are read further.
    """

    def __init__(self, note: Callable[[Origin], None], share: Share) -> None:
        self._note = note
        self._share = share
        self._general = ProtobufDecoder()
        self._origins: dict[tuple[bytes, bytes], tuple[Origin, Pieces | None]] = {}
        self._pieces: dict[PlainKeys | None, Pieces] = {}

    def decode(self, data: bytes) -> Batch | None:
        """The spans of one message; None where it has to be read in the general way."""
        passed = 0
        into: list[PlainSpan | Member] = []
        try:
            check_density(data)
            message = TracesData.FromString(data)
            if not message.resource_spans:
                return None
            for resource_spans in message.resource_spans:
                resource = resource_spans.resource
                for scope_spans in resource_spans.scope_spans:
                    origin, pieces = self._origin(resource, scope_spans.scope)
                    self._note(origin)
                    written = list(scope_spans.spans)
                    spans = [_span(span, origin) for span in written]
                    if not are_well_formed(spans):
                        return None
                    passed += len(spans)
                    self._read(spans, written, pieces, into)
        except (DecodeError, InputError, ValueError, RecursionError):
            return None
        return Batch(into, passed)

    def _origin(self, resource: Any, scope: Any) -> tuple[Origin, Pieces | None]:
        written = (resource.SerializeToString(), scope.SerializeToString())
        known = self._origins.get(written)
        if known is not None:
            return known
        if len(self._origins) >= MAX_ORIGINS:
            self._origins.clear()
        attributes = self._general.resource(resource)
        keys = plain_keys_of(scope.name)
        origin = Origin(
            resource=attributes,
            service_name=values.text(attributes.get(semconv.SERVICE_NAME)) or "",
            scope_name=scope.name,
            scope_version=scope.version,
            ours=scope.name == semconv.SCOPE_NAME,
        )
        pieces = self._pieces.get(keys)
        if pieces is None and keys is not None:
            pieces = self._pieces[keys] = _pieces(keys)
        if len(written[0]) + len(written[1]) <= MAX_ORIGIN_BYTES:
            self._origins[written] = origin, pieces
        return origin, pieces

    def _read(
        self, spans: list[PlainSpan], written: list[Any], pieces: Pieces | None, into: list[PlainSpan | Member]
    ) -> None:
        parent = ""
        takes = self._share.takes
        for span, source in zip(spans, written, strict=True):
            if not takes(span.trace_id):
                continue
            attributes = _ODD if pieces is None else pieces.mapping_of(list(source.attributes))
            origin = span.origin
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
