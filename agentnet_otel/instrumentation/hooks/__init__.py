"""What knows AgentNet: where its calls begin and end, and how its answers are read.

`table` says what is wrapped, and is the place to begin reading. `patching` puts the wrappers there and takes them
back, `driver` runs a call inside a span, the other modules each know one part of AgentNet.
"""

from agentnet_otel.instrumentation.hooks.patching import TargetStatus
from agentnet_otel.instrumentation.hooks.table import install, status, uninstall

__all__ = ["TargetStatus", "install", "status", "uninstall"]
