"""What a receiver does with a request before it answers: look at it, have it kept, count it.

An answer that says "taken" is given when the request is on the disk, not before. What it means is found out later.
"""

import codecs
import threading
from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final, Protocol

from agentnet_otel import semconv
from agentnet_otel.errors import InputError
from agentnet_otel.sources.other_signals import signal_of_json, signal_of_message, wrong_signal
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.otlp_protobuf import inspect_message
from agentnet_otel.sources.shape import Form
from agentnet_otel.sources.store.raw_log import OverloadedError

MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
"""Bytes of a request, unpacked."""
MAX_BACKLOG_BYTES: Final = 4 * 1024 * 1024 * 1024
"""Bytes on the disk that may wait to be understood; beyond it senders are asked to come back."""
RETRY_AFTER_S: Final = 5


class RequestKind(IntEnum):
    """How a request is written in the log."""

    PROTOBUF = 1
    JSON = 2

    @property
    def form(self) -> Form:
        """What the decoder calls it."""
        return Form.PROTOBUF if self is RequestKind.PROTOBUF else Form.JSON


class Log(Protocol):
    """Where requests are kept."""

    def append(self, kind: int, arrived_ns: int, data: bytes) -> "Future[None]":
        """Have a request written; the future is done when it is on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a sender is told. ``kept``: done when it is on the disk. ``rejected``: spans that cannot be used."""

    kept: "Future[None]"
    spans: int
    rejected: int

    @property
    def remark(self) -> str:
        """A sentence for the sender, empty where all was taken."""
        if not self.rejected:
            return ""
        return f"{self.rejected} of {self.spans} spans cannot be used: they lack proper ids, a start, or proper values"


class Door(str, Enum):
    """What a request came through."""

    GRPC = "grpc"
    HTTP = "http"


@dataclass(slots=True, kw_only=True)
class Times:
    """How long exports took, from the request to the answer; ``buckets`` are by `EDGES_EXPORT_SECONDS`."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(semconv.EDGES_EXPORT_SECONDS) + 1))
    sum_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class IntakeCounts:
    """Since the start of the process."""

    requests: int = 0
    """On the disk, and acknowledged."""
    spans: int = 0
    rejected_spans: int = 0
    """Without proper ids, in requests that were acknowledged."""
    bad_requests: int = 0
    refused_requests: int = 0
    """Because too much was waiting."""
    refused_spans: int = 0
    failed_requests: int = 0
    """Because the disk did not take them."""
    failed_spans: int = 0
    times: dict[Door, Times] = field(default_factory=lambda: {door: Times() for door in Door})


class Intake:
    """Takes requests in, from any thread. ``now_ns``: epoch nanoseconds; ``backlog_bytes``: what waits on the disk."""

    def __init__(
        self,
        log: Log,
        now_ns: Callable[[], int],
        backlog_bytes: Callable[[], int],
        max_backlog_bytes: int = MAX_BACKLOG_BYTES,
    ) -> None:
        self._log = log
        self._now_ns = now_ns
        self._backlog_bytes = backlog_bytes
        self._max_backlog_bytes = max_backlog_bytes
        self._lock = threading.Lock()
        self.counts = IntakeCounts()

    def take(self, kind: RequestKind, data: bytes) -> Receipt:
        """Take one request; JSON may begin with a mark of its encoding, which is not kept.

        Raises:
            InputError: it is no OTLP request; sending it again will not help.
            OverloadedError: too much is waiting; the sender is to come back.
            BackendError: it cannot be kept now.
        """
        if kind is RequestKind.JSON:
            data = data.removeprefix(codecs.BOM_UTF8)
        try:
            spans, rejected = _inspect_message(data) if kind is RequestKind.PROTOBUF else _inspect_json(data)
        except Exception:
            self.note_bad()
            raise
        try:
            kept = self._keep(kind, data)
        except OverloadedError:
            with self._lock:
                self.counts.refused_requests += 1
                self.counts.refused_spans += spans
            raise
        kept.add_done_callback(lambda done: self._count(done, spans, rejected))
        return Receipt(kept=kept, spans=spans, rejected=rejected)

    def note_refused(self) -> None:
        """Count a request that was not looked at, because too many are being received."""
        with self._lock:
            self.counts.refused_requests += 1

    def note_bad(self) -> None:
        """Count a request that could not be looked at: of another type, too large, or not to be unpacked."""
        with self._lock:
            self.counts.bad_requests += 1

    def note_time(self, door: Door, seconds: float) -> None:
        """Count how long an export took."""
        with self._lock:
            times = self.counts.times[door]
            times.buckets[bisect_left(semconv.EDGES_EXPORT_SECONDS, seconds)] += 1
            times.sum_s += seconds

    def _count(self, done: "Future[None]", spans: int, rejected: int) -> None:
        with self._lock:
            if done.exception() is not None:
                self.counts.failed_requests += 1
                self.counts.failed_spans += spans
                return
            self.counts.requests += 1
            self.counts.spans += spans - rejected
            self.counts.rejected_spans += rejected

    def _keep(self, kind: RequestKind, data: bytes) -> "Future[None]":
        waiting = self._backlog_bytes()
        if waiting > self._max_backlog_bytes:
            message = f"{waiting:,} bytes of requests wait to be understood"
            raise OverloadedError(message)
        return self._log.append(kind, self._now_ns(), data)


def _inspect_message(data: bytes) -> tuple[int, int]:
    """How many spans there are, and how many of them cannot be used.

    Raises:
        InputError: it is no request, or one of another signal.
    """
    try:
        spans, rejected = inspect_message(data)
    except InputError as error:
        _refuse(signal_of_message(data), error)
        raise
    if spans and spans == rejected:
        _refuse(signal_of_message(data))
    return spans, rejected


def _inspect_json(data: bytes) -> tuple[int, int]:
    """The same of JSON.

    Raises:
        InputError: it is no request, or one of another signal.
    """
    bad: list[str] = []
    good = sum(1 for _ in JsonDecoder().decode(data, bad.append))
    if not good and not bad:
        _refuse(signal_of_json(data))
    return good + len(bad), len(bad)


def _refuse(signal: str | None, cause: Exception | None = None) -> None:
    """Refuse a request of another signal: an answer that says "taken" would lose it in silence.

    Raises:
        InputError: it is one.
    """
    if signal is not None:
        raise InputError(wrong_signal(signal)) from cause
