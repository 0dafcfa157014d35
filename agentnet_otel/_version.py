"""The version of agentnet-otel; everything else reads it here."""

__version__ = "0.1.0"
