"""Who may send to a receiver and read from a page: addresses, tokens and TLS, the same for each door."""

import base64
import hmac
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.sources.certificate import Chain, read_chain

MAX_TOKEN: Final = 4096
"""Characters of a token."""
_MAX_PORT: Final = 65_535
_BASIC: Final = "basic"
_BEARER: Final = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen. ``host`` is a name or an address without brackets; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """``host:port``, ``[v6]:port``.

        Raises:
            ConfigurationError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        if not colon or not bare or not _is_port(port) or (":" in bare and bare == host):
            message = f"{text!r} is not an address; write host:port, such as 127.0.0.1:4317 or [::1]:4317"
            raise ConfigurationError(message)
        return cls(host=bare, port=int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        number = _number_of(self.host)
        return self.host == "localhost" if number is None else number.is_loopback

    @property
    def is_numeric_or_local(self) -> bool:
        """Whether nobody's name server decides where it leads to."""
        return self.host == "localhost" or self.host.endswith(".localhost") or _number_of(self.host) is not None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a door asks for. ``token`` None lets everybody in; ``certificate`` and ``key`` are PEM files.

    ``chain``: what the certificate was when it was looked at.
    """

    token: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    chain: Chain = field(default_factory=Chain)

    def admits(self, authorization: str | None) -> bool:
        """Whether a caller with this ``Authorization`` may come in; compared in constant time.

        The token comes as bearer token or, from browsers, which ask their user for it, as the password of any user.
        """
        if self.token is None:
            return True
        scheme, _, rest = (authorization or "").partition(" ")
        given = _password_in(rest) if scheme.lower() == _BASIC else rest.strip().encode()
        right = hmac.compare_digest(given, self.token.encode())
        return right and scheme.lower() in {_BASIC, _BEARER}

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.certificate is not None

    def check(self, address: Address, *, plaintext_allowed: bool) -> None:
        """Refuse a door that strangers could reach.

        Raises:
            ConfigurationError: it is open beyond this machine without a token, or without TLS.
        """
        if address.is_loopback:
            return
        if self.token is None:
            message = f"{address} can be reached from other machines: set a token ({semconv.ENV_TOKEN} or --token-file)"
            raise ConfigurationError(message)
        if not self.encrypted and not plaintext_allowed:
            message = (
                f"{address} can be reached from other machines without encryption: give --tls-cert and --tls-key, or "
                "--allow-plaintext where something in front of it encrypts"
            )
            raise ConfigurationError(message)


def read_access(token_file: Path | None, certificate: Path | None, key: Path | None) -> Access:
    """The access that files and the environment describe.

    Raises:
        ConfigurationError: a file cannot be read or is empty, only one of certificate and key is there, or TLS could
            not be spoken with them.
    """
    if (certificate is None) != (key is None):
        message = "--tls-cert and --tls-key belong together; give both"
        raise ConfigurationError(message)
    chain = read_chain(certificate, key) if certificate is not None and key is not None else Chain()
    return Access(token=_token(token_file), certificate=certificate, key=key, chain=chain)


def _token(file: Path | None) -> str | None:
    """The token that a file or the environment holds, without blanks around it.

    Raises:
        ConfigurationError: nobody could send it: it is empty, too long, or has characters that no header carries.
    """
    text = os.environ.get(semconv.ENV_TOKEN) if file is None else _text_of(file, MAX_TOKEN + 1)
    if text is None:
        return None
    token, where = text.strip(), file or semconv.ENV_TOKEN
    if not token:
        message = f"the token is empty ({where})"
        raise ConfigurationError(message)
    if len(text) > MAX_TOKEN:
        message = f"{where} has more than {MAX_TOKEN:,} characters; a token has to fit into the head of a request"
        raise ConfigurationError(message)
    if not (token.isascii() and token.isprintable()):
        message = f"the token in {where} is not one line of ASCII characters, so that no header could carry it"
        raise ConfigurationError(message)
    return token


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(_MAX_PORT)) and int(text) <= _MAX_PORT


def _number_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is given by, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _password_in(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _text_of(path: Path, most: int = -1) -> str:
    """What a file says, so many characters of it at most."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read(most)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigurationError(message) from None
