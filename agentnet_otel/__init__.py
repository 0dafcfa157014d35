"""OpenTelemetry for AgentNet: turns as spans, spans as turns.

    import agentnet_otel

    handle = agentnet_otel.instrument()

What an application does not use (readers, reports, the command line) is loaded on first use.
"""

from typing import TYPE_CHECKING, Any

from agentnet_otel._version import __version__
from agentnet_otel.instrumentation.manual import current_turn, session, traced_component, traced_turn, turn
from agentnet_otel.model import LatencyComponent, Outcome, TokenCategory

if TYPE_CHECKING:
    from agentnet_otel.wiring import Handle, instrument, uninstrument

__all__ = [
    "Handle",
    "LatencyComponent",
    "Outcome",
    "TokenCategory",
    "__version__",
    "current_turn",
    "instrument",
    "session",
    "traced_component",
    "traced_turn",
    "turn",
    "uninstrument",
]

_LAZY = frozenset({"Handle", "instrument", "uninstrument"})


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from agentnet_otel import wiring  # noqa: PLC0415 - loaded when it is needed: it brings the SDK

    return getattr(wiring, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
