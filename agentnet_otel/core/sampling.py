"""Consistent probability sampling: what a trace state says of the probability."""

from typing import Final

_DIGITS: Final = 14
"""Hex digits of a rejection threshold: 56 bits."""


def threshold_probability(ot_state: str) -> float | None:
    """The probability in the value of ``ot`` of a trace state: ``th:`` is a rejection threshold of 56 bits."""
    for part in ot_state.split(";"):
        key, _, value = part.partition(":")
        if key == "th" and 1 <= len(value) <= _DIGITS:
            try:
                rejected = int(value.ljust(_DIGITS, "0"), 16)
            except ValueError:
                return None
            return 1 - rejected / 16**_DIGITS
    return None
