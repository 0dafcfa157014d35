"""Token efficiency of a turn, by the documented formula."""

import sys
from functools import lru_cache
from typing import Final

from agentnet_otel.model import QualitySource, TokenUsage

ASSUMED_QUALITY: Final = 0.8
"""Quality where nobody evaluated the answer and the agent told no confidence."""

RATIO_WEIGHT: Final = 0.5
_WEIGHT_QUALITY: Final = 0.3
_WEIGHT_SPEED: Final = 0.2
_FULL_SPEED_TOKENS_PER_SECOND: Final = 100.0
_NANOS: Final = 1_000_000_000
_DECIMALS: Final = 9
REMEMBERED: Final = 4096
"""Products that are remembered: rounding to decimals takes as long as all else of a turn's efficiency."""


def quality_of(evaluated: float | None, confidence: float | None) -> tuple[float, QualitySource]:
    """The quality that counts (0 to 1) and where it is from: an evaluation, else the confidence, else assumed."""
    if evaluated is not None:
        return evaluated, QualitySource.EVALUATED
    if confidence is not None:
        return confidence, QualitySource.CONFIDENCE
    return ASSUMED_QUALITY, QualitySource.ASSUMED


@lru_cache(maxsize=REMEMBERED)
def effective_tokens(output_tokens: int, quality: float) -> int | float:
    """Output tokens x quality, not truncated: a whole number stays one (100 x .29 is 29)."""
    product = round(output_tokens * quality, _DECIMALS)
    return int(product) if product == int(product) else product


def efficiency_score(*, ratio: float, quality: float, tokens_per_second: float) -> float:
    """The documented score, 0 to 1; ``ratio`` is that of effective to all tokens."""
    speed = min(tokens_per_second / _FULL_SPEED_TOKENS_PER_SECOND, 1.0)
    return RATIO_WEIGHT * ratio + _WEIGHT_QUALITY * quality + _WEIGHT_SPEED * speed


def token_efficiency(*, tokens: TokenUsage, quality: float, duration_ns: int) -> float | None:
    """Efficiency from 0 to 1, or None where the turn has no known tokens.

    It is .5 x effective/total tokens + .3 x quality + .2 x min(tokens per second / 100, 1).
    """
    if not tokens.known:
        return None
    return efficiency_of(tokens.output or 0, tokens.total, quality, duration_ns)


def efficiency_of(output_tokens: int, total_tokens: int, quality: float, duration_ns: int) -> float | None:
    """The same of known counts; None where there are no tokens."""
    if total_tokens == 0:
        return None
    return efficiency_score(
        ratio=effective_tokens(output_tokens, quality) / total_tokens,
        quality=quality,
        tokens_per_second=tokens_per_second(total_tokens, duration_ns / _NANOS),
    )


@lru_cache(maxsize=REMEMBERED)
def best_efficiency(output_tokens: int, total_tokens: int, quality: float) -> float:
    """The efficiency if the turn had been as fast as the formula rewards; of at least one token."""
    ratio = effective_tokens(output_tokens, quality) / total_tokens
    return efficiency_score(ratio=ratio, quality=quality, tokens_per_second=_FULL_SPEED_TOKENS_PER_SECOND)


@lru_cache(maxsize=REMEMBERED)
def redundant_share(output_tokens: int, total_tokens: int, quality: float) -> float:
    """The documented redundancy: all tokens but output x quality, as share of all; of at least one token."""
    return (total_tokens - effective_tokens(output_tokens, quality)) / total_tokens


def tokens_per_second(tokens: int, seconds: float) -> float:
    """Speed, a finite number; 0.0 where the time is not known."""
    return min(tokens / seconds, sys.float_info.max) if seconds > 0 else 0.0
