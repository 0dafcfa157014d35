"""One post to a server: taken, not taken, or nobody knows."""

import contextlib
import http.client
import os
import socket
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError

TIMEOUT_S: Final = 10.0
"""To connect, and then for the whole of the answer: one that comes byte by byte is none."""
_LONGEST_PAUSE_S: Final = 3600.0
_OK, _REDIRECT, _TOO_MANY, _FAULT, _GATEWAY_TIMEOUT = 200, 300, 429, 500, 504


class Result(str, Enum):
    """How a post ended. UNKNOWN: it may have been taken, so whoever must not tell twice does not try again."""

    TAKEN = "taken"
    NOT_TAKEN = "not taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """``why`` is for people; ``pause_s``: how long the server asks to wait."""

    result: Result
    why: str = ""
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """A server that takes posts. Its address may be a secret: only `name` is told."""

    url: str

    @classmethod
    def parse(cls, url: str, option: str) -> "Target":
        """Of an address.

        Raises:
            ConfigurationError: it is none for HTTP, or has a password in it.
        """
        try:
            parts = urlsplit(url)
            possible = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
            possible = possible and url.isascii() and url.isprintable() and " " not in url
        except ValueError:
            possible = False
        if not possible or "@" in parts.netloc:
            message = f"{option} takes an address without a password, such as http://127.0.0.1:9093"
            raise ConfigurationError(message)
        return cls(url)

    @property
    def name(self) -> str:
        """The server, without the path, which may be a secret."""
        return urlsplit(self.url).netloc

    def below(self, path: str) -> "Target":
        """An address below this one."""
        return Target(f"{self.url.rstrip('/')}{path}")

    def post(self, body: bytes, key: str = "") -> Posted:
        """Send JSON; ``key`` names what is told, for a server that wants to know it again. Never raises."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        with contextlib.closing(connection):
            try:
                connection.connect()
            except (OSError, UnicodeError) as error:
                return Posted(result=Result.NOT_TAKEN, why=f"cannot be reached: {_reason(error)}")
            patience = threading.Timer(TIMEOUT_S, _hang_up, [connection])
            patience.daemon = True
            patience.start()
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                return Posted(result=Result.UNKNOWN, why=f"gave no answer: {_reason(error)}")
            finally:
                patience.cancel()
            return _told(answer.status, answer.getheader("Retry-After") or "")


def targets_of(alertmanager: str | None, webhook: str | None) -> tuple[Target | None, Target | None]:
    """Alertmanager and webhook by the options of those names; what is not given says the environment.

    Raises:
        ConfigurationError: an address is none.
    """
    manager = alertmanager or os.environ.get(semconv.ENV_ALERTMANAGER)
    hook = webhook or os.environ.get(semconv.ENV_WEBHOOK)
    return (
        Target.parse(manager, "--alertmanager") if manager else None,
        Target.parse(hook, "--webhook") if hook else None,
    )


def _told(status: int, retry_after: str) -> Posted:
    why = f"answered with status {status}"
    if _OK <= status < _REDIRECT:
        return Posted(result=Result.TAKEN)
    if status == _GATEWAY_TIMEOUT:
        return Posted(result=Result.UNKNOWN, why=why)
    if status == _TOO_MANY or status >= _FAULT:
        asked = retry_after.strip()
        seconds = float(asked) if asked.isascii() and asked.isdecimal() else 0.0
        return Posted(result=Result.NOT_TAKEN, why=why, pause_s=min(seconds, _LONGEST_PAUSE_S))
    return Posted(result=Result.REFUSED, why=why)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """End what another thread waits for."""
    with contextlib.suppress(OSError, AttributeError):  # it may be over by now
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is unknown"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
