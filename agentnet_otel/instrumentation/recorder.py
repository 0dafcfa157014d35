"""The recorder: the only writer of attributes, and the only one that starts and ends spans.

The spans of `spans` collect facts; here the facts become OpenTelemetry. Facts are kept beside the SDK's span, not
in it, so that metrics are exact where the sampler dropped the span.
"""

import secrets
import traceback
from collections.abc import Callable
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, LogRecord
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.util.types import Attributes

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation.attributes import (
    component_end_attributes,
    component_name,
    component_start_attributes,
    turn_end_attributes,
    turn_start_attributes,
)
from agentnet_otel.instrumentation.clock import Anchor, Clock, SystemClock
from agentnet_otel.instrumentation.collecting import CollectedCall, TurnCollector, collector_in
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.content import ContentPolicy
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.metrics import TurnMetrics
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.outcomes import Ending
from agentnet_otel.instrumentation.pricing import CallPricing
from agentnet_otel.instrumentation.sampling import probability_of
from agentnet_otel.instrumentation.turn_facts import facts_of
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.instrumentation.usage import TokenCount, sum_usage
from agentnet_otel.instrumentation.workflow_span import WorkflowSpan
from agentnet_otel.model import (
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    TokenUsage,
    ToolCall,
    Turn,
)

TracerSource = Callable[[], tuple[TracerProvider, Tracer]]
MetricsSource = Callable[[], TurnMetrics]
Listener = Callable[[Turn], None]


class Recorder:
    """Writes spans, metrics and events of turns.

    ``tracers`` and ``metrics`` are asked at each turn, because an application may configure its providers after
    the instrumentation was switched on. ``listener`` gets the facts of each turn that ended. ``prices`` are for calls
    whose engine tells no cost.
    """

    def __init__(
        self,
        tracers: TracerSource,
        metrics: MetricsSource,
        *,
        content: ContentPolicy | None = None,
        loggers: Callable[[], LoggerProvider] | None = None,
        strict: bool = False,
        clock: Clock | None = None,
        listener: Listener | None = None,
        prices: PriceBook | None = None,
    ) -> None:
        self._tracers = tracers
        self._metrics = metrics
        self._loggers = loggers
        self.content = content or ContentPolicy()
        self.strict = strict
        self.clock: Clock = clock or SystemClock()
        self._listener = listener
        self._pricing = CallPricing(prices)

    # --- sessions ------------------------------------------------------------------------------------

    def open_workflow(self, workflow: WorkflowSpan) -> None:
        """Start the span of a session."""
        attributes: dict[str, Any] = {
            semconv.OPERATION_NAME: semconv.OP_INVOKE_WORKFLOW,
            semconv.WORKFLOW_NAME: workflow.mode,
        }
        if workflow.conversation_id:
            attributes[semconv.CONVERSATION_ID] = workflow.conversation_id
        name = semconv.span_name(semconv.OP_INVOKE_WORKFLOW, workflow.mode)
        self._start(workflow, name, SpanKind.INTERNAL, attributes)
        lifecycle.opened(workflow)

    def close_workflow(self, workflow: WorkflowSpan, ending: Ending | None) -> None:
        """End the span of a session."""
        lifecycle.closed(workflow)
        if workflow.conversation_id:
            workflow.attributes[semconv.CONVERSATION_ID] = workflow.conversation_id
        workflow.owner = None
        self._finish(workflow, ending, {})

    # --- turns ---------------------------------------------------------------------------------------

    def open_turn(self, turn: TurnSpan) -> None:
        """Start the span of a turn; what samplers need is given at once."""
        turn.turn_id = turn.turn_id or f"turn_{secrets.token_hex(8)}"
        turn.parent = ctx.open_position()
        name = semconv.span_name(semconv.OP_INVOKE_AGENT, turn.agent)
        provider = self._start(turn, name, SpanKind.INTERNAL, turn_start_attributes(turn))
        turn.sampling_probability = self._probability(turn, provider)
        lifecycle.opened(turn)
        self._metrics().turn_started(turn.agent, turn.context)

    def close_turn(self, turn: TurnSpan, ending: Ending | None) -> None:
        """End a turn, once: cut off what still runs in it, then write span, metrics and facts."""
        if not turn.claim_end():
            return
        lifecycle.closed(turn)
        ending = _turn_ending(turn, ending)
        cut = ending if ending and ending.outcome in {Outcome.TIMEOUT, Outcome.CANCELLED} else None
        for component in list(turn.components.values()):
            component.cut_off(cut)
        end_ns = max(turn.now_ns(), turn.start_ns)
        with turn.lock:
            turn.ledger.settle(turn.model)
            self._pricing.price_whole(turn)
        facts = facts_of(turn, ending, end_ns)
        self.tell_content(turn, semconv.INPUT_MESSAGES, "user", turn.prompt)
        self.tell_content(turn, semconv.OUTPUT_MESSAGES, "assistant", turn.response)
        try:
            self._finish(turn, ending, turn_end_attributes(turn, facts), end_ns=end_ns)
        finally:
            self._measure_turn(turn, facts, ending)
            turn.owner = turn.prompt = turn.response = turn.failure = None
            turn.components.clear()
            turn.parts.clear()
            _keep_in_outer_turn(turn)
        collector = collector_in(turn.context)
        if collector is not None:
            collector.take_turn(facts, nested=_is_nested(turn, collector))
        if self._listener is not None:
            self._listener(facts)

    def _measure_turn(self, turn: TurnSpan, facts: Turn, ending: Ending | None) -> None:
        metrics = self._metrics()
        metrics.turn_ended(
            agent=facts.agent,
            model=facts.model,
            outcome=facts.outcome,
            error_type=None if ending is None else ending.error_type,
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

    # --- components ----------------------------------------------------------------------------------

    def open_component(self, component: ComponentSpan) -> None:
        """Start the span of a component, below the innermost open span of its turn."""
        kind = component.component
        if kind is None:
            return
        here = ctx.open_position()
        inside = component.turn is None or (here is not None and _turn_of(here) is component.turn)
        component.parent = here if inside else component.turn
        attributes = component_start_attributes(component, kind)
        span_kind = SpanKind.CLIENT if kind is LatencyComponent.INFERENCE else SpanKind.INTERNAL
        parent_context = None if inside or component.turn is None else component.turn.context
        self._start(component, component_name(component, kind), span_kind, attributes, parent_context)
        if kind is LatencyComponent.INFERENCE and component.context is not None:
            component.context = ctx.with_inference_claimed(component.context)
        if component.turn is not None:
            component.turn.components[id(component)] = component

    def close_component(self, component: ComponentSpan, ending: Ending | None) -> None:
        """End the span of a component and add what it used to its turn."""
        kind = component.component
        if kind is None:
            return
        turn = component.turn
        if turn is not None:
            turn.components.pop(id(component), None)
        ending = component.ending or ending
        component.ending = ending
        told = ctx.told_by_inner_call(component.context)
        if told.known and not component.tokens and not component.has_inner_usage:
            component.note_tokens(TokenCount(usage=told))
        usage = sum_usage(count.usage for count in component.tokens)
        self._pricing.price_component(component, usage)
        if kind is LatencyComponent.TOOL_EXECUTION:
            component.outcome = component.outcome or (Outcome.SUCCESS if ending is None else ending.outcome).value
        self._finish(component, ending, component_end_attributes(component, usage))
        if turn is not None:
            _settle_component(turn, component)
        elif not component.has_inner_usage:
            self._measure_unowned_tokens(component)
            _collect_call(component, usage)
        self._measure_component(component, kind, usage)

    def _measure_component(self, component: ComponentSpan, kind: LatencyComponent, usage: TokenUsage) -> None:
        error_type = None if component.ending is None else component.ending.error_type
        duration_ns = component.end_ns - component.start_ns
        if kind is LatencyComponent.TOOL_EXECUTION:
            call = ToolCall(name=component.name or semconv.ERROR_TYPE_OTHER, outcome=component.outcome)
            self._metrics().tool_called(component.agent, call, duration_ns, error_type, component.context)
        elif kind is LatencyComponent.INFERENCE and not component.has_inner_usage:
            self._metrics().model_called(
                provider=component.provider or semconv.UNKNOWN_PROVIDER,
                request_model=component.model,
                response_model=component.response_model,
                duration_ns=duration_ns,
                usage=usage,
                error_type=error_type,
                context=component.context,
            )

    def _measure_unowned_tokens(self, component: ComponentSpan) -> None:
        """Tokens of a call outside any turn are spent all the same."""
        for count in component.tokens:
            self._metrics().tokens_used(
                agent=component.agent,
                model=component.response_model or component.model,
                category=count.category or component.category,
                usage=count.usage,
                context=component.context,
            )

    # --- violations, content, late work --------------------------------------------------------------

    def tell_violation(self, where: TurnSpan | ComponentSpan, violation: PolicyViolation, rationale: object) -> None:
        """Put a violation on a span and into the metrics; its rationale quotes content and is treated as such."""
        attributes: dict[str, Any] = {semconv.POLICY_RULE: violation.rule}
        if violation.severity is not None:
            attributes[semconv.POLICY_SEVERITY] = violation.severity
        text = self.content.text(rationale)
        with_text = attributes if text is None else {**attributes, semconv.POLICY_RATIONALE: text}
        if where.span is not None and where.span.is_recording():
            on_span = with_text if self.content.on_span else attributes
            where.span.add_event(semconv.POLICY_VIOLATION_EVENT, on_span, where.now_ns())
        if text is not None and self.content.on_event:
            self._emit(where, semconv.POLICY_VIOLATION_EVENT, with_text)
        self._metrics().violation_found(where.agent, violation, where.context)

    def tell_content(self, where: TurnSpan | ComponentSpan, key: str, role: str | None, raw: object) -> None:
        """Record content under ``key``, on the span or as an event, as the capture mode says."""
        if raw is None or not self.content.anywhere:
            return
        text = self.content.text(raw) if role is None else self.content.message(role, raw)
        if text is None:
            return
        if self.content.on_span:
            where.attributes[key] = text
        if self.content.on_event:
            self._emit(where, semconv.INFERENCE_DETAILS_EVENT, {key: text})

    def tell_error(self, where: OpenSpan, error: BaseException) -> None:
        """Record message and stack of an exception: they quote prompts, so they are content."""
        message = self.content.text(str(error))
        if message is None:
            return
        attributes = {semconv.EXCEPTION_TYPE: type(error).__qualname__, semconv.EXCEPTION_MESSAGE: message}
        stack_text = self.content.text("".join(traceback.format_exception(error)))
        if stack_text is not None:
            attributes[semconv.EXCEPTION_STACKTRACE] = stack_text
        if self.content.on_span and where.span is not None and where.span.is_recording():
            where.span.add_event(semconv.EXCEPTION_EVENT, attributes, where.now_ns())
        if self.content.on_event:
            self._emit(where, semconv.EXCEPTION_EVENT, attributes)

    def count_late_work(self) -> None:
        """Count work of a turn that went on after the turn's time-out."""
        self._metrics().late_work.add(1)

    def _emit(self, where: OpenSpan, name: str, attributes: dict[str, str]) -> None:
        if self._loggers is None:
            return
        logger = self._loggers().get_logger(semconv.SCOPE_NAME, schema_url=semconv.SCHEMA_URL)
        now_ns = where.now_ns()
        logger.emit(
            LogRecord(
                timestamp=now_ns,
                observed_timestamp=now_ns,
                context=where.context,
                event_name=name,
                attributes=dict(attributes),
            )
        )

    # --- starting and ending -------------------------------------------------------------------------

    def _start(
        self,
        opened: OpenSpan,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        parent_context: Context | None = None,
    ) -> TracerProvider:
        """Start the OpenTelemetry span; returns its provider."""
        if opened.parent is None:
            opened.parent = ctx.open_position()
        around = parent_context if parent_context is not None else otel_context.get_current()
        anchor = None if opened.parent is None else opened.parent.anchor
        opened.anchor = anchor or Anchor(self.clock)
        opened.epoch = lifecycle.epoch
        start_ns = opened.anchor.now_ns()
        provider, tracer = self._tracers()
        opened.span = tracer.start_span(
            name,
            around,
            kind,
            attributes,
            start_time=start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )
        opened.context = ctx.with_position(opened, trace.set_span_in_context(opened.span, around))
        opened.is_root = not trace.get_current_span(around).get_span_context().is_valid
        opened.start_ns = start_ns
        return provider

    def _finish(
        self,
        opened: OpenSpan,
        ending: Ending | None,
        attributes: dict[str, Any],
        *,
        end_ns: int | None = None,
    ) -> None:
        """Write the end of a span, once. The span ends even if writing fails."""
        opened.end_ns = max(end_ns if end_ns is not None else opened.now_ns(), opened.start_ns)
        span = opened.span
        if span is None:
            return
        try:
            if span.is_recording():
                attributes.update(opened.attributes)
                if ending is not None:
                    attributes[semconv.ERROR_TYPE] = ending.error_type
                    span.set_status(Status(StatusCode.ERROR, ending.error_type))
                span.set_attributes(attributes)
        finally:
            span.end(opened.end_ns)

    def _probability(self, turn: TurnSpan, provider: TracerProvider) -> float | None:
        is_root = turn.is_root
        around: OpenSpan | None = turn.parent
        while around is not None:
            if isinstance(around, TurnSpan):
                return around.sampling_probability
            is_root = is_root or around.is_root
            around = around.parent
        return None if turn.span is None else probability_of(provider, turn.span, is_root=is_root)


def _turn_of(opened: OpenSpan) -> TurnSpan | None:
    if isinstance(opened, TurnSpan):
        return opened
    return opened.turn if isinstance(opened, ComponentSpan) else None


def _turn_ending(turn: TurnSpan, ending: Ending | None) -> Ending | None:
    """What counts: a raised exception goes before a success that was set, a set failure before the exception."""
    if turn.outcome is None or (turn.outcome is Outcome.SUCCESS and ending is not None):
        return ending
    if turn.outcome is Outcome.SUCCESS:
        return None
    default = ending.error_type if ending is not None else turn.outcome.value
    return Ending(turn.outcome, turn.error_type or default)


def _is_nested(turn: TurnSpan, collector: TurnCollector) -> bool:
    """Whether the turn runs inside another one that is the same collector's matter."""
    around = turn.parent
    while around is not None:
        if isinstance(around, TurnSpan):
            return collector_in(around.context) is collector
        around = around.parent
    return False


def _collect_call(component: ComponentSpan, usage: TokenUsage) -> None:
    """Tell the collector of a call outside any turn what it used."""
    collector = collector_in(component.context)
    if collector is not None and (usage.known or component.cost_usd is not None):
        estimated = any(count.estimated for count in component.tokens)
        collector.take_call(CollectedCall(tokens=usage, cost_usd=component.cost_usd, estimated=estimated))


def _settle_component(turn: TurnSpan, component: ComponentSpan) -> None:
    """Add an ended component to its turn: interval, tool call, and, of leaves, tokens and cost."""
    turn.keep(component)
    if component.has_inner_usage:
        return
    with turn.lock:
        model = component.response_model or component.model or turn.model
        for count in component.tokens:
            turn.ledger.add_leaf(model, count, count.category or component.category)
        if component.cost_usd is not None and component.cost_source is not None:
            turn.ledger.add_cost(component.cost_usd, component.cost_source)
        elif any(count.usage.known for count in component.tokens):
            turn.ledger.costless_calls += 1


def _keep_in_outer_turn(turn: TurnSpan) -> None:
    """The time of a nested turn is orchestration of the turn around it."""
    around = turn.parent
    while around is not None:
        outer = _turn_of(around)
        if outer is not None:
            if outer.is_open:
                outer.keep(turn)
            return
        around = around.parent
