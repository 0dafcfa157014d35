"""What plain spans are: the turn itself, or spent on a component, or neither."""

from collections.abc import Mapping
from typing import Any, Final

from agentnet_otel import semconv
from agentnet_otel.core.dialects.genai import GENAI
from agentnet_otel.core.dialects.own import OWN
from agentnet_otel.core.plain_span import OTHER, Kind, PlainSpan
from agentnet_otel.model import LatencyComponent

Said = Mapping[str, Any]
"""Attributes whose types the reader has checked."""


TURN: Final = Kind(turn=True)


def _kinds_of(components: Mapping[str, LatencyComponent], turn: str) -> dict[str, Kind]:
    kinds = {
        kind: Kind(component=component.value, call=component is not LatencyComponent.ORCHESTRATION)
        for kind, component in components.items()
    }
    return {**kinds, turn: TURN}


OWN_KINDS: Final = _kinds_of(OWN.components, semconv.OP_INVOKE_AGENT)
GENAI_KINDS: Final = _kinds_of(GENAI.components, semconv.OP_INVOKE_AGENT)


def kind_of(span: PlainSpan) -> Kind | None:
    """What a span is; None where that depends on what stands around it."""
    said: Said = span.attributes
    if span.origin.ours:
        return OWN_KINDS.get(said.get(semconv.LATENCY_COMPONENT) or said.get(semconv.OPERATION_NAME, ""), OTHER)
    kind = GENAI_KINDS.get(said.get(semconv.OPERATION_NAME, ""), OTHER)
    if kind is TURN and semconv.AGENT_NAME not in said:
        return OTHER
    return None if said.get(semconv.OPERATION_NAME) == semconv.OP_INVOKE_WORKFLOW else kind


def first(said: Said, keys: tuple[str, ...]) -> Any:
    """What stands under the first of the keys that is there."""
    for key in keys:
        if key in said:
            return said[key]
    return None
