"""Questions and answers of HTTP, as values: what is asked and answered without a web framework."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a reader asks: parameters of the address, and the types that it takes."""

    parameters: Mapping[str, str] = field(default_factory=dict)
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
