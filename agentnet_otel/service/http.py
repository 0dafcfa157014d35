"""HTTP: a door for senders and one for readers. The only module that knows a web framework.

What is answered is decided elsewhere, and connections are served by `http_server`; here are routes, limits and access.
"""

import asyncio
import contextlib
import dataclasses
import functools
import gzip
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from agentnet_otel.errors import BackendError, MissingExtraError
from agentnet_otel.outputs.prometheus.negotiation import accepts_gzip
from agentnet_otel.service.answers import Answer, Query, text_answer
from agentnet_otel.service.http_server import MAX_HEAD_BYTES
from agentnet_otel.service.lanes import GoneError, Lane, LaneFullError
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

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send
except ImportError as _error:
    _package = "starlette"
    raise MissingExtraError(_package, "service") from _error

MAX_QUERY_BYTES: Final = 4096
MAX_BODIES_BYTES: Final = 128 * 1024 * 1024
"""Bytes of bodies that are being received, all together; beyond it senders are asked to come back."""
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
KEEP_TIMEOUT_S: Final = 30.0
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
_NOT_FOUND = 404
_UNAUTHORIZED, _TOO_SLOW, _LONG_QUERY, _TOO_MANY, _LONG_HEAD, _FAILED = 401, 408, 414, 429, 431, 500
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
