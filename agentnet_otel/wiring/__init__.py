"""The composition root: joins instrumentation, sources, performance and outputs.

Its names are loaded on first use: processes that only read use other modules of this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agentnet_otel.wiring.handle import Handle, instrument, uninstrument
    from agentnet_otel.wiring.instrumentor import AgentNetInstrumentor

__all__ = ["AgentNetInstrumentor", "Handle", "instrument", "uninstrument"]

_ROOMS: Final = {
    **dict.fromkeys(("Handle", "instrument", "uninstrument"), "agentnet_otel.wiring.handle"),
    "AgentNetInstrumentor": "agentnet_otel.wiring.instrumentor",
}


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    found = globals()[name] = getattr(import_module(room), name)
    return found
