"""Tokens and cost of a turn, leaves first.

What stands around a call that tells its own is a repetition of it: tokens of a span count only where nothing below it
has tokens, its cost only where nothing below it has a cost. A call whose cost nobody told is priced by a price book.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agentnet_otel.core.cost import Call, PriceBook, weakest
from agentnet_otel.core.dialects.facts import NO_USAGE
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import CostSource, LatencyComponent, ModelCall, TokenCategory, TokenShare, TokenUsage

_CATEGORY_OF: Final = {
    LatencyComponent.TOOL_EXECUTION: TokenCategory.TOOL_CALLS,
    LatencyComponent.MEMORY_ACCESS: TokenCategory.MEMORY,
    LatencyComponent.POLICY_CHECK: TokenCategory.POLICY,
}
PURPOSEFUL: Final = frozenset(component.value for component in _CATEGORY_OF)
"""Components that say what tokens inside them were for."""


@dataclass(slots=True, kw_only=True)
class Usage:
    """What the spans of one turn used and cost. ``cost_usd`` None: of some call that used tokens nobody knows.

    ``context_tokens``: the largest input of one call.
    """

    total: TokenUsage = NO_USAGE
    by_model: dict[str, TokenUsage] = field(default_factory=dict)
    by_category: dict[TokenCategory, int] = field(default_factory=dict)
    by_share: dict[tuple[str | None, TokenCategory], TokenUsage] = field(default_factory=dict)
    calls: list[ModelCall] = field(default_factory=list)
    models: tuple[str, ...] = ()
    estimated: bool = False
    cost_usd: float | None = None
    cost_source: CostSource | None = None
    context_tokens: int | None = None

    def add(self, usage: TokenUsage, model: str | None, category: TokenCategory) -> None:
        """Count the tokens of one leaf."""
        self.total = usage if self.total is NO_USAGE else self.total.plus(usage)
        if usage.input is not None:
            self.context_tokens = max(usage.input, self.context_tokens or 0)
        if model is not None:
            known = self.by_model.get(model)
            self.by_model[model] = usage if known is None else known.plus(usage)
        if usage.known:
            self.by_category[category] = self.by_category.get(category, 0) + usage.total
            share = self.by_share.get((model, category))
            self.by_share[(model, category)] = usage if share is None else share.plus(usage)

    @property
    def shares(self) -> tuple[TokenShare, ...]:
        """Tokens by model and purpose together."""
        return tuple(
            TokenShare(model=model, category=category, usage=usage)
            for (model, category), usage in self.by_share.items()
        )


def main_model(by_model: Mapping[str, TokenUsage]) -> str | None:
    """The model with most output tokens (of several the first by name)."""
    return min(by_model, key=lambda model: (-(by_model[model].output or 0), model), default=None)


def usage_of(root: Member | None, below: Sequence[Member], prices: PriceBook | None = None) -> Usage:
    """What a turn used and cost, from its own span and those below it (in order of start)."""
    usage = Usage()
    spending = [m for m in below if not m.facts.usage.empty or m.facts.cost_usd is not None]
    by_id = {member.span_id: member for member in below} if spending else {}
    repeating = _above((m for m in spending if not m.facts.usage.empty), by_id)
    asked = None if root is None else root.facts.request_model
    models: dict[str, None] = {}
    for member in below:
        facts = member.facts
        if member.span_id in repeating or (facts.usage.empty and facts.component is not LatencyComponent.INFERENCE):
            continue
        model = facts.model or asked
        if model is not None:
            models[model] = None
        if facts.component is LatencyComponent.INFERENCE:
            usage.calls.append(_model_call(member))
        if not facts.usage.empty:
            usage.add(facts.usage, model, _category(member, by_id))
            usage.estimated = usage.estimated or facts.estimated
    usage.models = tuple(models)
    if root is not None and usage.total.empty and not root.facts.usage.empty:
        usage.add(root.facts.usage, root.facts.model, root.facts.category or TokenCategory.REASONING)
        usage.estimated = root.facts.estimated
    costs, unknown = _told_costs(spending, by_id)
    leaves = [member for member in unknown if member.span_id not in repeating]
    if unknown and root is not None and root.facts.cost_usd is not None:
        costs, leaves = [_told(root)], []
    elif not spending and root is not None:
        costs, leaves = ([], [root]) if root.facts.cost_usd is None else ([_told(root)], [])
    usage.cost_usd, usage.cost_source = _sum(costs, [_price(leaf, asked, prices) for leaf in leaves])
    return usage


def _model_call(member: Member) -> ModelCall:
    facts = member.facts
    return ModelCall(
        duration_ns=max(0, member.end_ns - member.start_ns),
        usage=facts.usage,
        provider=facts.provider,
        request_model=facts.request_model,
        response_model=facts.response_model,
        error_type=facts.error_type,
    )


_Cost = tuple[float, CostSource]


def _told_costs(spending: Sequence[Member], by_id: Mapping[str, Member]) -> tuple[list[_Cost], list[Member]]:
    """The costs that spans tell, the innermost ones, and the spans that used tokens which none of them covers."""
    around = _above((m for m in spending if m.facts.cost_usd is not None), by_id)
    telling = {m.span_id: m for m in spending if m.facts.cost_usd is not None and m.span_id not in around}
    unknown = [
        member
        for member in spending
        if not member.facts.usage.empty
        and member.span_id not in telling
        and member.span_id not in around
        and not any(id_ in telling for id_ in _ancestors(member, by_id))
    ]
    return [_told(member) for member in telling.values()], unknown


def _told(member: Member) -> _Cost:
    return member.facts.cost_usd or 0.0, member.facts.cost_source or CostSource.SPAN


def _price(leaf: Member, asked: str | None, prices: PriceBook | None) -> _Cost | None:
    """What a call costs whose cost nobody told; None if nobody knows it either."""
    facts = leaf.facts
    model = facts.model or asked
    if prices is None or model is None or not facts.usage.known:
        return None
    price = prices.price(
        Call(
            model=model,
            asked_model=facts.request_model or asked,
            usage=facts.usage,
            at_ns=leaf.start_ns,
            provider=facts.provider,
            batch=facts.batch,
        )
    )
    return None if price is None else (price.cost_usd, price.source)


def _sum(told: Sequence[_Cost], looked_up: Sequence[_Cost | None]) -> tuple[float | None, CostSource | None]:
    """All costs together; unknown if one of them is, or if there are none."""
    known = [*told, *(cost for cost in looked_up if cost is not None)]
    if not known or None in looked_up:
        return None, None
    return sum(usd for usd, _ in known), functools.reduce(weakest, (source for _, source in known))


def _above(members: Iterable[Member], by_id: Mapping[str, Member]) -> set[str]:
    """Ids of all spans of the turn that stand above one of ``members``."""
    above: set[str] = set()
    for member in members:
        here = by_id.get(member.parent_span_id or "")
        while here is not None and here.span_id not in above:
            above.add(here.span_id)
            here = by_id.get(here.parent_span_id or "")
    return above


def _ancestors(member: Member, by_id: Mapping[str, Member]) -> Iterable[str]:
    seen = {member.span_id}
    here = by_id.get(member.parent_span_id or "")
    while here is not None and here.span_id not in seen:
        seen.add(here.span_id)
        yield here.span_id
        here = by_id.get(here.parent_span_id or "")


def _category(member: Member, by_id: Mapping[str, Member]) -> TokenCategory:
    """What the span says its tokens were for, else what the nearest tool, memory or policy component says."""
    if member.facts.category is not None:
        return member.facts.category
    for span_id in (member.span_id, *_ancestors(member, by_id)):
        component = by_id[span_id].facts.component
        if component in _CATEGORY_OF:
            return _CATEGORY_OF[component]
    return TokenCategory.REASONING
