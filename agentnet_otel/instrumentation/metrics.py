"""The metrics of turns: each instrument is declared once, here, with its unit, edges and key set.

They are recorded from facts, not from spans, and so are exact whatever the sampler. Each measurement gets the
context of its turn, which lets the SDK attach exemplars.
"""

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from agentnet_otel import semconv
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.labels import LabelCap
from agentnet_otel.instrumentation.lifecycle import lifecycle
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
    """All instruments, on one meter."""

    def __init__(self, meter: Meter, wall_ns: Callable[[], int], cap: LabelCap | None = None) -> None:
        self._cap = cap or LabelCap()
        self._wall_ns = wall_ns
        self._turns = meter.create_counter(semconv.METRIC_TURNS, semconv.UNIT_TURN, "Turns that ended.")
        self._turn_seconds = meter.create_histogram(
            semconv.METRIC_TURN_DURATION,
            semconv.UNIT_SECONDS,
            "Duration of turns.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_TURN_SECONDS,
        )
        self._active = meter.create_up_down_counter(
            semconv.METRIC_TURN_ACTIVE, semconv.UNIT_TURN, "Turns that are open."
        )
        self._component_seconds = meter.create_histogram(
            semconv.METRIC_COMPONENT_DURATION,
            semconv.UNIT_SECONDS,
            "Self time of a component in a turn: the components of a turn never exceed it.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_COMPONENT_SECONDS,
        )
        self._tokens = meter.create_counter(semconv.METRIC_TOKENS, semconv.UNIT_TOKEN, "Tokens used.")
        self._cost = meter.create_histogram(
            semconv.METRIC_COST_USD,
            semconv.UNIT_USD,
            "Cost of turns whose cost is known.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_COST_USD,
        )
        self._efficiency = meter.create_histogram(
            semconv.METRIC_TOKEN_EFFICIENCY,
            semconv.UNIT_RATIO,
            "Token efficiency of turns whose tokens are known.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_RATIO,
        )
        self._violations = meter.create_counter(
            semconv.METRIC_POLICY_VIOLATIONS, semconv.UNIT_VIOLATION, "Policy rules violated."
        )
        self._tool_calls = meter.create_counter(semconv.METRIC_TOOL_CALLS, semconv.UNIT_CALL, "Tool calls.")
        self._declare_gen_ai(meter)
        self._declare_observed(meter)

    def _declare_gen_ai(self, meter: Meter) -> None:
        self._operation_seconds = meter.create_histogram(
            semconv.METRIC_GEN_AI_OPERATION_DURATION,
            semconv.UNIT_SECONDS,
            "Duration of model calls.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_GEN_AI_SECONDS,
        )
        self._token_usage = meter.create_histogram(
            semconv.METRIC_GEN_AI_TOKEN_USAGE,
            semconv.UNIT_TOKEN,
            "Tokens of model calls.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_GEN_AI_TOKENS,
        )
        self._agent_seconds = meter.create_histogram(
            semconv.METRIC_GEN_AI_INVOKE_AGENT_DURATION,
            semconv.UNIT_SECONDS,
            "Duration of agent invocations.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_GEN_AI_SECONDS,
        )
        self._tool_seconds = meter.create_histogram(
            semconv.METRIC_GEN_AI_EXECUTE_TOOL_DURATION,
            semconv.UNIT_SECONDS,
            "Duration of tool calls.",
            explicit_bucket_boundaries_advisory=semconv.EDGES_GEN_AI_SECONDS,
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
        ):
            meter.create_observable_counter(name, [_observer(read)], unit)

    def turn_started(self, agent: str, context: Context | None) -> None:
        """One more turn is open."""
        self._active.add(1, {semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent)}, context)

    def turn_left(self, agent: str, context: Context | None) -> None:
        """One turn fewer is open."""
        self._active.add(-1, {semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent)}, context)

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
        who = {semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent)}
        labels = {
            **who,
            semconv.REQUEST_MODEL: self._label(semconv.REQUEST_MODEL, model),
            semconv.TURN_OUTCOME: outcome.value,
        }
        seconds = duration_ns / NANOS
        self._turns.add(1, labels, context)
        self._turn_seconds.record(seconds, labels, context)
        for component, component_duration_ns in component_ns.items():
            self._component_seconds.record(
                component_duration_ns / NANOS, {**who, semconv.LATENCY_COMPONENT: component.value}, context
            )
        gen_ai = {semconv.OPERATION_NAME: semconv.OP_INVOKE_AGENT, **who}
        self._agent_seconds.record(seconds, self._with_error(gen_ai, error_type), context)

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
                labels = {
                    semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent),
                    semconv.REQUEST_MODEL: self._label(semconv.REQUEST_MODEL, model),
                    semconv.TOKEN_TYPE: token_type.value,
                    semconv.TOKEN_CATEGORY: category.value,
                }
                self._tokens.add(count, labels, context)

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
        labels = {
            semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent),
            semconv.REQUEST_MODEL: self._label(semconv.REQUEST_MODEL, model),
        }
        if cost_usd is not None:
            self._cost.record(cost_usd, labels, context)
        if efficiency is not None:
            self._efficiency.record(efficiency, {**labels, semconv.QUALITY_SOURCE: quality_source.value}, context)

    def violation_found(self, agent: str | None, violation: PolicyViolation, context: Context | None) -> None:
        """One rule was violated."""
        labels = {
            semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent),
            semconv.POLICY_SEVERITY: self._label(semconv.POLICY_SEVERITY, violation.severity),
            semconv.POLICY_RULE: self._label(semconv.POLICY_RULE, violation.rule),
        }
        self._violations.add(1, labels, context)

    def tool_called(
        self, agent: str | None, call: ToolCall, duration_ns: int, error_type: str | None, context: Context | None
    ) -> None:
        """One tool call ended."""
        tool = self._label(semconv.TOOL_NAME, call.name)
        labels = {
            semconv.AGENT_NAME: self._label(semconv.AGENT_NAME, agent),
            semconv.TOOL_NAME: tool,
            semconv.TOOL_OUTCOME: self._label(semconv.TOOL_OUTCOME, call.outcome),
        }
        self._tool_calls.add(1, labels, context)
        gen_ai = {semconv.OPERATION_NAME: semconv.OP_EXECUTE_TOOL, semconv.TOOL_NAME: tool}
        self._tool_seconds.record(duration_ns / NANOS, self._with_error(gen_ai, error_type), context)

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
        labels = {
            semconv.OPERATION_NAME: semconv.OP_CHAT,
            semconv.PROVIDER_NAME: self._label(semconv.PROVIDER_NAME, provider),
            semconv.REQUEST_MODEL: self._label(semconv.REQUEST_MODEL, request_model),
            semconv.RESPONSE_MODEL: self._label(semconv.RESPONSE_MODEL, response_model or request_model),
        }
        self._operation_seconds.record(duration_ns / NANOS, self._with_error(labels, error_type), context)
        for token_type, count in ((TokenType.INPUT, usage.input), (TokenType.OUTPUT, usage.output)):
            if count is not None:
                self._token_usage.record(count, {**labels, semconv.TOKEN_TYPE: token_type.value}, context)

    def _label(self, key: str, raw: str | None) -> str:
        return self._cap.value(key, raw)

    def _with_error(self, labels: dict[str, str], error_type: str | None) -> dict[str, str]:
        """The GenAI conventions put the error on failures only."""
        if error_type is None:
            return labels
        return {**labels, semconv.ERROR_TYPE: self._label(semconv.ERROR_TYPE, error_type)}

    def _observe_age(self, _options: CallbackOptions) -> Iterable[Observation]:
        now_ns = self._wall_ns()
        oldest: dict[str, int] = {}
        for agent, start_ns in lifecycle.oldest_start_ns().items():
            label = self._label(semconv.AGENT_NAME, agent)
            oldest[label] = min(start_ns, oldest.get(label, start_ns))
        return [
            Observation(max(0, now_ns - start_ns) / NANOS, {semconv.AGENT_NAME: label})
            for label, start_ns in oldest.items()
        ]


def _observer(read: Callable[[], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: [Observation(read())]


def meter_of(provider: MeterProvider, version: str) -> Meter:
    """Our meter of a provider."""
    return provider.get_meter(semconv.SCOPE_NAME, version, semconv.SCHEMA_URL)


def start_at_zero(provider: MeterProvider) -> None:
    """Let go, in a forked child, of what our instruments counted in its parent.

    The SDK gives the child an instance id of its own and goes on with the parent's sums under it, so that every turn
    of the parent would be counted once more for each child. It has no public way to begin anew: where its inside is
    another than known here, nothing is changed.
    """
    consumer = getattr(provider, "_measurement_consumer", None)
    for storage in list(getattr(consumer, "_reader_storages", {}).values()):
        streams = getattr(storage, "_instrument_view_instrument_matches", {})
        for instrument in [i for i in streams if i.instrumentation_scope.name == semconv.SCOPE_NAME]:
            del streams[instrument]
