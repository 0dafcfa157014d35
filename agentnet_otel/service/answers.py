"""Questions and answers of HTTP, as values: what is asked and answered without a web framework."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from agentnet_otel.errors import ConfigurationError

MAX_NUMBER: Final = 2**63 - 1
"""The highest place that there can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a reader asks: parameters of the address, names of those that came more than once, types that it takes."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()
    accept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer. ``kept``: it may be given when this is done."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    kept: "Future[None] | None" = None


def text_answer(status: int, text: str) -> Answer:
    """A sentence."""
    return Answer(status=status, body=f"{text}\n".encode())


def page_answer(page: str, policy: str, status: int = 200) -> Answer:
    """A page for a browser. ``policy``: what it may run, which is the script whose hash stands there, and no other."""
    headers = {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
    return Answer(status=status, body=page.encode(), content_type="text/html; charset=utf-8", headers=headers)


def check_names(query: Query, *names: str) -> None:
    """Refuse a question that would be answered otherwise than it was meant.

    Raises:
        ConfigurationError: a parameter has another name than these, or comes more than once.
    """
    for name in query.parameters:
        if name not in names:
            message = f"parameter {name!r} is unknown; allowed are: {', '.join(names)}"
            raise ConfigurationError(message)
    if query.repeated:
        message = f"{min(query.repeated)} is given more than once"
        raise ConfigurationError(message)


def whole_number(query: Query, name: str, default: int, most: int) -> int:
    """A parameter that is a whole number.

    Raises:
        ConfigurationError: it is none, or too large.
    """
    text = query.parameters.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not int(text) <= most:
        message = f"{name}={text!r} is not a whole number from 0 to {most}"
        raise ConfigurationError(message)
    return int(text)
