"""Addresses of traces elsewhere."""


def trace_link(template: str | None, trace_id: str, span_id: str) -> str | None:
    """The address of a trace, or of a span in it; None without a template or without a trace."""
    if template is None or not trace_id:
        return None
    return template.replace("{trace_id}", trace_id).replace("{span_id}", span_id)
