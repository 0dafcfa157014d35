"""Addresses of traces elsewhere."""

from agentnet_otel.model import Turn


def trace_link(template: str | None, turn: Turn) -> str | None:
    """The address of a turn's trace; None without a template or without a trace."""
    if template is None or not turn.trace_id:
        return None
    return template.replace("{trace_id}", turn.trace_id).replace("{span_id}", turn.span_id)
