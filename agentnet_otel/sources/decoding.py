"""From a payload to its spans, whatever format it is in."""

import re
from collections.abc import Iterator
from typing import Final

from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.compression import ZSTD_MAGIC, unpacked
from agentnet_otel.sources.framing import MAX_DOCUMENT_BYTES, Form, is_message
from agentnet_otel.sources.jaeger_json import decode_jaeger
from agentnet_otel.sources.otlp_json import JsonDecoder, TellBadSpan
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder

_JAEGER_START: Final = re.compile(rb'\s*(?:\[|\{\s*"(?:data|traceID|spans|processes)")')


class PayloadDecoder:
    """Decodes payloads; one a reader, for it remembers attributes."""

    def __init__(self) -> None:
        self._json = JsonDecoder()
        self._protobuf = ProtobufDecoder()

    def decode(self, data: bytes, form: Form, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The spans of one payload; a bad span is left out, and ``tell_bad_span`` gets a sentence on it.

        Raises:
            InputError: nothing can be made of it.
        """
        data, form = opened(data, form)
        if form is Form.JSON:
            return self._decode_json(data, tell_bad_span)
        return self._protobuf.decode(data, tell_bad_span)

    def _decode_json(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        if _JAEGER_START.match(data) or (b'"resourceSpans"' not in data and b'"traceID"' in data):
            return decode_jaeger(data, tell_bad_span)
        return self._json.decode(data, tell_bad_span)


def opened(data: bytes, form: Form) -> tuple[bytes, Form]:
    """A payload that may be compressed, and whose form may be unknown, as it is, with its form.

    Raises:
        InputError: what is compressed is damaged, or too large.
        MissingExtraError: no decoder is installed.
    """
    if form is not Form.UNKNOWN:
        return data, form
    if data.startswith(ZSTD_MAGIC):
        data = unpacked(data, MAX_DOCUMENT_BYTES)
    return data, Form.JSON if not is_message(data) and data.lstrip()[:1] == b"{" else Form.PROTOBUF
