"""Setting up the SDK, where the user asks for it and nobody else did.

Only what the SDK leaves to its user is done here: choosing exporters by the standard variables. Samplers, limits,
resource and batching read their own ``OTEL_*`` variables.
"""

import atexit
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final, TypeVar

from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.environment import resource_attributes
from agentnet_otel.instrumentation.file_exporter import FileSpanExporter
from agentnet_otel.instrumentation.providers import is_configured
from agentnet_otel.instrumentation.watched_exporter import PATIENCE_S, WatchedBatch, WatchedExporter

FILE_PREFIX: Final = "file:"
FILE_QUEUE_SIZE: Final = 65_536
"""Spans that may wait for the file writer (``OTEL_BSP_MAX_QUEUE_SIZE`` goes before it)."""

OTLP: Final = "otlp"
CONSOLE: Final = "console"
NONE: Final = "none"
PROMETHEUS: Final = "prometheus"
"""Among the metrics' exporters: not sent, but pulled."""
TEMPORALITY_VARIABLE: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
DELTAS: Final = frozenset({"delta", "lowmemory"})
PROMETHEUS_PATH: Final = "/api/v1/otlp"
"""Where Prometheus itself takes OTLP."""
GRPC: Final = "grpc"
PROTOCOLS: Final = {GRPC: "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
"""Protocols of OTLP that the exporters speak, and the names of these exporters."""

Made = TypeVar("Made")

_made_here: Final[weakref.WeakSet[object]] = weakref.WeakSet()
"""Providers of former set-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal's standard variables and entry points."""

    exporter_variable: str
    endpoint_variables: tuple[str, ...]
    protocol_variables: tuple[str, ...]
    group: str

    @property
    def pulled(self) -> bool:
        """Whether the environment asks for a page that Prometheus pulls."""
        named = os.environ.get(self.exporter_variable, "").split(",")
        return PROMETHEUS in {name.strip() for name in named}

    @property
    def requested(self) -> bool:
        """Whether the environment asks for export."""
        return bool(list(self.exporter_names()))

    def exporter_names(self, *, otlp_asked: bool = False) -> Iterator[str]:
        """Names of the exporters that the environment asks for.

        Where it names none it is ``otlp``, if an endpoint is given or the program asks for it.
        """
        named = os.environ.get(self.exporter_variable, "").strip()
        if not named and (otlp_asked or any(os.environ.get(name) for name in self.endpoint_variables)):
            named = OTLP
        for name in named.split(","):
            if name.strip() and name.strip() not in {NONE, PROMETHEUS}:
                yield name.strip()

    def protocol(self) -> str:
        """The protocol of OTLP.

        Raises:
            ConfigurationError: the environment names one that no exporter speaks.
        """
        named = next((name for name in self.protocol_variables if os.environ.get(name)), None)
        protocol = GRPC if named is None else os.environ[named].strip().lower()
        if protocol not in PROTOCOLS:
            message = f"{named}={protocol!r} is unknown; allowed are: {', '.join(PROTOCOLS)}"
            raise ConfigurationError(message)
        return protocol

    def load(self, name: str) -> Any:
        """The exporter class (or factory) of that name.

        Raises:
            ConfigurationError: no such exporter is installed, or none speaks the protocol.
        """
        wanted = PROTOCOLS[self.protocol()] if name == OTLP else name
        found = next(iter(entry_points(group=self.group, name=wanted)), None)
        if found is None:
            known = ", ".join(sorted(entry_points(group=self.group).names)) or "none"
            message = f"{self.exporter_variable}: no exporter {name!r} is installed; there are: {known}"
            raise ConfigurationError(message)
        return found.load()


def _signal(name: str) -> Signal:
    word = name.upper()
    return Signal(
        exporter_variable=f"OTEL_{word}_EXPORTER",
        endpoint_variables=("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{word}_ENDPOINT"),
        protocol_variables=(f"OTEL_EXPORTER_OTLP_{word}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        group=f"opentelemetry_{name}_exporter",
    )


TRACES: Final = _signal("traces")
METRICS: Final = _signal("metrics")
LOGS: Final = _signal("logs")


class _Reader(PeriodicExportingMetricReader):
    """A reader that may be shut down twice: by us, while it can still collect, and by the provider that lets it go."""

    _ended = False

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Collect and send a last time; an exporter that takes nothing is not waited for long."""
        if not self._ended:
            self._ended = True
            super().shutdown(min(timeout_millis, 1000 * PATIENCE_S), **kwargs)


class MetricExport:
    """Readers that are on a provider until they are shut down."""

    def __init__(self, provider: MeterProvider, readers: Sequence[MetricReader]) -> None:
        self._provider = provider
        self._readers: Sequence[MetricReader] = readers
        for reader in readers:
            provider.add_metric_reader(reader)
        atexit.register(self.shutdown)  # the provider itself ends only the readers that it was made with

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and send now."""
        flushed = [reader.force_flush(timeout_millis) is not False for reader in self._readers]
        return all(flushed)

    def shutdown(self) -> None:
        """Collect and send a last time, and let the readers go; a second call, as at the exit, does nothing."""
        atexit.unregister(self.shutdown)
        readers, self._readers = self._readers, ()
        for reader in readers:
            reader.shutdown()
            self._provider.remove_metric_reader(reader)


def set_up_traces() -> list[SpanProcessor]:
    """Processors for the exporters that the environment asks for; one that cannot be made is told and left out."""
    return _made(TRACES, _processor)


def set_up_metrics(*, otlp_asked: bool = False) -> MetricExport | None:
    """Export of metrics as the environment asks for it; None where it does not, or an application has its own provider.

    With ``otlp_asked`` they are sent with OTLP unless the environment says otherwise.
    A global provider can be closed, and never be replaced: the one made here stays, and readers come and go.
    """
    provider = metrics.get_meter_provider()
    if is_foreign(provider):
        return None
    readers = _made(METRICS, lambda _, exporter: _reader(exporter), otlp_asked=otlp_asked)
    return read_metrics(readers) if readers else None


def read_metrics(readers: Sequence[MetricReader], given: metrics.MeterProvider | None = None) -> MetricExport:
    """Put readers on the provider given, else on the global one, which is set up where nobody did that.

    Raises:
        ConfigurationError: the provider is not the SDK's, and takes no readers.
    """
    provider = metrics.get_meter_provider() if given is None else given
    if given is None and not is_configured(provider):
        provider = MeterProvider()
        _made_here.add(provider)
        metrics.set_meter_provider(provider)
    if not isinstance(provider, MeterProvider):
        kind = type(provider).__name__
        message = f"metrics are read from a MeterProvider of the SDK, and {kind} is none"
        raise ConfigurationError(message)
    return MetricExport(provider, readers)


def set_up_logs(*, otlp_asked: bool = False) -> LoggerProvider | None:
    """A logger provider with the exporters that the environment asks for; None where an application has its own.

    It becomes the global one, but for a second set-up: the former one is closed, and cannot be replaced.
    """
    there = get_logger_provider()
    if is_foreign(there):
        return None
    processors = _made(LOGS, lambda _, exporter: BatchLogRecordProcessor(exporter), otlp_asked=otlp_asked)
    if not processors:
        return None
    provider = LoggerProvider()
    for processor in processors:
        provider.add_log_record_processor(processor)
    _made_here.add(provider)
    if not is_configured(there):
        set_logger_provider(provider)
    return provider


def processor_of(exporter: str) -> SpanProcessor:
    """The processor for ``exporter=``: ``otlp``, ``console`` or ``file:PATH``.

    Raises:
        ConfigurationError: it is none of these, or cannot be made.
    """
    path = exporter.removeprefix(FILE_PREFIX) if isinstance(exporter, str) and exporter.startswith(FILE_PREFIX) else ""
    if not path and exporter not in {CONSOLE, OTLP}:
        message = f"exporter={exporter!r} is unknown; allowed are: otlp, console, file:PATH"
        raise ConfigurationError(message)
    try:
        if path:
            size = None if os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else FILE_QUEUE_SIZE
            return WatchedBatch(WatchedExporter(FileSpanExporter(path)), max_queue_size=size)
        return _processor(exporter, ConsoleSpanExporter() if exporter == CONSOLE else TRACES.load(exporter)())
    except ValueError as error:  # of the SDK, for its variables
        message = f"exporter={exporter!r} cannot be made: {error} Look at the OTEL_* variables"
        raise ConfigurationError(message) from error


def is_foreign(provider: object) -> bool:
    """Whether an application configured this global provider itself."""
    return is_configured(provider) and provider not in _made_here


def set_up_tracer_provider() -> TracerProvider:
    """A global tracer provider of the SDK; that of a former set-up, where there is one.

    Raises:
        ConfigurationError: a variable of the SDK is wrong.
    """
    there = trace.get_tracer_provider()
    if isinstance(there, TracerProvider):
        return there
    try:
        provider = TracerProvider(resource=_resource())
    except ValueError as error:
        message = f"the SDK cannot be set up: {error}"
        raise ConfigurationError(message) from error
    _made_here.add(provider)
    trace.set_tracer_provider(provider)
    return provider


def _resource() -> Resource:
    """The SDK's own, and where this process runs; what the user's variables say goes before that."""
    return Resource(resource_attributes()).merge(Resource.create())


def _processor(name: str, exporter: SpanExporter) -> SpanProcessor:
    watched = WatchedExporter(exporter)
    return SimpleSpanProcessor(watched) if name == CONSOLE else WatchedBatch(watched)


def _reader(exporter: Any) -> MetricReader:
    _refuse_deltas_to_prometheus()
    return exporter if isinstance(exporter, MetricReader) else _Reader(exporter)


def _refuse_deltas_to_prometheus() -> None:
    """Prometheus counts what is cumulative: it drops deltas, one warning in its log for thousands of points lost.

    Raises:
        ConfigurationError: the environment asks for it.
    """
    preference = os.environ.get(TEMPORALITY_VARIABLE, "").strip().lower()
    endpoint = next((os.environ[name] for name in reversed(METRICS.endpoint_variables) if os.environ.get(name)), "")
    if preference in DELTAS and PROMETHEUS_PATH in endpoint:
        message = (
            f"{TEMPORALITY_VARIABLE}={preference} sends deltas, and Prometheus ({endpoint}) needs cumulative values: "
            "unset it, or set it to cumulative"
        )
        raise ConfigurationError(message)


def _made(signal: Signal, finish: Callable[[str, Any], Made], *, otlp_asked: bool = False) -> list[Made]:
    """What ``finish`` makes of each exporter that the environment asks for."""
    made = []
    for name in signal.exporter_names(otlp_asked=otlp_asked):
        try:
            made.append(finish(name, signal.load(name)()))
        except Exception as error:  # noqa: BLE001 - exporters of others; the application goes on without
            faults.logger.warning("agentnet_otel: %s exporter %r is left out: %s", signal.group, name, error)
    return made
