"""One call that several spans tell of.

Instrumentations stack: a framework's span of a call stands around the span of the client that made it, and those of two
libraries may stand beside each other. And some tell what a call used in a record beside it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import msgspec

from agentnet_otel.core.dialects import SpanFacts
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import LatencyComponent

_CALLS: Final = frozenset({LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION, LatencyComponent.MEMORY_ACCESS})
_OF_MODELS: Final = frozenset({LatencyComponent.INFERENCE, LatencyComponent.MEMORY_ACCESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """Spans of a turn without repetitions.

    A call that stands in a call of the same kind is the same call, and so are two beside each other that two libraries
    wrote, at the same time, of the same model, with the same tokens.
    """

    calls: Sequence[Member]
    """Each call once: the outermost of its spans."""
    spending: Sequence[Member]
    """What tells of tokens and models: also the inner spans of a call, as far as they know more."""


def distinct(members: Sequence[Member]) -> Distinct:
    """Spans of a turn, told once."""
    if not any(m.facts.component in _CALLS and not m.facts.ours for m in members):
        return Distinct(calls=members, spending=members)
    members = _without_copies(members)
    by_id = {member.span_id: member for member in members}
    outer = {member.span_id: _same_call_around(member, by_id) for member in members}
    return Distinct(
        calls=[m for m in members if outer[m.span_id] is None],
        spending=[m for m in members if (around := outer[m.span_id]) is None or _tells_more(m, around)],
    )


def _tells_more(inner: Member, outer: Member) -> bool:
    return not inner.facts.usage.empty or inner.facts.cost_usd is not None or outer.facts.model is None


def _same_call_around(member: Member, by_id: Mapping[str, Member]) -> Member | None:
    """The call around one that is the same call; None where there is none. Only others repeat calls."""
    if member.facts.component not in _CALLS or member.facts.ours:
        return None
    around = _component_around(member, by_id)
    if around is None or around.facts.component is not member.facts.component:
        return None
    return around if _is_same(member.facts, around.facts) else None


def _is_same(inner: SpanFacts, outer: SpanFacts) -> bool:
    """Whether a call in a call of its kind is the same. A search that embeds its question is two accesses of memory."""
    if inner.component is LatencyComponent.TOOL_EXECUTION:
        return inner.subject == outer.subject
    return inner.component is LatencyComponent.INFERENCE or (inner.model is not None and outer.model is not None)


def _component_around(member: Member, by_id: Mapping[str, Member]) -> Member | None:
    seen = {member.span_id}
    here = by_id.get(member.parent_span_id or "")
    while here is not None and here.facts.component is None and here.span_id not in seen:
        seen.add(here.span_id)
        here = by_id.get(here.parent_span_id or "")
    return here


def _without_copies(members: Sequence[Member]) -> Sequence[Member]:
    """Members without the spans in which a second library tells of a call that another one beside it tells of."""
    beside: dict[str | None, list[Member]] = defaultdict(list)
    for member in members:
        if member.facts.component in _OF_MODELS and member.facts.model is not None:
            beside[member.parent_span_id].append(member)
    groups = [calls for calls in beside.values() if len({call.facts.dialect for call in calls}) > 1]
    if not groups:
        return members
    around = {member.parent_span_id for member in members if member.facts.component in _OF_MODELS}
    copies = {span_id for calls in groups for span_id in _copies_among(calls, around)}
    return [member for member in members if member.span_id not in copies]


def _copies_among(calls: Sequence[Member], around: AbstractSet[str | None]) -> list[str]:
    """Ids of those, of calls beside each other, that repeat another one.

    Of two the one stays that is ``around`` others, else that tells more.
    """
    told_of: list[list[Member]] = []
    for call in calls:
        same = next((told for told in told_of if all(_is_copy(call, other) for other in told)), None)
        if same is None:
            told_of.append([call])
        else:
            same.append(call)
    best_first = (
        sorted(told, key=lambda call: (call.span_id in around, _figures(call)), reverse=True) for told in told_of
    )
    return [call.span_id for told in best_first for call in told[1:]]


def _is_copy(one: Member, other: Member) -> bool:
    first, second = one.facts, other.facts
    mine, its = first.usage, second.usage
    return (
        first.dialect != second.dialect
        and not first.ours
        and not second.ours
        and first.component is second.component
        and first.failed == second.failed
        and not {first.request_model, first.response_model, None}.isdisjoint(
            {second.request_model, second.response_model} - {None}
        )
        and (mine.empty or its.empty or (mine.input, mine.output) == (its.input, its.output))
        and (_within(one, other) or _within(other, one))
    )


def _within(inner: Member, outer: Member) -> bool:
    return outer.start_ns <= inner.start_ns and inner.end_ns <= outer.end_ns


def _figures(call: Member) -> int:
    """How much a call tells."""
    usage, facts = call.facts.usage, call.facts
    known = (usage.input, usage.output, usage.cached, usage.reasoning, facts.cost_usd, facts.first_chunk_s)
    return sum(figure is not None for figure in known)


def completed(members: list[Member]) -> list[Member]:
    """The members (in order of start) with what stands in records beside calls put on the calls."""
    if not any(member.facts.completes_call for member in members):
        return members
    kept: list[Member] = []
    for member in members:
        place = _call_before(member, kept) if member.facts.completes_call else None
        if place is None:
            kept.append(member)
        else:
            kept[place] = _joined(kept[place], member)
    return kept


def _call_before(record: Member, members: Sequence[Member]) -> int | None:
    """Where the call is that a record completes: the last one beside it that told no usage."""
    for place in range(len(members) - 1, -1, -1):
        found = members[place]
        is_call = found.facts.component is LatencyComponent.INFERENCE and found.facts.usage.empty
        if is_call and found.parent_span_id == record.parent_span_id and found.end_ns <= record.end_ns:
            return place
    return None


def _joined(call: Member, record: Member) -> Member:
    facts, more = call.facts, record.facts
    joined = msgspec.structs.replace(
        facts,
        usage=more.usage if facts.usage.empty else facts.usage,
        cost_usd=facts.cost_usd if more.cost_usd is None else more.cost_usd,
        cost_source=facts.cost_source if more.cost_usd is None else more.cost_source,
        response_model=more.response_model or facts.response_model,
    )
    return msgspec.structs.replace(call, facts=joined)
