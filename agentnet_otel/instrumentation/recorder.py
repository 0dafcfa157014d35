"""The recorder: the only writer of attributes, and the only one that starts and ends spans.

Spans of ours collect facts; here the facts become OpenTelemetry. Facts are kept beside the SDK's span, not in it, so
that metrics are exact where the sampler dropped the span. Whatever fails on the way, a span that was opened ends.
"""

import secrets
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.util.types import Attributes

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
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
from agentnet_otel.instrumentation.content_writer import ContentWriter
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.metering import Metering, MetricsSource
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.outcomes import Ending
from agentnet_otel.instrumentation.pricing import CallPricing
from agentnet_otel.instrumentation.sampling import probability_of
from agentnet_otel.instrumentation.turn_facts import facts_of, model_of_whole
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.instrumentation.usage import sum_usage
from agentnet_otel.instrumentation.workflow_span import WorkflowSpan
from agentnet_otel.model import LatencyComponent, Outcome, PolicyViolation, Turn

TracerSource = Callable[[], tuple[TracerProvider, Tracer]]
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
        self._metering = Metering(metrics)
        self.content = ContentWriter(content or ContentPolicy(), loggers)
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
        workflow.let_go_of_ended_parents()

    # --- turns ---------------------------------------------------------------------------------------

    def open_turn(self, turn: TurnSpan) -> None:
        """Start the span of a turn; what samplers need is given at once."""
        turn.turn_id = turn.turn_id or f"turn_{secrets.token_hex(8)}"
        turn.parent = ctx.open_position()
        name = semconv.span_name(semconv.OP_INVOKE_AGENT, turn.agent)
        provider = self._start(turn, name, SpanKind.INTERNAL, turn_start_attributes(turn))
        lifecycle.opened(turn)
        turn.sampling_probability = self._probability(turn, provider)
        self._metering.turn_opened(turn)

    def close_turn(self, turn: TurnSpan, ending: Ending | None) -> None:
        """End a turn: cut off what still runs in it, then write span, metrics and facts."""
        lifecycle.closed(turn)
        ending = _turn_ending(turn, ending)
        facts = None
        try:
            facts = self._conclude(turn, ending)
            self._finish(turn, ending, turn_end_attributes(turn, facts), end_ns=facts.end_ns)
        finally:
            self._finish(turn, ending, {})  # in case that what was to be written could not be made
            self._metering.turn_left(turn)
            if facts is not None:
                self._metering.turn_ended(turn, facts)
                self._tell_collector(turn, facts)
                self._tell_listener(facts)
            turn.release()

    def _conclude(self, turn: TurnSpan, ending: Ending | None) -> Turn:
        """The facts of a turn that ends now."""
        cut = ending if ending and ending.outcome in {Outcome.TIMEOUT, Outcome.CANCELLED} else None
        for component in reversed(list(turn.components.values())):  # what runs in others first
            component.cut_off(cut)
        end_ns = max(turn.now_ns(), turn.start_ns)
        with turn.lock:
            model = model_of_whole(turn)
            turn.ledger.settle(model)
            self._pricing.price_whole(turn, model)
        self.content.tell(turn, semconv.INPUT_MESSAGES, turn.prompt, role="user")
        self.content.tell(turn, semconv.OUTPUT_MESSAGES, turn.response, role="assistant")
        return facts_of(turn, ending, end_ns, metrics_recorded=self._metering.is_read() is True)

    @faults.guarded
    def _tell_collector(self, turn: TurnSpan, facts: Turn) -> None:
        collector = collector_in(turn.context)
        if collector is not None:
            collector.take_turn(facts, nested=_is_nested(turn, collector))

    @faults.guarded
    def _tell_listener(self, facts: Turn) -> None:
        if self._listener is not None:
            self._listener(facts)

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
        if component.turn is None:
            lifecycle.opened(component)
        else:
            component.turn.components[id(component)] = component
        if kind is LatencyComponent.INFERENCE and component.context is not None:
            component.context = ctx.with_inference_claimed(component.context)

    def close_component(self, component: ComponentSpan, ending: Ending | None) -> None:
        """End the span of a component and add what it used to its turn."""
        kind = component.component
        if kind is None:
            return
        lifecycle.closed(component) if component.turn is None else component.turn.components.pop(id(component), None)
        component.ending = ending = component.ending or ending
        try:
            component.take_inner_call(ctx.told_by_inner_call(component.context))
            component.usage = sum_usage(count.usage for count in component.tokens)
            self._pricing.price_component(component)
            if kind is LatencyComponent.TOOL_EXECUTION:
                component.outcome = component.outcome or (Outcome.SUCCESS if ending is None else ending.outcome).value
            self._finish(component, ending, component_end_attributes(component))
        finally:
            self._finish(component, ending, {})
            self._settle(component)
            self._metering.component_ended(component)

    @faults.guarded
    def _settle(self, component: ComponentSpan) -> None:
        """Add what an ended component used to its turn; what no turn takes is counted by itself."""
        if (component.turn is None or not component.turn.take(component)) and not component.has_inner_usage:
            for count in component.tokens:
                self._metering.unowned_tokens(component, count)
        if component.turn is None:
            _collect_call(component)
            component.let_go_of_ended_parents()

    # --- violations, late work -----------------------------------------------------------------------

    def tell_violation(
        self, where: TurnSpan | ComponentSpan, violation: PolicyViolation, rationale: object, now_ns: int
    ) -> None:
        """Put a violation on a span and into the metrics; its rationale quotes content and is treated as such."""
        self._metering.violation_found(where, violation)
        self.content.tell_violation(where, violation, rationale, now_ns)

    def count_late_work(self) -> None:
        """Count work of a turn that went on after the turn's time-out."""
        self._metering.late_work()

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
        around = parent_context if parent_context is not None else ctx.open_surroundings()
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
        opened.context = ctx.with_position(
            opened, trace.set_span_in_context(opened.span, ctx.without_our_claim(around))
        )
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
        if opened.end_ns:
            return
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

    @faults.guarded
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


def _collect_call(component: ComponentSpan) -> None:
    """Tell the collector of a call outside any turn what it used."""
    collector = collector_in(component.context)
    usage = component.usage
    if collector is not None and not component.has_inner_usage and (usage.known or component.cost_usd is not None):
        estimated = any(count.estimated for count in component.tokens)
        collector.take_call(CollectedCall(tokens=usage, cost_usd=component.own_cost_usd, estimated=estimated))
