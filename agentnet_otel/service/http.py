"""HTTP: a door for senders and one for readers. The only module that knows a web framework.

What is answered is decided elsewhere; here are routes, limits, access, and the life of the servers.
"""

import asyncio
import contextlib
import dataclasses
import functools
import gzip
import logging
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Final
from urllib.parse import unquote

from agentnet_otel.errors import BackendError, MissingExtraError
from agentnet_otel.outputs.prometheus.negotiation import accepts_gzip
from agentnet_otel.service.answers import Answer, Query, text_answer
from agentnet_otel.service.lanes import GoneError, Lane, LaneFullError
from agentnet_otel.service.listener import Listener
from agentnet_otel.service.otlp_http import (
    OTHER_SIGNALS,
    RefusedError,
    refusal,
    take_export,
    told_senders,
    too_large,
    unavailable,
    wrong_signal,
)
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.intake import MAX_REQUEST_BYTES, RETRY_AFTER_S, Door, Intake
from agentnet_otel.sources.renewal import Renewal

try:
    import uvicorn
    from h11 import ProtocolError
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as _error:
    _package = "starlette or uvicorn"
    raise MissingExtraError(_package, "service") from _error

MAX_CONNECTIONS: Final = 512
"""Connections of a door; further ones are told to come back, and closed."""
MAX_HEAD_BYTES: Final = 16 * 1024
"""Bytes of a request's first line and headers."""
MAX_QUERY_BYTES: Final = 4096
MAX_BODIES_BYTES: Final = 128 * 1024 * 1024
"""Bytes of bodies that are being received, all together; beyond it senders are asked to come back."""
HEAD_S: Final = 10.0
"""How long the head of a request may take, from its connection or the answer before."""
BODY_S: Final = 60.0
"""How long a body may take."""
EXPORTS_AT_ONCE: Final = 4
"""Bodies that are unpacked and looked at at once: each may be large, and takes a processor."""
PAGES_AT_ONCE: Final = 4
REPORTS_AT_ONCE: Final = 1
"""Reports need seconds and hundreds of megabytes where there are very many turns."""
WAITING_REPORTS: Final = 8
"""Beyond it readers are told to come back."""
MIN_PACKED_BYTES: Final = 1024
"""Of an answer that is worth packing."""
GZIP_LEVEL: Final = 1
"""A third of the time of the usual level, for a tenth more bytes."""
IDLE_S: Final = 30
GRACE_S: Final = 5
"""How long requests that run may take at the end."""
KEEP_TIMEOUT_S: Final = 30.0
BACKLOG: Final = 128
"""Connections that wait to be let in; so many are taken at once before any of them is looked at."""
MAX_STREAMS: Final = 32
"""Pages that are kept fresh at once; further ones have to be reloaded by their reader."""
STREAM_S: Final = 600.0
"""How long a stream lasts; then the browser asks for the next."""
STILL_HERE_S: Final = 15.0
LOOK_S: Final = 0.5
"""How often it is looked for news."""
RECONNECT_MS: Final = 2000

Application = Starlette
Page = Callable[[Query], Answer]
Handler = Callable[[Request], Awaitable[Response]]

_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_ASK_USER: Final = 'Basic realm="agentnet-otel", charset="UTF-8"'
_MISDIRECTED, _UNAVAILABLE = 421, 503
_BAD_REQUEST, _NOT_FOUND = 400, 404
_UNAUTHORIZED, _TOO_SLOW, _LONG_QUERY, _TOO_MANY, _LONG_HEAD, _FAILED = 401, 408, 414, 429, 431, 500
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    % RETRY_AFTER_S
)
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://(?P<host>[^/?#]+)(?P<path>/.*)?", re.DOTALL).fullmatch
_logger: Final = logging.getLogger("agentnet_otel")


def receiver_app(intake: Intake, access: Access) -> Starlette:
    """The door for senders: OTLP over HTTP at ``/v1/traces``."""
    bodies = _Bodies()
    lane = Lane("exports", EXPORTS_AT_ONCE)

    async def export(request: Request) -> Response:
        begin = time.perf_counter()
        content_type, encoding = (
            ", ".join(request.headers.getlist(name)) for name in ("content-type", "content-encoding")
        )
        try:
            body = await bodies.receive(request)
        except RefusedError as error:
            if error.status == _TOO_MANY:
                intake.note_refused()
            elif error.status != _TOO_SLOW:  # who broke off sent nothing that could be bad
                intake.note_bad()
            return _response(refusal(error, content_type))
        answer = await _when_kept(await lane.run(take_export, None, intake, content_type, encoding, body))
        if answer.kept is not None:
            intake.note_time(Door.HTTP, time.perf_counter() - begin)
        return _response(answer)

    async def export_other(request: Request) -> Response:
        with contextlib.suppress(RefusedError):  # who is still sending would not hear the answer
            await bodies.receive(request)
        intake.note_bad()
        return _response(
            wrong_signal(request.url.path.strip("/").removeprefix("v1/"), request.headers.get("content-type", ""))
        )

    doors = [("/v1/traces", export, ["POST"])]
    doors += [(f"/v1/{signal}", export_other, ["POST", "GET"]) for signal in OTHER_SIGNALS]  # be it only looked for
    routes = [
        Route(f"{path}{end}", _guarded(handler, access, told=told_senders), methods=methods)
        for path, handler, methods in doors
        for end in ("", "/")
    ]
    return _application(routes, (lane,), "traces are taken at POST /v1/traces, and nothing else is")


def reader_app(
    *,
    pages: Mapping[str, Page],
    open_pages: Mapping[str, Page],
    browser_pages: Mapping[str, Page],
    events: Mapping[str, Callable[[], int]],
    access: Access,
    streams: "Streams | None" = None,
    costly: Collection[str] = (),
    scraped: Collection[str] = (),
) -> Starlette:
    """The door for readers. ``open_pages`` need no token: probes of an orchestrator have none.

    ``browser_pages`` let a browser ask its user for the token. ``events``: streams that tell when a number changes;
    ``streams`` counts them. ``costly`` and ``scraped``: paths that have lanes of their own.
    """
    streams = streams or Streams()
    quick, probes, news, scrapes = Lane("pages", PAGES_AT_ONCE), Lane("probes", 1), Lane("news", 1), Lane("scrapes", 1)
    reports = Lane("reports", REPORTS_AT_ONCE, WAITING_REPORTS)
    lanes = dict.fromkeys(costly, reports) | dict.fromkeys(scraped, scrapes)
    routes = [Route(path, _guarded(_paged(page, lanes.get(path, quick)), access)) for path, page in pages.items()]
    routes += [Route(path, _guarded(_paged(page, probes), Access())) for path, page in open_pages.items()]
    for_browsers = {path: _paged(page, lanes.get(path, quick)) for path, page in browser_pages.items()}
    for_browsers |= {path: streams.telling(latest, news) for path, latest in events.items()}
    routes += [
        Route(path, _named_rightly(_guarded(handler, access, _ASK_USER), access))
        for path, handler in for_browsers.items()
    ]
    paths = ", ".join(sorted((*pages, *open_pages, *browser_pages)))
    return _application(routes, (quick, probes, news, scrapes, reports), f"pages are: {paths}")


def _application(routes: Sequence[Route], lanes: Sequence[Lane], what_there_is: str) -> Starlette:
    """Routes, and what is said where none leads; nobody is sent on to where a caller says that this is."""

    async def nowhere(_: Request, error: Exception) -> Response:
        status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (_FAILED, None)
        what = "this is not here" if status == _NOT_FOUND else "this cannot be done here"
        return _response(text_answer(status, f"{what}; {what_there_is}"), headers)

    app = Starlette(routes=routes, exception_handlers={HTTPException: nowhere})
    app.router.redirect_slashes = False
    app.state.ending = False
    app.state.lanes = lanes
    return app


class HttpServer:
    """Serves an application at an address until it is told to stop.

    Raises:
        BackendError: the address is taken or none.
    """

    def __init__(
        self,
        app: Starlette,
        address: Address,
        access: Access,
        option: str,
        connections: int = MAX_CONNECTIONS,
        renewal: Renewal | None = None,
    ) -> None:
        """``option`` names the address for people; ``connections`` are those at once; ``renewal``: see there."""
        self._app = app
        most = connections if access.encrypted else connections + BACKLOG  # those beyond it can be told so in the clear
        self._socket = Listener(address, option, most=most, backlog=BACKLOG)
        self.address = Address(host=address.host, port=self._socket.getsockname()[1])
        config = uvicorn.Config(
            _framed_rightly(_in_origin_form(app)),
            http=_protocol(connections),
            ws="none",
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=access.certificate,
            ssl_keyfile=access.key,
        )
        config.load()
        if config.ssl is not None and renewal is not None:
            config.ssl.sni_callback = _following(renewal)
        self._server = _Server(config)

    async def serve(self) -> None:
        """Until `stop`."""
        _hear_protocol()
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            for lane in self._app.state.lanes:
                lane.close()

    def stop(self) -> None:
        """Take no more connections; requests that run are answered, and streams end."""
        self._app.state.ending = True
        self._server.should_exit = True


def _framed_rightly(app: ASGIApp) -> ASGIApp:
    """Refuses a body of two lengths, and closes: somebody in between may have taken the other one (RFC 9112, 6.1)."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        if {b"content-length", b"transfer-encoding"} <= names:
            refused = text_answer(_BAD_REQUEST, "a request has Content-Length or Transfer-Encoding, not both")
            await _response(refused, {"Connection": "close"})(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


def _in_origin_form(app: ASGIApp) -> ASGIApp:
    """Has a target that names scheme and host taken as if these stood in the header, as RFC 9112 (3.2.2) asks for."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (target := _ABSOLUTE(scope["raw_path"])) is not None:
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            raw_path = target["path"] or b"/"
            scope["raw_path"], scope["path"] = raw_path, unquote(raw_path.decode("ascii"))
            scope["headers"] = [(b"host", target["host"]), *headers]
        await app(scope, receive, send)

    return answer


def _following(renewal: Renewal) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """What is called with each handshake, be a name asked for or not: it goes on with a renewed certificate."""

    def take_renewed(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if renewal.context is not None:
            handshake.context = renewal.context

    return take_renewed


_GIVEN_UP: Final = "timeout graceful shutdown exceeded"
"""How uvicorn ends what it says of requests that did not end in time."""


class _ProtocolLog(logging.Handler):
    """What uvicorn has to say of connections: what clients do wrong they are told themselves, not whoever runs this.

    Nor is it a fault that a request which does not end is given up when the server does.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of faults of ours, a sentence each."""
        error = record.exc_info[1] if record.exc_info else None
        given_up = record.getMessage().endswith(_GIVEN_UP) or isinstance(error, asyncio.CancelledError)
        if record.levelno >= logging.ERROR and not given_up and not isinstance(error, ProtocolError):
            _logger.error(
                "agentnet-otel: a connection failed: %s", record.getMessage() if error is None else repr(error)
            )


def _hear_protocol() -> None:
    log = logging.getLogger("uvicorn.error")
    log.propagate = False
    log.handlers = [_ProtocolLog()]


def _protocol(connections: int) -> type[H11Protocol]:
    """What a door speaks that takes so many connections at once."""

    class Bounded(_Protocol):
        most = connections

    return Bounded


class _Protocol(H11Protocol):
    """A connection that has to make progress: whoever sends a head byte by byte, or reads nothing, is let go."""

    most = MAX_CONNECTIONS
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.write(_BUSY)
            transport.close()
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_expecting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; between requests the clock runs from the first of them."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        else:
            self._stop_expecting()

    def timeout_keep_alive_handler(self) -> None:
        """Close it; where nobody reads what is left of an answer, at once."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _expect_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None


class _Server(uvicorn.Server):
    """Leaves the signals of the process to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def _guarded(
    handler: Handler, access: Access, challenge: str = "Bearer", told: Callable[[Answer, str], Answer] | None = None
) -> Handler:
    """Only for those who may; a failure of ours is one word, not a traceback.

    ``told``: a refusal as callers take it who send this content type.
    """

    def refused(request: Request, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
        answer = text_answer(status, text)
        return _response(answer if told is None else told(answer, request.headers.get("content-type", "")), headers)

    @functools.wraps(handler)
    async def guarded(request: Request) -> Response:
        if sum(len(name) + len(value) for name, value in request.headers.raw) > MAX_HEAD_BYTES:
            return refused(request, _LONG_HEAD, f"headers may have {MAX_HEAD_BYTES:,} bytes")
        if not access.admits(request.headers.get("authorization")):
            return refused(request, _UNAUTHORIZED, "a bearer token is needed", {"WWW-Authenticate": challenge})
        if len(request.url.query) > MAX_QUERY_BYTES:
            return refused(request, _LONG_QUERY, f"a query may have {MAX_QUERY_BYTES:,} bytes")
        try:
            return await handler(request)
        except BackendError as error:
            return _response(unavailable(str(error)))
        except Exception:
            _logger.exception("agentnet-otel: a request to %s failed", request.url.path)
            return refused(request, _FAILED, "this request failed here; the log of the bridge says why")

    return guarded


def _packed(page: Page, query: Query, encodings: str) -> Answer:
    """What a page answers, packed for those who take that: lines of turns and metrics become a tenth."""
    answer = page(query)
    headers = {**answer.headers, "Vary": "Accept, Accept-Encoding"}
    body = answer.body
    if len(body) >= MIN_PACKED_BYTES and accepts_gzip(encodings):
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, GZIP_LEVEL)
    return dataclasses.replace(answer, body=body, headers=headers)


def _paged(page: Page, lane: Lane) -> Handler:
    async def show(request: Request) -> Response:
        names = [name for name, _ in request.query_params.multi_items()]
        query = Query(
            parameters=dict(request.query_params),
            repeated=frozenset(name for name in names if names.count(name) > 1),
            accept=request.headers.get("accept", ""),
        )
        try:
            encodings = request.headers.get("accept-encoding", "")
            return _response(await lane.run(_packed, request.is_disconnected, page, query, encodings))
        except LaneFullError as error:
            return _response(text_answer(_UNAVAILABLE, str(error)), {"Retry-After": str(RETRY_AFTER_S)})
        except GoneError:
            return Response(status_code=_TOO_SLOW)

    return show


def _named_rightly(handler: Handler, access: Access) -> Handler:
    """Only under a name that cannot be somebody else's, where no token is asked for.

    A page elsewhere whose name is made to lead here would otherwise read ours in the browser of whoever visits it.
    """

    @functools.wraps(handler)
    async def named(request: Request) -> Response:
        host = request.url.hostname or ""
        if access.token is None and not Address(host=host, port=0).is_numeric_or_local:
            text = f"{host} is not a name of this server; open it by its address, or set a token"
            return _response(text_answer(_MISDIRECTED, text))
        return await handler(request)

    return named


class Streams:
    """Streams of server-sent events, so many at once; any thread may read its numbers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open = 0
        self.accepted = 0
        self.refused = 0

    def _take(self) -> bool:
        """Take a place before the answer begins, so that a burst of requests finds each place once."""
        with self._lock:
            if self.open >= MAX_STREAMS:
                self.refused += 1
                return False
            self.open += 1
            self.accepted += 1
            return True

    def give_back(self) -> None:
        """A stream is over."""
        with self._lock:
            self.open -= 1

    def telling(self, latest: Callable[[], int], lane: Lane) -> Handler:
        """A stream that tells the number whenever it changed, and that it lives."""

        async def stream(request: Request) -> Response:
            headers = {**_SAFE, "Content-Type": "text/event-stream; charset=utf-8"}
            if request.method == "HEAD":
                return Response(headers=headers)
            if not self._take():
                answer = text_answer(_UNAVAILABLE, f"{MAX_STREAMS} pages are kept fresh already; this one is not")
                return _response(answer, {"Retry-After": str(RETRY_AFTER_S)})
            return _PlacedResponse(self, self._events(request, latest, lane), headers)

        return stream

    async def _events(self, request: Request, latest: Callable[[], int], lane: Lane) -> AsyncIterator[bytes]:
        yield b"retry: %d\n\n" % RECONNECT_MS
        told, told_s = request.headers.get("last-event-id", ""), time.monotonic()
        end_s = told_s + STREAM_S
        while not request.app.state.ending and time.monotonic() < end_s:
            try:
                now = str(await lane.run(latest))
            except BackendError:
                return  # the page asks again, and is told then
            if now != told:
                told, told_s = now, time.monotonic()
                yield f"event: turns\nid: {now}\ndata: {now}\n\n".encode()
            elif time.monotonic() - told_s > STILL_HERE_S:
                told_s = time.monotonic()
                yield b": still here\n\n"
            await asyncio.sleep(LOOK_S)


class _PlacedResponse(StreamingResponse):
    """Gives its place back however it ends, also where its reader went before it began."""

    def __init__(self, streams: Streams, events: AsyncIterator[bytes], headers: Mapping[str, str]) -> None:
        super().__init__(events, headers=headers)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.give_back()


class _Bodies:
    """Receives bodies within bounds: of one, of all together, and of time."""

    def __init__(self) -> None:
        self._size = 0

    async def receive(self, request: Request) -> bytes:
        """The body.

        Raises:
            RefusedError: it cannot be had.
        """
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > MAX_REQUEST_BYTES:
            raise too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_S):
                async for part in request.stream():
                    size += len(part)
                    self._size += len(part)
                    if size > MAX_REQUEST_BYTES:
                        raise too_large()
                    if self._size > MAX_BODIES_BYTES:
                        raise RefusedError(_TOO_MANY, "too many requests are being received")
                    parts.append(part)
        except TimeoutError:
            raise RefusedError(_TOO_SLOW, f"the body did not come within {BODY_S:g} s") from None
        except ClientDisconnect:
            raise RefusedError(_TOO_SLOW, "the body did not come whole") from None
        finally:
            self._size -= size
        return b"".join(parts)


async def _when_kept(answer: Answer) -> Answer:
    """The answer, when what it promises is so."""
    if answer.kept is None:
        return answer
    kept: Future[None] = answer.kept
    try:
        await asyncio.wait_for(asyncio.wrap_future(kept), KEEP_TIMEOUT_S)
    except TimeoutError:
        return unavailable("the disk is too slow", answer.content_type)
    except BackendError as error:
        return unavailable(str(error), answer.content_type)
    return answer


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        answer.body,
        answer.status,
        {**_SAFE, **answer.headers, **(headers or {}), "Content-Type": answer.content_type},
    )
