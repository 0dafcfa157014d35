"""A turn as the figures that reports are made of: what is left of it when its spans and names of steps are let go.

It is made of a `Turn`, or straight of plain spans. What else is asked of a few turns (the slowest, the newest), `whole`
gives: it makes the turn of the spans that came with the figures.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.efficiency import quality_of
from agentnet_otel.core.plain_span import PlainSpan
from agentnet_otel.core.plain_turns import PlainTold
from agentnet_otel.core.plain_whole import turns_of_trace
from agentnet_otel.core.reconstruction import first_token_ns
from agentnet_otel.model import Outcome, Turn

Counts = tuple[int | None, int | None, int | None, int | None]
"""Tokens that went in, came out, were cached, were reasoning; None where nobody tells."""

_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}


class TurnFigures(msgspec.Struct, gc=False):
    """Figures of a turn, in the order of a `TurnRow` as far as that has them; times in nanoseconds.

    ``counts``: how often each component ran; ``tools``: of each call; ``failed_tools``: of each that failed;
    ``asked``: the model that the turn itself names; ``evaluated``, ``confidence``: as the turn tells them;
    ``first_token_s``, ``chunks``: what `first_token_ns` takes.
    """

    turn_id: str
    trace_id: str
    span_id: str
    agent: str | None
    models: tuple[str, ...]
    session: str | None
    outcome: str
    start_ns: int
    duration_ns: int
    own_ns: dict[str, int]
    counts: dict[str, int]
    unattributed_ns: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    tokens_by_category: dict[str, int]
    cost_usd: float | None
    cost_source: str | None
    efficiency: float | None
    quality_source: str | None
    tools: Sequence[str]
    policy_violations: int
    spans: int
    revision: int
    estimated: bool
    incomplete: bool
    tokens_by_model: dict[str, Counts]
    asked: str | None
    context_tokens: int | None
    evaluated: float | None
    confidence: float | None
    error_type: str | None
    sampling_probability: float | None
    first_token_s: float | None
    chunks: Sequence[tuple[int, float]]
    failed_tools: Sequence[str]
    violations: Sequence[tuple[str, str | None]] = ()
    model: str | None = None
    quality: float | None = None
    first_token_ns: int | None = None
    source: Turn | Sequence[PlainSpan] = ()

    def complete(self, source: Sequence[PlainSpan]) -> None:
        """Fill in what follows from the rest, and the spans that it was made of."""
        self.source = source
        by_model = self.tokens_by_model
        if len(by_model) == 1:
            (self.model,) = by_model
        else:
            most = min(by_model, key=lambda model: (-(by_model[model][1] or 0), model), default=None)
            self.model = most or self.asked or next(iter(self.models), None)
        self.quality = quality_of(self.evaluated, self.confidence)[0]
        self.sampling_probability = self.sampling_probability or None
        if self.first_token_s is not None or self.chunks:
            self.first_token_ns = first_token_ns(self.first_token_s, self.chunks)

    @property
    def outcome_member(self) -> Outcome:
        """How the turn ended."""
        return _OUTCOMES[self.outcome]

    @property
    def tokens_known(self) -> bool:
        """Whether anything was said about tokens that went in or came out."""
        return self.input_tokens is not None or self.output_tokens is not None

    def whole(self, prices: PriceBook | None = None) -> Turn:
        """The turn; ``prices`` are for calls whose cost no span tells."""
        if not isinstance(self.source, Turn):
            told = turns_of_trace(self.source, prices)
            turns = [] if told is None else [turn for _, turn in told.turns]
            self.source = next(turn for turn in turns if turn.span_id == self.span_id)
        return self.source


def figures_of(turn: Turn) -> TurnFigures:
    """The figures of a turn."""
    usage = turn.tokens
    return TurnFigures(
        turn_id=turn.turn_id,
        trace_id=turn.trace_id,
        span_id=turn.span_id,
        agent=turn.agent,
        models=turn.models,
        session=turn.session,
        outcome=turn.outcome.value,
        start_ns=turn.start_ns,
        duration_ns=turn.duration_ns,
        own_ns={component.value: own_ns for component, own_ns in turn.component_self_ns.items()},
        counts={component.value: count for component, count in turn.component_counts.items()},
        unattributed_ns=turn.unattributed_ns,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        reasoning_tokens=usage.reasoning,
        tokens_by_category={category.value: count for category, count in turn.tokens_by_category.items()},
        cost_usd=turn.cost_usd,
        cost_source=None if turn.cost_source is None else turn.cost_source.value,
        efficiency=turn.efficiency,
        quality_source=None if turn.quality_source is None else turn.quality_source.value,
        tools=[call.name for call in turn.tool_calls],
        policy_violations=turn.policy_violations,
        spans=turn.spans,
        revision=turn.revision,
        estimated=turn.estimated,
        incomplete=turn.incomplete,
        tokens_by_model={
            model: (used.input, used.output, used.cached, used.reasoning)
            for model, used in turn.tokens_by_model.items()
        },
        asked=None,
        context_tokens=turn.context_tokens,
        evaluated=None,
        confidence=None,
        error_type=turn.error_type,
        sampling_probability=turn.sampling_probability,
        first_token_s=None,
        chunks=(),
        failed_tools=[call.name for call in turn.tool_calls if call.failed],
        violations=[(violation.rule, violation.severity) for violation in turn.violations],
        model=turn.model,
        quality=turn.quality,
        first_token_ns=turn.time_to_first_token_ns,
        source=turn,
    )


def figures_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[TurnFigures] | None:
    """The figures of all turns of a trace; None where it is not so simple."""
    told = turns_of_trace(spans, prices)
    if told is None:
        return None
    return PlainTold([(key, figures_of(turn)) for key, turn in told.turns], told.outside, told.clipped)
