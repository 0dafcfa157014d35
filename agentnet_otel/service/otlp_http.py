"""OTLP over HTTP: what a request to ``/v1/traces`` is answered, whoever speaks HTTP."""

import gzip
import io
import zlib
from collections.abc import Mapping
from typing import BinaryIO, Final, cast

import msgspec
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status

from agentnet_otel.errors import BackendError, InputError
from agentnet_otel.service.answers import Answer, text_answer
from agentnet_otel.sources.compression import read_at_most
from agentnet_otel.sources.intake import MAX_REQUEST_BYTES, RETRY_AFTER_S, Intake, RequestKind
from agentnet_otel.sources.otlp_grpc import response_of
from agentnet_otel.sources.store.raw_log import OverloadedError

_KINDS: Final = {"application/x-protobuf": RequestKind.PROTOBUF, "application/json": RequestKind.JSON}
_TYPES: Final = {kind: content_type for content_type, kind in _KINDS.items()}
_GZIP: Final = frozenset({"gzip", "x-gzip"})
"""The second is another name of the first (RFC 9110, 8.4.1.3)."""
OTHER_SIGNALS: Final = ("metrics", "logs")
"""What senders may also have, each at ``/v1/`` and its name."""
_OK, _BAD, _TOO_LARGE, _UNSUPPORTED, _TOO_MANY, _UNAVAILABLE = 200, 400, 413, 415, 429, 503
_NOT_HERE = 404
_INVALID_ARGUMENT, _RESOURCE_EXHAUSTED, _UNIMPLEMENTED, _UNAVAILABLE_CODE, _UNAUTHENTICATED = 3, 8, 12, 14, 16
_CODES: Final = {401: _UNAUTHENTICATED, 429: _RESOURCE_EXHAUSTED, 431: _RESOURCE_EXHAUSTED, 500: 13}


def take_export(intake: Intake, content_type: str, content_encoding: str, body: bytes) -> Answer:
    """Take an export request in, and say what to answer."""
    kind = _kind_of(content_type)
    if kind is None:
        intake.note_bad()
        return text_answer(_UNSUPPORTED, f"content type {content_type!r} is not supported; use {' or '.join(_KINDS)}")
    try:
        data = _unpacked(content_encoding, body)
    except InputError as error:
        intake.note_bad()
        return refusal(error, content_type)
    try:
        receipt = intake.take(kind, data)
    except InputError as error:
        return _problem(_BAD, _INVALID_ARGUMENT, str(error), kind)
    except OverloadedError as error:
        return _problem(_TOO_MANY, _RESOURCE_EXHAUSTED, str(error), kind, {"Retry-After": str(RETRY_AFTER_S)})
    except BackendError as error:
        return unavailable(str(error), _TYPES[kind])
    response = response_of(receipt)
    data = response.SerializeToString() if kind is RequestKind.PROTOBUF else MessageToJson(response).encode()
    return Answer(status=_OK, body=data, content_type=_TYPES[kind], kept=receipt.kept)


def _kind_of(content_type: str) -> RequestKind | None:
    """What a request is that has this content type; None of any that OTLP has not."""
    return _KINDS.get(content_type.partition(";")[0].strip().lower())


def refusal(error: InputError, content_type: str) -> Answer:
    """The answer to a body that cannot be looked at, in the format of the request."""
    status = error.status if isinstance(error, RefusedError) else _BAD
    kind = _kind_of(content_type)
    if kind is None:
        return text_answer(status, str(error))
    busy = status == _TOO_MANY
    headers = {"Retry-After": str(RETRY_AFTER_S)} if busy else None
    return _problem(status, _RESOURCE_EXHAUSTED if busy else _INVALID_ARGUMENT, str(error), kind, headers)


def wrong_signal(signal: str, content_type: str) -> Answer:
    """The answer to an export of something else than spans."""
    text = (
        f"{signal} are not taken here, traces are, at POST /v1/traces; "
        f"send none (OTEL_{signal.upper()}_EXPORTER=none), or elsewhere"
    )
    kind = _kind_of(content_type) or RequestKind.JSON
    return _problem(_NOT_HERE, _UNIMPLEMENTED, text, kind)


def told_senders(answer: Answer, content_type: str) -> Answer:
    """A refusal in words, as senders take it: in the format of their request, if it is one of OTLP's."""
    kind = _kind_of(content_type)
    if kind is None:
        return answer
    return _problem(answer.status, _CODES.get(answer.status, _INVALID_ARGUMENT), answer.body.decode().strip(), kind)


def too_large() -> "RefusedError":
    """Of a body that is larger than one may be."""
    return RefusedError(_TOO_LARGE, f"a request may have {MAX_REQUEST_BYTES:,} bytes")


def unavailable(text: str, content_type: str = "application/json") -> Answer:
    """The answer where a request of this type could not be kept: the sender may try again."""
    kind = _KINDS.get(content_type, RequestKind.JSON)
    return _problem(_UNAVAILABLE, _UNAVAILABLE_CODE, text, kind, {"Retry-After": str(RETRY_AFTER_S)})


def _problem(status: int, code: int, text: str, kind: RequestKind, headers: Mapping[str, str] | None = None) -> Answer:
    """A failure as OTLP wants it: a ``google.rpc.Status`` in the format of the request."""
    if kind is RequestKind.PROTOBUF:
        body = Status(code=code, message=text).SerializeToString()
    else:
        body = msgspec.json.encode({"code": code, "message": text})
    return Answer(status=status, body=body, content_type=_TYPES[kind], headers=headers or {})


class RefusedError(InputError):
    """A body that HTTP has a status of its own for."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _unpacked(encoding: str, body: bytes) -> bytes:
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in _GZIP:
        raise RefusedError(_UNSUPPORTED, f"content encoding {encoding!r} is not supported; use gzip, or none")
    try:
        data = read_at_most(cast("BinaryIO", gzip.GzipFile(fileobj=io.BytesIO(body))), MAX_REQUEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        message = f"damaged gzip data: {error}"
        raise InputError(message) from None
    if len(data) > MAX_REQUEST_BYTES:
        raise RefusedError(_TOO_LARGE, f"a request may have {MAX_REQUEST_BYTES:,} bytes unpacked")
    return data
