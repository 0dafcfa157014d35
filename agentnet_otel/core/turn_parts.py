"""What a turn is rebuilt from: its spans, each with what it says, without the rest of what its writer recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.dialects import MAYBE_TURNS, Role, SpanFacts
from agentnet_otel.core.values import Attributes
from agentnet_otel.model import SpanKind, SpanRecord, StatusCode, TokenCategory

TURN_WORDS: Final = frozenset(
    {
        semconv.TURN_OUTCOME,
        semconv.TURN_PROMPT_LENGTH,
        semconv.TURN_RESPONSE_LENGTH,
        semconv.TURN_POLICY_VIOLATIONS,
        semconv.TURN_CONFIDENCE,
        semconv.TURN_QUALITY,
        semconv.TURN_COST_USD,
        semconv.TURN_COST_SOURCE,
        semconv.TURN_TOKEN_EFFICIENCY,
        semconv.TURN_TIME_TO_FIRST_TOKEN,
        semconv.TURN_FALLBACK,
        semconv.TURN_INTERRUPTED,
        semconv.QUALITY_SOURCE,
        semconv.METRICS_RECORDED,
        semconv.SAMPLING_PROBABILITY,
        semconv.TOKENS_ESTIMATED,
        *(semconv.TURN_TOKENS_PREFIX + category.value for category in TokenCategory),
    }
)
"""Attributes that a turn's own span says of the turn as a whole."""

_NO_WORDS: Final[Attributes] = {}


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A span as far as a turn needs it: place, times, facts; of a turn's own span also its `TURN_WORDS`.

    The span itself is let go, because the prompts that some writers put on spans are large.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    name: str
    kind: SpanKind
    status: StatusCode
    parent_is_remote: bool | None
    trace_state: str
    service_name: str
    facts: SpanFacts
    words: Attributes = _NO_WORDS


def member_of(span: SpanRecord, facts: SpanFacts) -> Member:
    """What is kept of a span. One that names itself as its parent has none."""
    words = _NO_WORDS
    if facts.role is Role.TURN or facts.role in MAYBE_TURNS:
        words = {key: value for key, value in span.attributes.items() if key in TURN_WORDS}
    return Member(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=None if span.parent_span_id == span.span_id else span.parent_span_id,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        name=span.name,
        kind=span.kind,
        status=span.status,
        parent_is_remote=span.parent_is_remote,
        trace_state=span.trace_state,
        service_name=span.service_name,
        facts=facts,
        words=words,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnParts:
    """The spans of one turn.

    ``root`` is the turn's own span, None where it never came; ``root_id`` is its id all the same. ``below`` are the
    spans below it, those in nested turns left out; ``nested`` are the own spans of the turns nested directly in it.
    """

    root: Member | None
    root_id: str
    below: Sequence[Member]
    nested: Sequence[Member] = ()
    of_calls: bool = False
    """Whether there never was a turn, but calls outside any, which are to be told as one."""
    inherited_session: str | None = None
    revision: int = 1
