"""One implementation for both dialects of ``record_token_usage``: its arguments, checked and put in their places."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agentnet_otel.core.cost import DEFAULT_MODEL
from agentnet_otel.core.efficiency import ASSUMED_QUALITY
from agentnet_otel.model import TokenCategory, TokenUsage
from agentnet_otel.performance import field_checks as check

MAX_COMPARED_CHARACTERS: Final = 5000
"""Longer prompts are not searched for in the response."""
_COMPARED_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """What was recorded of a turn. ``io_redundancy``: how much of the response repeats the prompt, 0 to 1."""

    agent_id: str
    turn_id: str
    usage: TokenUsage
    categories: dict[TokenCategory, int] = field(default_factory=dict)
    context_length: int = 0
    processing_time_s: float = 0.0
    model: str = DEFAULT_MODEL
    quality: float = ASSUMED_QUALITY
    io_redundancy: float = 0.0
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The arguments whose place depends on the dialect, in the documented order."""

    category_breakdown: Mapping[TokenCategory, int] | Mapping[str, int] | str | None
    model_name: object
    output_quality_score: object
    response_text: str | None
    prompt_text: str | None

    def in_documented_order(self) -> "Places":
        """The same where the fifth argument is the model's name, as in the newer dialect.

        There the order from the fifth on is model name, context length, time, quality, prompt, response.

        Raises:
            ValueError: something is given twice.
        """
        if not isinstance(self.category_breakdown, str):
            return self
        eighth, ninth = self.model_name, self.output_quality_score
        if isinstance(eighth, str) and eighth != DEFAULT_MODEL:
            check.refuse(
                "model_name", eighth, f"one name: the fifth argument is the model {self.category_breakdown!r} too"
            )
        prompt, quality = self.prompt_text, ninth
        if isinstance(ninth, str) or ninth is None:
            if prompt is not None:
                check.refuse("prompt_text", prompt, "one prompt: it is given by position too")
            prompt, quality = ninth, ASSUMED_QUALITY
        if not isinstance(eighth, str):
            if quality != ASSUMED_QUALITY:
                check.refuse("output_quality_score", quality, f"one score: it is given by position too, as {eighth!r}")
            quality = eighth
        return Places(
            category_breakdown=None,
            model_name=self.category_breakdown,
            output_quality_score=quality,
            response_text=self.response_text,
            prompt_text=prompt,
        )


def checked_usage(
    *,
    agent_id: object,
    turn_id: object,
    input_tokens: object,
    output_tokens: object,
    cached_tokens: object,
    reasoning_tokens: object,
    places: Places,
    context_length: object,
    processing_time: object,
    processing_time_seconds: object,
    batch: bool,
) -> RecordedUsage:
    """The arguments of ``record_token_usage``, checked.

    Raises:
        ValueError: a value has the wrong type or range, or is given twice; the text names it and what is allowed.
    """
    given = places.in_documented_order()
    return RecordedUsage(
        agent_id=check.name("agent_id", agent_id),
        turn_id=check.name("turn_id", turn_id),
        usage=_usage(input_tokens, output_tokens, cached_tokens, reasoning_tokens),
        categories={}
        if given.category_breakdown is None
        else check.members("category_breakdown", given.category_breakdown, TokenCategory, check.count),
        context_length=check.count("context_length", context_length),
        processing_time_s=_time(processing_time, processing_time_seconds),
        model=check.name("model_name", given.model_name),
        quality=check.share("output_quality_score", given.output_quality_score),
        io_redundancy=io_redundancy(given.prompt_text, given.response_text),
        batch=bool(batch),
    )


def io_redundancy(prompt: str | None, response: str | None) -> float:
    """Length of the prompt to that of the response, at most 1, where the response holds the prompt's beginning.

    Raises:
        ValueError: one of them is no text.
    """
    if not prompt or not response:
        return 0.0
    check.name("prompt_text", prompt)
    check.name("response_text", response)
    if len(prompt) > MAX_COMPARED_CHARACTERS:
        return 0.0
    beginning = re.escape(prompt[:_COMPARED_CHARACTERS])
    return min(len(prompt) / len(response), 1.0) if re.search(beginning, response, re.IGNORECASE) else 0.0


def _usage(input_: object, output: object, cached: object, reasoning: object) -> TokenUsage:
    usage = TokenUsage(
        input=check.count("input_tokens", input_),
        output=check.count("output_tokens", output),
        cached=None if cached is None else check.count("cached_tokens", cached),
        reasoning=None if reasoning is None else check.count("reasoning_tokens", reasoning),
    )
    if (usage.cached or 0) > (usage.input or 0):
        check.refuse("cached_tokens", cached, f"at most input_tokens ({usage.input}), of which they are a part")
    if (usage.reasoning or 0) > (usage.output or 0):
        check.refuse("reasoning_tokens", reasoning, f"at most output_tokens ({usage.output}), of which they are a part")
    return usage


def _time(processing_time: object, processing_time_seconds: object) -> float:
    """The time under one of its two names."""
    documented = check.amount("processing_time", processing_time)
    if processing_time_seconds is None:
        return documented
    if documented:
        check.refuse("processing_time_seconds", processing_time_seconds, "one time: processing_time is given too")
    return check.amount("processing_time_seconds", processing_time_seconds)
