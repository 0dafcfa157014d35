"""The certificate of the doors as it is now: files that were renewed are taken without another start.

Only new handshakes use what is new. Two files are seldom changed at the same moment: what does not fit together is
looked at again before it is told, and what was used before goes on being used.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.sources.access import Access
from agentnet_otel.sources.certificate import Chain, pem_bytes, read_chain

_Fingerprint = tuple[tuple[int, int, int] | None, ...]
"""What changes when files do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its chain, and its key, as PEM."""

    certificate: bytes
    key: bytes


class Renewal:
    """Follows the files of ``access``, if it has any. `look` is for one thread, all else for any.

    ``chain``, ``pair``: the certificate that is used. ``context``: what speaks TLS with it once it was renewed.
    ``trouble``: why what the files hold now is not used.

    Raises:
        ConfigurationError: a file cannot be read.
    """

    def __init__(self, access: Access) -> None:
        self._files = None if access.certificate is None or access.key is None else (access.certificate, access.key)
        self._seen = self._fingerprint()
        self._suspect: _Fingerprint | None = None
        self._check: Callable[[Pair], None] = lambda _: None
        self.chain: Chain = access.chain
        self.pair: Pair | None = None if self._files is None else _pair_of(*self._files)
        self.context: ssl.SSLContext | None = None
        self.trouble: str | None = None

    def check_with(self, check: Callable[[Pair], None]) -> None:
        """Have a door look at a pair before it is used; it raises `ConfigurationError` where it cannot use it."""
        self._check = check

    def look(self) -> str | None:
        """Take what was renewed; returns a sentence for whoever runs this, None where there is nothing to tell."""
        found = self._fingerprint()
        if self._files is None or found == self._seen:
            return None
        try:
            changed = self._take(*self._files)
        except (ConfigurationError, OSError) as error:
            if found != self._suspect:  # perhaps only one of the two is there yet
                self._suspect = found
                return None
            self._seen = found
            self.trouble = f"the certificate could not be renewed, and the one before is used on: {error}"
            return self.trouble
        self._seen, self._suspect = found, None
        changed = changed or self.trouble is not None
        self.trouble = None
        return f"the certificate in {self._files[0]} was renewed, and is used from now on" if changed else None

    def _take(self, certificate: Path, key: Path) -> bool:
        """Use what the files hold; whether that is something else than before. All or nothing of it is used.

        Raises:
            ConfigurationError, OSError: it cannot be used.
        """
        pair = _pair_of(certificate, key)
        if pair == self.pair:
            return False
        chain = read_chain(certificate, key)
        self._check(pair)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if _pair_of(certificate, key) != pair:
            message = f"{certificate} and {key} are being changed"
            raise ConfigurationError(message)
        self.chain, self.pair, self.context = chain, pair, context
        return True

    def _fingerprint(self) -> _Fingerprint:
        return tuple(map(_fingerprint_of, self._files or ()))


def _pair_of(certificate: Path, key: Path) -> Pair:
    return Pair(certificate=pem_bytes(certificate), key=pem_bytes(key))


def _fingerprint_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
