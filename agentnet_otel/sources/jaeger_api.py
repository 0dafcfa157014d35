"""Spans out of Jaeger's query API: ``jaeger+http://host:port?service=..&lookback=1h&limit=200&tags=key:value``.

Jaeger answers a search with at most ``limit`` traces and does not say whether there were more. So a window of time that
comes back full, or is too large to be taken in one piece, is asked again in two halves, until nothing is cut. A window
that cannot be halved any more is asked with the largest limit; what is cut then is told. A trace that lies in two
windows comes twice, and counts once.
"""

import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from typing import IO, Final

import msgspec

from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.jaeger_json import PREFIX, decode_jaeger, problem_in, trace_ids_in
from agentnet_otel.sources.read_report import ReadReport

DEFAULT_LOOKBACK: Final = "1h"
DEFAULT_LIMIT: Final = 200
MAX_LIMIT: Final = 1499
"""One less than what Jaeger's UI asks at most."""
TIMEOUT_S: Final = 30.0
"""How long the server may be silent."""
ANSWER_TIMEOUT_S: Final = 300.0
"""How long one answer may take, however slowly it drips."""
TRIES: Final = 4
FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 30.0
"""The longest pause between tries, also where the server asks for a longer one."""
MAX_ANSWER_BYTES: Final = 128 * 1024 * 1024
MAX_SAME_ANSWERS: Final = 100
"""Of windows in a row that hold the same traces; after more of them the time does not matter to the server."""
MIN_WINDOW_US: Final = 1
"""A window of a microsecond is not halved any more: Jaeger tells times no finer."""

_UNIT_US: Final = {"ms": 1000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_SCHEMES: Final = frozenset({"http", "https"})
_NOT_FOUND: Final = 404
_MAX_NAMED: Final = 20
_SAID_BYTES: Final = 1000
"""Of what a server says to a failure, so much is told."""
_KNOWN: Final = frozenset({"service", "operation", "lookback", "limit", "tags"})
_CHUNK: Final = 1024 * 1024
_IN_NO_URL: Final = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


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
    parts = _address(source)
    pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs):
        message = f"{source!r}: each parameter may be given once; ask for several services by several sources"
        raise ConfigurationError(message)
    unknown = sorted(given.keys() - _KNOWN)
    if unknown:
        message = f"{source!r}: unknown parameter {unknown[0]!r}; known are: {', '.join(sorted(_KNOWN))}"
        raise ConfigurationError(message)
    return JaegerQuery(
        base=f"{parts.scheme}://{parts.netloc}{urllib.parse.quote(parts.path.rstrip('/'), safe='/%')}",
        service=given.get("service") or None,
        operation=given.get("operation") or None,
        lookback_us=_duration_us(given.get("lookback", DEFAULT_LOOKBACK), source),
        limit=_limit(given.get("limit", str(DEFAULT_LIMIT)), source),
        tags=_tags(given.get("tags", ""), source),
    )


def _address(source: str) -> urllib.parse.SplitResult:
    """The parts of the address.

    Raises:
        ConfigurationError: it is none that can be asked.
    """
    if "@" in source.partition("?")[0]:
        message = "an address with a password in it would be told in messages: put Jaeger behind a door without one"
        raise ConfigurationError(message)
    try:
        parts = urllib.parse.urlsplit(source.removeprefix(PREFIX))
        possible = parts.port != 0 and bool((parts.hostname or "").encode("idna")) and not _IN_NO_URL.search(source)
    except ValueError:  # of brackets, ports and names of hosts
        possible = False
    if not possible or parts.scheme not in _SCHEMES:
        message = f"{source!r} is not an address; write jaeger+http://host:port?service=NAME&lookback=1h"
        raise ConfigurationError(message)
    return parts


def read_jaeger(
    query: JaegerQuery, report: ReadReport, *, now_us: int | None = None, pause: Callable[[float], None] = time.sleep
) -> Iterator[SpanRecord]:
    """The spans of all traces of a service in the time looked back upon.

    Raises:
        BackendError: the server cannot be asked, is not Jaeger, or answers the same whatever time is asked for.
        ConfigurationError: the service is unknown there; the text names those that are known.
    """
    client = _Client(query, pause)
    repetition = _Repetition(query.base)
    client.check_service()
    end_us = time.time_ns() // 1000 if now_us is None else now_us
    windows = [(max(0, end_us - query.lookback_us), end_us)]
    while windows:
        start_us, end_us = windows.pop()
        smallest = end_us - start_us <= MIN_WINDOW_US
        limit = MAX_LIMIT if smallest else query.limit
        answer = client.search(start_us, end_us, limit)
        trace_ids = None if answer is None else trace_ids_in(answer)
        repetition.note(trace_ids)
        cut = _cut(trace_ids, limit)
        if cut is not None and not smallest:
            middle_us = (start_us + end_us) // 2
            windows += [(middle_us, end_us), (start_us, middle_us)]
            continue
        if cut is not None:
            report.cut_window(query.base, f"a window of a microsecond {cut}")
        if answer is not None:
            yield from _decoded(answer, query, report)


def _cut(trace_ids: Sequence[str] | None, limit: int) -> str | None:
    """Why an answer, None where it was too large, does not hold all of its window; None where it does."""
    if trace_ids is None:
        return f"holds more than {MAX_ANSWER_BYTES:,} bytes, which are not read"
    if len(trace_ids) > limit:
        return f"holds more than {limit:,} traces, of which these were read; ask for fewer by operation= or tags="
    return None


class _Repetition:
    """Notices that a server does not care for the time that is asked for: halving windows would not end in years."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._last: frozenset[str] | None = frozenset()
        self._times = 0

    def note(self, trace_ids: Sequence[str] | None) -> None:
        """Compare an answer, None where it was too large, with the one before; those without traces do not count.

        Raises:
            BackendError: the same came too often.
        """
        if trace_ids is not None and not trace_ids:
            return
        found, last = None if trace_ids is None else frozenset(trace_ids), self._last
        same = found is last if found is None or last is None else found <= last or found > last
        self._times = self._times + 1 if same else 1
        self._last = max(found, last, key=len) if same and found is not None and last is not None else found
        if self._times > MAX_SAME_ANSWERS:
            what = "too much" if found is None else f"the same {len(found):,} traces"
            message = (
                f"{self._base} answers {what} whatever time is asked for; if it is Jaeger's query API, and its traces "
                "are long, ask for fewer by operation= or tags=, or with a larger limit="
            )
            raise BackendError(message)


def _decoded(answer: bytes, query: JaegerQuery, report: ReadReport) -> Iterator[SpanRecord]:
    def tell_bad_span(what: str) -> None:
        report.bad_spans += 1
        report.tell(query.base, what)

    for span in decode_jaeger(answer, tell_bad_span):
        report.spans += 1
        yield span


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to where HTTP is spoken, and nowhere else: the library would follow to FTP."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """The request to what a server points to.

        Raises:
            HTTPError: it points elsewhere.
        """
        if urllib.parse.urlsplit(newurl).scheme not in _SCHEMES:
            raise urllib.error.HTTPError(req.full_url, code, f"and leads to {newurl}, which is not asked", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Client:
    def __init__(self, query: JaegerQuery, pause: Callable[[float], None]) -> None:
        self._query = query
        self._pause = pause
        self._open = urllib.request.build_opener(_Redirects).open

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

    def search(self, start_us: int, end_us: int, limit: int) -> bytes | None:
        """The answer to one search, of one trace more than ``limit`` at most; None where it is too large."""
        parameters = {"service": self._query.service or "", "start": str(start_us), "end": str(end_us)}
        parameters["limit"] = str(limit + 1)  # one more tells whether the window was cut
        if self._query.operation is not None:
            parameters["operation"] = self._query.operation
        if self._query.tags:
            parameters["tags"] = json.dumps(dict(self._query.tags))
        return self._get(f"/api/traces?{urllib.parse.urlencode(parameters)}")

    def _services(self) -> list[str]:
        try:
            return msgspec.json.decode(self._get("/api/services") or b"", type=_Services).data or []
        except (ValueError, RecursionError):  # of all that is no JSON, or no such
            message = f"{self._query.base} answers, but not as Jaeger's query API does. Its port is usually 16686"
            raise BackendError(message) from None

    def _get(self, path: str) -> bytes | None:
        """The body, None where it is too large; failures that may pass are tried again."""
        for attempt in range(TRIES):
            pause_s = FIRST_PAUSE_S * 2**attempt
            try:
                with self._open(f"{self._query.base}{path}", timeout=TIMEOUT_S) as answer:
                    return _body(answer)
            except urllib.error.HTTPError as error:
                told = self._refusal(error)
                passing = error.code in _RETRIED
                pause_s = max(pause_s, _asked_pause_s(error))
                error.close()
            except (urllib.error.URLError, HTTPException, OSError) as error:
                told, passing = self._failure(error)
            if not passing or attempt == TRIES - 1:
                break
            self._pause(min(pause_s, MAX_PAUSE_S))
        raise BackendError(told)

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        if error.code == _NOT_FOUND:
            return f"{self._query.base} has no {urllib.parse.urlsplit(error.url).path}: is it Jaeger's query API?"
        try:
            said = error.read(_SAID_BYTES)
        except (HTTPException, OSError):  # that it refuses is known
            said = b""
        return f"{self._query.base} answers {error.code} {error.reason}: {problem_in(said)}"

    def _failure(self, error: Exception) -> tuple[str, bool]:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            hint = "Does it speak http, not https? A certificate of your own is trusted where SSL_CERT_FILE names it"
            return f"{self._query.base}: TLS fails: {reason}. {hint}", False
        if isinstance(reason, TimeoutError):
            return f"{self._query.base} did not answer within {TIMEOUT_S:g} s, or {ANSWER_TIMEOUT_S:g} s in all", True
        return f"{self._query.base} cannot be reached: {getattr(reason, 'strerror', None) or reason}", True


def _body(answer: HTTPResponse) -> bytes | None:
    """The body of an answer; None where it is too large.

    Raises:
        TimeoutError: it takes too long.
        IncompleteRead: it ends early.
    """
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_CHUNK):
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            return None
        if time.monotonic() > deadline_s:
            raise TimeoutError
        parts.append(part)
    if answer.length:  # of what it announced; read1 does not mind
        raise IncompleteRead(part, answer.length)
    return b"".join(parts)


def _asked_pause_s(error: urllib.error.HTTPError) -> float:
    """What ``Retry-After`` asks for in seconds, 0 where it says nothing, or a date."""
    asked = error.headers.get("Retry-After", "") if error.headers is not None else ""
    return float(asked) if asked.isascii() and asked.isdecimal() else 0.0


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
