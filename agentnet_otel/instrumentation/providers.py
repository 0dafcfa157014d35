"""Which providers are used, and the SDK's set-up where the user asks for it and nobody else did it.

In this order: the providers given to ``instrument()``; the global ones, also when an application sets them later;
an SDK set up from ``exporter=`` or from ``OTEL_*`` exporter variables; else a provider of our own that no one else
sees, so that turns can still be read in the process. A global provider is never replaced.
"""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import Tracer, TracerProvider

from agentnet_otel import semconv
from agentnet_otel._version import __version__
from agentnet_otel.instrumentation.lifecycle import lifecycle

SCOPE_ATTRIBUTES: Final = {semconv.SCOPE_CONTRACT_VERSION: semconv.CONTRACT_VERSION}


def sdk_disabled() -> bool:
    """Whether ``OTEL_SDK_DISABLED`` switches telemetry off."""
    return os.environ.get(semconv.ENV_SDK_DISABLED, "").strip().lower() == "true"


def instrumentation_disabled() -> bool:
    """Whether ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`` names this instrumentation."""
    names = os.environ.get(semconv.ENV_DISABLED_INSTRUMENTATIONS, "").split(",")
    return bool({name.strip() for name in names} & {"agentnet", "*"})


def is_configured(provider: object) -> bool:
    """Whether a real provider stands behind the global one: the API's placeholders are named proxies, two privately."""
    kind = type(provider)
    return not (kind.__module__.startswith("opentelemetry.") and kind.__name__.lstrip("_").startswith("Proxy"))


def is_read(provider: MeterProvider) -> bool:
    """Whether somebody reads what is counted with a meter provider: not with a placeholder, nor without any reader."""
    if not is_configured(provider) or isinstance(provider, NoOpMeterProvider):
        return False
    storages = storages_of(provider)
    return storages is None or len(storages) > 0


def storages_of(provider: MeterProvider) -> Mapping[object, object] | None:
    """What each reader of the SDK's meter provider holds; None of another provider, or of an SDK made otherwise.

    Readers come and go, and the SDK has no public way to ask for them.
    """
    storages = getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", None)
    return storages if isinstance(storages, Mapping) else None


class TracerChoice:
    """The tracer of the provider that counts now.

    ``given`` goes before the global provider, ``fallback`` comes after it and is made only when first needed.
    ``on_change`` is told each provider when it is first used.
    """

    def __init__(
        self,
        given: TracerProvider | None = None,
        fallback: Callable[[], TracerProvider] | None = None,
        on_change: Callable[[TracerProvider], None] | None = None,
    ) -> None:
        self._given = given
        self._fallback = fallback
        self._fallback_provider: TracerProvider | None = None
        self._on_change = on_change
        self._current: tuple[TracerProvider, Tracer] | None = None
        self._lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    def __call__(self) -> tuple[TracerProvider, Tracer]:
        """The provider and our tracer of it."""
        provider = self.provider()
        current = self._current
        if current is not None and current[0] is provider:
            return current
        with self._lock:
            if self._current is None or self._current[0] is not provider:
                tracer = provider.get_tracer(semconv.SCOPE_NAME, __version__, semconv.SCHEMA_URL, SCOPE_ATTRIBUTES)
                self._current = (provider, tracer)
                if self._on_change is not None:
                    self._on_change(provider)
            return self._current

    def provider(self) -> TracerProvider:
        """The provider that counts now."""
        if self._given is not None:
            return self._given
        provider = trace.get_tracer_provider()
        if is_configured(provider) or self._fallback is None:
            return provider
        with self._lock:
            if self._fallback_provider is None:
                self._fallback_provider = self._fallback()
            return self._fallback_provider

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.Lock()


def private_provider() -> TracerProvider:
    """A provider that nobody else sees: it has nothing to flush at exit."""
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider  # noqa: PLC0415 - the API alone is light

    return SdkTracerProvider(shutdown_on_exit=False)


def meter_provider_of(given: MeterProvider | None) -> MeterProvider:
    """The meter provider: the given one, else the global one (a proxy until an application sets it)."""
    return given if given is not None else metrics.get_meter_provider()


def logger_provider_of(given: LoggerProvider | None) -> LoggerProvider:
    """The logger provider: the given one, else the global one."""
    return given if given is not None else get_logger_provider()
