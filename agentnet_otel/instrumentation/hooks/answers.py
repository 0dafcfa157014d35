"""Reading what engines answer: their response objects and dicts, as they come, before the framework flattens them.

Unknown is not zero: a response that tells 0 and 0 tokens, or a cost of 0.0, does not know them.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentnet_otel.instrumentation.turn_span import ENGINE_NOT_AWAITED
from agentnet_otel.model import CostSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One engine's answer. None: not told."""

    text: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False
    cost_usd: float | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    error_type: str | None = None

    @property
    def has_tokens(self) -> bool:
        """Whether it tells tokens."""
        return self.input_tokens is not None or self.output_tokens is not None

    @property
    def cost_source(self) -> CostSource | None:
        """The engine, where it told a cost."""
        return None if self.cost_usd is None else CostSource.ENGINE


def field_of(value: Any, name: str) -> Any:
    """A field of what the framework gives as an object here and as a dict there; None where it is missing."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def read_answer(raw: Any) -> Answer:
    """The answer in what an engine returned."""
    if inspect.isawaitable(raw):
        return Answer(error_type=ENGINE_NOT_AWAITED)
    if isinstance(raw, Mapping):
        return _from_mapping(raw)
    if raw is None or isinstance(raw, str | bytes | int | float):
        return Answer(text=None if raw is None else str(raw))
    if hasattr(raw, "content"):
        return _from_response(raw)
    return Answer(text=str(raw))


def _from_response(response: Any) -> Answer:
    metadata = getattr(response, "metadata", None)
    extra: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    tokens_in, tokens_out = _known(getattr(response, "input_tokens", None), getattr(response, "output_tokens", None))
    return Answer(
        text=_text(getattr(response, "content", None)),
        model=_text(extra.get("model_used")) or _text(getattr(response, "model_name", None)),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=_count(getattr(response, "cached_tokens", None)),
        reasoning_tokens=_count(getattr(response, "reasoning_tokens", None)),
        estimated=bool(extra.get("estimated_tokens")),
        cost_usd=_cost(getattr(response, "cost_usd", None)),
        response_id=_text(extra.get("response_id") or extra.get("id")),
        finish_reason=_text(extra.get("finish_reason")),
    )


def _from_mapping(answer: Mapping[str, Any]) -> Answer:
    metadata = answer.get("metadata")
    extra: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    usage = next((u for u in (answer.get("usage"), extra.get("usage")) if isinstance(u, Mapping)), None)
    tokens = answer.get("tokens")
    names = ("prompt_tokens", "completion_tokens")
    if usage is None and isinstance(tokens, Mapping):
        usage, names = tokens, ("input", "output")
    told = usage or {}
    error = answer.get("error")
    tokens_in, tokens_out = _known(
        told.get(names[0], told.get("input_tokens")), told.get(names[1], told.get("output_tokens"))
    )
    return Answer(
        text=_text(answer.get("content")),
        model=_text(told.get("model")) or _text(answer.get("model")) or _text(extra.get("model_used")),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=_count(told.get("cached_tokens")),
        reasoning_tokens=_count(told.get("reasoning_tokens")),
        estimated=bool(extra.get("estimated_tokens")),
        cost_usd=_cost(answer.get("cost_usd")),
        response_id=_text(answer.get("id")),
        finish_reason=_text(answer.get("finish_reason")),
        error_type="engine_error" if error else None,
    )


def _known(tokens_in: Any, tokens_out: Any) -> tuple[int | None, int | None]:
    counted_in, counted_out = _count(tokens_in), _count(tokens_out)
    return (None, None) if not counted_in and not counted_out else (counted_in, counted_out)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _cost(value: Any) -> float | None:
    """A cost; 0.0 is what adapters tell that have no price."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return None
    return float(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
