"""The dialects whose spans are mostly plain, and which of their attributes count.

A table made of the rows of these dialects: for each key that is read, what its value has to be so that no reading
changes it. A value that is something else is `ODD`, and so are the marks of other dialects: a span that has one is
read in the general way.
"""

from collections.abc import Callable, Mapping
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core import values
from agentnet_otel.core.dialects.dialect import Dialect
from agentnet_otel.core.dialects.genai import GENAI
from agentnet_otel.core.dialects.own import OWN
from agentnet_otel.model import AttributeValue, TokenCategory

ODD: Final = "odd"
"""Stands for the key of an attribute that is no plain one."""

Plain = tuple[str, AttributeValue]
"""A key and its value; an empty key where nothing reads it."""

NOTHING: Final[Plain] = ("", None)
_ODD: Final[Plain] = (ODD, True)


def _text(value: AttributeValue) -> bool:
    return type(value) is str


def _count(value: AttributeValue) -> bool:
    return type(value) is int and 0 <= value <= values.LARGEST


def _amount(value: AttributeValue) -> bool:
    return type(value) is float and 0 <= value <= values.LARGEST


def _ratio(value: AttributeValue) -> bool:
    return type(value) is float and 0 <= value <= 1


def _flag(value: AttributeValue) -> bool:
    return type(value) is bool


def _kind_beside_workflows(value: AttributeValue) -> bool:
    """A workflow may be a turn that only the span's name names, and no plain span keeps its name."""
    return type(value) is str and value not in {"", semconv.OP_INVOKE_WORKFLOW}


def _never(_: AttributeValue) -> bool:
    return False


Check = Callable[[AttributeValue], bool]

_CHECKS: Final[Mapping[Callable[[AttributeValue], object], Check]] = {
    values.text: _text,
    values.count: _count,
    values.amount: _amount,
    values.flag: _flag,
}
_WORDS: Final[Mapping[str, Check]] = {
    semconv.TURN_OUTCOME: _text,
    semconv.TURN_PROMPT_LENGTH: _count,
    semconv.TURN_RESPONSE_LENGTH: _count,
    semconv.TURN_POLICY_VIOLATIONS: _count,
    semconv.TURN_CONFIDENCE: _ratio,
    semconv.TURN_QUALITY: _ratio,
    semconv.TURN_COST_USD: _amount,
    semconv.TURN_COST_SOURCE: _text,
    semconv.TURN_TOKEN_EFFICIENCY: _ratio,
    semconv.TURN_TIME_TO_FIRST_TOKEN: _amount,
    semconv.TURN_FALLBACK: _flag,
    semconv.TURN_INTERRUPTED: _flag,
    semconv.QUALITY_SOURCE: _text,
    semconv.METRICS_RECORDED: _flag,
    semconv.SAMPLING_PROBABILITY: _ratio,
    semconv.TOKENS_ESTIMATED: _flag,
    **{semconv.TURN_TOKENS_PREFIX + category.value: _count for category in TokenCategory},
}
"""What a turn's own span says of the turn as a whole."""
_WORDS_OF_MEMBERS: Final = ("category", "cost_source")
"""Facts that are one of a few words."""


def _checks_of(dialect: Dialect, kinds: Mapping[str, Check], odd: tuple[str, ...]) -> dict[str, Check]:
    facts = {
        key: _text if fact in _WORDS_OF_MEMBERS else _CHECKS.get(convert, _never)
        for key, (fact, _, convert) in dialect.index.items()
    }
    return {**facts, **_WORDS, **kinds, **dict.fromkeys(odd, _never)}


class PlainKeys:
    """The keys of one dialect that count."""

    def __init__(self, dialect: Dialect, *, kinds: Mapping[str, Check], odd: tuple[str, ...]) -> None:
        """``kinds``: keys that say what a span is, and which of their values are plain.

        ``odd``: keys that make it another dialect's.
        """
        self._checks = _checks_of(dialect, kinds, odd)
        self._kinds = kinds
        self.texts = {key.encode(): key for key, check in self._checks.items() if check is _text}
        """The keys of which any text is kept, unless it is empty, by how they are written."""

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of which a value may be kept."""
        return tuple(key for key, check in self._checks.items() if check is not _never)

    def plain(self, key: str, value: AttributeValue) -> Plain:
        """What is kept of an attribute. An empty text says nothing."""
        check = self._checks.get(key)
        if check is None:
            return NOTHING
        if value == "" and check is _text:
            return _ODD if key in self._kinds else NOTHING
        return (key, value) if check(value) else _ODD


def own_keys() -> PlainKeys:
    """The keys of our own spans, which their scope tells."""
    kinds = dict.fromkeys((semconv.LATENCY_COMPONENT, semconv.OPERATION_NAME), _text)
    return PlainKeys(OWN, kinds=kinds, odd=(semconv.LOGFIRE_KIND,))


def genai_keys(marks: tuple[str, ...]) -> PlainKeys:
    """The keys of spans whose scope says nothing; ``marks`` make them another dialect's."""
    odd = (*marks, semconv.DB_SYSTEM, semconv.AGENTNET_CORRELATION_ID, semconv.AGENTNET_SESSION_ID)
    return PlainKeys(GENAI, kinds={semconv.OPERATION_NAME: _kind_beside_workflows}, odd=odd)
