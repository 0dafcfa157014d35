"""Tokens and cost of a turn, leaves first.

What stands around a call that tells its own is a repetition of it: tokens of a span count only where nothing below it
has tokens, its cost only where nothing below it has a cost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agentnet_otel.core.turn_parts import Member
from agentnet_otel.model import CostSource, LatencyComponent, TokenCategory, TokenUsage

_CATEGORY_OF: Final = {
    LatencyComponent.TOOL_EXECUTION: TokenCategory.TOOL_CALLS,
    LatencyComponent.MEMORY_ACCESS: TokenCategory.MEMORY,
    LatencyComponent.POLICY_CHECK: TokenCategory.POLICY,
}
_BY_TRUST: Final = tuple(CostSource)


@dataclass(slots=True, kw_only=True)
class Usage:
    """What the spans of one turn used and cost. ``cost_usd`` None: of some call that used tokens nobody knows."""

    total: TokenUsage = field(default_factory=TokenUsage)
    by_model: dict[str, TokenUsage] = field(default_factory=dict)
    by_category: dict[TokenCategory, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    estimated: bool = False
    cost_usd: float | None = None
    cost_source: CostSource | None = None

    def add(self, usage: TokenUsage, model: str | None, category: TokenCategory) -> None:
        """Count the tokens of one leaf."""
        self.total = self.total.plus(usage)
        if model is not None:
            known = self.by_model.get(model)
            self.by_model[model] = usage if known is None else known.plus(usage)
        if usage.known:
            self.by_category[category] = self.by_category.get(category, 0) + usage.total

    @property
    def main_model(self) -> str | None:
        """The model with most output tokens (of several the first by name)."""
        return min(self.by_model, key=lambda model: (-(self.by_model[model].output or 0), model), default=None)


def usage_of(root: Member | None, below: Sequence[Member]) -> Usage:
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
        if not facts.usage.empty:
            usage.add(facts.usage, model, _category(member, by_id))
            usage.estimated = usage.estimated or facts.estimated
    usage.models = tuple(models)
    if root is not None and usage.total.empty and not root.facts.usage.empty:
        usage.add(root.facts.usage, root.facts.model, root.facts.category or TokenCategory.REASONING)
        usage.estimated = root.facts.estimated
    _add_cost(usage, root, spending, by_id)
    return usage


def _add_cost(usage: Usage, root: Member | None, spending: Sequence[Member], by_id: Mapping[str, Member]) -> None:
    """The sum of the leaves' costs if they cover each call that used tokens, else what the turn's own span says."""
    around = _above((m for m in spending if m.facts.cost_usd is not None), by_id)
    costs = {m.span_id: m for m in spending if m.facts.cost_usd is not None and m.span_id not in around}
    covered = all(
        member.span_id in costs or member.span_id in around or any(id_ in costs for id_ in _ancestors(member, by_id))
        for member in spending
        if not member.facts.usage.empty
    )
    if costs and covered:
        usage.cost_usd = sum(member.facts.cost_usd or 0.0 for member in costs.values())
        usage.cost_source = _least_trusted(m.facts.cost_source for m in costs.values())
    elif root is not None and root.facts.cost_usd is not None:
        usage.cost_usd, usage.cost_source = root.facts.cost_usd, root.facts.cost_source


def _least_trusted(sources: Iterable[CostSource | None]) -> CostSource:
    return max((source or CostSource.SPAN for source in sources), key=_BY_TRUST.index)


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
