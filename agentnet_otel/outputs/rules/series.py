"""Names of metrics as Prometheus has them, made from those of `semconv` by the rules of `outputs.prometheus`."""

from typing import Final

from agentnet_otel import semconv
from agentnet_otel.outputs.prometheus.naming import COUNTER, GAUGE, HISTOGRAM, family_name, label_name


def counter(name: str, unit: str) -> str:
    """A counter's series."""
    return f"{family_name(name, unit, COUNTER)[0]}_total"


def gauge(name: str, unit: str) -> str:
    """A gauge's series."""
    return family_name(name, unit, GAUGE)[0]


def histogram(name: str, unit: str) -> str:
    """A histogram's family."""
    return family_name(name, unit, HISTOGRAM)[0]


TURNS: Final = counter(semconv.METRIC_TURNS, semconv.UNIT_TURN)
DURATION: Final = histogram(semconv.METRIC_TURN_DURATION, semconv.UNIT_SECONDS)
COMPONENTS: Final = histogram(semconv.METRIC_COMPONENT_DURATION, semconv.UNIT_SECONDS)
OPEN_TURNS: Final = gauge(semconv.METRIC_TURN_ACTIVE, semconv.UNIT_TURN)
OLDEST_AGE: Final = gauge(semconv.METRIC_TURN_ACTIVE_AGE, semconv.UNIT_SECONDS)
TOKENS: Final = counter(semconv.METRIC_TOKENS, semconv.UNIT_TOKEN)
COST: Final = histogram(semconv.METRIC_COST_USD, semconv.UNIT_USD)
EFFICIENCY: Final = histogram(semconv.METRIC_TOKEN_EFFICIENCY, semconv.UNIT_RATIO)
VIOLATIONS: Final = counter(semconv.METRIC_POLICY_VIOLATIONS, semconv.UNIT_VIOLATION)
TOOL_CALLS: Final = counter(semconv.METRIC_TOOL_CALLS, semconv.UNIT_CALL)
HOOK_FAULTS: Final = counter(semconv.METRIC_SELF_HOOK_FAULTS, semconv.UNIT_FAULT)
LABELS_FOLDED: Final = counter(semconv.METRIC_SELF_LABELS_FOLDED, semconv.UNIT_VALUE)
SPANS_DROPPED: Final = counter(semconv.METRIC_SELF_SPANS_DROPPED, semconv.UNIT_SPAN)
EXPORT_FAILURES: Final = counter(semconv.METRIC_SELF_EXPORT_FAILURES, semconv.UNIT_BATCH)
BRIDGE_LAG: Final = gauge(semconv.METRIC_BRIDGE_LAG, semconv.UNIT_SECONDS)
EXPORT_QUEUE: Final = gauge(semconv.METRIC_SELF_EXPORT_QUEUE, semconv.UNIT_SPAN)

OUTCOME: Final = label_name(semconv.TURN_OUTCOME)
COMPONENT: Final = label_name(semconv.LATENCY_COMPONENT)
TOKEN_TYPE: Final = label_name(semconv.TOKEN_TYPE)
TOKEN_CATEGORY: Final = label_name(semconv.TOKEN_CATEGORY)
QUALITY_SOURCE: Final = label_name(semconv.QUALITY_SOURCE)
TOOL: Final = label_name(semconv.TOOL_NAME)
TOOL_OUTCOME: Final = label_name(semconv.TOOL_OUTCOME)
POLICY_RULE: Final = label_name(semconv.POLICY_RULE)
POLICY_SEVERITY: Final = label_name(semconv.POLICY_SEVERITY)
