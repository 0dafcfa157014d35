"""The recorder in use: one that follows the global providers, until ``instrument()`` puts its own in place."""

import threading

from opentelemetry.metrics import MeterProvider

from agentnet_otel.instrumentation.clock import SystemClock
from agentnet_otel.instrumentation.content import ContentPolicy, mode_from_environment
from agentnet_otel.instrumentation.labels import LabelCap
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.metrics import TurnMetrics, meter_of
from agentnet_otel.instrumentation.providers import TracerChoice, logger_provider_of, meter_provider_of
from agentnet_otel.instrumentation.recorder import Recorder

from agentnet_otel._version import __version__  # isort: skip


class MetricsChoice:
    """The instruments of the meter provider that counts now."""

    def __init__(self, given: MeterProvider | None = None) -> None:
        self._given = given
        self._cap = LabelCap()
        self._current: tuple[MeterProvider, TurnMetrics] | None = None

    def __call__(self) -> TurnMetrics:
        """The instruments; made anew when an application sets another global provider."""
        provider = meter_provider_of(self._given)
        current = self._current
        if current is None or current[0] is not provider:
            instruments = TurnMetrics(meter_of(provider, __version__), SystemClock.wall_ns, self._cap)
            self._current = current = (provider, instruments)
        return current[1]


class _Runtime:
    """Holds the recorder of this process."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.lock = threading.Lock()
        lifecycle.renew_lock_after_fork(self)

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self.lock = threading.Lock()


_runtime = _Runtime()


def recorder() -> Recorder:
    """The recorder in use."""
    return _runtime.recorder or _default()


def use(new: Recorder | None) -> None:
    """Put ``new`` in place; None goes back to one that follows the global providers."""
    _runtime.recorder = new


def _default() -> Recorder:
    with _runtime.lock:
        if _runtime.recorder is None:
            _runtime.recorder = Recorder(
                TracerChoice(on_change=lambda _provider: lifecycle.register_exit()),
                MetricsChoice(),
                content=ContentPolicy(mode=mode_from_environment()),
                loggers=lambda: logger_provider_of(None),
            )
        return _runtime.recorder
