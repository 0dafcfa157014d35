"""Consistent probability sampling: what a trace state says of the probability."""

import re
from typing import Final

_DIGITS: Final = 14
"""Hex digits of a rejection threshold: 56 bits."""
_THRESHOLD: Final = re.compile(rf"[0-9a-f]{{1,{_DIGITS}}}")
_ALL: Final = 16**_DIGITS


def threshold_probability(ot_state: str) -> float | None:
    """The probability in the value of ``ot`` of a trace state, greater than 0 and at most 1; None: it does not tell.

    ``th:`` is a rejection threshold of 56 bits; zeros at its end are left out.
    """
    for part in ot_state.split(";"):
        key, _, value = part.partition(":")
        if key == "th":
            return (_ALL - int(value.ljust(_DIGITS, "0"), 16)) / _ALL if _THRESHOLD.fullmatch(value) else None
    return None


def trace_state_probability(trace_state: str) -> float | None:
    """The probability that a whole trace state (``key=value,...``) tells, or None."""
    for entry in trace_state.split(","):
        key, _, value = entry.strip().partition("=")
        if key == "ot":
            return threshold_probability(value)
    return None
