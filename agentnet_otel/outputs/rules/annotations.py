"""What an alert says: a summary, a description with the value and its unit, and where to look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE

OVERVIEW: Final = "agentnet-overview"
TURN: Final = "agentnet-turn"
TOKENS: Final = "agentnet-tokens"
BRIDGE: Final = "agentnet-bridge"
"""The dashboards, by the end of their address."""

IN_JSON: Final = r""" | reReplaceAll `["\\]` `\$0`"""
"""Marks what would end a text of JSON, or be read as a mark in it."""
_NOT_IN_A_LINK: Final = frozenset(' {}<>"\\^`|')
_LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where runbooks, dashboards and traces are, without a slash at the end."""

    runbooks: str = "https://github.com/agentnet-otel/agentnet-otel/blob/main/docs/runbooks"
    grafana: str = "http://localhost:3000"
    jaeger: str = "http://localhost:16686"

    def runbook(self, alert: str) -> str:
        """The page of an alert."""
        return f"{self.runbooks}/{alert}.md"

    def dashboard(self, uid: str, *labels: str) -> str:
        """A dashboard that shows whom the alert is about."""
        names = {SERVICE: "service", AGENT: "agent", MODEL: "model"}
        chosen = "&".join(f"var-{names[label]}={encoded(label)}" for label in labels)
        return f"{self.grafana}/d/{uid}?{chosen}" if chosen else f"{self.grafana}/d/{uid}"

    def traces(self, *, by_agent: bool = True, failed: bool = False, min_duration: str = "") -> str:
        """A search for example traces of the last hour."""
        parts = [f"service={encoded(SERVICE)}", "lookback=1h", "limit=20"]
        tags = {"error": "true"} if failed else {}
        if by_agent or tags:
            parts.append(f"tags={_tags(tags, by_agent=by_agent)}")
        if min_duration:
            parts.append(f"minDuration={min_duration}")
        return f"{self.jaeger}/search?{'&'.join(parts)}"


def links_of(runbooks: str | None, grafana: str | None, jaeger: str | None) -> Links:
    """The links given; others are where they are by default.

    Raises:
        ConfigurationError: one is no address that a link can begin with.
    """
    known = Links()
    return Links(
        runbooks=_address(runbooks or known.runbooks, "--runbooks"),
        grafana=_address(grafana or known.grafana, "--grafana"),
        jaeger=_address(jaeger or known.jaeger, "--jaeger"),
    )


def _address(url: str, option: str) -> str:
    """Without the slash at its end. Braces would be a template of Prometheus."""
    try:
        parts = urlsplit(url)
        possible = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        possible = False
    if not possible or not url.isprintable() or set(url) & _NOT_IN_A_LINK:
        message = f"{option} takes an address such as https://host/path, not {url[:_LONGEST_SHOWN]!r}"
        raise ConfigurationError(message)
    return url.rstrip("/")


def label(name: str) -> str:
    """The value of a label, in text."""
    return f"{{{{ $labels.{name} }}}}"


def encoded(name: str, *, in_json: bool = False) -> str:
    """The value of a label, in an address, be it inside a text of JSON there."""
    return f"{{{{ $labels.{name}{IN_JSON if in_json else ''} | urlquery }}}}"


WHO: Final = f"Agent {label(AGENT)} of service {label(SERVICE)}"


def _tags(tags: Mapping[str, str], *, by_agent: bool) -> str:
    """Jaeger's tags: JSON, encoded, the agent's name put in by the template."""
    mark = "0agent0"
    written = json.dumps({**({semconv.AGENT_NAME: mark} if by_agent else {}), **tags}, separators=(",", ":"))
    return quote(written, safe="").replace(mark, encoded(AGENT, in_json=True))
