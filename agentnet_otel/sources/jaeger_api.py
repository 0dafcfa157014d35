"""Spans out of Jaeger's query API: ``jaeger+http://host:port?service=..&lookback=1h&limit=200&tags=key:value``.

Jaeger answers a search with at most ``limit`` traces and does not say whether there were more. So a window of time that
comes back full is asked again in two halves, until nothing is cut; a window that cannot be halved and is still full is
told.
"""

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

import msgspec

from agentnet_otel.errors import BackendError, ConfigurationError, InputError
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.jaeger_json import count_traces, decode_jaeger
from agentnet_otel.sources.read_report import ReadReport

PREFIX: Final = "jaeger+"
DEFAULT_LOOKBACK: Final = "1h"
DEFAULT_LIMIT: Final = 200
MAX_LIMIT: Final = 1499
"""One less than what Jaeger's UI asks at most."""
TIMEOUT_S: Final = 30.0
"""How long one answer may take."""
TRIES: Final = 4
FIRST_PAUSE_S: Final = 0.5
MAX_ANSWER_BYTES: Final = 512 * 1024 * 1024
MIN_WINDOW_US: Final = 1000
"""A window of a millisecond is not halved any more."""

_UNIT_US: Final = {"ms": 1000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_NOT_FOUND: Final = 404
_MAX_NAMED: Final = 20
_KNOWN: Final = frozenset({"service", "operation", "lookback", "limit", "tags"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JaegerQuery:
    """What is asked. ``base``: address of the server without ``/api``."""

    base: str
    service: str | None
    lookback_us: int
    limit: int = DEFAULT_LIMIT
    operation: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def parse_jaeger_source(source: str) -> JaegerQuery:
    """The query that a source names.

    Raises:
        ConfigurationError: it is no such address, or a parameter is wrong.
    """
    parts = urllib.parse.urlsplit(source.removeprefix(PREFIX))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = f"{source!r} is not an address; write jaeger+http://host:port?service=NAME&lookback=1h"
        raise ConfigurationError(message)
    if parts.username is not None:
        message = "an address with a password in it would be told in messages: put Jaeger behind a door without one"
        raise ConfigurationError(message)
    given = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - _KNOWN)
    if unknown:
        message = f"{source!r}: unknown parameter {unknown[0]!r}; known are: {', '.join(sorted(_KNOWN))}"
        raise ConfigurationError(message)
    return JaegerQuery(
        base=f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}",
        service=given.get("service") or None,
        operation=given.get("operation") or None,
        lookback_us=_duration_us(given.get("lookback", DEFAULT_LOOKBACK), source),
        limit=_limit(given.get("limit", str(DEFAULT_LIMIT)), source),
        tags=_tags(given.get("tags", ""), source),
    )


def read_jaeger(
    query: JaegerQuery, report: ReadReport, *, now_us: int | None = None, pause: Callable[[float], None] = time.sleep
) -> Iterator[SpanRecord]:
    """The spans of all traces of a service in the time looked back upon.

    Raises:
        BackendError: the server cannot be asked, or is not Jaeger.
        ConfigurationError: the service is unknown there; the text names those that are known.
    """
    client = _Client(query, pause)
    client.check_service()
    end_us = time.time_ns() // 1000 if now_us is None else now_us
    windows = [(end_us - query.lookback_us, end_us)]
    while windows:
        start_us, end_us = windows.pop()
        answer = client.search(start_us, end_us)
        full = count_traces(answer) > query.limit
        if full and end_us - start_us > MIN_WINDOW_US:
            middle_us = (start_us + end_us) // 2
            windows += [(middle_us, end_us), (start_us, middle_us)]
            continue
        if full:
            report.tell(
                query.base, f"one millisecond holds more than {query.limit} traces; raise limit= to see them all"
            )
        yield from _decoded(answer, query, report)


def _decoded(answer: bytes, query: JaegerQuery, report: ReadReport) -> Iterator[SpanRecord]:
    def tell_bad_span(what: str) -> None:
        report.bad_spans += 1
        report.tell(query.base, what)

    for span in decode_jaeger(answer, tell_bad_span):
        report.spans += 1
        yield span


class _Client:
    def __init__(self, query: JaegerQuery, pause: Callable[[float], None]) -> None:
        self._query = query
        self._pause = pause

    def check_service(self) -> None:
        """Be sure that Jaeger is there and knows the service."""
        services = self._services()
        if self._query.service in services:
            return
        known = ", ".join(sorted(services)[:_MAX_NAMED]) or "none"
        if self._query.service is None:
            message = f"{self._query.base}: name a service with service=...; there are: {known}"
        else:
            message = f"{self._query.base} has no traces of service {self._query.service!r}; there are: {known}"
        raise ConfigurationError(message)

    def search(self, start_us: int, end_us: int) -> bytes:
        """The answer to one search."""
        parameters = {"service": self._query.service or "", "start": str(start_us), "end": str(end_us)}
        parameters["limit"] = str(self._query.limit + 1)  # one more tells whether the window was cut
        if self._query.operation is not None:
            parameters["operation"] = self._query.operation
        if self._query.tags:
            parameters["tags"] = json.dumps(dict(self._query.tags))
        return self._get(f"/api/traces?{urllib.parse.urlencode(parameters)}")

    def _services(self) -> list[str]:
        try:
            return msgspec.json.decode(self._get("/api/services"), type=_Services).data or []
        except msgspec.DecodeError:
            message = f"{self._query.base} answers, but not as Jaeger's query API does. Its port is usually 16686"
            raise BackendError(message) from None

    def _get(self, path: str) -> bytes:
        """The body; failures that may pass are tried again."""
        for attempt in range(TRIES):
            try:
                with urllib.request.urlopen(f"{self._query.base}{path}", timeout=TIMEOUT_S) as answer:  # noqa: S310 - http or https, checked
                    return self._limited(answer.read(MAX_ANSWER_BYTES + 1))
            except urllib.error.HTTPError as error:
                told = self._refusal(error)
                passing = error.code in _RETRIED
                error.close()
            except (urllib.error.URLError, HTTPException, OSError) as error:
                told, passing = self._failure(error)
            if not passing or attempt == TRIES - 1:
                break
            self._pause(FIRST_PAUSE_S * 2**attempt)
        raise BackendError(told)

    def _limited(self, body: bytes) -> bytes:
        if len(body) > MAX_ANSWER_BYTES:
            message = f"{self._query.base}: an answer has more than {MAX_ANSWER_BYTES:,} bytes; lower limit="
            raise InputError(message)
        return body

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        if error.code == _NOT_FOUND:
            return f"{self._query.base} has no {urllib.parse.urlsplit(error.url).path}: is it Jaeger's query API?"
        told = error.read(1000).decode(errors="replace").strip()
        return f"{self._query.base} answers {error.code} {error.reason}: {told}"

    def _failure(self, error: Exception) -> tuple[str, bool]:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return (
                f"{self._query.base}: TLS fails: {reason}. Is it http, not https, or a certificate of your own?",
                False,
            )
        if isinstance(reason, TimeoutError):
            return f"{self._query.base} did not answer within {TIMEOUT_S:g} s", True
        return f"{self._query.base} cannot be reached: {getattr(reason, 'strerror', None) or reason}", True


class _Services(msgspec.Struct):
    data: list[str] | None = msgspec.field()


def _duration_us(text: str, source: str) -> int:
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    try:
        amount = float(number) * _UNIT_US[unit]
    except (ValueError, KeyError):
        amount = -1.0
    if not 1 <= amount < float("inf"):
        message = f"{source!r}: lookback={text!r} is not a duration such as 30m, 1h or 2d"
        raise ConfigurationError(message)
    return round(amount)


def _limit(text: str, source: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        message = f"{source!r}: limit={text!r} is not a number of traces from 1 to {MAX_LIMIT}"
        raise ConfigurationError(message)
    return int(text)


def _tags(text: str, source: str) -> dict[str, str]:
    """``key:value`` pairs with commas between them, or a JSON object of texts, as Jaeger itself takes it."""
    try:
        if text.startswith("{"):
            return msgspec.json.decode(text, type=dict[str, str])
        pairs = [pair.partition(":") for pair in text.split(",") if pair]
        if all(colon and key for key, colon, _ in pairs):
            return {key: value for key, _, value in pairs}
    except msgspec.DecodeError:
        pass
    message = f"{source!r}: tags={text!r} is neither key:value,key:value nor a JSON object of texts"
    raise ConfigurationError(message)
