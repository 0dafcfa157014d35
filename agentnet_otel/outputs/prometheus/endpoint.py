"""The page of metrics: for one's own port, for WSGI and ASGI servers, and for a registry of prometheus_client."""

import asyncio
import contextlib
import gzip
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client.registry import CollectorRegistry

from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.outputs.prometheus import text
from agentnet_otel.outputs.prometheus.collector import SdkCollector
from agentnet_otel.outputs.prometheus.exemplars import ExemplarMemory
from agentnet_otel.outputs.prometheus.families import Readings, snapshot
from agentnet_otel.outputs.prometheus.http_server import MetricsServer
from agentnet_otel.outputs.prometheus.negotiation import accepts_gzip, prefers_openmetrics
from agentnet_otel.outputs.prometheus.one_process import refusal, refuse_multiprocess_mode
from agentnet_otel.outputs.prometheus.reader import PullReader

DEFAULT_PORT: Final = 9464
LOOPBACK: Final = "127.0.0.1"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_logger: Final = logging.getLogger("agentnet_otel")
_PLAIN: Final = "text/plain; charset=utf-8"
_GZIP_LEVEL: Final = 1
"""The network is near, and the processor is the application's."""
_OK, _NO_SUCH_METHOD, _FAILED, _REFUSED = (
    "200 OK",
    "405 Method Not Allowed",
    "500 Internal Server Error",
    "503 Service Unavailable",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    accept: str
    accept_encoding: str
    address: str
    multiprocess: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class PrometheusEndpoint:
    """What ``readings`` give, for Prometheus to pull.

    Raises:
        ConfigurationError: ``PROMETHEUS_MULTIPROC_DIR`` is set, so that several processes would share the page.
    """

    def __init__(self, readings: Readings) -> None:
        refuse_multiprocess_mode()
        self._readings = readings
        self._memory = ExemplarMemory()
        self._registered: WeakKeyDictionary[CollectorRegistry, SdkCollector] = WeakKeyDictionary()

    @classmethod
    def of_reader(cls, reader: PullReader) -> "PrometheusEndpoint":
        """What one reader collects."""
        return cls(lambda: [reader.read()])

    def scrape(self, accept: str = "") -> text.Exposition:
        """The page: OpenMetrics where ``accept`` (the header) prefers it, else the classic text.

        Raises:
            ConfigurationError: the data is delta.
        """
        shown = snapshot(self._readings, self._memory)
        return text.openmetrics(shown) if prefers_openmetrics(accept) else text.classic(shown)

    @property
    def collector(self) -> SdkCollector:
        """A collector for a registry of prometheus_client."""
        return SdkCollector(self._readings, self._memory)

    def register(self, registry: CollectorRegistry) -> SdkCollector:
        """Show the metrics on the page that an application has already; returns what ``unregister`` takes.

        Once each, also where an application is set up twice: the former collector goes.
        """
        former = self._registered.get(registry)
        if former is not None:
            with contextlib.suppress(KeyError):  # it is not there any more
                registry.unregister(former)
        collector = self.collector
        registry.register(collector)
        self._registered[registry] = collector
        return collector

    def start_http_server(self, port: int = DEFAULT_PORT, addr: str = LOOPBACK) -> MetricsServer:
        """Serve the page on a port of its own (0: a free one), at any path, until the server's ``close``.

        Raises:
            BackendError: the address is taken or none.
        """
        return MetricsServer(self._wsgi_app(shareable=False), port, addr)

    def wsgi_app(self) -> WSGIApplication:
        """The page as a WSGI application. A server with several workers is refused, in each scrape's answer."""
        return self._wsgi_app(shareable=True)

    def _wsgi_app(self, *, shareable: bool) -> WSGIApplication:
        """``shareable``: several processes may listen at the address, so that the first has to claim it."""
        made_in_pid = os.getpid()

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request = _Request(
                method=environ.get("REQUEST_METHOD", "GET"),
                accept=environ.get("HTTP_ACCEPT", ""),
                accept_encoding=environ.get("HTTP_ACCEPT_ENCODING", ""),
                address=f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}" if shareable else "",
                multiprocess=bool(environ.get("wsgi.multiprocess")),
            )
            answer = self._answer(request, made_in_pid)
            start_response(answer.status, list(answer.headers))
            return [answer.body]

        return app

    def asgi_app(self) -> AsgiApplication:
        """The page as an ASGI application; collecting runs in a thread, and holds up no event loop."""
        made_in_pid = os.getpid()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await _live(receive, send)
                return
            if scope["type"] != "http":
                message = f"metrics are served by HTTP, not by {scope['type']}"
                raise ValueError(message)
            answer = await asyncio.to_thread(self._answer, _request_of(scope), made_in_pid)
            headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": int(answer.status[:3]), "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})

        return app

    def _answer(self, request: _Request, made_in_pid: int) -> _Answer:
        if request.method not in {"GET", "HEAD"}:
            return _told(_NO_SUCH_METHOD, "metrics are read with GET", request)
        why_not = refusal(made_in_pid, request.address, multiprocess=request.multiprocess)
        if why_not is not None:
            return _told(_REFUSED, why_not, request)
        try:
            page = self.scrape(request.accept)
        except AgentNetOtelError as error:
            return _told(_FAILED, str(error), request)
        except Exception:  # an instrument of the application: its text is for its log, not for whoever scrapes
            _logger.exception("agentnet_otel: metrics could not be collected")
            return _told(_FAILED, "metrics could not be collected; the log of the application says why", request)
        return _compressed(page.body, page.content_type, request)


def _compressed(body: bytes, content_type: str, request: _Request) -> _Answer:
    headers = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
    if accepts_gzip(request.accept_encoding):
        body = gzip.compress(body, _GZIP_LEVEL)
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(body))))
    return _Answer(status=_OK, headers=tuple(headers), body=b"" if request.method == "HEAD" else body)


def _told(status: str, sentence: str, request: _Request) -> _Answer:
    body = f"{sentence}\n".encode()
    headers = (("Content-Type", _PLAIN), ("Content-Length", str(len(body))))
    return _Answer(status=status, headers=headers, body=b"" if request.method == "HEAD" else body)


def _request_of(scope: Scope) -> _Request:
    headers: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        key = name.decode("latin-1").lower()
        headers[key] = f"{headers[key]},{value.decode('latin-1')}" if key in headers else value.decode("latin-1")
    server = scope.get("server")
    return _Request(
        method=scope["method"],
        accept=headers.get("accept", ""),
        accept_encoding=headers.get("accept-encoding", ""),
        address="" if server is None else f"{server[0]}:{server[1]}",
    )


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
