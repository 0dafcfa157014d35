"""Questions to Prometheus: instant queries, rules, flags."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec

from agentnet_otel.errors import BackendError, ConfigurationError

TIMEOUT_S: Final = 15.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_SAID_CHARACTERS: Final = 200
_UNKNOWN: Final = frozenset({400, 404, 405, 422, 501})
"""What servers answer that speak this API, but do not know all of it."""

_Data = TypeVar("_Data")


class _Answer(msgspec.Struct, Generic[_Data]):
    data: _Data


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None


class _Vector(msgspec.Struct):
    result: list[_Series]


class _Rule(msgspec.Struct):
    name: str
    query: str = ""
    lastError: str = ""  # noqa: N815 - as Prometheus spells it


class _Group(msgspec.Struct):
    rules: list[_Rule]


class _Groups(msgspec.Struct):
    groups: list[_Group] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromSample:
    """One series of an answer."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRule:
    """An alerting or recording rule that Prometheus has; ``error`` is empty where its last evaluation went well."""

    name: str
    query: str
    error: str


class PrometheusApi:
    """One server.

    Raises:
        ConfigurationError: ``url`` is no address of HTTP, or has a password in it.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urllib.parse.urlsplit(url)
            possible = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            possible = False
        if possible and "@" in parts.netloc:
            message = "an address of Prometheus is taken without a password, such as http://host:9090"
            raise ConfigurationError(message)
        if not possible or not (url.isascii() and url.isprintable()) or set(url) & set(" ?#"):
            message = f"{url!r} is no address of Prometheus; it looks like http://host:9090"
            raise ConfigurationError(message)
        self.url = url.rstrip("/")

    def query(self, expr: str) -> list[PromSample]:
        """The series that an expression gives now.

        Raises:
            BackendError: the server is not there, or refuses the question.
        """
        path = "query"
        try:
            found = msgspec.json.decode(self._get(path, query=expr), type=_Answer[_Vector]).data.result
            return [PromSample(labels=one.metric, value=float(one.value[1])) for one in found if one.value is not None]
        except ValueError:  # what msgspec raises is one
            raise self._strange(path) from None

    def rules(self) -> list[LoadedRule] | None:
        """All rules that are loaded; None where the server has no such page.

        Raises:
            BackendError: as `query`.
        """
        path = "rules"
        try:
            found = msgspec.json.decode(self._get(path), type=_Answer[_Groups]).data.groups or []
        except msgspec.DecodeError:
            raise self._strange(path) from None
        except _UnknownError:
            return None
        return [
            LoadedRule(name=rule.name, query=rule.query, error=rule.lastError)
            for group in found
            for rule in group.rules
        ]

    def flags(self) -> Mapping[str, str] | None:
        """The flags that it was started with; None where the server has no such page.

        Raises:
            BackendError: as `query`.
        """
        path = "status/flags"
        try:
            return msgspec.json.decode(self._get(path), type=_Answer[dict[str, str]]).data
        except msgspec.DecodeError:
            raise self._strange(path) from None
        except _UnknownError:
            return None

    def _get(self, path: str, **parameters: str) -> bytes:
        encoded = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        where = self._where(path)
        try:
            with urllib.request.urlopen(where + encoded, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http or https
                body: bytes = answer.read(MAX_ANSWER_BYTES)
                return body
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(_SAID_CHARACTERS).decode(errors="replace").strip()
            message = f"{where}: Prometheus answers {error.code}: {said}"
            if error.code in _UNKNOWN:
                raise _UnknownError(message) from None
        except (OSError, http.client.HTTPException) as error:
            message = f"{where}: no answer: {getattr(error, 'reason', error)}"
        raise BackendError(message)

    def _where(self, path: str) -> str:
        return f"{self.url}/api/v1/{path}"

    def _strange(self, path: str) -> BackendError:
        return BackendError(f"{self._where(path)}: this is no answer of Prometheus; look at the address")


class _UnknownError(BackendError):
    """The server does not know the page."""
