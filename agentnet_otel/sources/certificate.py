"""Certificates in PEM files: from when until when they hold, and whether they are what TLS can be spoken with.

The standard library opens them and tells no dates of a server's own certificate. So these are read here, out of DER:
a certificate is a sequence whose first part holds, in this order, a version (may be missing), a number, an algorithm,
the issuer, two times, and the subject (RFC 5280, 4.1).
"""

import binascii
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from agentnet_otel.errors import ConfigurationError

MAX_PEM: Final = 1_000_000
"""Characters of a certificate with its chain, or of a key."""
SOON: Final = timedelta(days=7)
"""So long before its end a certificate is told to be near it."""

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([\sA-Za-z0-9+/=]*)-----END (?:X509 |TRUSTED )?CERTIFICATE-----"
)
_LOCKED_KEY: Final = re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED", re.MULTILINE)
_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18
_FORMATS: Final = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}
_LONG: Final = 0x80
_SHOWN: Final = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """From when until when it holds, both included; ``name`` says for people which one it is."""

    name: str
    begins: datetime
    ends: datetime
    issuer: bytes
    subject: bytes

    def trouble(self, now: datetime) -> str | None:
        """What callers that verify would object to, in one sentence; None where they would not."""
        if now < self.begins:
            return f"{self.name} is not valid before {self.begins:{_SHOWN}}; callers that verify it will not connect"
        if now > self.ends:
            return f"{self.name} expired at {self.ends:{_SHOWN}}; callers that verify it will not connect"
        return None

    def warning(self, now: datetime) -> str | None:
        """Its trouble, or that it is near its end."""
        soon = f"{self.name} expires at {self.ends:{_SHOWN}}" if now > self.ends - SOON else None
        return self.trouble(now) or soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The certificates of a door, its own first. ``remarks``: what is odd about them, a sentence each."""

    certificates: tuple[Certificate, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ends(self) -> datetime | None:
        """When the first of them expires."""
        return min((one.ends for one in self.certificates), default=None)

    def trouble(self, now: datetime) -> str | None:
        """What callers would object to first."""
        return next(filter(None, (one.trouble(now) for one in self.certificates)), None)

    def warnings(self, now: datetime) -> list[str]:
        """What whoever runs this is to know by now."""
        return [text for one in self.certificates if (text := one.warning(now)) is not None]


def read_chain(certificate: Path, key: Path) -> Chain:
    """The certificates of a file, after a look whether TLS can be spoken with them and the key.

    Raises:
        ConfigurationError: it cannot, and why.
    """
    texts = {path: _pem(path) for path in (certificate, key)}
    _check_blocks(certificate, texts[certificate], key, texts[key])
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise ConfigurationError(_why(certificate, key, error)) from None
    blocks = _CERTIFICATE.findall(texts[certificate])
    found = []
    for number, block in enumerate(blocks, 1):
        name = f"the certificate in {certificate}" if number == 1 else f"certificate {number} of those in {certificate}"
        try:
            found.append(_parsed(binascii.a2b_base64(block), name))
        except (ValueError, IndexError):  # what TLS takes is not refused because it cannot be read here
            return Chain(remarks=(f"{name} is written in a way of which the dates cannot be told",))
    return Chain(certificates=tuple(found), remarks=_remarks(found))


def pem_bytes(path: Path) -> bytes:
    """A PEM file as every library takes it.

    Raises:
        ConfigurationError: it cannot be read, or is none.
    """
    return _pem(path).encode()


def _pem(path: Path) -> str:
    """What a file says, without what marks it as UTF-8; remarks between the blocks may be in any encoding."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            text = file.read(MAX_PEM + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise ConfigurationError(message) from None
    if len(text) > MAX_PEM:
        message = f"{path} has more than {MAX_PEM:,} characters; a certificate or key (PEM) is shorter"
        raise ConfigurationError(message)
    return text


def _check_blocks(certificate: Path, certificates: str, key: Path, keys: str) -> None:
    """Refuse files that are something else, by what they hold: OpenSSL only says that it did not find what it wants."""
    if not _CERTIFICATE.search(certificates):
        what = "a key and no certificate" if _KEY.search(certificates) else "no certificate"
        message = f"{certificate} holds {what} (PEM, it begins with -----BEGIN CERTIFICATE-----)"
    elif _LOCKED_KEY.search(keys):
        message = f"the key in {key} is encrypted; give one without a passphrase (openssl pkey -in {key} writes it)"
    elif not _KEY.search(keys):
        what = "a certificate and no private key" if _CERTIFICATE.search(keys) else "no private key"
        message = f"{key} holds {what} (PEM, without a passphrase)"
    else:
        return
    raise ConfigurationError(message)


_OF_ANOTHER: Final = "the certificate is not that of the key. It has to be the first one, its chain behind it"
_WORDS: Final = {
    "KEY_VALUES_MISMATCH": _OF_ANOTHER,
    "KEY_TYPE_MISMATCH": _OF_ANOTHER,
    "NO_CERTIFICATE_ASSIGNED": _OF_ANOTHER,  # an RSA key beside a certificate of another kind
    "EE_KEY_TOO_SMALL": "the key is too short to be safe; make one of 2,048 bits or more",
    "CA_MD_TOO_WEAK": "the certificate is signed in a way that is not safe any more; make it anew",
}


def _why(certificate: Path, key: Path, error: ssl.SSLError) -> str:
    if error.reason in _WORDS:
        return f"{certificate} and {key}: {_WORDS[error.reason]}"
    text = f"{certificate} and {key} are no certificate and its key (PEM, without a passphrase)"
    return text + (f": {error.reason}" if error.reason else "; one of them is damaged")


def _remarks(chain: list[Certificate]) -> tuple[str, ...]:
    """Each is to be signed by the next one; else a caller may not find its way to whom it trusts."""
    return tuple(
        f"{lower.name} was not issued by the one behind it; callers may not be able to verify it"
        for lower, upper in pairwise(chain)
        if lower.issuer != upper.subject
    )


def _parsed(der: bytes, name: str) -> Certificate:
    """A certificate out of DER.

    Raises:
        ValueError, IndexError: it is none.
    """
    parts = _parts(_parts(_parts(der)[0][1])[0][1])
    if parts[0][0] == _VERSION:
        parts = parts[1:]
    _, _, issuer, validity, subject = parts[:5]
    begins, ends = (
        datetime.strptime(text.decode("ascii"), _FORMATS.get(tag, "")).replace(tzinfo=UTC)
        for tag, text in _parts(validity[1])[:2]
    )
    return Certificate(name=name, begins=begins, ends=ends, issuer=issuer[1], subject=subject[1])


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand one behind the other: tag and content of each.

    Raises:
        ValueError: they do not end where the data ends.
        IndexError: they are cut off.
    """
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size >= _LONG:
            digits = size - _LONG
            size, at = int.from_bytes(data[at : at + digits]), at + digits
        if at + size > len(data):
            message = "cut off"
            raise ValueError(message)
        found.append((tag, data[at : at + size]))
        at += size
    return found
