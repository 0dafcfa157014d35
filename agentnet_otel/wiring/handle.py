"""`instrument()` and the handle that it returns."""

import atexit
import functools
import multiprocessing
import multiprocessing.util
import os
import threading
import weakref
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import TracerProvider

from agentnet_otel import semconv
from agentnet_otel.core.cost import Call, Price, PriceBook
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation import faults, hooks, providers, runtime, sdk_setup
from agentnet_otel.instrumentation.content import (
    DEFAULT_CONTENT_LIMIT,
    CaptureMode,
    ContentPolicy,
    Redaction,
    mode_from_environment,
)
from agentnet_otel.instrumentation.environment import environment
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.recorder import Recorder
from agentnet_otel.instrumentation.relay import relay_of
from agentnet_otel.instrumentation.watched_exporter import failed_batches
from agentnet_otel.model import Turn
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.tokens import TokenUtilizationTracker
from agentnet_otel.prices import GenaiPrices, LoadablePrices, NoPrices, installed
from agentnet_otel.sources.live import LiveSource
from agentnet_otel.wiring.deadline import all_within
from agentnet_otel.wiring.pulling import Pulling
from agentnet_otel.wiring.reporting import make_report

FLUSH_TIMEOUT_S: Final = 10.0
SHUTDOWN_TIMEOUT_S: Final = 30.0


class Handle:
    """What `instrument()` returns: the turns of this process, and the way to end it."""

    def __init__(
        self,
        tokens: TokenUtilizationTracker,
        *,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self.latency = LatencyTracker()
        self.tokens = tokens
        self.live = LiveSource(prices=tokens.prices)
        tokens.before_new_rates(self.live.turns)  # which rebuilds when asked: what ended before keeps its price
        self._owned: list[SpanProcessor] = []
        self._given_meters = meter_provider
        self._given_logs = logger_provider
        self._meters: sdk_setup.MetricExport | None = None
        self._pulling = Pulling(meter_provider)
        self._logs: LoggerProvider | None = None
        self._relayed: weakref.WeakSet[TracerProvider] = weakref.WeakSet()
        self._active = True
        _handles.add(self)

    def turns(self) -> list[Turn]:
        """The newest turns of this process, in order of ending, rebuilt from their spans."""
        return self.live.turns()

    def report(
        self,
        format: str = "md",  # noqa: A002 - the word of the documented interface
        *,
        thresholds: ThresholdTable | None = None,
        trace_url: str | None = None,
    ) -> str:
        """A report on the turns of this process, as Markdown (``md``), ``html``, ``json`` or ``csv``.

        Raises:
            ConfigurationError: the format is unknown, or ``trace_url`` has no ``{trace_id}``.
        """
        content = make_report(
            self.turns(),
            self.live.counts,
            thresholds=thresholds,
            trace_url=trace_url,
            dropped_turns=self.live.dropped_turns,
            environment=environment(),
            documented=format == "json",
        )
        return render(content, format)

    def prometheus(self) -> PrometheusEndpoint:
        """What this process counts, for Prometheus to pull: on its own port, in a WSGI or ASGI server, in a registry.

        Where no meter provider is configured, the SDK's is set up.

        Raises:
            ConfigurationError: the meter provider is not the SDK's, or several processes would share the page.
        """
        return self._pulling.endpoint()

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Send what waits in the exporters that `instrument()` set up; whether they took it all in time.

        It returns in time, whatever an exporter does. After `shutdown` nothing waits.
        """
        if not self._active:
            return True
        failed_before = self._failed_batches()
        in_time = _flush_each(self._exporting(), timeout_s)
        return in_time and self._failed_batches() == failed_before

    def end_and_flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """At the end of a process that runs no exit handlers: end what is open, and send what waits anywhere.

        That includes the application's own providers, as far as turns went there: nobody else will do it.
        """
        lifecycle.end_all()
        meters, logs = providers.meter_provider_of(self._given_meters), providers.logger_provider_of(self._given_logs)
        _flush_each((*self._owned, *self._relayed, meters, logs), timeout_s)

    def shutdown(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Take the instrumentation back, flush and close what it set up. The turns stay readable. Repeatable.

        It returns in time: an exporter that does not come to an end is told, and left alone.
        """
        if not self._active:
            return
        self._active = False
        _forget(self)
        hooks.uninstall()
        runtime.use(None)
        lifecycle.unregister_exit()
        for provider in list(self._relayed):
            self._leave(provider)
        atexit.unregister(self._close)
        self._close(timeout_s)

    def _close(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Close what was set up: all at once, so that an end that nobody listens to is waited for once."""
        closing = [
            (f"{type(target).__name__}.shutdown", target.shutdown)
            for target in (*self._exporting(), self._pulling)
            if hasattr(target, "shutdown")
        ]
        if not all_within(timeout_s, closing):
            faults.logger.warning("agentnet_otel: what waited for export was not all sent within %g s", timeout_s)

    def _exporting(self) -> list[Any]:
        """What `instrument()` set up, and has to flush and close."""
        return [*self._owned, *(found for found in (self._meters, self._logs) if found is not None)]

    def _failed_batches(self) -> int:
        return sum(failed_batches(processor) for processor in self._owned)

    def _join(self, provider: TracerProvider) -> None:
        """Read along on a provider that is used now; at exit it flushes after the open turns have ended."""
        lifecycle.register_exit()
        relay = relay_of(provider)
        if relay is None:
            faults.logger.info("agentnet_otel: %s is not the SDK's: no live turns", type(provider).__name__)
            return
        self._relayed.add(provider)
        relay.add(self.live)

    def _export_through(self, provider: TracerProvider, processors: Collection[SpanProcessor]) -> None:
        relay = relay_of(provider)
        if relay is None:
            for processor in processors:
                processor.shutdown()
            kind = type(provider).__name__
            message = f"exporter= needs a TracerProvider of the SDK, and {kind} is none; add an exporter to it yourself"
            raise ConfigurationError(message)
        self._relayed.add(provider)
        for processor in processors:
            self._owned.append(processor)
            relay.add(processor)

    def _leave(self, provider: TracerProvider) -> None:
        relay = relay_of(provider)
        if relay is not None:
            for processor in (self.live, *self._owned):
                relay.remove(processor)

    def _take(self, turn: Turn) -> None:
        self.latency.record_turn(turn)
        self.tokens.record_turn(turn)

    def _set_up(
        self, tracer_provider: TracerProvider | None, exporter: str | None, *, with_metrics: bool, with_logs: bool
    ) -> TracerProvider | None:
        """The provider to use; None follows the global one. Sets up the SDK where asked for and nobody else did."""
        wanted = None if exporter is None else [sdk_setup.processor_of(exporter)]
        if tracer_provider is not None or sdk_setup.is_foreign(trace.get_tracer_provider()):
            provider = tracer_provider or trace.get_tracer_provider()
            if wanted:
                self._export_through(provider, wanted)
            return tracer_provider
        otlp_asked = exporter == sdk_setup.OTLP
        if with_metrics:
            self._set_up_metrics(otlp_asked=otlp_asked)
        self._logs = sdk_setup.set_up_logs(otlp_asked=otlp_asked) if with_logs else None
        if wanted is None and not sdk_setup.TRACES.requested:
            faults.logger.info(
                "agentnet_otel: no exporter is configured, turns stay in this process. To export them, set "
                "OTEL_EXPORTER_OTLP_ENDPOINT or call instrument(exporter='otlp' | 'console' | 'file:PATH')."
            )
            return None
        try:
            provider = sdk_setup.set_up_tracer_provider()
        except ConfigurationError as error:
            if wanted is not None:
                for processor in wanted:
                    processor.shutdown()
                raise
            faults.logger.warning("agentnet_otel: %s; turns stay in this process", error)
            return None
        self._export_through(provider, sdk_setup.set_up_traces() if wanted is None else wanted)
        return None

    def _set_up_metrics(self, *, otlp_asked: bool) -> None:
        pulled = sdk_setup.METRICS.pulled and not sdk_setup.is_foreign(metrics.get_meter_provider())
        self._meters = sdk_setup.set_up_metrics(otlp_asked=otlp_asked)
        if pulled:
            self._pulling.serve_as_asked(also_pushed=self._meters is not None)


def _flush_each(targets: Iterable[Any], timeout_s: float) -> bool:
    timeout_ms = int(1000 * max(0.0, timeout_s))
    return all_within(
        timeout_s,
        [
            (f"{type(target).__name__}.force_flush", functools.partial(target.force_flush, timeout_ms))
            for target in targets
            if hasattr(target, "force_flush") and not _was_shut_down(target)
        ],
    )


def _was_shut_down(provider: object) -> bool:
    """Whether an application has ended its meter provider, which flushed it; the SDK has no public way to ask."""
    return getattr(provider, "_shutdown", False) is True


_handles: Final[weakref.WeakSet[Handle]] = weakref.WeakSet()


class _Current:
    """The handle in use."""

    handle: Handle | None = None
    lock = threading.Lock()


def instrument(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    exporter: str | None = None,
    capture_content: str | CaptureMode | None = None,
    redact: Redaction | None = None,
    content_limit: int = DEFAULT_CONTENT_LIMIT,
    strict: bool | None = None,
    cost_models: Mapping[str, object] | None = None,
    genai_prices: bool | None = None,
) -> Handle:
    """Make each turn of AgentNet, and of the manual API, a span with its latency components, and count it.

    Args:
        tracer_provider: used instead of the global one.
        meter_provider: as ``tracer_provider``, for metrics.
        logger_provider: as ``tracer_provider``, for events that carry content.
        exporter: ``otlp`` (spans and metrics, to the standard ports of this machine unless ``OTEL_*`` variables say
            otherwise), ``console`` or ``file:PATH`` (OTLP JSON lines, whole after `Handle.shutdown`). Where no
            provider is configured the SDK is set up from this or from the ``OTEL_*`` exporter variables.
        capture_content: a capture mode; without it ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` counts.
        redact: gets each text before it is recorded and returns what may be; None records nothing of it.
        content_limit: characters of one recorded text.
        strict: wrong use of the manual API raises instead of being told once (default: ``AGENTNET_OTEL_STRICT``).
        cost_models: rates by model for calls whose engine tells no cost, USD per 1,000 tokens: a number, or a mapping
            with ``input`` and ``output`` (and, if they differ, ``cached``, ``reasoning``, ``batch``); ``default`` is
            for all models that nobody else knows. `Handle.tokens` can set further ones.
        genai_prices: whether the models of the package genai-prices have its prices. By default they do where it is
            installed; it is then loaded here, which takes some tenths of a second, so that no turn waits for it.

    Returns:
        The handle. A second call returns the same one and changes nothing, until `uninstrument`.

    Raises:
        ConfigurationError: an argument is wrong.
        MissingExtraError: genai-prices is asked for and not installed.
    """
    with _Current.lock:
        if _Current.handle is not None:
            return _Current.handle
        book = _price_book(genai_prices)
        tokens = _token_tracker(cost_models, book)
        content = ContentPolicy(mode=_capture_mode(capture_content), redact=redact, limit=content_limit)
        handle = Handle(tokens, meter_provider=meter_provider, logger_provider=logger_provider)
        if providers.sdk_disabled() or providers.instrumentation_disabled():
            faults.logger.info("agentnet_otel: switched off by the environment; nothing is instrumented")
            handle._active = False  # noqa: SLF001 - made here
            return handle
        book.load()
        provider = handle._set_up(  # noqa: SLF001 - made here
            tracer_provider,
            exporter,
            with_metrics=meter_provider is None,
            with_logs=logger_provider is None and content.on_event,
        )
        recorder = Recorder(
            providers.TracerChoice(provider, providers.private_provider, handle._join),  # noqa: SLF001 - made here
            runtime.MetricsChoice(meter_provider),
            content=content,
            loggers=lambda: providers.logger_provider_of(logger_provider or handle._logs),  # noqa: SLF001 - made here
            strict=_strict(strict),
            listener=handle._take,  # noqa: SLF001 - made here
            prices=tokens.prices,
        )
        runtime.use(recorder)
        hooks.install()
        atexit.register(handle._close)  # noqa: SLF001 - made here; it runs after the open turns have ended
        lifecycle.register_exit()
        multiprocessing.util.register_after_fork(handle, _flush_at_child_exit)
        if multiprocessing.parent_process() is not None:
            _flush_at_child_exit(handle)
        _Current.handle = handle
        return handle


def uninstrument() -> None:
    """Undo `instrument`: every wrapped attribute is the original again, what was set up is flushed and closed."""
    handle = _Current.handle
    if handle is not None:
        handle.shutdown()


def _forget(handle: Handle) -> None:
    with _Current.lock:
        if _Current.handle is handle:
            _Current.handle = None


def _capture_mode(asked: str | CaptureMode | None) -> CaptureMode:
    if asked is None:
        return mode_from_environment()
    return asked if isinstance(asked, CaptureMode) else CaptureMode.from_text(asked)


class _ContainedPrices:
    """A price book whose faults are contained: they cost a price, and no turn."""

    def __init__(self, book: PriceBook) -> None:
        self._price = faults.guarded(book.price, "price book")

    def price(self, call: Call) -> Price | None:
        """The price of a call; None where it is not known."""
        return self._price(call)


def _token_tracker(rates: Mapping[str, object] | None, book: PriceBook) -> TokenUtilizationTracker:
    try:
        return TokenUtilizationTracker(cost_models=rates, prices=_ContainedPrices(book))
    except ValueError as error:
        message = f"cost_models: {error}"
        raise ConfigurationError(message) from error


def _price_book(asked: bool | None) -> LoadablePrices:
    """The prices of all models that the user gave none."""
    if asked is None:
        return installed()
    return GenaiPrices() if asked else NoPrices()


def _strict(asked: bool | None) -> bool:
    return os.environ.get(semconv.ENV_STRICT, "").lower() in {"1", "true"} if asked is None else asked


def _flush_at_child_exit(handle: Handle) -> None:
    """A child of multiprocessing leaves without running exit handlers, but runs finalizers."""
    multiprocessing.util.Finalize(None, _end_and_flush, (weakref.ref(handle),), exitpriority=100)


def _end_and_flush(handle: "weakref.ref[Handle]") -> None:
    alive = handle()
    if alive is not None:
        faults.guarded(alive.end_and_flush)()


def _after_fork_in_child() -> None:
    _Current.lock = threading.Lock()
    for handle in list(_handles):
        handle.latency.reset_after_fork()
        handle.tokens.reset_after_fork()


if hasattr(os, "register_at_fork"):  # absent on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
