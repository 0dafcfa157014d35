"""With which probability a span was sampled, where the sampler reveals it.

Samplers of the SDK write no mark into the span, so the only way to know is to ask the sampler itself; a parent from
elsewhere tells in its trace state (``ot=th:``), or nobody does. Unknown is not 1.
"""

import re
from typing import Final

from opentelemetry.trace import Span, TracerProvider

from agentnet_otel.core.sampling import threshold_probability

_PARENT_BASED: Final = re.compile(r"ParentBased\{root:(?P<root>.*?),remoteParentSampled")
_RATIO: Final = re.compile(r"TraceIdRatioBased\{(?P<rate>[0-9.eE+-]+)\}")


def probability_of(provider: TracerProvider, span: Span, *, is_root: bool) -> float | None:
    """The probability, greater than 0 and at most 1, or None where nobody tells."""
    stated = threshold_probability(span.get_span_context().trace_state.get("ot") or "")
    if stated is not None:
        return stated
    describe = getattr(getattr(provider, "sampler", None), "get_description", None)
    if describe is None:
        return None
    description = describe()
    parent_based = _PARENT_BASED.match(description)
    if parent_based is None:
        return _rate(description)
    # A parent-based sampler asks its root sampler for roots only; a child follows its parent, whose sampler is not
    # known here.
    return _rate(parent_based["root"]) if is_root else None


def _rate(description: str) -> float | None:
    if description == "AlwaysOnSampler":
        return 1.0
    ratio = _RATIO.fullmatch(description)
    return (float(ratio["rate"]) or None) if ratio else None
