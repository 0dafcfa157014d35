"""Token efficiency of a turn, by the documented formula."""

from typing import Final

from agentnet_otel.model import QualitySource, TokenUsage

ASSUMED_QUALITY: Final = 0.8
"""Quality where nobody evaluated the answer and the agent told no confidence."""

_WEIGHT_RATIO: Final = 0.5
_WEIGHT_QUALITY: Final = 0.3
_WEIGHT_SPEED: Final = 0.2
_FULL_SPEED_TOKENS_PER_SECOND: Final = 100.0
_NANOS: Final = 1_000_000_000


def quality_of(evaluated: float | None, confidence: float | None) -> tuple[float, QualitySource]:
    """The quality that counts (0 to 1) and where it is from: an evaluation, else the confidence, else assumed."""
    if evaluated is not None:
        return evaluated, QualitySource.EVALUATED
    if confidence is not None:
        return confidence, QualitySource.CONFIDENCE
    return ASSUMED_QUALITY, QualitySource.ASSUMED


def token_efficiency(*, tokens: TokenUsage, quality: float, duration_ns: int) -> float | None:
    """Efficiency from 0 to 1, or None where the turn has no known tokens.

    It is .5 x effective/total tokens + .3 x quality + .2 x min(tokens per second / 100, 1), where the effective
    tokens are output x quality, not truncated.
    """
    total = tokens.total
    if not tokens.known or total == 0:
        return None
    effective = (tokens.output or 0) * quality
    per_second = total * _NANOS / duration_ns if duration_ns > 0 else 0.0
    speed = min(per_second / _FULL_SPEED_TOKENS_PER_SECOND, 1.0)
    return _WEIGHT_RATIO * effective / total + _WEIGHT_QUALITY * quality + _WEIGHT_SPEED * speed
