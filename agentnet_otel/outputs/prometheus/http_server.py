"""The page of metrics on a port of its own."""

import contextlib
import os
import socket
import threading
import weakref
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

from agentnet_otel.errors import BackendError, reason_of

JOIN_S: Final = 5.0


class _Server(ThreadingMixIn, WSGIServer):
    """Each scrape in a thread, so that a slow client holds up no other."""

    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind, also where connections of a former server linger; a host name is looked up nowhere."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _ServerOfVersion6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing: this is in an application's process."""

    def address_string(self) -> str:
        """Look up no name."""
        return str(self.client_address[0])


class MetricsServer:
    """Serves until `close`, or the end of the process; a forked child leaves the port to its parent.

    Raises:
        BackendError: the address is taken or none.
    """

    def __init__(self, app: WSGIApplication, port: int, addr: str) -> None:
        kind = _ServerOfVersion6 if ":" in addr else _Server
        try:
            self._server = make_server(addr, port, app, kind, _Quiet)
        except (OSError, OverflowError) as error:
            why = reason_of(error) if isinstance(error, OSError) else str(error)
            message = f"metrics cannot be served at {addr}:{port}: {why}. Choose another port, or 0 for a free one"
            raise BackendError(message) from None
        self.host = addr
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="agentnet-otel-metrics", kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()
        _servers.add(self)

    def close(self) -> None:
        """Give the port back. Repeatable."""
        if self in _servers:
            _servers.discard(self)
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(JOIN_S)

    def leave_to_parent(self) -> None:
        """Close the socket, in a forked child, which has no thread that serves."""
        with contextlib.suppress(OSError):
            self._server.socket.close()


_servers: Final[weakref.WeakSet[MetricsServer]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for server in list(_servers):
        server.leave_to_parent()
    _servers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
