"""Usage and cost that stand in one attribute, as JSON or as a mapping.

Their shapes differ in what adds up. In the words of OpenAI (``prompt_tokens``, ``completion_tokens``) and of most
others cached tokens are part of the input and reasoning tokens part of the output, and may stand in objects of
details. In those of Anthropic cached tokens stand beside the input. In Langfuse's (``input``, ``output``,
``input_cache_read``, ...) each part counts on its own and all add up. A total, where there is one, settles which of
them it is.
"""

from collections.abc import Callable, Mapping
from typing import Final

from agentnet_otel.core import values
from agentnet_otel.model import AttributeValue, TokenUsage

_INPUT_BASES: Final = ("input_tokens", "prompt_tokens", "input", "prompt")
_OUTPUT_BASES: Final = ("output_tokens", "completion_tokens", "output", "completion")
_PARTS_ADD_UP: Final = frozenset({"input", "prompt", "output", "completion"})
_TOTALS: Final = ("total_tokens", "total")
_COST_TOTALS: Final = ("total", "total_cost")


def usage_in(written: AttributeValue) -> TokenUsage:
    """Tokens of a usage object; what it does not tell is None."""
    fields = values.mapping(written)
    if not fields:
        return TokenUsage()
    input_base, into = _base(fields, _INPUT_BASES)
    output_base, out = _base(fields, _OUTPUT_BASES)
    more_into, more_out = _parts(fields, _is_input), _parts(fields, _is_output)
    whole = next((total for name in _TOTALS if (total := values.count(fields.get(name))) is not None), None)
    if whole is None:
        adds_up = input_base in _PARTS_ADD_UP or output_base in _PARTS_ADD_UP
    else:
        adds_up = whole != (into or 0) + (out or 0)
    if not adds_up and (_largest(more_into, _is_cached) or 0) > (into or 0):
        into = _sum(into, more_into)  # in Anthropic's words: no part is larger than its whole
    if adds_up:
        into = _sum(into, more_into)
        out = _sum(out, more_out)
    return TokenUsage(
        input=into,
        output=out,
        cached=_largest(more_into | _details(fields, _is_input), _is_cached),
        reasoning=_largest(more_out | _details(fields, _is_output), _is_reasoning),
    )


def cost_in(written: AttributeValue) -> float | None:
    """USD of a cost object: its total, else the sum of its parts."""
    fields = values.mapping(written)
    if not fields:
        return None
    total = next((usd for name in _COST_TOTALS if (usd := values.amount(fields.get(name))) is not None), None)
    parts = [usd for value in fields.values() if (usd := values.amount(value)) is not None]
    return total if total is not None or not parts else sum(parts)


def _base(fields: values.Attributes, names: tuple[str, ...]) -> tuple[str | None, int | None]:
    for name in names:
        found = values.count(fields.get(name))
        if found is not None:
            return name, found
    return None, None


def _parts(fields: values.Attributes, wanted: Callable[[str], bool]) -> dict[str, int]:
    counts = {name: values.count(value) for name, value in fields.items() if wanted(name)}
    return {name: count for name, count in counts.items() if count is not None}


def _details(fields: values.Attributes, wanted: Callable[[str], bool]) -> dict[str, int]:
    """Counts in the objects of details on one side."""
    found: dict[str, int] = {}
    for name, value in fields.items():
        if wanted(name) and isinstance(value, Mapping):
            found |= _parts(value, lambda _: True)
    return found


def _is_input(name: str) -> bool:
    return name.startswith(("input", "prompt", "cache")) and name not in _INPUT_BASES


def _is_output(name: str) -> bool:
    return name.startswith(("output", "completion", "reasoning", "thoughts")) and name not in _OUTPUT_BASES


def _is_cached(name: str) -> bool:
    return "cache" in name and "creation" not in name and "write" not in name


def _is_reasoning(name: str) -> bool:
    return "reasoning" in name or "thoughts" in name


def _largest(counts: Mapping[str, int], wanted: Callable[[str], bool]) -> int | None:
    """One count may stand under several names."""
    return max((count for name, count in counts.items() if wanted(name)), default=None)


def _sum(base: int | None, parts: Mapping[str, int]) -> int | None:
    return (base or 0) + sum(parts.values()) if parts else base
