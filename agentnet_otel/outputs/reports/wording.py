"""How figures and names are written, the same in every report and on the terminal."""

import unicodedata
from typing import Final

from agentnet_otel.core.statistics import Interval
from agentnet_otel.core.thresholds import Metric, Threshold, Verdict
from agentnet_otel.core.verdicts import Judgement

NOT_AVAILABLE: Final = "n/a"
INSUFFICIENT: Final = "INSUFFICIENT"
_WHOLE_MS: Final = 1000
_SHORT_MS: Final = 10
_PERCENT_DIGITS: Final = 1
_MOST_PERCENT_DIGITS: Final = 10
_SAME_PERCENT: Final = 1e-9
"""What is nearer to 0 or 100 differs by how floats are calculated, not by a turn."""
LONGEST_TEXT: Final = 200
"""Characters shown of a name that came with the data; the JSON report has it whole."""
LONGEST_LINE: Final = 2000
"""Characters of a line on a terminal, in which several such names may stand, and texts of errors."""

_LINE_ENDS: Final = frozenset("\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs"})
"""Unicode categories of what is not seen, or moves what is: controls, marks of direction, halves of surrogates."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Hidden as well, but parts of words and emoji."""


def plain(text: str) -> str:
    """Text of others on one line: ends of lines are blanks, and what would hide or move text is shown as an escape."""
    return "".join(" " if character in _LINE_ENDS else _shown(character) for character in text)


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text of others, `plain`, and cut after ``longest`` characters."""
    return plain(text) if len(text) <= longest else f"{plain(text[: longest - 1])}\u2026"


def terminal_line(text: str) -> str:
    """What is told on a terminal, with text of others in it: on one line, and cut after `LONGEST_LINE` characters."""
    return shortened(text, LONGEST_LINE)


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in _HIDDEN and character not in _JOINERS
    return character.encode("unicode_escape").decode() if hidden else character


def value_text(value: float | None, threshold: Threshold) -> str:
    """A value of a metric, with its unit."""
    if value is None:
        return NOT_AVAILABLE
    if threshold.metric is Metric.TURN_LATENCY:
        return f"{whole_milliseconds(value)} ms"
    if threshold.metric is Metric.SUCCESS_RATE:
        return percentage(value)
    return usd(value) if threshold.metric is Metric.COST_PER_TURN else decimals(value)


def limit_text(limit: float, threshold: Threshold) -> str:
    """A limit, with its unit and the side that is good."""
    side = ">" if threshold.higher_is_better else "<"
    number = f"{limit:,g}"
    if threshold.metric is Metric.COST_PER_TURN:
        return f"{side} ${number}"
    return f"{side} {number} {threshold.unit}".rstrip()


def interval_text(interval: Interval | None, threshold: Threshold) -> str:
    """An interval of a metric."""
    if interval is None:
        return "-"
    return f"{value_text(interval.low, threshold)} .. {value_text(interval.high, threshold)}"


def verdict_text(row: Judgement) -> str:
    """The verdict, with INSUFFICIENT beside it, and a word where the interval holds a limit."""
    parts = [row.verdict.value]
    if row.verdict is not Verdict.NO_DATA:
        if not row.sufficient:
            parts.append(insufficient_text(row.n, row.needed))
        if row.limit_inside:
            parts.append("limit within interval")
    return ", ".join(parts)


def insufficient_text(n: int, needed: int) -> str:
    """The mark of a figure that rests on too few values."""
    return f"{INSUFFICIENT} ({n:,} < {needed:,})"


def label_text(row: Judgement) -> str:
    """What a row is about."""
    if row.of_all:
        return row.threshold.label
    return f"{row.threshold.label}: {row.agent if row.model is None else f'model {row.model}'}"


def percent(share: float | None) -> str:
    """A share as percentage."""
    return NOT_AVAILABLE if share is None else percentage(100 * share)


def percentage(value: float) -> str:
    """A percentage: what is not all of it is never 100 %, nor what is something 0 %; more digits are shown then."""
    for digits in range(_PERCENT_DIGITS, _MOST_PERCENT_DIGITS):
        text = f"{value:.{digits}f}"
        if float(text) not in {0.0, 100.0}:
            return f"{text} %"
        if abs(float(text) - value) < _SAME_PERCENT:
            break
    return f"{value:.{_PERCENT_DIGITS}f} %"


def milliseconds(value: float | None) -> str:
    """A duration, in digits that mean something: parts of a millisecond where it is short, none where it is long."""
    if value is None:
        return NOT_AVAILABLE
    if abs(value) >= _WHOLE_MS:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 or value == 0 else f"{value:.3f}"


def whole_milliseconds(value: float) -> str:
    """The same where a few milliseconds more or less do not count."""
    return f"{value:,.0f}" if abs(value) >= _SHORT_MS else milliseconds(value)


def usd(value: float | None) -> str:
    """An amount; small ones keep their digits."""
    if value is None:
        return NOT_AVAILABLE
    return f"${value:,.2f}" if value >= 1 else f"${value:.6f}".rstrip("0").rstrip(".")


def number(value: float | None) -> str:
    """A count, or n/a."""
    return NOT_AVAILABLE if value is None else f"{value:,}"


def decimals(value: float | None) -> str:
    """A figure between 0 and 1 that is no share, or n/a."""
    return NOT_AVAILABLE if value is None else f"{value:.3f}"
