"""OpenTelemetry for AgentNet: turns as spans, spans as turns.

    import agentnet_otel

    handle = agentnet_otel.instrument()

What an application does not use (readers, reports, the command line) is loaded on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from agentnet_otel._version import __version__
from agentnet_otel.model import LatencyComponent, Outcome, TokenCategory

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.manual import current_turn, session, traced_component, traced_turn, turn
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

_ROOMS = {
    **dict.fromkeys(("Handle", "instrument", "uninstrument"), "agentnet_otel.wiring"),
    **dict.fromkeys(
        ("current_turn", "session", "traced_component", "traced_turn", "turn"), "agentnet_otel.instrumentation.manual"
    ),
}
"""Where names are that are loaded on first use: the readers need neither."""


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    found = globals()[name] = getattr(importlib.import_module(room), name)  # the next access is one of any module
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
