"""The composition root: joins instrumentation, sources, performance and outputs."""

from agentnet_otel.wiring.handle import Handle, instrument, uninstrument
from agentnet_otel.wiring.instrumentor import AgentNetInstrumentor

__all__ = ["AgentNetInstrumentor", "Handle", "instrument", "uninstrument"]
