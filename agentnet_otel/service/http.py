"""HTTP: a door for senders and one for readers. The only module that knows a web framework.

What is answered is decided elsewhere; here are routes, limits, access, and the life of the servers.
"""

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Final

from agentnet_otel.errors import BackendError, MissingExtraError
from agentnet_otel.service.answers import Answer, Query, text_answer
from agentnet_otel.service.otlp_http import take_export, unavailable
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.intake import MAX_REQUEST_BYTES, Door, Intake

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as _error:
    _package = "starlette or uvicorn"
    raise MissingExtraError(_package, "service") from _error

MAX_CONNECTIONS: Final = 512
MAX_QUERY_BYTES: Final = 4096
IDLE_S: Final = 30
KEEP_TIMEOUT_S: Final = 30.0
BACKLOG: Final = 1024

Application = Starlette
Page = Callable[[Query], Answer]
Handler = Callable[[Request], Awaitable[Response]]

_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_UNAUTHORIZED, _TOO_LARGE, _LONG_QUERY = 401, 413, 414


def receiver_app(intake: Intake, access: Access) -> Starlette:
    """The door for senders: OTLP over HTTP at ``/v1/traces``."""

    async def export(request: Request) -> Response:
        begin = time.perf_counter()
        body = await _body(request)
        if body is None:
            return _response(text_answer(_TOO_LARGE, f"a request may have {MAX_REQUEST_BYTES:,} bytes"))
        content_type, encoding = (request.headers.get(name, "") for name in ("content-type", "content-encoding"))
        answer = await _when_kept(await run_in_threadpool(take_export, intake, content_type, encoding, body))
        if answer.kept is not None:
            intake.note_time(Door.HTTP, time.perf_counter() - begin)
        return _response(answer)

    return Starlette(routes=[Route("/v1/traces", _guarded(export, access), methods=["POST"])])


def reader_app(pages: Mapping[str, Page], open_pages: Mapping[str, Page], access: Access) -> Starlette:
    """The door for readers. ``open_pages`` need no token: probes of an orchestrator have none."""
    routes = [Route(path, _guarded(_paged(page), access)) for path, page in pages.items()]
    routes += [Route(path, _guarded(_paged(page), Access())) for path, page in open_pages.items()]
    return Starlette(routes=routes)


class HttpServer:
    """Serves an application at an address until it is told to stop.

    Raises:
        BackendError: the address is taken or none.
    """

    def __init__(self, app: Starlette, address: Address, access: Access, option: str) -> None:
        self._socket = _listen(address, option)
        self.address = Address(host=address.host, port=self._socket.getsockname()[1])
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=IDLE_S,
                ssl_certfile=access.certificate,
                ssl_keyfile=access.key,
            )
        )

    async def serve(self) -> None:
        """Until `stop`."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Take no more connections; requests that run are answered."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Leaves the signals of the process to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def _listen(address: Address, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address.host, address.port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        message = f"cannot listen at {address}: {error.strerror or error}. Name another: {option} host:port"
        raise BackendError(message) from None
    return made


def _guarded(handler: Handler, access: Access) -> Handler:
    """Only for those who may; a failure of ours is one word, not a traceback."""

    @functools.wraps(handler)
    async def guarded(request: Request) -> Response:
        if not access.admits(request.headers.get("authorization")):
            answer = text_answer(_UNAUTHORIZED, "a bearer token is needed")
            return _response(answer, {"WWW-Authenticate": "Bearer"})
        if len(request.url.query) > MAX_QUERY_BYTES:
            return _response(text_answer(_LONG_QUERY, f"a query may have {MAX_QUERY_BYTES:,} bytes"))
        try:
            return await handler(request)
        except BackendError as error:
            return _response(unavailable(str(error)))

    return guarded


def _paged(page: Page) -> Handler:
    async def show(request: Request) -> Response:
        query = Query(parameters=dict(request.query_params), accept=request.headers.get("accept", ""))
        return _response(await run_in_threadpool(page, query))

    return show


async def _body(request: Request) -> bytes | None:
    """The body; None where it is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_REQUEST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


async def _when_kept(answer: Answer) -> Answer:
    """The answer, when what it promises is so."""
    if answer.kept is None:
        return answer
    kept: Future[None] = answer.kept
    try:
        await asyncio.wait_for(asyncio.wrap_future(kept), KEEP_TIMEOUT_S)
    except TimeoutError:
        return unavailable("the disk is too slow")
    except BackendError as error:
        return unavailable(str(error))
    return answer


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        answer.body,
        answer.status,
        {**_SAFE, **answer.headers, **(headers or {}), "Content-Type": answer.content_type},
    )
