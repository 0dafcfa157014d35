"""The recorder in use: that of ``instrument()``, else a measurement's, else one that follows the global providers."""

import threading
from functools import partial

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from agentnet_otel.core.cost import PriceBook
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.clock import SystemClock
from agentnet_otel.instrumentation.content import ContentPolicy, mode_from_environment
from agentnet_otel.instrumentation.labels import LabelCap
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.metrics import TurnMetrics, meter_of, start_at_zero
from agentnet_otel.instrumentation.providers import (
    TracerChoice,
    is_read,
    logger_provider_of,
    meter_provider_of,
    private_provider,
)
from agentnet_otel.instrumentation.recorder import Recorder

from agentnet_otel._version import __version__  # isort: skip


class MetricsChoice:
    """The instruments of the meter provider that counts now."""

    def __init__(self, given: MeterProvider | None = None) -> None:
        self._given = given
        self._cap = LabelCap()
        self._current: tuple[MeterProvider, TurnMetrics] | None = None
        lifecycle.renew_lock_after_fork(self)

    def __call__(self) -> TurnMetrics:
        """The instruments; made anew when an application sets another global provider."""
        provider = meter_provider_of(self._given)
        current = self._current
        if current is None or current[0] is not provider:
            meter = meter_of(provider, __version__)
            instruments = TurnMetrics(meter, SystemClock.wall_ns, self._cap, partial(is_read, provider))
            self._current = current = (provider, instruments)
            lifecycle.register_exit()
        return current[1]

    def reset_lock(self) -> None:
        """Begin at 0, in a forked child."""
        if self._current is not None:
            faults.guarded(start_at_zero)(self._current[0])


class _Runtime:
    """Holds the recorders of this process. ``recorder`` is that of ``instrument()``."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.measuring: Recorder | None = None
        self.default: Recorder | None = None
        self.metrics = MetricsChoice()
        self.lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self.lock = threading.Lock()


_runtime = _Runtime()


def recorder() -> Recorder:
    """The recorder in use."""
    return _runtime.recorder or _runtime.measuring or _default()


def use(new: Recorder | None) -> None:
    """Put ``new`` in place; None goes back to one that follows the global providers, made anew."""
    _runtime.recorder = new
    _runtime.default = None


def use_for_measuring(new: Recorder | None) -> None:
    """Put ``new`` in place for a measurement, where ``instrument()`` is off; None takes it back."""
    _runtime.measuring = new


def recorder_for_measuring(prices: PriceBook | None = None) -> Recorder:
    """As the default one, but with prices, and where no provider is configured its turns still get ids."""
    return _following_recorder(TracerChoice(fallback=private_provider, on_change=_register_exit), prices)


def _default() -> Recorder:
    with _runtime.lock:
        if _runtime.default is None:
            _runtime.default = _following_recorder(TracerChoice(on_change=_register_exit))
        return _runtime.default


def _following_recorder(tracers: TracerChoice, prices: PriceBook | None = None) -> Recorder:
    return Recorder(
        tracers,
        _runtime.metrics,
        content=ContentPolicy(mode=mode_from_environment()),
        loggers=lambda: logger_provider_of(None),
        prices=prices,
    )


def _register_exit(_provider: TracerProvider) -> None:
    lifecycle.register_exit()
