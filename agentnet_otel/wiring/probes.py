"""Trying the exporters of the environment, each with one request, and not for long."""

import inspect
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation import sdk_setup
from agentnet_otel.wiring.variables import without_secrets

EXPORT_TIMEOUT_S: Final = 2.0
"""What an exporter gets for its request and its retries."""
PROBE_TIMEOUT_S: Final = 4.0
"""When an exporter that keeps to no limit is given up."""

_SIGNALS: Final = {"traces": sdk_setup.TRACES, "metrics": sdk_setup.METRICS, "logs": sdk_setup.LOGS}
_EXPORTER_LOGGER: Final = "opentelemetry"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What became of one exporter's request. ``target`` is where it went, where that is known."""

    signal: str
    exporter: str
    target: str | None
    ok: bool
    result: str


def probe_exporters() -> tuple[ExportResult, ...]:
    """Try all exporters that the environment asks for, at the same time."""
    wanted = [(signal, name) for signal, found in _SIGNALS.items() for name in found.exporter_names()]
    with _words() as words:
        probes = [_Probe(signal, name, words) for signal, name in wanted]
        for probe in probes:
            probe.start()
        deadline = time.monotonic() + PROBE_TIMEOUT_S
        for probe in probes:
            probe.join(max(0.0, deadline - time.monotonic()))
        return tuple(probe.outcome() for probe in probes)


class _Words(logging.Handler):
    """What exporters log, by thread: the only place where they give their reasons."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[int | None, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self._said.setdefault(record.thread, []).append(record.getMessage())

    def of(self, thread: int | None) -> str | None:
        """The most that a thread said; of all, if it said nothing: exporters do not repeat what another one said."""
        said = self._said.get(thread) or [text for texts in list(self._said.values()) for text in texts]
        return max(said, key=len, default=None)


@contextmanager
def _words() -> Iterator[_Words]:
    """Hear the exporters' loggers, and keep them from the terminal meanwhile."""
    logger, words = logging.getLogger(_EXPORTER_LOGGER), _Words()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(words)
    try:
        yield words
    finally:
        logger.removeHandler(words)
        logger.propagate = propagate


class _Probe(threading.Thread):
    """One exporter's request. A thread, so that one that hangs is left behind; its process is a short one."""

    def __init__(self, signal: str, name: str, words: _Words) -> None:
        super().__init__(name=f"probe {signal} {name}", daemon=True)
        self._signal = signal
        self._exporter = name
        self._words = words
        self._ok: bool | None = None
        self._result = f"failed: no answer within {PROBE_TIMEOUT_S:g} s"

    def run(self) -> None:
        try:
            ok, result = self._try()
        except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
            ok, result = False, f"failed: {error}"
        self._ok, self._result = ok, result

    def outcome(self) -> ExportResult:
        """What is known by now."""
        return ExportResult(
            signal=self._signal,
            exporter=self._exporter,
            target=_target(self._signal) if self._exporter.startswith(sdk_setup.OTLP) else None,
            ok=bool(self._ok),
            result=without_secrets(self._result),
        )

    def _try(self) -> tuple[bool, str]:
        if self._exporter == sdk_setup.CONSOLE:
            return True, "writes to standard output; not tried"
        factory = _SIGNALS[self._signal].load(self._exporter)
        if inspect.isclass(factory) and issubclass(factory, MetricReader):
            return True, "waits to be read; not tried"
        limited = "timeout" in inspect.signature(factory).parameters
        exporter = factory(timeout=EXPORT_TIMEOUT_S) if limited else factory()
        try:
            accepted = exporter.export(_request(self._signal)).name == "SUCCESS"
        finally:
            exporter.shutdown()
        if accepted:
            return True, "a span was accepted" if self._signal == "traces" else "an empty request was accepted"
        return False, f"failed: {self._words.of(self.ident) or 'the exporter gives no reason'}"


def _request(signal: str) -> Any:
    """A span of ours for traces; for the rest nothing, so that no backend keeps a metric or a record of it."""
    if signal == "metrics":
        return MetricsData(resource_metrics=[])
    return [_span()] if signal == "traces" else []


def _span() -> ReadableSpan:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.get_tracer(semconv.SCOPE_NAME).start_span("agentnet-otel doctor").end()
    return memory.get_finished_spans()[0]


def _target(signal: str) -> str | None:
    """Where an OTLP exporter of the environment sends to, as the specification has it."""
    found = _SIGNALS[signal]
    general, own = found.endpoint_variables
    try:
        protocol = found.protocol()
    except ConfigurationError:  # its exporter fails, and says why
        return None
    if os.environ.get(own):
        address = os.environ[own]
    elif protocol == sdk_setup.GRPC:
        address = os.environ.get(general) or "http://localhost:4317"
    else:
        address = f"{(os.environ.get(general) or 'http://localhost:4318').rstrip('/')}/v1/{signal}"
    return without_secrets(f"{address} ({protocol})")
