"""A component while it is open: a named part of a turn's latency, or the same work outside any turn."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.checks import checked_amount, checked_count, checked_text
from agentnet_otel.instrumentation.open_span import OpenSpan, text_of
from agentnet_otel.instrumentation.outcomes import Ending, error_name
from agentnet_otel.instrumentation.usage import NO_TOKENS, TokenCount
from agentnet_otel.model import CostSource, LatencyComponent, Outcome, PolicyViolation, TokenCategory

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.context import InnerCall
    from agentnet_otel.instrumentation.recorder import Recorder
    from agentnet_otel.instrumentation.turn_span import TurnSpan

_CATEGORY_BY_COMPONENT: Final = {
    LatencyComponent.TOOL_EXECUTION: TokenCategory.TOOL_CALLS,
    LatencyComponent.MEMORY_ACCESS: TokenCategory.MEMORY,
    LatencyComponent.POLICY_CHECK: TokenCategory.POLICY,
}


class ComponentSpan(OpenSpan):
    """A named part of a turn's latency, or the same work outside any turn. Use it as ``with`` or ``async with``."""

    __slots__ = (
        "agent",
        "answered",
        "attempt",
        "attempts",
        "batch",
        "component",
        "cost_source",
        "cost_usd",
        "ending",
        "first_chunk_ns",
        "has_inner_cost",
        "has_inner_usage",
        "merge_key",
        "model",
        "name",
        "operation",
        "outcome",
        "provider",
        "response_model",
        "response_text_length",
        "tokens",
        "turn",
        "uncovered_calls",
        "usage",
    )

    kind_name = "component"

    def __init__(
        self,
        recorder: "Recorder",
        component: LatencyComponent | None,
        name: str | None = None,
        *,
        turn: "TurnSpan | None" = None,
        model: str | None = None,
        provider: str | None = None,
        operation: str | None = None,
        agent: str | None = None,
        merge_key: object = None,
    ) -> None:
        super().__init__(recorder)
        self.component = component
        self.name = name
        self.turn = turn
        self.model = model
        self.provider = provider
        self.operation = operation
        self.agent = agent if turn is None else turn.agent
        self.merge_key = merge_key
        self.tokens: list[TokenCount] = []
        self.usage = NO_TOKENS  # all of them together, once it has ended
        self.has_inner_usage = False
        self.has_inner_cost = False
        self.uncovered_calls = 0  # in it, with tokens, whose cost nothing told so far
        self.response_model: str | None = None
        self.response_text_length: int | None = None
        self.cost_usd: float | None = None
        self.cost_source: CostSource | None = None
        self.attempt: object = None
        self.attempts = 0
        self.batch = False
        self.first_chunk_ns: int | None = None
        self.outcome: str | None = None
        self.ending: Ending | None = None
        self.answered = False

    @property
    def category(self) -> TokenCategory:
        """What tokens are spent for here, unless the caller names it: by the nearest tool, memory or policy part."""
        here: OpenSpan | None = self
        while isinstance(here, ComponentSpan):
            if here.component in _CATEGORY_BY_COMPONENT:
                return _CATEGORY_BY_COMPONENT[here.component]
            here = here.parent
        return TokenCategory.REASONING

    # --- the manual API ------------------------------------------------------------------------------

    @faults.guarded
    def record_tokens(
        self,
        input: int | None = None,  # noqa: A002 - the word of the documented interface
        output: int | None = None,
        cached: int | None = None,
        reasoning: int | None = None,
        category: TokenCategory | str | None = None,
        estimated: bool = False,
    ) -> None:
        """Record tokens of this call (several calls add up).

        ``cached`` is part of ``input``, ``reasoning`` part of ``output``. None means unknown, which is not zero.
        """
        if self._usable("record_tokens"):
            count = TokenCount.checked(input, output, cached, reasoning, category, estimated, self._misuse)
            if count is not None:
                self.note_tokens(count)

    @faults.guarded
    def record_cost(self, usd: float) -> None:
        """Record what this call cost in USD (several calls add up)."""
        if self._usable("record_cost"):
            amount = checked_amount(usd, self._misuse, "usd")
            if amount is not None:
                self.note_cost((self.cost_usd or 0.0) + amount, CostSource.USER)

    @faults.guarded
    def record_response(
        self,
        model: str | None = None,
        response_id: str | None = None,
        finish_reasons: Sequence[str] | None = None,
        text: str | None = None,
        batch: bool = False,
    ) -> None:
        """Record what came back from a model: the model that answered, ids, and the text under the capture mode.

        ``batch``: the call was made in a batch, which has prices of its own.
        """
        if self._usable("record_response"):
            self.batch = self.batch or bool(batch)
            self.response_model = text_of(model) or self.response_model
            if response_id is not None:
                self.attributes[semconv.RESPONSE_ID] = str(response_id)
            if finish_reasons:
                reasons = [finish_reasons] if isinstance(finish_reasons, str) else finish_reasons
                self.attributes[semconv.RESPONSE_FINISH_REASONS] = tuple(str(r) for r in reasons)
            checked = None if text is None else checked_text(text, self._misuse, "text")
            if checked is not None:
                self.response_text_length = len(checked)
                self.recorder.content.tell(self, semconv.OUTPUT_MESSAGES, checked, role="assistant")

    @faults.guarded
    def record_attempt(self) -> None:
        """Count one try of a call that is retried; all tries together are one component."""
        if self._usable("record_attempt"):
            self.attempts += 1

    @faults.guarded
    def record_first_token(self) -> None:
        """Record that the first chunk of a streamed answer came now (later calls do nothing)."""
        if self._usable("record_first_token") and self.first_chunk_ns is None:
            self.first_chunk_ns = self.now_ns()
            turn = self.turn
            if turn is not None and turn.is_open and turn.first_token_ns is None:
                turn.first_token_ns = self.first_chunk_ns

    @faults.guarded
    def record_records(self, count: int, store: str | None = None) -> None:
        """Record how many memory records were found or written, and in which store."""
        if self._usable("record_records"):
            checked = checked_count(count, self._misuse, "count")
            if checked is not None:
                self.attributes[semconv.MEMORY_RECORD_COUNT] = checked
            if store is not None:
                self.attributes[semconv.MEMORY_STORE_ID] = str(store)

    @faults.guarded
    def record_tool_call(
        self,
        call_id: str | None = None,
        arguments: object = None,
        result: object = None,
        outcome: str | None = None,
    ) -> None:
        """Record facts of a tool call. Arguments and result are content; an outcome but success is a failure."""
        if self._usable("record_tool_call"):
            if call_id is not None:
                self.attributes[semconv.TOOL_CALL_ID] = str(call_id)
            self.recorder.content.tell(self, semconv.TOOL_CALL_ARGUMENTS, arguments)
            self.recorder.content.tell(self, semconv.TOOL_CALL_RESULT, result)
            if outcome is not None:
                self.outcome = str(outcome)
                if self.outcome != Outcome.SUCCESS.value:
                    self.ending = Ending(Outcome.ERROR, self.outcome)

    @faults.guarded
    def record_policy_violation(
        self,
        rule: str,
        severity: str | None = None,
        rationale: str | None = None,
    ) -> None:
        """Record one violated rule, found by this check."""
        if self._usable("record_policy_violation"):
            self.note_violation(PolicyViolation(rule=str(rule), severity=text_of(severity)), rationale)

    @faults.guarded
    def set_error(self, error_type: str) -> None:
        """Mark this part as failed without an exception; ``error_type`` is a name, not a message."""
        if self._usable("set_error"):
            self.ending = Ending(Outcome.ERROR, error_name(error_type))

    # --- for the recorder and the hooks --------------------------------------------------------------

    def note_tokens(self, count: TokenCount) -> None:
        """Take a checked count; the spans around it then no longer speak for these tokens."""
        if count.category is None:
            count = count.with_category(self.category)
        self.tokens.append(count)
        for around in self.components_around():
            around.has_inner_usage = True

    def take_inner_call(self, told: "InnerCall | None") -> None:
        """Take what an inner instrumentation told of the same call; what was recorded here goes before it."""
        if told is None:
            return
        if told.usage.known and not self.tokens and not self.has_inner_usage:
            self.note_tokens(TokenCount(usage=told.usage))
        if self.provider is None and told.provider is not None:
            self.provider = told.provider
            self.attributes[semconv.PROVIDER_NAME] = told.provider
        self.response_model = self.response_model or told.response_model
        if told.response_id is not None:
            self.attributes.setdefault(semconv.RESPONSE_ID, told.response_id)
        if told.finish_reasons:
            self.attributes.setdefault(semconv.RESPONSE_FINISH_REASONS, told.finish_reasons)

    def note_violation(self, violation: PolicyViolation, rationale: object = None) -> None:
        """Count a violation in the turn, if there is one, and put it on the check's own span."""
        now_ns = self.now_ns()
        if self.turn is not None and self.turn.is_open:
            self.turn.count_violation(violation, now_ns)
        self.recorder.tell_violation(self, violation, rationale, now_ns)

    def mark_streamed(self) -> None:
        """Say, before the start, that the answer is streamed."""
        self.attributes[semconv.REQUEST_STREAM] = True

    def note_cost(self, usd: float, source: CostSource) -> None:
        """Take what it cost; the spans around it then no longer speak for this cost."""
        self.cost_usd, self.cost_source = usd, source
        for around in self.components_around():
            around.has_inner_cost = True

    def components_around(self) -> "Iterator[ComponentSpan]":
        """The components of the same turn around it, the innermost first."""
        around = self.parent
        while isinstance(around, ComponentSpan):
            yield around
            around = around.parent

    @property
    def own_cost_usd(self) -> float | None:
        """Its cost, unless that is told by what ran in it."""
        return None if self.has_inner_cost else self.cost_usd

    def note_content(self, key: str, raw: object) -> None:
        """Record content under ``key``, as far as the capture mode allows."""
        self.recorder.content.tell(self, key, raw)

    def cut_off(self, ending: Ending | None) -> None:
        """End it because its turn ended: what it does from now on is no part of the turn."""
        self.end_from_outside(ending, mark=semconv.COMPONENT_UNFINISHED)

    def _open(self) -> None:
        turn = self.turn
        if turn is not None and not turn.is_open:
            if turn.closed_by_owner:
                self._misuse("a component was opened outside its turn's lifetime; it was not recorded")
            return
        if self.component is not None:
            self.recorder.open_component(self)

    def _close(self, ending: Ending | None) -> None:
        self.recorder.close_component(self, ending)

    def _usable(self, method: str) -> bool:
        if self.component is None:
            return False  # told already, as an unknown component
        if not self.start_ns and self.turn is not None and not self.turn.is_open:
            return False  # told when it was opened
        return super()._usable(method)
