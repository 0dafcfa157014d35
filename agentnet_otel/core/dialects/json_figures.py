"""Usage and cost that stand in one attribute, as JSON or as a mapping.

Their shapes differ in what adds up. In the words of OpenAI (``prompt_tokens``, ``completion_tokens``) and of most
others cached tokens are part of the input and reasoning tokens part of the output, and may stand in objects of
details. In those of Anthropic and of Bedrock cached tokens stand beside the input; in those of Gemini thoughts stand
beside the candidates, and cached content is part of the prompt. In Langfuse's (``input``, ``output``,
``input_cache_read``, ...) each part counts on its own and all add up. A total, where there is one, settles which of
them it is. Names may be written in snake_case or in camelCase.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from agentnet_otel.core import values
from agentnet_otel.model import AttributeValue, TokenUsage

_INPUT_BASES: Final = ("input_tokens", "prompt_tokens", "input", "prompt", "prompt_token_count", "input_token_count")
_OUTPUT_BASES: Final = (
    "output_tokens",
    "completion_tokens",
    "output",
    "completion",
    "candidates_token_count",
    "response_token_count",
    "output_token_count",
    "generated_token_count",
)
_PARTS_ADD_UP: Final = frozenset({"input", "prompt", "output", "completion"})
_OF_GEMINI: Final = frozenset({"prompt_token_count", "candidates_token_count", "response_token_count"})
_BESIDE_OF_GEMINI: Final = frozenset({"thoughts_token_count", "tool_use_prompt_token_count"})
"""What Gemini does not count in the two counts above; all else of its is part of these."""
_BESIDE_OF_BEDROCK: Final = frozenset({"cacheReadInputTokens", "cacheWriteInputTokens", "cacheReadInputTokenCount"})
"""Names, as they are written, of what Bedrock does not count in its input."""
_SAME: Final = {
    "cache_read_input_token_count": "cache_read_input_tokens",
    "cache_write_input_token_count": "cache_write_input_tokens",
}
"""One count that a writer tells under two names."""
_TOTALS: Final = ("total_tokens", "total", "total_token_count")
_COST_TOTALS: Final = ("total", "total_cost")
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WAYS: Final = ((False, False), (False, True), (True, False), (True, True))
"""Whether the parts of the input, and those of the output, stand beside it: the first that gives the total counts."""


def usage_in(written: AttributeValue) -> TokenUsage:
    """Tokens of a usage object; what it does not tell is None."""
    said = values.mapping(written)
    if not said:
        return TokenUsage()
    fields = {_in_snake_case(name): value for name, value in said.items()}
    input_base, into = _base(fields, _INPUT_BASES)
    output_base, out = _base(fields, _OUTPUT_BASES)
    more_into, more_out = _parts(fields, _is_input), _parts(fields, _is_output)
    beside_into, beside_out = more_into, more_out
    if not _OF_GEMINI.isdisjoint((input_base, output_base)):
        beside_into, beside_out = (_parts(more, _BESIDE_OF_GEMINI.__contains__) for more in (more_into, more_out))
    whole = next((total for name in _TOTALS if (total := values.count(fields.get(name))) is not None), None)
    if whole is None:
        adds_up = not {input_base, output_base}.isdisjoint(
            _PARTS_ADD_UP | _OF_GEMINI
        ) or not _BESIDE_OF_BEDROCK.isdisjoint(said)
        ways = (adds_up, adds_up)
    else:
        ways = _way_of(whole, into or 0, out or 0, sum(beside_into.values()), sum(beside_out.values()))
    adds_into, adds_out = ways
    if (_largest(more_into, _is_cached) or 0) > (into or 0):
        adds_into = True  # in Anthropic's words: no part is larger than its whole
    return TokenUsage(
        input=_sum(into, beside_into) if adds_into else into,
        output=_sum(out, beside_out) if adds_out else out,
        cached=_largest(more_into | _details(fields, _is_input), _is_cached),
        reasoning=_largest(more_out | _details(fields, _is_output), _is_reasoning),
    )


def _way_of(whole: int, into: int, out: int, more_into: int, more_out: int) -> tuple[bool, bool]:
    """Which parts a total counts beside input and output; all of them where no way gives it."""
    fitting = (way for way in _WAYS if whole == into + out + (more_into if way[0] else 0) + (more_out if way[1] else 0))
    return next(fitting, (True, True))


def _in_snake_case(name: str) -> str:
    """The name as most write it."""
    if not name.islower():
        name = _WORD.sub("_", name).lower()
    return _SAME.get(name, name)


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
            found |= _parts({_in_snake_case(part): count for part, count in value.items()}, lambda _: True)
    return found


def _is_input(name: str) -> bool:
    return name.startswith(("input", "prompt", "cache", "tool_use_prompt")) and name not in _INPUT_BASES


def _is_output(name: str) -> bool:
    return name.startswith(("output", "completion", "reasoning", "thoughts")) and name not in _OUTPUT_BASES


def _is_cached(name: str) -> bool:
    return "cache" in name and not any(other in name for other in ("creation", "write", "no_cache"))


def _is_reasoning(name: str) -> bool:
    return "reasoning" in name or "thoughts" in name


def _largest(counts: Mapping[str, int], wanted: Callable[[str], bool]) -> int | None:
    """One count may stand under several names."""
    return max((count for name, count in counts.items() if wanted(name)), default=None)


def _sum(base: int | None, parts: Mapping[str, int]) -> int | None:
    return (base or 0) + sum(parts.values()) if parts else base
