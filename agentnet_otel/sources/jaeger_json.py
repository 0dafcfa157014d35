"""Jaeger's JSON: an answer of its query API, a download of its UI, or a single trace, to `SpanRecord`s.

Jaeger keeps what OTLP has as tags (kind, status, scope, trace state) and as logs (events); here they become again
what they were. Times are microseconds there: what is smaller is lost. Lists come back as JSON text, as Jaeger has no
lists.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from agentnet_otel import semconv
from agentnet_otel.errors import InputError
from agentnet_otel.model import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode
from agentnet_otel.sources.lenient_json import BAD, decoded
from agentnet_otel.sources.message_density import check_density_of_json, check_elements_of_json
from agentnet_otel.sources.otlp_json import TellBadSpan
from agentnet_otel.sources.quoted import cut, quoted

PREFIX: Final = "jaeger+"
"""Begins the address of a server, before that of its query API."""

_NANOS_PER_MICRO: Final = 1000
_MAX_NANOS: Final = 2**64 - 1
_MAX_MICROS: Final = _MAX_NANOS // _NANOS_PER_MICRO
_TRACE_ID_DIGITS: Final = 32
_SPAN_ID_DIGITS: Final = 16
_HEX: Final = "0123456789abcdef"
_PROBLEMS_TOLD: Final = 3
_CHILD_OF: Final = "CHILD_OF"
_FOLLOWS_FROM: Final = "FOLLOWS_FROM"
_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}
_STATUSES: Final = {code.name: code for code in StatusCode}

Scalar = str | bool | int | float | None
Number = int | float | str


class _Tag(msgspec.Struct):
    key: str
    value: Scalar = None


class _Log(msgspec.Struct):
    timestamp: Number | None = None
    fields: list[_Tag] | None = None


class _Reference(msgspec.Struct, rename={"ref_type": "refType", "trace_id": "traceID", "span_id": "spanID"}):
    ref_type: str = ""
    trace_id: str = ""
    span_id: str = ""


class _Process(msgspec.Struct, rename="camel"):
    service_name: str | None = None
    tags: list[_Tag] | None = None


class _Span(
    msgspec.Struct,
    rename={
        "trace_id": "traceID",
        "span_id": "spanID",
        "parent_span_id": "parentSpanID",
        "operation_name": "operationName",
        "start_time": "startTime",
        "process_id": "processID",
    },
):
    trace_id: str
    span_id: str
    operation_name: str | None = None
    references: list[_Reference] | None = None
    parent_span_id: str | None = None
    start_time: Number | None = None
    duration: Number | None = None
    tags: list[_Tag] | None = None
    logs: list[_Log] | None = None
    process_id: str = ""
    process: _Process | None = None


class _Trace(msgspec.Struct):
    spans: list[msgspec.Raw]
    processes: dict[str, msgspec.Raw] | None = None


class _TraceHead(msgspec.Struct, rename={"trace_id": "traceID"}):
    trace_id: str = ""


class _Problem(msgspec.Struct, rename={"trace_id": "traceID"}):
    msg: str = ""
    trace_id: str = ""

    def __str__(self) -> str:
        return f"{cut(self.msg)} ({cut(self.trace_id)})" if self.trace_id else cut(self.msg)


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    errors: list[_Problem] | None = None


class _NewerAnswer(msgspec.Struct):
    result: msgspec.Raw


_answer_decoder: Final = msgspec.json.Decoder(_Answer)
_traces_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
_newer_answer_decoder: Final = msgspec.json.Decoder(_NewerAnswer)
_head_decoder: Final = msgspec.json.Decoder(_TraceHead)
_trace_decoder: Final = msgspec.json.Decoder(_Trace)
_process_decoder: Final = msgspec.json.Decoder(_Process)
_span_decoder: Final = msgspec.json.Decoder(_Span)


def decode_jaeger(data: bytes, tell_bad_span: TellBadSpan) -> Iterator[SpanRecord]:
    """The spans of an answer, a list of traces, or one trace. A bad span, or trace, is told and left out.

    Raises:
        InputError: it is no such JSON, or an answer that tells an error of the server.
    """
    check_density_of_json(data)
    encoded, problems = _traces(data)
    for problem in problems:
        tell_bad_span(f"Jaeger tells an error beside its traces: {problem}")
    if encoded and not any(isinstance(_trace(raw), _Trace) for raw in encoded):
        message = f"not JSON of Jaeger: {_trace(encoded[0])}"
        raise InputError(message)
    for number, raw_trace in enumerate(encoded, 1):
        trace = _trace(raw_trace)
        if not isinstance(trace, _Trace):
            tell_bad_span(f"trace {number} was left out: {trace}")
            continue
        services = _services(trace, number, tell_bad_span)
        for raw in trace.spans:
            try:
                record = _record(decoded(_span_decoder, raw), services)
            except BAD as error:
                tell_bad_span(f"a span of trace {number} was left out: {error}")
            else:
                yield record


def trace_ids_in(data: bytes) -> list[str]:
    """The ids of the traces that an answer holds, empty texts where they have none.

    Raises:
        InputError: it is no answer of Jaeger.
    """
    return [_id_of(raw) for raw in _traces(data)[0]]


def request_in(data: bytes) -> bytes:
    """The OTLP request in an answer of the newer API (``/api/v3``).

    Raises:
        InputError: it is no such answer.
    """
    try:
        return bytes(decoded(_newer_answer_decoder, data).result)
    except msgspec.ValidationError as error:
        message = f"not JSON of Jaeger: {error}"
        raise InputError(message) from None


def problem_in(body: bytes) -> str:
    """What a server says in the body of a refusal: Jaeger's own words, else the text as it is."""
    try:
        answer = decoded(_answer_decoder, body)
    except BAD:
        answer = _Answer()
    return _words_of(answer.errors or ()) or cut(body.decode(errors="replace").strip())


def _words_of(problems: Sequence[_Problem]) -> str:
    more = len(problems) - _PROBLEMS_TOLD
    told = [*map(str, problems[:_PROBLEMS_TOLD]), *([f"and {more:,} more"] if more > 0 else ())]
    return "; ".join(told)


def _id_of(raw: bytes | msgspec.Raw) -> str:
    try:
        return decoded(_head_decoder, raw).trace_id
    except BAD:
        return ""


def _trace(raw: bytes | msgspec.Raw) -> _Trace | Exception:
    """A trace, or what is wrong with it."""
    try:
        return decoded(_trace_decoder, raw)
    except BAD as error:
        return error


def _services(trace: _Trace, number: int, tell_bad_span: TellBadSpan) -> Mapping[str, "_Service"]:
    """The processes of a trace; one that is wrong is told, and its spans are of no service."""
    found = {}
    for key, raw in (trace.processes or {}).items():
        try:
            found[key] = _Service.of(decoded(_process_decoder, raw))
        except BAD as error:
            tell_bad_span(f"process {quoted(key)} of trace {number} cannot be used: {error}")
    return found


def _traces(data: bytes) -> tuple[Sequence[bytes | msgspec.Raw], Sequence[_Problem]]:
    """The encoded traces, and what the server says of others that it has not."""
    check_elements_of_json(data)
    try:
        if data.lstrip()[:1] == b"[":
            return decoded(_traces_decoder, data), ()
        answer = decoded(_answer_decoder, data)
        if answer.data is msgspec.UNSET and not answer.errors:
            decoded(_trace_decoder, data)
            return [data], ()
    except msgspec.ValidationError as error:
        message = f"not JSON of Jaeger: {error}"
        raise InputError(message) from None
    problems = answer.errors or ()
    if not answer.data and problems:
        message = f"Jaeger answered with an error: {_words_of(problems)}"
        raise InputError(message)
    return answer.data or (), problems


class _Service(NamedTuple):
    """A process, its tags as one mapping for all its spans."""

    name: str
    resource: Mapping[str, AttributeValue]

    @classmethod
    def of(cls, process: _Process) -> "_Service":
        return cls(process.service_name or "", {tag.key: tag.value for tag in process.tags or ()})


def _record(span: _Span, services: Mapping[str, _Service]) -> SpanRecord:
    tags: dict[str, AttributeValue] = {tag.key: tag.value for tag in span.tags or ()}
    known = services.get(span.process_id) if span.process is None else _Service.of(span.process)
    service = known or _Service("", {})
    start_ns = _nanoseconds(span.start_time, "startTime")
    end_ns = start_ns + _nanoseconds(span.duration, "duration")
    if end_ns > _MAX_NANOS:
        message = f"it ends {end_ns:,} ns after 1970, which is no time"
        raise ValueError(message)
    scope_name, scope_version = _scope(tags)
    return SpanRecord(
        trace_id=_hex_id(span.trace_id, _TRACE_ID_DIGITS, "traceID"),
        span_id=_hex_id(span.span_id, _SPAN_ID_DIGITS, "spanID"),
        parent_span_id=_parent_id(span),
        name=span.operation_name or "",
        kind=_KINDS.get(str(tags.pop(semconv.JAEGER_SPAN_KIND, "")), SpanKind.UNSPECIFIED),
        start_ns=start_ns,
        end_ns=end_ns,
        status=_status(tags),
        status_description=str(tags.pop(semconv.JAEGER_STATUS_DESCRIPTION, "")),
        trace_state=str(tags.pop(semconv.JAEGER_TRACE_STATE, "")),
        attributes=tags,
        events=tuple(map(_event, span.logs or ())),
        service_name=service.name,
        resource=service.resource,
        scope_name=scope_name,
        scope_version=scope_version,
    )


def _scope(tags: dict[str, AttributeValue]) -> tuple[str, str]:
    """Name and version of the scope, under their newer or their former tags."""
    names = [tags.pop(key, None) for key in (semconv.JAEGER_SCOPE_NAME, semconv.JAEGER_LIBRARY_NAME)]
    versions = [tags.pop(key, None) for key in (semconv.JAEGER_SCOPE_VERSION, semconv.JAEGER_LIBRARY_VERSION)]
    return str(names[0] or names[1] or ""), str(versions[0] or versions[1] or "")


def _status(tags: dict[str, AttributeValue]) -> StatusCode:
    """The status: OpenTelemetry's own tag, else the tag of OpenTracing, which knows errors only."""
    said = _STATUSES.get(str(tags.pop(semconv.JAEGER_STATUS_CODE, "")))
    failed = tags.get(semconv.JAEGER_ERROR)
    if said is not None or failed not in {True, "true"}:
        if said is StatusCode.ERROR:
            tags.pop(semconv.JAEGER_ERROR, None)
        return said or StatusCode.UNSET
    del tags[semconv.JAEGER_ERROR]
    return StatusCode.ERROR


def _event(log: _Log) -> SpanEvent:
    fields: dict[str, AttributeValue] = {field.key: field.value for field in log.fields or ()}
    return SpanEvent(
        name=str(fields.pop(semconv.JAEGER_EVENT_NAME, "")),
        time_ns=_nanoseconds(log.timestamp, "timestamp"),
        attributes=fields,
    )


def _parent_id(span: _Span) -> str | None:
    """The parent, as Jaeger has it: CHILD_OF within the trace, else FOLLOWS_FROM, else the field of older versions."""
    here = span.trace_id.lstrip("0")
    within = [ref for ref in span.references or () if ref.trace_id.lstrip("0") == here]
    parents = (ref.span_id for kind in (_CHILD_OF, _FOLLOWS_FROM) for ref in within if ref.ref_type == kind)
    found = next(parents, span.parent_span_id or "")
    return None if found.strip("0") == "" else _hex_id(found, _SPAN_ID_DIGITS, "parent spanID")


def _hex_id(text: str, digits: int, field: str) -> str:
    """The id in full length: Jaeger leaves leading zeros out."""
    padded = text.lower().rjust(digits, "0")
    if len(padded) != digits or padded.strip(_HEX) or padded == "0" * digits:
        message = f"{field} {quoted(text)} is not up to {digits} hex digits that are not all zero"
        raise ValueError(message)
    return padded


def _nanoseconds(micros: Number | None, field: str) -> int:
    """Microseconds as nanoseconds; some write them as fractions or as text, which is as clear."""
    if isinstance(micros, int) and 0 <= micros <= _MAX_MICROS:  # nearly always
        return micros * _NANOS_PER_MICRO
    if micros is None:
        return 0
    try:
        whole, part = divmod(float(micros), 1)
        if 0 <= whole <= _MAX_MICROS:  # not NaN either
            exact = int(micros) if isinstance(micros, str) and micros.isdecimal() else int(whole)
            return exact * _NANOS_PER_MICRO + round(part * _NANOS_PER_MICRO)
    except (ValueError, OverflowError):
        pass
    message = f"{field} {quoted(micros)} is no number of microseconds from 0 to {_MAX_MICROS:,}"
    raise ValueError(message)
