"""What an opened or ended span means to the metrics. A fault here costs the figure, never the span."""

from collections.abc import Callable

from agentnet_otel import semconv
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.metrics import TurnMetrics
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.instrumentation.usage import TokenCount
from agentnet_otel.model import LatencyComponent, PolicyViolation, QualitySource, ToolCall, Turn

MetricsSource = Callable[[], TurnMetrics]


class Metering:
    """Counts; ``metrics`` is asked each time, because an application may set its provider later."""

    def __init__(self, metrics: MetricsSource) -> None:
        self._metrics = metrics

    @faults.guarded
    def turn_opened(self, turn: TurnSpan) -> None:
        """One more turn is open."""
        self._metrics().turn_started(turn.agent, turn.context)

    @faults.guarded
    def is_read(self) -> bool:
        """Whether what is counted reaches anybody."""
        return self._metrics().is_read()

    @faults.guarded
    def turn_left(self, turn: TurnSpan) -> None:
        """One turn fewer is open."""
        self._metrics().turn_left(turn.agent, turn.context)

    @faults.guarded
    def turn_ended(self, turn: TurnSpan, facts: Turn) -> None:
        """What a turn came to."""
        metrics = self._metrics()
        metrics.turn_ended(
            agent=facts.agent,
            model=facts.model,
            outcome=facts.outcome,
            error_type=facts.error_type,
            duration_ns=facts.end_ns - facts.start_ns,
            component_ns=facts.component_self_ns,
            context=turn.context,
        )
        for (model, category), usage in turn.ledger.by_model_category.items():
            metrics.tokens_used(agent=facts.agent, model=model, category=category, usage=usage, context=turn.context)
        metrics.turn_valued(
            agent=facts.agent,
            model=facts.model,
            cost_usd=facts.cost_usd,
            efficiency=facts.efficiency,
            quality_source=facts.quality_source or QualitySource.ASSUMED,
            context=turn.context,
        )

    @faults.guarded
    def component_ended(self, component: ComponentSpan) -> None:
        """One tool or model call ended."""
        error_type = None if component.ending is None else component.ending.error_type
        duration_ns = component.end_ns - component.start_ns
        if component.component is LatencyComponent.TOOL_EXECUTION:
            call = ToolCall(name=component.name or semconv.ERROR_TYPE_OTHER, outcome=component.outcome)
            self._metrics().tool_called(component.agent, call, duration_ns, error_type, component.context)
        elif component.component is LatencyComponent.INFERENCE and not component.has_inner_usage:
            self._metrics().model_called(
                provider=component.provider or semconv.UNKNOWN_PROVIDER,
                request_model=component.model,
                response_model=component.response_model,
                duration_ns=duration_ns,
                usage=component.usage,
                error_type=error_type,
                context=component.context,
            )

    @faults.guarded
    def unowned_tokens(self, component: ComponentSpan, count: TokenCount) -> None:
        """Tokens that no turn counts, for there is none around the call or it has ended, are spent all the same."""
        self._metrics().tokens_used(
            agent=component.agent,
            model=component.response_model or component.model,
            category=count.category or component.category,
            usage=count.usage,
            context=component.context,
        )

    @faults.guarded
    def violation_found(self, where: TurnSpan | ComponentSpan, violation: PolicyViolation) -> None:
        """One rule was violated."""
        self._metrics().violation_found(where.agent, violation, where.context)

    @faults.guarded
    def late_work(self) -> None:
        """Work of a turn went on after the turn's time-out."""
        self._metrics().late_work.add(1)
