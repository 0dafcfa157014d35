"""What constructors accept: a wrong value is a ValueError that says field, value and what is allowed."""

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)


def whole_number(field: str, value: object, *, least: int) -> int:
    """A whole number of at least ``least``.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _refused(field, value, f"a whole number of at least {least}")
    return value


def positive(field: str, value: object) -> float:
    """A finite number above 0.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if number is None or not math.isfinite(number) or number <= 0:
        raise _refused(field, value, "a finite number above 0")
    return number


def limit(field: str, value: object) -> float:
    """A number of at least 0; infinity means no limit.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if number is None or math.isnan(number) or number < 0:
        raise _refused(field, value, "a number of at least 0, or float('inf') for no limit")
    return number


def share(field: str, value: object) -> float:
    """A number from 0 to 1.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise _refused(field, value, "a number from 0 to 1")
    return number


def member(field: str, value: object, kind: type[E]) -> E:
    """A member of ``kind``, given as such or by its value.

    Raises:
        ValueError: it is none.
    """
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(repr(one.value) for one in kind)
        raise _refused(field, value, f"one of {allowed}") from None


def text(field: str, value: object) -> str:
    """A text that is not empty.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise _refused(field, value, "a text that is not empty")
    return value


def texts(field: str, value: object) -> list[str]:
    """A list of at least one text, as a copy.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list | tuple) or not value or not all(isinstance(item, str) for item in value):
        raise _refused(field, value, "a list of at least one text")
    return list(value)


def mapping(field: str, value: object) -> dict[str, Any]:
    """A dictionary, as a copy.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, Mapping):
        raise _refused(field, value, "a dictionary")
    return dict(value)


def _number(value: object) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _refused(field: str, value: object, allowed: str) -> ValueError:
    return ValueError(f"{field} cannot be {value!r}; allowed is {allowed}")
