"""The life of an HTTP server: connections, their bounds, heads, TLS. The only module that knows uvicorn.

What is served is an application of ASGI, which `http` makes.
"""

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final, Protocol
from urllib.parse import unquote

from agentnet_otel.errors import MissingExtraError
from agentnet_otel.service.listener import Listener
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.intake import RETRY_AFTER_S
from agentnet_otel.sources.renewal import Renewal

try:
    import uvicorn
    from h11 import ProtocolError
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as _error:
    _package = "uvicorn"
    raise MissingExtraError(_package, "service") from _error

MAX_CONNECTIONS: Final = 512
"""Connections of a door; further ones are told to come back, and closed."""
MAX_HEAD_BYTES: Final = 16 * 1024
"""Bytes of a request's first line and headers."""
HEAD_S: Final = 10.0
"""How long the head of a request may take, from its connection or the answer before."""
IDLE_S: Final = 30
GRACE_S: Final = 5
"""How long requests that run may take at the end."""
BACKLOG: Final = 128
"""Connections that wait to be let in; so many are taken at once before any of them is looked at."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""As ASGI has them."""

_BAD_REQUEST: Final = 400
_TWO_LENGTHS: Final = b"a request has Content-Length or Transfer-Encoding, not both\n"
_REFUSING: Final = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(_TWO_LENGTHS)),
    (b"connection", b"close"),
]
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    % RETRY_AFTER_S
)
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://(?P<host>[^/?#]+)(?P<path>/.*)?", re.DOTALL).fullmatch
_logger: Final = logging.getLogger("agentnet_otel")


class ServedApp(Protocol):
    """An application of ASGI. Its ``state`` has ``lanes``, to be closed with it, and is told when it is ``ending``."""

    state: Any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""


class HttpServer:
    """Serves an application at an address until it is told to stop.

    Raises:
        BackendError: the address is taken or none.
    """

    def __init__(
        self,
        app: ServedApp,
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


def _framed_rightly(app: AsgiApp) -> AsgiApp:
    """Refuses a body of two lengths, and closes: somebody in between may have taken the other one (RFC 9112, 6.1)."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        if {b"content-length", b"transfer-encoding"} <= names:
            await send({"type": "http.response.start", "status": _BAD_REQUEST, "headers": _REFUSING})
            await send({"type": "http.response.body", "body": _TWO_LENGTHS})
        else:
            await app(scope, receive, send)

    return answer


def _in_origin_form(app: AsgiApp) -> AsgiApp:
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
