"""The metrics of turns: each instrument is declared once, here, with its unit, edges and key set.

They are recorded from facts, not from spans, and so are exact whatever the sampler. Each measurement gets the
context of its turn, which lets the SDK attach exemplars.
"""

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from agentnet_otel import semconv
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.export_totals import totals as exports
from agentnet_otel.instrumentation.labels import LabelCap, LabelSets
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.providers import SCOPE_ATTRIBUTES, storages_of
from agentnet_otel.model import (
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    TokenCategory,
    TokenType,
    TokenUsage,
    ToolCall,
)

NANOS = 1_000_000_000


class TurnMetrics:
    """All instruments, on one meter. ``is_read`` tells whether somebody reads what is counted with it."""

    def __init__(
        self,
        meter: Meter,
        wall_ns: Callable[[], int],
        cap: LabelCap | None = None,
        is_read: Callable[[], bool] = lambda: True,
    ) -> None:
        self._cap = cap or LabelCap()
        self._wall_ns = wall_ns
        self.is_read = is_read
        self._declare_turns(meter)
        self._declare_parts(meter)
        self._declare_gen_ai(meter)
        self._declare_observed(meter)

    def _declare_turns(self, meter: Meter) -> None:
        agent, model = semconv.AGENT_NAME, semconv.REQUEST_MODEL
        outcome, quality = semconv.TURN_OUTCOME, semconv.QUALITY_SOURCE
        self._turns = meter.create_counter(semconv.METRIC_TURNS, semconv.UNIT_TURN, "Turns that ended.")
        self._turn_seconds = meter.create_histogram(
            semconv.METRIC_TURN_DURATION,
            semconv.UNIT_SECONDS,
            "Duration of turns.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_TURN_SECONDS,
        )
        self._of_turn = LabelSets(self._cap, agent, model, outcome, closed=(outcome,))
        self._active = meter.create_up_down_counter(
            semconv.METRIC_TURN_ACTIVE, semconv.UNIT_TURN, "Turns that are open."
        )
        self._of_agent = LabelSets(self._cap, agent)
        self._cost = meter.create_histogram(
            semconv.METRIC_COST_USD,
            semconv.UNIT_USD,
            "Cost of turns whose cost is known.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_COST_USD,
        )
        self._of_cost = LabelSets(self._cap, agent, model)
        self._efficiency = meter.create_histogram(
            semconv.METRIC_TOKEN_EFFICIENCY,
            semconv.UNIT_RATIO,
            "Token efficiency of turns whose tokens are known.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_RATIO,
        )
        self._of_efficiency = LabelSets(self._cap, agent, model, quality, closed=(quality,))

    def _declare_parts(self, meter: Meter) -> None:
        agent, model, component = semconv.AGENT_NAME, semconv.REQUEST_MODEL, semconv.LATENCY_COMPONENT
        token_type, category = semconv.TOKEN_TYPE, semconv.TOKEN_CATEGORY
        self._component_seconds = meter.create_histogram(
            semconv.METRIC_COMPONENT_DURATION,
            semconv.UNIT_SECONDS,
            "Self time of a component in a turn: the components of a turn never exceed it.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_COMPONENT_SECONDS,
        )
        self._of_component = LabelSets(self._cap, agent, component, closed=(component,))
        self._tokens = meter.create_counter(semconv.METRIC_TOKENS, semconv.UNIT_TOKEN, "Tokens used.")
        self._of_tokens = LabelSets(self._cap, agent, model, token_type, category, closed=(token_type, category))
        self._violations = meter.create_counter(
            semconv.METRIC_POLICY_VIOLATIONS, semconv.UNIT_VIOLATION, "Policy rules violated."
        )
        self._of_violation = LabelSets(self._cap, agent, semconv.POLICY_SEVERITY, semconv.POLICY_RULE)
        self._tool_calls = meter.create_counter(semconv.METRIC_TOOL_CALLS, semconv.UNIT_CALL, "Tool calls.")
        self._of_tool_call = LabelSets(self._cap, agent, semconv.TOOL_NAME, semconv.TOOL_OUTCOME)

    def _declare_gen_ai(self, meter: Meter) -> None:
        """Those of the GenAI conventions, which put the error on failures only."""
        operation, token_type, error = semconv.OPERATION_NAME, semconv.TOKEN_TYPE, semconv.ERROR_TYPE
        call = (operation, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL, semconv.RESPONSE_MODEL)
        self._operation_seconds = _seconds(meter, semconv.METRIC_GEN_AI_OPERATION_DURATION, "Duration of model calls.")
        self._of_operation = LabelSets(self._cap, *call, error, closed=(operation,), optional=(error,))
        self._token_usage = meter.create_histogram(
            semconv.METRIC_GEN_AI_TOKEN_USAGE,
            semconv.UNIT_TOKEN,
            "Tokens of model calls.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_GEN_AI_TOKENS,
        )
        self._of_token_usage = LabelSets(self._cap, *call, token_type, closed=(operation, token_type))
        self._agent_seconds = _seconds(
            meter, semconv.METRIC_GEN_AI_INVOKE_AGENT_DURATION, "Duration of agent invocations."
        )
        self._of_invocation = LabelSets(
            self._cap, operation, semconv.AGENT_NAME, error, closed=(operation,), optional=(error,)
        )
        self._tool_seconds = _seconds(meter, semconv.METRIC_GEN_AI_EXECUTE_TOOL_DURATION, "Duration of tool calls.")
        self._of_execution = LabelSets(
            self._cap, operation, semconv.TOOL_NAME, error, closed=(operation,), optional=(error,)
        )

    def _declare_observed(self, meter: Meter) -> None:
        self.late_work = meter.create_counter(
            semconv.METRIC_SELF_LATE_WORK,
            semconv.UNIT_CALL,
            "Calls that a turn's work made after the turn had ended; they are no part of it.",
        )
        meter.create_observable_gauge(
            semconv.METRIC_TURN_ACTIVE_AGE, [self._observe_age], semconv.UNIT_SECONDS, "Age of the oldest open turn."
        )
        for name, unit, read in (
            (semconv.METRIC_SELF_HOOK_FAULTS, semconv.UNIT_FAULT, faults.log.fault_count),
            (semconv.METRIC_SELF_MISUSE, semconv.UNIT_CALL, lambda: faults.log.misuses),
            (semconv.METRIC_SELF_ABANDONED, semconv.UNIT_SPAN, lambda: lifecycle.abandoned),
            (semconv.METRIC_SELF_LABELS_FOLDED, semconv.UNIT_VALUE, lambda: self._cap.folded),
            (semconv.METRIC_SELF_SPANS_DROPPED, semconv.UNIT_SPAN, exports.dropped),
            (semconv.METRIC_SELF_EXPORT_FAILURES, semconv.UNIT_BATCH, exports.failures),
        ):
            meter.create_observable_counter(name, [_observer(read)], unit)
        meter.create_observable_gauge(
            semconv.METRIC_SELF_EXPORT_QUEUE,
            [_observer(exports.waiting)],
            semconv.UNIT_SPAN,
            "Spans that wait for export.",
        )

    def turn_started(self, agent: str, context: Context | None) -> None:
        """One more turn is open."""
        self._active.add(1, self._of_agent.of(agent), context)

    def turn_left(self, agent: str, context: Context | None) -> None:
        """One turn fewer is open."""
        self._active.add(-1, self._of_agent.of(agent), context)

    def turn_ended(
        self,
        *,
        agent: str,
        model: str | None,
        outcome: Outcome,
        error_type: str | None,
        duration_ns: int,
        component_ns: Mapping[LatencyComponent, int],
        context: Context | None,
    ) -> None:
        """One turn ended."""
        labels, seconds = self._of_turn.of(agent, model, outcome.value), duration_ns / NANOS
        self._turns.add(1, labels, context)
        self._turn_seconds.record(seconds, labels, context)
        for component, self_ns in component_ns.items():
            self._component_seconds.record(self_ns / NANOS, self._of_component.of(agent, component.value), context)
        invocation = self._of_invocation.of(semconv.OP_INVOKE_AGENT, agent, error_type)
        self._agent_seconds.record(seconds, invocation, context)

    def tokens_used(
        self,
        *,
        agent: str | None,
        model: str | None,
        category: TokenCategory,
        usage: TokenUsage,
        context: Context | None,
    ) -> None:
        """Tokens were spent."""
        for token_type, count in ((TokenType.INPUT, usage.input), (TokenType.OUTPUT, usage.output)):
            if count:
                self._tokens.add(count, self._of_tokens.of(agent, model, token_type.value, category.value), context)

    def turn_valued(
        self,
        *,
        agent: str,
        model: str | None,
        cost_usd: float | None,
        efficiency: float | None,
        quality_source: QualitySource,
        context: Context | None,
    ) -> None:
        """What a turn cost and how efficient it was, as far as known."""
        if cost_usd is not None:
            self._cost.record(cost_usd, self._of_cost.of(agent, model), context)
        if efficiency is not None:
            labels = self._of_efficiency.of(agent, model, quality_source.value)
            self._efficiency.record(efficiency, labels, context)

    def violation_found(self, agent: str | None, violation: PolicyViolation, context: Context | None) -> None:
        """One rule was violated."""
        self._violations.add(1, self._of_violation.of(agent, violation.severity, violation.rule), context)

    def tool_called(
        self, agent: str | None, call: ToolCall, duration_ns: int, error_type: str | None, context: Context | None
    ) -> None:
        """One tool call ended."""
        self._tool_calls.add(1, self._of_tool_call.of(agent, call.name, call.outcome), context)
        labels = self._of_execution.of(semconv.OP_EXECUTE_TOOL, call.name, error_type)
        self._tool_seconds.record(duration_ns / NANOS, labels, context)

    def model_called(
        self,
        *,
        provider: str,
        request_model: str | None,
        response_model: str | None,
        duration_ns: int,
        usage: TokenUsage,
        error_type: str | None,
        context: Context | None,
    ) -> None:
        """One model call ended."""
        call = (semconv.OP_CHAT, provider, request_model, response_model or request_model)
        self._operation_seconds.record(duration_ns / NANOS, self._of_operation.of(*call, error_type), context)
        for token_type, count in ((TokenType.INPUT, usage.input), (TokenType.OUTPUT, usage.output)):
            if count is not None:
                self._token_usage.record(count, self._of_token_usage.of(*call, token_type.value), context)

    def _observe_age(self, _options: CallbackOptions) -> Iterable[Observation]:
        now_ns = self._wall_ns()
        oldest: dict[str, int] = {}
        for agent, start_ns in lifecycle.oldest_start_ns().items():
            label = self._of_agent.of(agent)[semconv.AGENT_NAME]
            oldest[label] = min(start_ns, oldest.get(label, start_ns))
        return [
            Observation(max(0, now_ns - start_ns) / NANOS, {semconv.AGENT_NAME: label})
            for label, start_ns in oldest.items()
        ]


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    """A histogram of durations as the GenAI conventions have them."""
    return meter.create_histogram(
        name, semconv.UNIT_SECONDS, description, explicit_bucket_boundaries_advisory=semconv.EDGES_GEN_AI_SECONDS
    )


def _observer(read: Callable[[], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: [Observation(read())]


def meter_of(provider: MeterProvider, version: str) -> Meter:
    """Our meter of a provider."""
    return provider.get_meter(semconv.SCOPE_NAME, version, semconv.SCHEMA_URL, SCOPE_ATTRIBUTES)


def start_at_zero(provider: MeterProvider) -> None:
    """Let go, in a forked child, of what our instruments counted in its parent.

    The SDK gives the child an instance id of its own and goes on with the parent's sums under it, so that every turn
    of the parent would be counted once more for each child. It has no public way to begin anew: where its inside is
    another than known here, nothing is changed.
    """
    for storage in list((storages_of(provider) or {}).values()):
        streams = getattr(storage, "_instrument_view_instrument_matches", {})
        for instrument in [i for i in streams if i.instrumentation_scope.name == semconv.SCOPE_NAME]:
            del streams[instrument]
