"""A turn while it is open: one agent answering one prompt."""

import threading
from typing import TYPE_CHECKING, Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.checks import checked_amount, checked_member, checked_ratio, checked_text
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.open_span import OpenSpan, text_of
from agentnet_otel.instrumentation.outcomes import Ending, ending_of, error_name
from agentnet_otel.instrumentation.usage import TokenCount, UsageLedger
from agentnet_otel.model import LatencyComponent, Outcome, PolicyViolation, TokenCategory

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.recorder import Recorder

ENGINE_NOT_AWAITED: Final = "engine_not_awaited"
"""error.type of a coroutine engine that was called without being awaited: its answer never existed."""
MAX_VIOLATIONS: Final = 1000
"""Violations kept of one turn; beyond it they are only counted."""
MAX_PARTS: Final = 10_000
"""Components and nested turns kept of one turn; the time of further ones is not attributed in the facts."""


class TurnSpan(OpenSpan):
    """One agent answering one prompt. Use it as ``with`` or ``async with``."""

    __slots__ = (
        "agent",
        "answer_error",
        "answer_length",
        "components",
        "confidence",
        "error_type",
        "failure",
        "fallback",
        "first_token_ns",
        "ledger",
        "lock",
        "model",
        "outcome",
        "owner",
        "parts",
        "prompt",
        "prompt_length",
        "quality",
        "response",
        "response_length",
        "sampling_probability",
        "turn_id",
        "user_cost_usd",
        "violation_count",
        "violations",
    )

    kind_name = "turn"
    is_turn = True

    def __init__(
        self,
        recorder: "Recorder",
        agent: str,
        *,
        prompt: str | None = None,
        model: str | None = None,
        conversation_id: str | None = None,
        turn_id: str | None = None,
        owner: object = None,
    ) -> None:
        super().__init__(recorder, conversation_id)
        self.agent = agent
        self.prompt = prompt
        self.prompt_length = None if prompt is None else len(prompt)
        self.model = model
        self.turn_id = turn_id
        self.owner = owner
        self.lock = threading.RLock()
        self.ledger = UsageLedger()
        self.components: dict[int, ComponentSpan] = {}
        self.parts: list[ComponentSpan | TurnSpan] = []
        self.outcome: Outcome | None = None
        self.error_type: str | None = None
        self.failure: Ending | None = None
        self.answer_error: str | None = None
        self.answer_length: int | None = None
        self.confidence: float | None = None
        self.quality: float | None = None
        self.response: object = None
        self.response_length: int | None = None
        self.first_token_ns: int | None = None
        self.fallback = False
        self.sampling_probability: float | None = None
        self.violations: list[tuple[int, PolicyViolation]] = []  # with the time of each, epoch nanoseconds
        self.violation_count = 0
        self.user_cost_usd: float | None = None

    # --- the manual API ------------------------------------------------------------------------------

    def component(
        self,
        component: LatencyComponent | str,
        name: str | None = None,
        model: str | None = None,
        provider: str | None = None,
    ) -> "ComponentSpan":
        """A part of this turn, to be used as ``with`` or ``async with``.

        ``name`` is the tool, memory operation, rule set or step; ``model`` and ``provider`` are those of an
        inference. A component of an ended turn, or an unknown one, is told as misuse; its body still runs.
        """
        return ComponentSpan(
            self.recorder,
            self._kind_of_part(component),
            text_of(name),
            turn=self,
            model=text_of(model),
            provider=text_of(provider),
        )

    @faults.guarded
    def _kind_of_part(self, component: object) -> LatencyComponent | None:
        kind = checked_member(LatencyComponent, component, self._misuse, "component")
        if kind is LatencyComponent.TOTAL:
            self._misuse("component total is the turn itself and cannot be opened as a part of it")
            return None
        return kind

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
        """Record tokens of the turn as a whole; they count only where no component of it has its own."""
        if self._usable("record_tokens"):
            count = TokenCount.checked(input, output, cached, reasoning, category, estimated, self._misuse)
            if count is not None:
                with self.lock:
                    self.ledger.add_whole(count, TokenCategory.REASONING)

    @faults.guarded
    def record_policy_violation(
        self,
        rule: str,
        severity: str | None = None,
        rationale: str | None = None,
    ) -> None:
        """Record one violated rule; ``severity`` is minor, major or severe. The rationale is content."""
        if self._usable("record_policy_violation"):
            self.note_violation(PolicyViolation(rule=str(rule), severity=text_of(severity)), rationale)

    @faults.guarded
    def record_cost(self, usd: float) -> None:
        """Record what the turn cost in USD (several calls add up). It goes before the cost of its calls."""
        if self._usable("record_cost"):
            amount = checked_amount(usd, self._misuse, "usd")
            if amount is not None:
                with self.lock:
                    self.user_cost_usd = (self.user_cost_usd or 0.0) + amount

    @faults.guarded
    def record_quality(self, score: float) -> None:
        """Record an evaluation of the answer, 0 to 1."""
        if self._usable("record_quality"):
            checked = checked_ratio(score, self._misuse, "score")
            self.quality = self.quality if checked is None else checked

    @faults.guarded
    def record_confidence(self, score: float) -> None:
        """Record how sure the agent was of its answer, 0 to 1."""
        if self._usable("record_confidence"):
            checked = checked_ratio(score, self._misuse, "score")
            self.confidence = self.confidence if checked is None else checked

    @faults.guarded
    def set_prompt(self, text: str) -> None:
        """Set the prompt: its length is recorded, the text only under the capture mode."""
        if self._usable("set_prompt"):
            checked = checked_text(text, self._misuse, "prompt")
            if checked is not None:
                self.prompt, self.prompt_length = checked, len(checked)

    @faults.guarded
    def set_response(self, text: str) -> None:
        """Set the response: its length is recorded, the text only under the capture mode."""
        if self._usable("set_response"):
            checked = checked_text(text, self._misuse, "response")
            if checked is not None:
                self.response, self.response_length = checked, len(checked)

    @faults.guarded
    def set_outcome(self, outcome: Outcome | str, error_type: str | None = None) -> None:
        """Say how the turn ended; without it, what the body raised says it."""
        if self._usable("set_outcome"):
            checked = checked_member(Outcome, outcome, self._misuse, "outcome")
            if checked is not None:
                self.outcome = checked
                self.error_type = None if error_type is None else error_name(error_type)

    @faults.guarded
    def record_first_token(self) -> None:
        """Record that the first token of the answer reached the caller now (later calls do nothing)."""
        if self._usable("record_first_token") and self.first_token_ns is None:
            self.first_token_ns = self.now_ns()

    # --- for the recorder and the hooks --------------------------------------------------------------

    def note_violation(self, violation: PolicyViolation, rationale: object = None) -> None:
        """Count a violation and put it on the turn's span."""
        now_ns = self.now_ns()
        self.count_violation(violation, now_ns)
        self.recorder.tell_violation(self, violation, rationale, now_ns)

    def count_violation(self, violation: PolicyViolation, now_ns: int) -> None:
        """Count a violation that was found at ``now_ns`` (epoch nanoseconds)."""
        with self.lock:
            self.violation_count += 1
            if len(self.violations) < MAX_VIOLATIONS:
                self.violations.append((now_ns, violation))

    def keep(self, part: "ComponentSpan | TurnSpan") -> None:
        """Keep an ended part for the breakdown."""
        with self.lock:
            if len(self.parts) < MAX_PARTS:
                self.parts.append(part)

    def take(self, component: ComponentSpan) -> bool:
        """Take an ended component: its interval, and, of a leaf, tokens and cost; False if the turn has ended."""
        self.keep(component)
        with self.lock:
            if self.ledger.settled:
                return component.has_inner_usage
            model = component.response_model or component.model or self.model
            for count in () if component.has_inner_usage else component.tokens:
                self.ledger.add_leaf(model, count, count.category or component.category)
            self._take_cost(component)
        return True

    def _take_cost(self, component: ComponentSpan) -> None:
        """The innermost cost counts; a call that used tokens and tells none is covered by what is told around it."""
        if component.own_cost_usd is not None and component.cost_source is not None:
            self.ledger.add_cost(component.own_cost_usd, component.cost_source)
            return
        is_call = component.usage.known and not component.has_inner_usage and not component.has_inner_cost
        uncovered = component.uncovered_calls + is_call
        around = next((a for a in component.components_around() if not a.end_ns), None)
        if around is None:
            self.ledger.costless_calls += uncovered
        else:
            around.uncovered_calls += uncovered

    def release(self) -> None:
        """Let go, once ended, of what it was about; a turn around it gets it as a part."""
        self.owner = self.prompt = self.response = self.failure = None
        self.components.clear()
        self.parts.clear()
        outer = self._outer_turn()
        if outer is not None and outer.is_open:
            outer.keep(self)
        else:
            self.let_go_of_ended_parents()

    def _outer_turn(self) -> "TurnSpan | None":
        around = self.parent
        while around is not None:
            if isinstance(around, TurnSpan):
                return around
            if isinstance(around, ComponentSpan) and around.turn is not None:
                return around.turn
            around = around.parent
        return None

    def note_failure(self, error: BaseException) -> None:
        """Remember how a component failed: frameworks answer with a text and lose the exception.

        The exception itself is not kept, for its traceback keeps alive what its frames hold.
        """
        self.failure = ending_of(error)

    def note_answer(self, length: int) -> None:
        """Learn how long the engine's own answer is: the framework may keep its repr only."""
        self.answer_length = length

    def note_response(self, text: str) -> None:
        """Learn what the caller gets; where the engine's own answer was seen, its length counts."""
        if self.answer_error == ENGINE_NOT_AWAITED:
            return  # what the caller gets is the repr of a coroutine
        self.response = text
        self.response_length = len(text) if self.answer_length is None else self.answer_length

    def note_fault_text(self, text: str) -> None:
        """Record the text of a fault, as far as the capture mode allows: it quotes what the agent said."""
        self.recorder.content.tell(self, semconv.FAULT_TEXT, text)

    def time_out(self) -> None:
        """End it because whoever waited for it does so no longer."""
        self.end_from_outside(Ending(Outcome.TIMEOUT, Outcome.TIMEOUT.value))

    def _open(self) -> None:
        self.recorder.open_turn(self)

    def _close(self, ending: Ending | None) -> None:
        self.recorder.close_turn(self, ending)
