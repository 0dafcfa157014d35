"""OTLP over gRPC: the trace service, on bytes that are kept as they came."""

import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentnet_otel.errors import BackendError, ConfigurationError, InputError
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.intake import MAX_REQUEST_BYTES, RETRY_AFTER_S, Door, Intake, Receipt, RequestKind
from agentnet_otel.sources.renewal import Pair, Renewal
from agentnet_otel.sources.store.raw_log import OverloadedError

T = TypeVar("T")

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_OTHER_EXPORT: Final = re.compile(
    r"/opentelemetry\.proto\.collector\.(metrics|logs|profiles)\.\w+\.\w+/Export"
).fullmatch
_DETAILS: Final = "grpc-status-details-bin"
_AUTHORIZATION: Final = "authorization"
_WORKERS: Final = 16
MAX_WAITING_CALLS: Final = 128
"""Calls that wait for a worker; beyond it callers are told to come back."""
_MAX_CONCURRENT: Final = 1024
"""Calls at once, whatever becomes of them: gRPC itself refuses further ones."""
_MAX_STREAMS: Final = 128
"""Calls at once on one connection; a client waits with further ones."""
MAX_CONNECTIONS: Final = 512
"""Connections at once; further ones are closed, and clients try again."""
_MAX_HEAD_BYTES: Final = 16 * 1024
_HANDSHAKE_MS: Final = 10_000
_PING_MS: Final = 60_000
"""How often a silent connection is asked whether anybody is there."""
_KEEP_TIMEOUT_S: Final = 30.0
_UNSPEAKABLE: Final = (
    "gRPC cannot speak TLS with this certificate and key, though HTTP could: it does not know what they are made of. "
    "Make them with RSA, or ECDSA on P-256"
)
_TAKEN: Final = ExportTraceServiceResponse().SerializeToString()


class GrpcReceiver:
    """Listens at ``address`` from the start on, for so many ``connections`` at once.

    ``renewal`` tells the certificate, and asks here whether a new one can be used.

    Raises:
        BackendError: the address is taken or none, or the certificate is none.
    """

    def __init__(
        self, address: Address, access: Access, intake: Intake, renewal: Renewal, connections: int = MAX_CONNECTIONS
    ) -> None:
        workers = _Workers()
        self._server = grpc.server(
            workers,
            handlers=[_Handlers(access, intake, workers)],
            maximum_concurrent_rpcs=_MAX_CONCURRENT,
            options=[
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                ("grpc.max_concurrent_streams", _MAX_STREAMS),
                ("grpc.max_allowed_incoming_connections", connections),
                ("grpc.max_metadata_size", _MAX_HEAD_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_HEAD_BYTES),
                ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
                ("grpc.keepalive_time_ms", _PING_MS),
                ("grpc.so_reuseport", 0),
            ],
        )
        try:
            port = self._bind(address, renewal)
        except RuntimeError as error:
            message = f"cannot listen at {address}: {error}. Is the port taken? Name another: --otlp-grpc host:port"
            if access.encrypted and _is_free(address):
                message = f"{access.certificate} and {access.key}: {_UNSPEAKABLE}"
            raise BackendError(message) from None
        self.address = Address(host=address.host, port=port)

    def start(self) -> None:
        """Answer from now on."""
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Take no more calls; those that run have ``grace_s`` to end."""
        self._server.stop(grace_s).wait()

    def _bind(self, address: Address, renewal: Renewal) -> int:
        if renewal.pair is None:
            return int(self._server.add_insecure_port(str(address)))
        renewal.check_with(_check_speakable)
        return int(self._server.add_secure_port(str(address), _following(renewal, renewal.pair)))


def _following(renewal: Renewal, first: Pair) -> Any:
    """Credentials that take a renewed pair with the next connection."""
    used = first

    def renewed() -> Any:
        nonlocal used
        pair = renewal.pair
        if pair is None or pair is used:
            return None
        used = pair
        return _configuration(pair)

    return grpc.dynamic_ssl_server_credentials(_configuration(first), renewed)


def _configuration(pair: Pair) -> Any:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)])


def _check_speakable(pair: Pair) -> None:
    """Refuse a pair that gRPC cannot use: it would tell nobody, and go on with the one before.

    Raises:
        ConfigurationError: it cannot.
    """
    server = grpc.server(ThreadPoolExecutor(1))
    try:
        server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pair.key, pair.certificate)]))
    except RuntimeError:
        raise ConfigurationError(_UNSPEAKABLE) from None
    finally:
        server.stop(None)


def _is_free(address: Address) -> bool:
    """Whether somebody could listen there; gRPC does not tell a bad certificate from a port that is taken."""
    try:
        socket.create_server(
            (address.host, address.port), family=socket.AF_INET6 if ":" in address.host else socket.AF_INET
        ).close()
    except OSError:
        return False
    return True


class _Workers(ThreadPoolExecutor):
    """Threads that answer calls, and how many calls wait for one."""

    def __init__(self) -> None:
        super().__init__(_WORKERS, thread_name_prefix="agentnet-otel-grpc")
        self.waiting = 0
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a call answered."""
        with self._lock:
            self.waiting += 1
        return super().submit(self._begin, fn, *args, **kwargs)

    def _begin(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with self._lock:
            self.waiting -= 1
        return fn(*args, **kwargs)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The one method that there is, and what those are told who send another signal.

    gRPC itself says of other methods that they are not implemented.
    """

    def __init__(self, access: Access, intake: Intake, workers: _Workers) -> None:
        self._access = access
        self._workers = workers
        self._intake = intake
        self._export_handler = grpc.unary_unary_rpc_method_handler(self._export)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call."""
        method = handler_call_details.method
        if method == _EXPORT:
            return self._export_handler
        other = _OTHER_EXPORT(method)
        return None if other is None else grpc.unary_unary_rpc_method_handler(partial(self._export_other, other[1]))

    def _export_other(self, signal: str, _: bytes, context: Any) -> None:
        self._admit(context)
        self._intake.note_bad()
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{signal} are not taken here, only traces are")

    def _admit(self, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        if not self._access.admits(metadata.get(_AUTHORIZATION)):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "a bearer token is needed")

    def _export(self, request: bytes, context: Any) -> bytes:
        begin = time.perf_counter()
        self._admit(context)
        if self._workers.waiting > MAX_WAITING_CALLS:
            self._intake.note_refused()
            _abort_with_retry(context, "too many requests are being received")
        try:
            receipt = self._intake.take(RequestKind.PROTOBUF, request)
            receipt.kept.result(_KEEP_TIMEOUT_S)
        except InputError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except OverloadedError as error:
            _abort_with_retry(context, str(error))
        except (BackendError, FutureTimeoutError) as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error) or "the disk is too slow")
        self._intake.note_time(Door.GRPC, time.perf_counter() - begin)
        return _answer(receipt)


def _answer(receipt: Receipt) -> bytes:
    return _TAKEN if not receipt.rejected else response_of(receipt).SerializeToString()


def response_of(receipt: Receipt) -> ExportTraceServiceResponse:
    """The answer that OTLP has for a request of which all or a part was taken."""
    response = ExportTraceServiceResponse()
    if receipt.rejected:
        response.partial_success.rejected_spans = receipt.rejected
        response.partial_success.error_message = receipt.remark
    return response


def _abort_with_retry(context: Any, message: str) -> None:
    """Say that the sender is to come back, and when: without the delay OTLP takes it for final."""
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_S)))
    status = Status(code=code.value[0], message=message, details=[detail])
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(code, message)
