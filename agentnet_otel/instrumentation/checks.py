"""What the manual API accepts. A wrong value is told as misuse and left out; it never raises here."""

import sys
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

E = TypeVar("E", bound=Enum)

Tell = Callable[[str], None]

LARGEST_COUNT: Final = 2**63 - 1
"""What an attribute can hold: exporters refuse larger ones, and with them the spans that are sent together."""
LARGEST_AMOUNT: Final = sys.float_info.max
LONGEST_WORD: Final = 12
"""Characters of a text, where a number belongs, that a message shows."""
LONGEST_NAME: Final = 40
"""Characters of a wrong name that a message shows."""


def _shown(value: object) -> str:
    """A number, or a short word, for a message; of anything else, which may be content, or huge, the type."""
    if isinstance(value, int) and abs(value) > LARGEST_COUNT:
        return "(a huge number)"
    is_short = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST_WORD)
    return repr(value) if is_short else f"({type(value).__name__})"


def _name_shown(value: object) -> str:
    """A name for a message, as far as it is one."""
    shown = repr(value) if isinstance(value, str) else f"({type(value).__name__})"
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}..."


def checked_count(value: object, tell: Tell, field: str) -> int | None:
    """``value`` as a whole number of at least 0, or None after telling."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        tell(f"{field}={_shown(value)} is not a number; it was left out")
        return None
    if value > LARGEST_COUNT:
        tell(f"{field} is more than {LARGEST_COUNT}; it was left out")
        return None
    if not value >= 0 or value != int(value):
        tell(f"{field}={_shown(value)} is not a whole number of at least 0; it was left out")
        return None
    return int(value)


def checked_amount(value: object, tell: Tell, field: str) -> float | None:
    """``value`` as a finite amount of at least 0, or None after telling."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST_AMOUNT:
        tell(f"{field}={_shown(value)} is not an amount of at least 0; it was left out")
        return None
    return float(value)


def checked_ratio(value: object, tell: Tell, field: str) -> float | None:
    """``value`` as a number from 0 to 1, or None after telling."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        tell(f"{field}={_shown(value)} is not between 0 and 1; it was left out")
        return None
    return float(value)


def checked_text(value: object, tell: Tell, field: str) -> str | None:
    """``value`` if it is text, or None after telling."""
    if isinstance(value, str):
        return value
    tell(f"{field} has to be text, not {type(value).__name__}; it was left out")
    return None


def checked_member(kind: type[E], value: object, tell: Tell, field: str) -> E | None:
    """``value`` as a member of ``kind`` (a member or its value), or None after telling what is allowed."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in kind)
        tell(f"{field} {_name_shown(value)} is unknown; allowed are: {allowed}")
        return None
