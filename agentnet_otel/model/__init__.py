"""Frozen values that every layer shares: no behaviour beyond what can be derived from the value itself."""

from agentnet_otel.model.enums import (
    CostSource,
    LatencyComponent,
    MetricsMode,
    Outcome,
    QualitySource,
    TokenCategory,
    TokenType,
)
from agentnet_otel.model.span import AttributeValue, SpanEvent, SpanKind, SpanRecord, StatusCode
from agentnet_otel.model.turn import MAX_STEPS, ModelCall, PolicyViolation, Step, TokenShare, TokenUsage, ToolCall, Turn

__all__ = [
    "MAX_STEPS",
    "AttributeValue",
    "CostSource",
    "LatencyComponent",
    "MetricsMode",
    "ModelCall",
    "Outcome",
    "PolicyViolation",
    "QualitySource",
    "SpanEvent",
    "SpanKind",
    "SpanRecord",
    "StatusCode",
    "Step",
    "TokenCategory",
    "TokenShare",
    "TokenType",
    "TokenUsage",
    "ToolCall",
    "Turn",
]
