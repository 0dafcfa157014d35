"""Reading attribute values that others wrote: numbers may be strings, flags may be words, lists may be JSON."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from agentnet_otel.model import AttributeValue

Attributes = Mapping[str, AttributeValue]

LARGEST: Final = 2**63 - 1
"""Beyond it nothing is a number here: what is calculated with it would overflow, in stores and in metrics."""
_NANOS: Final = 1_000_000_000
LONGEST_JSON: Final = 65_536
"""Characters. JSON that holds figures is short; what is longer is content, and is not read."""
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d{0,9})?(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_DAYS_TO_1970: Final = 719_468
"""From the first of March of the year 0."""
_LONGEST_DIGITS: Final = 18
""" Whole numbers of so many digits fit into 64 bits."""


def text(value: AttributeValue) -> str | None:
    """A non-empty text, or None; numbers become text."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def count(value: AttributeValue) -> int | None:
    """A whole number of at least 0, or None."""
    if type(value) is int and 0 <= value <= LARGEST:  # nearly always; a bool is none
        return value
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def number(value: AttributeValue) -> float | int | None:
    """A finite number, or None; whole numbers stay exact, also those written as text."""
    if isinstance(value, str):
        value = _number_in(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -LARGEST <= value <= LARGEST else None


def _number_in(written: str) -> float | int | None:
    try:
        return int(written) if written.isdecimal() and len(written) <= _LONGEST_DIGITS else float(written)
    except ValueError:
        return None


def amount(value: AttributeValue) -> float | None:
    """A finite number of at least 0 as float, or None."""
    found = number(value)
    return None if found is None or found < 0 else float(found)


def nanoseconds(seconds: float | None) -> int | None:
    """Seconds as whole nanoseconds; None for what 64 bits do not hold: 292 years, where stores end."""
    if seconds is None or not abs(seconds) * _NANOS < LARGEST:
        return None
    return round(seconds * _NANOS)


def moment_ns(value: AttributeValue) -> int | None:
    """Epoch nanoseconds of a moment in the words of ISO 8601, or None; in UTC where it names no zone."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = found.groups()[6:]
    years, months = divmod(12 * year + month - 3, 12)  # since March: the day that comes and goes is a year's last
    days = 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day - 1
    seconds = ((days - _DAYS_TO_1970) * 24 + hour) * 3_600 + minute * 60 + second
    if sign is not None:
        seconds += (1 if sign == "-" else -1) * (int(zone_hours) * 3_600 + int(zone_minutes) * 60)
    return seconds * _NANOS + int((fraction or "").ljust(9, "0"))


def ratio(value: AttributeValue) -> float | None:
    """A number from 0 to 1, or None."""
    found = number(value)
    return float(found) if found is not None and 0 <= found <= 1 else None


def flag(value: AttributeValue) -> bool:
    """Whether the value says yes."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def mapping(value: AttributeValue) -> Attributes:
    """A mapping, be it written as a JSON object; empty where it is none."""
    if isinstance(value, str) and value.lstrip()[:1] == "{" and len(value) <= LONGEST_JSON:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def unquoted(value: AttributeValue) -> AttributeValue:
    """What a JSON text or number says; anything else as it is."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        inner = value[1:-1]
        if "\\" not in inner:
            return inner
        try:
            return str(msgspec.json.decode(value, type=str))
        except (msgspec.DecodeError, ValueError):
            return value
    return value
