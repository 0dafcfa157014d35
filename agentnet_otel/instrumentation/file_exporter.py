"""Spans into a file: OTLP JSON, one request a line, as the Collector's file exporter writes them.

A batch is one write to a file opened for appending, so that lines of several processes (a prefork server) do not mix.
"""

import base64
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext

from agentnet_otel.errors import ConfigurationError, reason_of
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.lifecycle import lifecycle

_HAS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
_MODE: Final = 0o644
_INT64: Final = 2**63

Json = dict[str, Any]


class FileSpanExporter(SpanExporter):
    """Appends spans to ``path``; missing folders are made.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        except OSError as error:
            message = f"cannot write spans to {self._path}: {reason_of(error)}. Name another file: exporter='file:PATH'"
            raise ConfigurationError(message) from error
        self._closed = False
        self._torn = False
        self._lock = threading.RLock()  # between the last batch and the end; a finalizer may come in while it is held
        lifecycle.renew_lock_after_fork(self)

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.RLock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write one line."""
        if not spans or self._closed:
            return SpanExportResult.FAILURE if self._closed else SpanExportResult.SUCCESS
        line = _json({"resourceSpans": encode_spans(spans)}) + b"\n"
        try:
            return SpanExportResult.SUCCESS if self._write(line) else SpanExportResult.FAILURE
        except OSError as error:
            faults.log.contain(f"file exporter ({self._path})", error)
            return SpanExportResult.FAILURE

    def _write(self, line: bytes) -> bool:
        """Write a line, unless the file is closed; what a full disk cut off before costs itself, not this one."""
        with self._lock:
            if self._closed:  # its number may be another file's by now
                return False
            rest = b"\n" + line if self._torn else line
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
                self._torn = bool(rest)
            return True

    def shutdown(self) -> None:
        """Close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        del timeout_millis
        return True


def _json(document: Json) -> bytes:
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:  # half of a surrogate pair, as broken texts have: no byte of UTF-8 stands for it
        return json.dumps(document, ensure_ascii=False).encode(errors="replace")


def encode_spans(spans: Iterable[ReadableSpan]) -> list[Json]:
    """``resourceSpans`` of the spans, neighbours of one resource and scope together."""
    encoded: list[Json] = []
    for (resource, scope), group in groupby(spans, key=lambda span: (span.resource, span.instrumentation_scope)):
        encoded.append(
            {
                "resource": {"attributes": _attributes(resource.attributes)},
                "schemaUrl": resource.schema_url,
                "scopeSpans": [
                    {
                        "scope": _scope(scope),
                        "spans": [_span(span) for span in group],
                        "schemaUrl": "" if scope is None else scope.schema_url or "",
                    }
                ],
            }
        )
    return encoded


def _scope(scope: InstrumentationScope | None) -> Json:
    if scope is None:
        return {}
    return {
        "name": scope.name,
        "version": scope.version or "",
        "attributes": _attributes(scope.attributes or {}),
    }


def _span(span: ReadableSpan) -> Json:
    context = span.context
    encoded: Json = {
        "traceId": "" if context is None else format(context.trace_id, "032x"),
        "spanId": "" if context is None else format(context.span_id, "016x"),
        "parentSpanId": "" if span.parent is None else format(span.parent.span_id, "016x"),
        "flags": _flags(context, span.parent),
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": _attributes(span.attributes or {}),
        "droppedAttributesCount": span.dropped_attributes,
        "events": [_event(event) for event in span.events],
        "droppedEventsCount": span.dropped_events,
        "links": [_link(link) for link in span.links],
        "droppedLinksCount": span.dropped_links,
        "status": {"code": span.status.status_code.value, "message": span.status.description or ""},
    }
    if context is not None and context.trace_state:
        encoded["traceState"] = context.trace_state.to_header()
    return encoded


def _flags(context: SpanContext | None, parent: SpanContext | None) -> int:
    flags = 0 if context is None else int(context.trace_flags)
    if parent is None:
        return flags
    return flags | _HAS_IS_REMOTE | (_IS_REMOTE if parent.is_remote else 0)


def _event(event: Event) -> Json:
    return {
        "timeUnixNano": str(event.timestamp),
        "name": event.name,
        "attributes": _attributes(event.attributes or {}),
        "droppedAttributesCount": event.dropped_attributes,
    }


def _link(link: Link) -> Json:
    return {
        "traceId": format(link.context.trace_id, "032x"),
        "spanId": format(link.context.span_id, "016x"),
        "traceState": link.context.trace_state.to_header(),
        "attributes": _attributes(link.attributes or {}),
    }


def _attributes(attributes: Mapping[str, object]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: object) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -_INT64 <= value < _INT64 else {"stringValue": _huge(value)}
    if isinstance(value, float):
        return {"doubleValue": _double(value)}
    if isinstance(value, str):
        return {"stringValue": value}
    return _compound(value)


def _compound(value: object) -> Json:
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {} if value is None else {"stringValue": str(value)}


def _huge(value: int) -> str:
    """OTLP has 64 bits; what is larger is written as text, in hex where Python refuses to write its decimals."""
    try:
        return str(value)
    except ValueError:
        return hex(value)


def _double(value: float) -> float | str:
    """JSON has no words for these three; the protobuf mapping has."""
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
