"""Reading what an operation returned: whether it failed, and, where no span tells, its tokens and cost.

AgentNet answers errors and faults as trees that look like answers, so a returned value is not a success yet.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agentnet_otel.core import values
from agentnet_otel.model import Outcome, TokenUsage

_REASON_LENGTH: Final = 500
"""Characters of a reason that is taken out of a response."""
_FAILED_STATES: Final = frozenset({"error", "failed", "timeout", "rate_limited", "auth_failed", "blocked"})
"""States in which AgentNet's tools end without having done their work."""
_TOKEN_NAMES: Final = (
    ("tokens_input", "tokens_output"),
    ("input_tokens", "output_tokens"),
    ("prompt_tokens", "completion_tokens"),
    ("input", "output"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something counts as failed."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a returned value tells; None, and no tokens, where it does not."""

    failure: Failure | None = None
    text: str | None = None
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float | None = None
    confidence: float | None = None
    model: str | None = None
    estimated: bool = False


def read_response(returned: object) -> Response:
    """What ``returned`` tells: a tree, an engine's response, a dictionary, or a list of such things."""
    if isinstance(returned, list | tuple):
        return _together([read_response(item) for item in returned])
    if isinstance(returned, str):
        return Response(text=returned)
    places = [place for place in (returned, field_of(returned, "result")) if place is not None]
    tokens, cost_usd = _usage_of(places)
    metadata = _first(places, lambda place: field_of(place, "metadata"))
    return Response(
        failure=failure_of(returned),
        text=_first(places, lambda place: _text(field_of(place, "content"))),
        tokens=tokens,
        cost_usd=cost_usd,
        confidence=_first(places, lambda place: _ratio(field_of(place, "confidence"))),
        model=_first(places, _model_of),
        estimated=tokens.known and field_of(metadata, "estimated_tokens") is True,
    )


def failure_of(returned: object) -> Failure | None:
    """Why ``returned`` is no success, or None.

    Failed are: an exception; ``success`` False; ``error`` or ``fault`` of a dictionary, or of the one under its
    ``result``; the ``status`` of a tool that did not do its work.
    """
    if isinstance(returned, BaseException):
        return Failure(outcome=Outcome.ERROR, reason=describe(returned))
    if not isinstance(returned, Mapping):
        state = field_of(returned, "success")
        failed = state is False or _state_of(returned) in _FAILED_STATES
        return Failure(outcome=Outcome.ERROR, reason=_reason(returned, "it says so")) if failed else None
    inner = returned.get("result")
    for place in (returned, inner):
        if isinstance(place, Mapping):
            if place.get("fault"):
                return Failure(outcome=Outcome.FAULT, reason=_reason_in_tree(returned, place, "fault"))
            if place.get("error"):
                return Failure(outcome=Outcome.ERROR, reason=_reason_in_tree(returned, place, "error"))
    if returned.get("success") is False or _state_of(returned) in _FAILED_STATES:
        return Failure(outcome=Outcome.ERROR, reason=_reason(returned, "success is False"))
    return None


def describe(error: BaseException) -> str:
    """The text of an exception, or its type where it has none."""
    return str(error) or type(error).__name__


def field_of(value: object, name: str) -> Any:
    """A field of a dictionary or an object; None where there is none, or where reading it fails."""
    if isinstance(value, Mapping):
        return value.get(name)
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a property of somebody's object; what cannot be read is not there
        return None


def _usage_of(places: list[Any]) -> tuple[TokenUsage, float | None]:
    """Tokens and cost, each from the first holder that tells it: cost records go before the responses themselves."""
    tokens = TokenUsage()
    cost_usd: float | None = None
    for holder in _holders(places):
        if not tokens.known:
            tokens = _tokens_in(holder)
        if cost_usd is None:
            cost_usd = _cost(field_of(holder, "total_cost")) or _cost(field_of(holder, "cost_usd"))
    return tokens, cost_usd


def _holders(places: list[Any]) -> Iterator[Any]:
    yield from (found for place in places if (found := field_of(place, "cost_record")) is not None)
    for place in places:
        yield place
        inside = [field_of(place, name) for name in ("usage", "tokens")]
        inside.append(field_of(field_of(place, "metadata"), "usage"))
        yield from (found for found in inside if found is not None)


def _tokens_in(holder: object) -> TokenUsage:
    """Tokens under any of their names; 0 and 0 is how engines say that they do not know."""
    for names in _TOKEN_NAMES:
        tokens_in, tokens_out = (_count(field_of(holder, name)) for name in names)
        if tokens_in or tokens_out:
            return TokenUsage(input=tokens_in, output=tokens_out)
    return TokenUsage()


def _together(responses: list[Response]) -> Response:
    """Several responses of one operation: one that failed fails it."""
    tokens = TokenUsage()
    for response in responses:
        tokens = tokens.plus(response.tokens)
    costs = [response.cost_usd for response in responses if response.cost_usd is not None]
    confidences = [response.confidence for response in responses if response.confidence is not None]
    return Response(
        failure=next((response.failure for response in responses if response.failure is not None), None),
        text="\n".join(response.text for response in responses if response.text) or None,
        tokens=tokens,
        cost_usd=sum(costs) if costs else None,
        confidence=sum(confidences) / len(confidences) if confidences else None,
        estimated=any(response.estimated for response in responses),
    )


def _reason_in_tree(tree: Mapping[str, Any], place: Mapping[str, Any], marker: str) -> str:
    """The text that goes with an error or a fault: trees keep it apart from their marker."""
    metadata = tree.get("metadata")
    if isinstance(metadata, Mapping):
        fault = metadata.get("cognitive_fault")
        told = fault.get("message") if isinstance(fault, Mapping) else metadata.get("error")
        if told:
            return _cut(told)
    marked = place[marker]
    return _cut(marked) if marked is not True else _reason(place, f"{marker} is True")


def _reason(value: object, default: str) -> str:
    texts = (field_of(value, name) for name in ("error", "error_message", "reason", "message", "content"))
    return _cut(next((text for text in texts if isinstance(text, str | BaseException) and str(text)), default))


def _cut(reason: object) -> str:
    text = describe(reason) if isinstance(reason, BaseException) else str(reason)
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}..."


def _state_of(value: object) -> str:
    status = field_of(value, "status")
    return str(getattr(status, "value", status)).lower()


def _model_of(place: object) -> str | None:
    return _text(field_of(place, "model_name")) or _text(field_of(place, "model"))


def _first(places: list[Any], read: Callable[[Any], Any]) -> Any:
    return next((found for place in places if (found := read(place)) is not None), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | int | None:
    return values.number(value) if isinstance(value, int | float) else None


def _count(value: object) -> int | None:
    return values.count(_number(value))


def _cost(value: object) -> float | None:
    """A cost above 0: 0.0 is what adapters tell that have no price."""
    return values.amount(_number(value)) or None


def _ratio(value: object) -> float | None:
    return values.ratio(_number(value))
