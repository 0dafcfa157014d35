"""Where we are: the open span of ours in the current OpenTelemetry context, and how to move there and back.

An OpenTelemetry context token may only be given back in the `contextvars` context that made it. A generator
closed by the garbage collector, a task cancelled from outside or a user's ``with`` around a ``yield`` break that
rule, and the OpenTelemetry API then logs an error with a traceback. `Attachment` asks a variable of its own first:
where that cannot be reset, the context was a foreign one that has nothing of ours to undo.
"""

import sys
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

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

_mark: ContextVar[object] = ContextVar("agentnet_otel_attachment")


class Attachment:
    """A context made current, to be undone once. Undoing it from a foreign context is silent and does nothing."""

    __slots__ = ("_mark_token", "_token")

    def __init__(self, context: Context) -> None:
        self._mark_token: Token[object] | None = _mark.set(self)
        self._token = otel_context.attach(context)

    def detach(self) -> None:
        """Give the former context back, if this is the `contextvars` context that it was taken from."""
        mark, self._mark_token = self._mark_token, None
        if mark is None:
            return
        try:
            _mark.reset(mark)
        except ValueError:
            return
        otel_context.detach(self._token)


def position(context: Context | None = None) -> "OpenSpan | None":
    """The innermost span of ours in the context, whether it is still open or not."""
    found: OpenSpan | None = otel_context.get_value(_POSITION, context)  # type: ignore[assignment]
    return found


def open_position(context: Context | None = None) -> "OpenSpan | None":
    """The innermost span of ours that is still open in this process."""
    found = position(context)
    while found is not None and not found.is_open:
        found = found.parent
    return found


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


def told_by_inner_call(context: Context | None) -> TokenUsage:
    """Tokens that an inner instrumentation, which kept quiet because of our claim, put into it."""
    claim = otel_context.get_value(_OUR_CLAIM, context)
    told = (getattr(claim, f"usage_{part}_tokens", None) for part in _CLAIM_PARTS)
    counts = [count if isinstance(count, int) and count >= 0 else None for count in told]
    return TokenUsage(input=counts[0], output=counts[1], cached=counts[2], reasoning=counts[3])


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
