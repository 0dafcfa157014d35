"""From a payload to its spans, whatever format it is in."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from agentnet_otel.errors import InputError, TruncatedError
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.compression import unpacked
from agentnet_otel.sources.jaeger_json import decode_jaeger, request_in
from agentnet_otel.sources.lines import is_json, requests_within
from agentnet_otel.sources.otlp_json import JsonDecoder, TellBadSpan
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import MAX_DOCUMENT_BYTES, Form, Payload, is_message
from agentnet_otel.sources.unpacking import ZSTD_MAGIC, is_zstd

if TYPE_CHECKING:
    from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder

_JAEGER_START: Final = re.compile(rb'\s*(?:\[|\{\s*"(?:data|traceID|spans|processes|errors)")')
_NEWER_JAEGER_START: Final = re.compile(rb'\s*\{\s*"result"\s*:')
_RUBBISH: Final = re.compile(rb'\s*(?:[^\s{\["tfn0-9-]|[0-9]+[^\s0-9.eE])')
"""How a line begins that is no JSON, and not the beginning of any either: other programs log so."""
_OTHER_OBJECT: Final = re.compile(rb'\s*\{\s*"(?!(?:data|traceID|spans|processes|errors|result)")')
"""How an object begins that has a key, and is no answer of Jaeger: programs that log in JSON write such."""
_OF_OTLP: Final = re.compile(rb'"resource(?:Spans|Metrics|Logs|Profiles)"')

_AFTER_NEWLINE: Final = b"{[ \t\r\n"
"""What JSON may go on with behind a newline, which is also the first byte of a message."""

MAX_BAD_PARTS: Final = 1000
"""Of a payload that is wrong as a whole; what comes behind them is left out."""


class PayloadDecoder:
    """Decodes payloads; one a reader, for it remembers attributes."""

    def __init__(self) -> None:
        self._json = JsonDecoder()

    @cached_property
    def _protobuf(self) -> "ProtobufDecoder":
        from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder  # noqa: PLC0415 - JSON needs no protobuf

        return ProtobufDecoder()

    def decode(self, data: bytes, form: Form, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        """The spans of one payload; a bad span is left out, and ``tell_bad_span`` gets a sentence on it.

        Raises:
            InputError: nothing can be made of it.
        """
        data, form = opened(data, form)
        if form is Form.JSON:
            return self._decode_json(data, tell_bad_span)
        return self._protobuf.decode(data, tell_bad_span)

    def records(self, payload: Payload, report: ReadReport) -> list[SpanRecord]:
        """The spans of a payload as far as they can be used. What cannot be is noted in ``report``, as are all."""
        if report.is_full and _is_rubbish(payload):  # what is wrong with it nobody is told
            report.bad_lines += 1
            report.tell(payload.where, "")
            return []
        spans: list[SpanRecord] = []
        error = self._read_into(spans, payload, report)
        if error is not None:
            bad = 0
            for part in requests_within(payload):
                bad += self._told(self._read_into(spans, part, report), part, report)
                error = None
                if bad == MAX_BAD_PARTS:
                    report.tell(part.where, "what comes behind it was left out, for too much before it was wrong")
                    break
            self._told(error, payload, report)
        report.spans += len(spans)
        return spans

    def _read_into(self, spans: list[SpanRecord], payload: Payload, report: ReadReport) -> InputError | None:
        """Add the spans of a payload; what is wrong with it as a whole."""

        def tell_bad_span(what: str) -> None:
            report.bad_spans += 1
            report.tell(payload.where, what)

        try:
            spans.extend(self.decode(payload.data, payload.form, tell_bad_span))
        except InputError as error:
            return error
        return None

    @staticmethod
    def _told(error: InputError | None, payload: Payload, report: ReadReport) -> bool:
        """Count and tell what is wrong with a payload, if anything is."""
        if isinstance(error, TruncatedError):
            if not payload.is_rest:
                report.cut_off(payload.where, "it is cut off")
        elif error is not None:
            report.bad_lines += 1
            report.tell(payload.where, str(error))
        return error is not None

    def _decode_json(self, data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
        if _JAEGER_START.match(data) or (b'"traceID"' in data and not _OF_OTLP.search(data)):
            return decode_jaeger(data, tell_bad_span)
        if _NEWER_JAEGER_START.match(data):
            data = request_in(data)
        return self._json.decode(data, tell_bad_span)


def _is_rubbish(payload: Payload) -> bool:
    """Whether a payload is a bad line, whatever is wrong with it. Requests may stand within other lines."""
    data = payload.data
    if payload.form is not Form.JSON or b'"resource' in data:
        return False
    if _OTHER_OBJECT.match(data) is None:
        return _RUBBISH.match(data) is not None
    return b'"traceID"' not in data and is_json(data)  # else it may be cut off, which is no bad line


def opened(data: bytes, form: Form) -> tuple[bytes, Form]:
    """A payload that may be compressed, and whose form may be unknown, as it is, with its form.

    Raises:
        InputError: what is compressed is damaged, or too large.
        MissingExtraError: no decoder is installed.
    """
    if form is not Form.UNKNOWN:
        return data, form
    if data[:1] == b"\n" and data[1:2] not in _AFTER_NEWLINE:  # a message; no JSON goes on so
        return data, Form.PROTOBUF
    if is_zstd(data[: len(ZSTD_MAGIC)]):
        data = unpacked(data, MAX_DOCUMENT_BYTES)
    return data, Form.JSON if not is_message(data) and data.lstrip()[:1] == b"{" else Form.PROTOBUF
