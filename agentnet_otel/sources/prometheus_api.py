"""Questions to Prometheus: instant queries, rules, flags."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentnet_otel.errors import BackendError, ConfigurationError

TIMEOUT_S: Final = 15.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_SAID_CHARACTERS: Final = 200


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
        ConfigurationError: ``url`` is no address of HTTP.
    """

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            message = f"{url!r} is no address of Prometheus; it looks like http://host:9090"
            raise ConfigurationError(message)
        self.url = url.rstrip("/")

    def query(self, expr: str) -> list[PromSample]:
        """The series that an expression gives now.

        Raises:
            BackendError: the server is not there, or refuses the question.
        """
        data = self._get("query", query=expr)
        return [
            PromSample(labels=one["metric"], value=float(one["value"][1])) for one in data["result"] if "value" in one
        ]

    def rules(self) -> list[LoadedRule]:
        """All rules that are loaded.

        Raises:
            BackendError: as `query`.
        """
        groups = self._get("rules")["groups"]
        return [
            LoadedRule(name=rule["name"], query=rule.get("query", ""), error=rule.get("lastError", ""))
            for group in groups
            for rule in group["rules"]
        ]

    def flags(self) -> Mapping[str, str]:
        """The flags that it was started with.

        Raises:
            BackendError: as `query`.
        """
        flags: Mapping[str, str] = self._get("status/flags")
        return flags

    def _get(self, path: str, **parameters: str) -> Any:
        encoded = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        where = f"{self.url}/api/v1/{path}"
        try:
            with urllib.request.urlopen(where + encoded, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http or https
                return json.loads(answer.read(MAX_ANSWER_BYTES))["data"]
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(_SAID_CHARACTERS).decode(errors="replace").strip()
            message = f"{where}: Prometheus answers {error.code}: {said}"
        except (OSError, http.client.HTTPException) as error:
            message = f"{where}: no answer: {getattr(error, 'reason', error)}"
        except (ValueError, KeyError, TypeError):
            message = f"{where}: this is no answer of Prometheus; look at the address"
        raise BackendError(message)
