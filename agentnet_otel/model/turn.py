"""`Turn`: what one agent did to answer one prompt, rebuilt from spans.

It carries all that the documented ``TurnLatencyMeasurement`` and ``TokenMetrics`` are derived from.
Times are integer nanoseconds, lengths are characters, money is USD. None means unknown, which is never zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from agentnet_otel.model.enums import CostSource, LatencyComponent, Outcome, QualitySource, TokenCategory


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one call or one turn. ``cached`` is part of ``input``, ``reasoning`` part of ``output``."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None

    @property
    def known(self) -> bool:
        """Whether anything was said about tokens at all."""
        return self.input is not None or self.output is not None

    @property
    def empty(self) -> bool:
        """Whether nothing at all was said, not even of cached or reasoning tokens."""
        return not self.known and self.cached is None and self.reasoning is None

    @property
    def total(self) -> int:
        """Input and output together; unknown parts count as nothing here, so look at `known` first."""
        return (self.input or 0) + (self.output or 0)

    def plus(self, other: "TokenUsage") -> "TokenUsage":
        """Both together; what is unknown in one is taken from the other, and stays unknown only if it is in both."""
        return TokenUsage(
            input=_added(self.input, other.input),
            output=_added(self.output, other.output),
            cached=_added(self.cached, other.cached),
            reasoning=_added(self.reasoning, other.reasoning),
        )


def _added(left: int | None, right: int | None) -> int | None:
    if left is None:
        return right
    return left if right is None else left + right


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool: its name, and its outcome as the executor named it (``success``, ``error``, ...)."""

    name: str
    outcome: str | None = None
    duration_ns: int | None = None
    error_type: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it did; one whose outcome nobody told did not."""
        return self.outcome not in {None, Outcome.SUCCESS.value}


class ModelCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call of a model. ``response_model`` is the one that answered, where it was told."""

    duration_ns: int
    usage: TokenUsage
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    error_type: str | None = None


class TokenShare(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of a turn that one model used for one purpose. ``model`` None: nobody told which."""

    model: str | None
    category: TokenCategory
    usage: TokenUsage


MAX_STEPS: Final = 24
"""Steps that a turn keeps, so that a turn of thousands of calls needs no more room than one of a few."""


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When one component ran: from ``offset_ns`` after the start of its turn, clipped to the turn."""

    component: LatencyComponent
    offset_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyViolation:
    """One violated rule. ``severity`` is minor, major or severe where known."""

    rule: str
    severity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn.

    ``component_self_ns``: each instant of the turn given to one component, so the values never exceed the
    duration; ``component_sum_ns``: plain sums of the durations, which overlapping components can push beyond it.
    ``unattributed_ns``: time in no component. ``revision`` starts at 1 and grows when a late span corrects the
    turn. ``steps``: when components ran, in order of start; the `MAX_STEPS` longest where there are more, and none
    where nobody told. ``incomplete``: the turn's own span never came. ``estimated``: some token count is an estimate.
    ``clipped_spans``: spans whose times ran backwards or left the turn, and were clipped. ``context_tokens``: the
    largest input of one call. ``token_shares`` add up to ``tokens``. ``metrics_recorded``: its application counts
    it, or is taken to do so, because the turn's own span never came and its parts are of the recorder.
    """

    turn_id: str
    trace_id: str
    span_id: str
    agent: str
    start_ns: int
    end_ns: int
    outcome: Outcome
    parent_span_id: str | None = None
    error_type: str | None = None
    session: str | None = None
    service_name: str = ""
    model: str | None = None
    models: tuple[str, ...] = ()
    component_self_ns: Mapping[LatencyComponent, int] = field(default_factory=dict)
    component_sum_ns: Mapping[LatencyComponent, int] = field(default_factory=dict)
    component_counts: Mapping[LatencyComponent, int] = field(default_factory=dict)
    unattributed_ns: int = 0
    steps: tuple[Step, ...] = ()
    tokens: TokenUsage = field(default_factory=TokenUsage)
    tokens_by_category: Mapping[TokenCategory, int] = field(default_factory=dict)
    tokens_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    token_shares: tuple[TokenShare, ...] = ()
    context_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: CostSource | None = None
    confidence: float | None = None
    quality: float | None = None
    quality_source: QualitySource | None = None
    efficiency: float | None = None
    prompt_length: int | None = None
    response_length: int | None = None
    time_to_first_token_ns: int | None = None
    inference_attempts: int | None = None
    model_calls: tuple[ModelCall, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    policy_violations: int = 0
    violations: tuple[PolicyViolation, ...] = ()
    spans: int = 1
    revision: int = 1
    estimated: bool = False
    incomplete: bool = False
    fallback: bool = False
    interrupted: bool = False
    metrics_recorded: bool = False
    sampling_probability: float | None = None
    clipped_spans: int = 0

    @property
    def duration_ns(self) -> int:
        """From start to end, never negative."""
        return max(0, self.end_ns - self.start_ns)

    @property
    def steps_left_out(self) -> int:
        """How many shorter ones stand beside the steps that are kept."""
        return max(0, sum(self.component_counts.values()) - len(self.steps)) if self.steps else 0

    @property
    def unnamed_violations(self) -> int:
        """Violations of which only the number is known: nobody told their rules, or a span had no room for them."""
        return max(0, self.policy_violations - len(self.violations))

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools used, each once, in the order of their first call."""
        return tuple(dict.fromkeys(call.name for call in self.tool_calls))
