"""One call that several spans tell of.

Instrumentations stack: a framework's span of a call stands around the span of the client that made it. And some tell
what a call used in a record beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import LatencyComponent

_CALLS = frozenset({LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """Spans of a turn without repetitions: a call that stands in a call of the same kind is the same call."""

    calls: Sequence[Member]
    """Each call once: the outermost of its spans."""
    spending: Sequence[Member]
    """What tells of tokens and models: also the inner spans of a call, as far as they know more."""


def distinct(members: Sequence[Member]) -> Distinct:
    """Spans of a turn, told once."""
    if not any(m.facts.component in _CALLS and not m.facts.ours for m in members):
        return Distinct(calls=members, spending=members)
    by_id = {member.span_id: member for member in members}
    outer = {member.span_id: _same_call_around(member, by_id) for member in members}
    return Distinct(
        calls=[m for m in members if outer[m.span_id] is None],
        spending=[m for m in members if (around := outer[m.span_id]) is None or _tells_more(m, around)],
    )


def _tells_more(inner: Member, outer: Member) -> bool:
    return not inner.facts.usage.empty or inner.facts.cost_usd is not None or outer.facts.model is None


def _same_call_around(member: Member, by_id: Mapping[str, Member]) -> Member | None:
    if member.facts.component not in _CALLS or member.facts.ours:
        return None
    around = _component_around(member, by_id)
    if around is None or around.facts.component is not member.facts.component:
        return None
    same = member.facts.component is LatencyComponent.INFERENCE or member.facts.subject == around.facts.subject
    return around if same else None


def _component_around(member: Member, by_id: Mapping[str, Member]) -> Member | None:
    seen = {member.span_id}
    here = by_id.get(member.parent_span_id or "")
    while here is not None and here.facts.component is None and here.span_id not in seen:
        seen.add(here.span_id)
        here = by_id.get(here.parent_span_id or "")
    return here


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
