"""What AgentNet's own ``observability.tracing`` writes."""

from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.dialects.dialect import Dialect, Spoken, TokenKeys
from agentnet_otel.core.dialects.facts import Role
from agentnet_otel.model import LatencyComponent

_COMPONENTS: Final = {
    semconv.AGENTNET_INFERENCE_SPAN: LatencyComponent.INFERENCE,
    semconv.AGENTNET_TOOL_SPAN: LatencyComponent.TOOL_EXECUTION,
    semconv.AGENTNET_MONITOR_SPAN: LatencyComponent.POLICY_CHECK,
    semconv.AGENTNET_DAG_SPAN: LatencyComponent.ORCHESTRATION,
}
SPANS: Final = frozenset({semconv.AGENTNET_TURN_SPAN, *_COMPONENTS})


def recognises(span: Spoken) -> bool:
    """Whether a span that has one of the names `SPANS` is AgentNet's: by its scope or the keys on all of its spans."""
    return (
        is_scope(span.scope_name)
        or semconv.AGENTNET_CORRELATION_ID in span.attributes
        or semconv.AGENTNET_SESSION_ID in span.attributes
    )


def is_scope(scope_name: str) -> bool:
    """Whether it is one of AgentNet's own scopes."""
    return scope_name.partition(".")[0] == "agentnet"


AGENTNET: Final = Dialect(
    name="agentnet",
    kind=lambda span: span.name,
    components=_COMPONENTS,
    roles={semconv.AGENTNET_TURN_SPAN: Role.TURN},
    unnamed_turn=Role.TURN,
    agent=(semconv.AGENTNET_AGENT_NAME, semconv.AGENTNET_DAG_AGENT),
    subject=(semconv.AGENTNET_TOOL_NAME, semconv.AGENTNET_MONITOR_NAME, semconv.AGENTNET_DAG_NODE),
    session=(semconv.AGENTNET_CORRELATION_ID, semconv.AGENTNET_SESSION_ID),
    request_model=(semconv.AGENTNET_AGENT_MODEL,),
    tokens=TokenKeys(output=(semconv.AGENTNET_OUTPUT_TOKENS,)),
    cost=(semconv.AGENTNET_COST_USD,),
)
