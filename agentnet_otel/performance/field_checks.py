"""What constructors accept: a wrong value is a ValueError that says field, value and what is allowed."""

import math
from collections.abc import Callable, Mapping
from enum import Enum
from numbers import Real
from typing import Any, Final, NoReturn, TypeVar

E = TypeVar("E", bound=Enum)
V = TypeVar("V")

HIGHEST_COUNT: Final = 2**63 - 1
"""The largest whole number that a span can carry."""
LONGEST_SHOWN: Final = 200
"""Characters of a wrong value that an error shows."""


def whole_number(field: str, value: object, *, least: int) -> int:
    """A whole number of at least ``least``, and of no more than 64 bits.

    Raises:
        ValueError: it is none.
    """
    if type(value) is int and least <= value <= HIGHEST_COUNT:  # most are: abstract classes are slow to ask
        return value
    number = value.__index__() if hasattr(value, "__index__") and not isinstance(value, bool) else None
    if number is None or number < least:
        raise _refused(field, value, f"a whole number of at least {least}")
    if number > HIGHEST_COUNT:
        raise _refused(field, value, f"a whole number from {least} to {HIGHEST_COUNT}")
    return int(number)


def count(field: str, value: object) -> int:
    """A whole number of at least 0.

    Raises:
        ValueError: it is none.
    """
    return whole_number(field, value, least=0)


def amount(field: str, value: object) -> float:
    """A finite number of at least 0.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if number is None or not math.isfinite(number) or number < 0:
        raise _refused(field, value, "a finite number of at least 0")
    return number


def moment(field: str, value: object) -> float:
    """A point in time: a finite number of seconds.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if number is None or not math.isfinite(number):
        raise _refused(field, value, "a finite number of seconds")
    return number


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
    """A member of ``kind``, given as such, by its value, or as a member of another enum that has this value.

    Raises:
        ValueError: it is none.
    """
    try:
        return kind(value.value if isinstance(value, Enum) else value)
    except ValueError:
        allowed = ", ".join(repr(one.value) for one in kind)
        raise _refused(field, value, f"one of {allowed}") from None


def members(field: str, values: object, kind: type[E], check: Callable[[str, object], V]) -> dict[E, V]:
    """A copy of a mapping, with members of ``kind`` as keys and values that pass ``check``.

    Raises:
        ValueError: it is no mapping, or a key or value in it is wrong.
    """
    return {
        key if isinstance(key, kind) else member(f"key of {field}", key, kind): _checked(field, key, value, check)
        for key, value in mapping(field, values).items()
    }


def _checked(field: str, key: object, value: object, check: Callable[[str, object], V]) -> V:
    try:
        return check(field, value)
    except ValueError:  # it is told under which key; that text is made for nobody else
        return check(f"{field}[{key!r}]", value)


def name(field: str, value: object) -> str:
    """A text, be it empty.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str):
        raise _refused(field, value, "a text")
    return value


def names(field: str, values: object) -> list[str]:
    """A copy of a list of texts.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(values, list | tuple):
        raise _refused(field, values, "a list of texts")
    return [name(f"an element of {field}", value) for value in values]


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


def plain_data(field: str, value: object) -> dict[str, Any]:
    """A copy of a mapping; the lists, sets and mappings in it are copies too.

    Raises:
        ValueError: it is no mapping.
    """
    return {key: _copied(inner) for key, inner in mapping(field, value).items()}


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | set):
        return type(value)(_copied(inner) for inner in value)
    return value


def _number(value: object) -> float | None:
    try:
        if type(value) is float or type(value) is int:  # most are: abstract classes are slow to ask
            return float(value)
        return None if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:  # a whole number beyond all floats
        return None


def refuse(field: str, value: object, allowed: str) -> NoReturn:
    """Raise the error of a wrong value."""
    raise _refused(field, value, allowed)


def _refused(field: str, value: object, allowed: str) -> ValueError:
    return ValueError(f"{field} cannot be {_shown(value)}; allowed is {allowed}")


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # Python writes no numbers of thousands of digits
        return f"a {type(value).__name__} too long to be written"
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."
