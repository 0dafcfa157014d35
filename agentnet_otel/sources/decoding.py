"""From a payload to its spans, whatever format it is in."""

import re
from collections.abc import Iterator
from typing import Final

from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.compression import ZSTD_MAGIC, unpacked
from agentnet_otel.sources.framing import MAX_DOCUMENT_BYTES
from agentnet_otel.sources.jaeger_json import decode_jaeger
from agentnet_otel.sources.otlp_json import JsonDecoder, TellBadSpan
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder

_JAEGER_START: Final = re.compile(rb'\s*(?:\[|\{\s*"(?:data|traceID|spans|processes)")')


class PayloadDecoder:
    """Decodes payloads; one a reader, for it remembers attributes."""

    def __init__(self) -> None:
        self._json = JsonDecoder()
        self._protobuf = ProtobufDecoder()

    def decode(self, data: bytes, *, is_text: bool, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The spans of one payload; a bad span is told and left out.

        Args:
            data: the payload.
            is_text: whether it stood in a text, where only JSON can be; else its first bytes tell.
            tell_bad_span: gets a sentence on each span that is left out.

        Raises:
            InputError: nothing can be made of it.
        """
        if data.startswith(ZSTD_MAGIC):
            data = unpacked(data, MAX_DOCUMENT_BYTES)
        if not is_text and data.lstrip()[:1] != b"{":
            return self._protobuf.decode(data, tell_bad_span)
        return self._decode_json(data, tell_bad_span)

    def _decode_json(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        if _JAEGER_START.match(data) or (b'"resourceSpans"' not in data and b'"traceID"' in data):
            return decode_jaeger(data, tell_bad_span)
        return self._json.decode(data, tell_bad_span)
