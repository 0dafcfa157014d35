"""A socket that listens, and lets in so many connections at once, be they ready to say something or not.

Whoever only connects to a door that speaks TLS is no connection for the server behind it until the handshake is done,
which may take a minute: thousands of these would use up the files of the process.
"""

import socket
from collections.abc import Callable

from agentnet_otel.errors import BackendError
from agentnet_otel.sources.access import Address


class Listener(socket.socket):
    """Listens at ``address``; beyond ``most`` connections further ones are closed at once. ``option`` names it.

    For one thread.

    Raises:
        BackendError: the address is taken or none.
    """

    def __init__(self, address: Address, option: str, *, most: int, backlog: int) -> None:
        super().__init__(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
        self._most = most
        self._connections = 0
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.bind((address.host, address.port))
            self.listen(backlog)
        except OSError as error:
            self.close()
            message = f"cannot listen at {address}: {error.strerror or error}. Name another with {option}"
            raise BackendError(message) from None

    def accept(self) -> tuple[socket.socket, object]:
        """The next connection that there is room for."""
        while True:
            made, caller = super().accept()
            if self._connections < self._most:
                break
            made.close()
        self._connections += 1
        return _Connection(made, self._give_back), caller

    def _give_back(self) -> None:
        self._connections -= 1


class _Connection(socket.socket):
    """Gives its place back when it is closed."""

    def __init__(self, made: socket.socket, give_back: Callable[[], None]) -> None:
        super().__init__(made.family, made.type, made.proto, fileno=made.detach())
        self._give_back: Callable[[], None] | None = give_back

    def close(self) -> None:
        """Close it, once."""
        super().close()
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()
