"""What the documented API accepts. A wrong value raises a ValueError with the field, the value and what is allowed."""

import math
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NoReturn, TypeVar

E = TypeVar("E", bound=Enum)
V = TypeVar("V")


def refuse(field: str, value: object, allowed: str) -> NoReturn:
    """Raise the ValueError of a wrong value."""
    message = f"{field} is {value!r}; allowed is {allowed}"
    raise ValueError(message)


def checked_text(value: object, field: str) -> str:
    """``value`` if it is text."""
    return value if isinstance(value, str) else refuse(field, value, "text")


def checked_count(value: object, field: str, low: int = 0) -> int:
    """``value`` as a whole number of at least ``low`` (whatever counts as an index, and floats without a fraction)."""
    if not isinstance(value, bool):
        if hasattr(value, "__index__"):
            value = value.__index__()
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and value >= low:
            return value
    return refuse(field, value, f"a whole number of at least {low}")


def checked_number(value: object, field: str, low: float = 0.0, high: float = math.inf) -> float:
    """``value`` as a finite number from ``low`` to ``high``."""
    number = _real(value)
    if number is not None and low <= number <= high:
        return number
    allowed = f"a number of at least {low:g}" if high == math.inf else f"a number from {low:g} to {high:g}"
    return refuse(field, value, "a number" if low == -math.inf else allowed)


def checked_ratio(value: object, field: str) -> float:
    """``value`` as a number from 0 to 1."""
    return checked_number(value, field, 0.0, 1.0)


def checked_member(kind: type[E], value: object, field: str) -> E:
    """``value`` as a member of ``kind``; a member's value will do."""
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in kind)
        refuse(field, value, f"one of: {allowed}")


def checked_members(kind: type[E], values: object, field: str, check: Callable[[object, str], V]) -> dict[E, V]:
    """A copy of the mapping ``values`` with members of ``kind`` as keys and checked values."""
    if not isinstance(values, Mapping):
        refuse(field, values, f"a mapping of {kind.__name__} to numbers")
    return {
        checked_member(kind, key, f"key of {field}"): check(value, f"{field}[{key!r}]") for key, value in values.items()
    }


def checked_names(values: object, field: str) -> list[str]:
    """A copy of the list of texts ``values``."""
    if isinstance(values, str) or not isinstance(values, list | tuple):
        refuse(field, values, "a list of texts")
    return [checked_text(value, f"an element of {field}") for value in values]


def copied_mapping(values: object, field: str) -> dict[str, Any]:
    """A copy of the mapping ``values``; lists, sets and mappings inside are copies too."""
    if not isinstance(values, Mapping):
        refuse(field, values, "a mapping")
    return {key: _copied(value) for key, value in values.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | set):
        return type(value)(_copied(inner) for inner in value)
    return value


def _real(value: object) -> float | None:
    """A finite real number as float."""
    if isinstance(value, bool | str | bytes):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
