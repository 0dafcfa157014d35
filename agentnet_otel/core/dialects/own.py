"""What the recorder of this package writes."""

from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.dialects.dialect import Dialect, Spoken, TokenKeys, text_of
from agentnet_otel.core.dialects.facts import Role
from agentnet_otel.model import LatencyComponent


def _kind(span: Spoken) -> str:
    """Our component, else the operation (turn, session)."""
    return text_of(span, semconv.LATENCY_COMPONENT) or text_of(span, semconv.OPERATION_NAME)


OWN: Final = Dialect(
    name="agentnet-otel",
    kind=_kind,
    components={c.value: c for c in LatencyComponent if c is not LatencyComponent.TOTAL},
    roles={semconv.OP_INVOKE_AGENT: Role.TURN, semconv.OP_INVOKE_WORKFLOW: Role.SESSION},
    unnamed_turn=Role.TURN,
    ours=True,
    agent=(semconv.AGENT_NAME,),
    subject=(
        semconv.TOOL_NAME,
        semconv.POLICY_NAME,
        semconv.ORCHESTRATION_STEP,
        semconv.PROCESSING_STEP,
        semconv.WORKFLOW_NAME,
    ),
    session=(semconv.CONVERSATION_ID,),
    request_model=(semconv.REQUEST_MODEL,),
    response_model=(semconv.RESPONSE_MODEL,),
    tokens=TokenKeys(
        input=(semconv.USAGE_INPUT_TOKENS,),
        output=(semconv.USAGE_OUTPUT_TOKENS,),
        cached=(semconv.USAGE_CACHE_READ_INPUT_TOKENS,),
        reasoning=(semconv.USAGE_REASONING_OUTPUT_TOKENS,),
    ),
    cost=(semconv.COST_USD,),
)
