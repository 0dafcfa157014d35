"""Where we are: the open span of ours in the current OpenTelemetry context, and how to move there and back.

OpenTelemetry gives a context back by a token, which only the `contextvars` context that made it takes, and which
brings back what was current then, even where that has ended since. A generator closed by the garbage collector or from
another task, a user's ``with`` around a ``yield``, and generators of one thread that end in the order in which they
began break both. So what we make current is kept as a chain, innermost first, and an `Attachment` is taken out of it
wherever it stands; where it does not stand in it, the context is a foreign one that has nothing of ours to undo.
"""

import sys
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from agentnet_otel.instrumentation import faults
from agentnet_otel.model import TokenUsage

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.open_span import OpenSpan
    from agentnet_otel.instrumentation.turn_span import TurnSpan

_POSITION: Final = otel_context.create_key("agentnet-otel-position")
_OUR_CLAIM: Final = otel_context.create_key("agentnet-otel-claim")
_HANDED_OVER: Final = otel_context.create_key("agentnet-otel-handed-over")

# Keys by which instrumentations tell each other "this model call is already being told". The first is that of
# opentelemetry-util-genai, the second that of OpenLLMetry.
_GENAI_INFERENCE: Final = "opentelemetry.genai.client.inference.context"
_GENAI_MODULE: Final = "opentelemetry.util.genai.invocation"
_OPENLLMETRY_SUPPRESS: Final = "suppress_language_model_instrumentation"

_CLAIM_PARTS: Final = ("input", "output", "cache_read_input", "reasoning_output")

_innermost: ContextVar["Attachment | None"] = ContextVar("agentnet_otel_attachment", default=None)


class Attachment:
    """A context made current, to be undone once; ``owner`` is the span that it belongs to."""

    __slots__ = ("_below", "_former", "_owner", "_suspended", "_token")

    def __init__(self, context: Context, owner: "OpenSpan | None" = None) -> None:
        self._owner = owner
        self._below: Attachment | None = _innermost.get()
        self._former: Context | None = otel_context.get_current()
        self._suspended: tuple[Attachment | None, Context] | None = None
        self._token: Token[Attachment | None] | None = _innermost.set(self)
        otel_context.attach(context)

    @faults.guarded
    def detach(self) -> None:
        """Take it out of what is current here. Spans that began inside it and are still open stay current.

        A copy of the context (a task's, a thread's) is changed alone: the context where it was made current has it
        until it is undone there, too.
        """
        above, below, former = self._above(), self._below, self._former
        if above is None or former is None:
            return
        still_open = next((a for a in above if a._owner is not None and a._owner.is_open), None)  # noqa: SLF001 - its kind
        here = _innermost.get()
        if self._was_made_here():
            self.forget()
        if still_open is None:
            _make_current(below, former)
        else:
            still_open._below, still_open._former = below, former  # noqa: SLF001 - another of its kind
            _innermost.set(here)

    def _was_made_here(self) -> bool:
        try:
            _innermost.reset(cast("Token[Attachment | None]", self._token))
        except ValueError:
            return False
        return True

    def suspend(self) -> None:
        """Give the former context back for a while, with all that began inside this one."""
        former = self._former
        if former is not None and self._above() is not None:
            self._suspended = (_innermost.get(), otel_context.get_current())
            _make_current(self._below, former)
            self._below = self._former = None

    def resume(self) -> None:
        """Make current again what `suspend` put aside, in the context of whoever calls now."""
        if self._suspended is not None:
            self._below, self._former = _innermost.get(), otel_context.get_current()
            _make_current(*self._suspended)
            self._suspended = None

    def forget(self) -> None:
        """Let go of the former context without giving it back."""
        self._below = self._former = self._suspended = self._token = None

    def _above(self) -> "list[Attachment] | None":
        """Those that began inside this one, outermost first; None where this one is not current."""
        above: list[Attachment] = []
        here = _innermost.get()
        while here is not self:
            if here is None:
                return None
            above.insert(0, here)
            here = here._below  # noqa: SLF001 - another of its kind
        return above


@faults.guarded
def attached(context: Context, owner: "OpenSpan | None" = None) -> Attachment | None:
    """`Attachment`, or None where a fault of ours prevents it."""
    return Attachment(context, owner)


def _make_current(innermost: Attachment | None, context: Context) -> None:
    _innermost.set(innermost)
    otel_context.attach(context)


def position(context: Context | None = None) -> "OpenSpan | None":
    """The innermost span of ours in the context, whether it is still open or not."""
    found: OpenSpan | None = otel_context.get_value(_POSITION, context)  # type: ignore[assignment]
    return found


def open_position(context: Context | None = None) -> "OpenSpan | None":
    """The innermost span of ours that is still open in this process."""
    found = position(context)
    return None if found is None else found.nearest_open()


def enclosing_turn() -> "TurnSpan | None":
    """The innermost open turn around the running code."""
    here = open_position()
    while here is not None and not (here.is_turn and here.is_open):
        here = here.parent
    return cast("TurnSpan | None", here)


def open_surroundings() -> Context:
    """The current context. Where the innermost span of ours in it has ended inside one that is open, it has the latter.

    A task that was started in a component, and goes on when that has ended, is still in the turn.
    """
    current = otel_context.get_current()
    innermost = position(current)
    if innermost is None or innermost.is_open or trace.get_current_span(current) is not innermost.span:
        return current
    still_open = innermost.nearest_open()
    if still_open is None or still_open.span is None:
        return current
    return with_position(still_open, trace.set_span_in_context(still_open.span, current))


def with_position(span: "OpenSpan", context: Context) -> Context:
    """``context`` with ``span`` as the innermost span of ours."""
    return otel_context.set_value(_POSITION, span, context)


def handed_over_to(turn: "TurnSpan", context: Context) -> Context:
    """``context`` for work that ``turn`` waits for in another thread: should it outlive the turn, it is late."""
    return otel_context.set_value(_HANDED_OVER, turn, context)


def is_late() -> bool:
    """Whether the running code was handed over by a turn that has ended since (its time-out passed)."""
    turn: TurnSpan | None = otel_context.get_value(_HANDED_OVER)  # type: ignore[assignment]
    return turn is not None and not turn.is_open


def with_inference_claimed(context: Context) -> Context:
    """``context`` in which other GenAI instrumentations know that this model call has its span already."""
    claimed = otel_context.set_value(_OPENLLMETRY_SUPPRESS, True, context)  # noqa: FBT003 - a value, not a flag
    claim = _new_claim()
    return otel_context.set_value(_GENAI_INFERENCE, claim, otel_context.set_value(_OUR_CLAIM, claim, claimed))


def without_our_claim(context: Context) -> Context:
    """``context`` for other work inside a model call (a tool, another agent): model calls of its own have their spans.

    A claim of others stays: they decide themselves how far it goes.
    """
    claim = otel_context.get_value(_OUR_CLAIM, context)
    if claim is None or otel_context.get_value(_GENAI_INFERENCE, context) is not claim:
        return context
    freed = otel_context.set_value(_OPENLLMETRY_SUPPRESS, None, context)
    return otel_context.set_value(_GENAI_INFERENCE, None, otel_context.set_value(_OUR_CLAIM, None, freed))


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerCall:
    """What an inner instrumentation told of the model call that it kept quiet about."""

    usage: TokenUsage
    provider: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()


def told_by_inner_call(context: Context | None) -> InnerCall | None:
    """What an inner instrumentation put into our claim; None where none did."""
    claim = otel_context.get_value(_OUR_CLAIM, context)
    if claim is None or isinstance(claim, _Claim):
        return None
    counts = (_count(getattr(claim, f"usage_{part}_tokens", None)) for part in _CLAIM_PARTS)
    reasons = getattr(claim, "response_finish_reasons", None) or ()
    return InnerCall(
        usage=TokenUsage(**dict(zip(("input", "output", "cached", "reasoning"), counts, strict=True))),
        provider=getattr(claim, "provider_name", None),
        response_model=getattr(claim, "response_model", None),
        response_id=getattr(claim, "response_id", None),
        finish_reasons=tuple(str(reason) for reason in reasons),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def inference_claimed_by_others() -> bool:
    """Whether another instrumentation has a span open for this model call."""
    claim = otel_context.get_value(_GENAI_INFERENCE)
    if claim is not None:
        return claim is not otel_context.get_value(_OUR_CLAIM)
    return bool(otel_context.get_value(_OPENLLMETRY_SUPPRESS))


class _Claim:
    """What stands under the key of util-genai while the call is ours and that library is not loaded."""

    __slots__ = ()


def _new_claim() -> object:
    """Where util-genai is loaded it looks for a holder of its own, into which an inner call then puts its data."""
    holder = getattr(sys.modules.get(_GENAI_MODULE), "InferenceData", None)
    return _Claim() if holder is None else holder()
