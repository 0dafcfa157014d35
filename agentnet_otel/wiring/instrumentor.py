"""The entry point of ``opentelemetry-instrument``: no line of code is needed."""

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from agentnet_otel.wiring.handle import instrument, uninstrument


class AgentNetInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """The entry point of ``opentelemetry-instrument``."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: AgentNet is not on a package index, and the hooks look for it themselves."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        known = {
            name: kwargs[name] for name in ("tracer_provider", "meter_provider", "logger_provider") if name in kwargs
        }
        instrument(**known)

    def _uninstrument(self, **_kwargs: Any) -> None:
        uninstrument()
