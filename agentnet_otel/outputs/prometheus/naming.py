"""Names of OpenTelemetry as Prometheus has them: `UnderscoreEscapingWithSuffixes`, as the Collector and Prometheus do.

What is no letter, digit or underscore separates words, and words are joined by one underscore. The unit is a suffix
unless the name says it already; what stands in braces is no unit; gauges of unit 1 end in ``ratio``, and counters in
``total``.
"""

import re
from functools import lru_cache
from typing import Final

from agentnet_otel import semconv

MAX_NAMES: Final = 10_000
"""Names remembered; further ones are worked out each time."""

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9]+")
_BRACES: Final = re.compile(r"\{[^}]*\}")
_RATIO: Final = "ratio"
_TOTAL: Final = "total"
_UNITS: Final = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "1": "", "%": "percent",
}  # fmt: skip
_PER_UNITS: Final = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


@lru_cache(MAX_NAMES)
def family_name(name: str, unit: str, kind: str) -> tuple[str, str]:
    """Name and unit of a family; ``_total`` and ``_bucket`` belong to its samples and are not in it."""
    words = [word for word in _NOT_IN_NAMES.split(name) if word]
    suffixes = _unit_words(unit)
    for suffix in suffixes:
        if suffix not in words:
            words.append(suffix)
    if unit == semconv.UNIT_RATIO and kind == GAUGE:
        words = [word for word in words if word != _RATIO] + [_RATIO]
        suffixes = [_RATIO]
    if kind == COUNTER:
        words = [word for word in words if word != _TOTAL]
    joined = "_".join(words) or "_"
    if joined[0].isdigit():
        joined = f"_{joined}"
    told_unit = "_".join(suffixes)
    return joined, told_unit if told_unit and joined.endswith(f"_{told_unit}") else ""


@lru_cache(MAX_NAMES)
def label_name(key: str) -> str:
    """The name of a label."""
    name = _NOT_IN_LABELS.sub("_", key)
    if name[:1].isdigit():
        return f"key_{name}"
    return f"key{name}" if name.startswith("_") and not key.startswith("__") else name


def _unit_words(unit: str) -> list[str]:
    main, slash, per = _BRACES.sub("", unit).strip().partition("/")
    words = [_words(_UNITS.get(main, main))]
    if slash and per:
        words.append(f"per_{_words(_PER_UNITS.get(per, per))}")
    return [word for word in words if word]


def _words(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text).strip("_")
