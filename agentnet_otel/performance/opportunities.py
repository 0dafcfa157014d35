"""Where tokens and money can be saved: findings in metrics, and advice that names its evidence.

Everything here is derived from the metrics it is given. A finding is one turn (or one category) beyond a limit, with
what would be saved if it came back to the limit. A recommendation is made of findings; without any there is none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import fmean
from typing import Final

from agentnet_otel.core import documented_limits
from agentnet_otel.core.efficiency import RATIO_WEIGHT
from agentnet_otel.model import TokenCategory
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.token_metrics import TokenMetrics

NAMED_TURNS: Final = 3
"""Turns that the text of a recommendation names, worst first; its evidence names all."""

_PER_RATE: Final = 1000


class OpportunityKind(str, Enum):
    """What can be better. The first five are the documented keys, in their order."""

    HIGH_REDUNDANCY = "high_redundancy"
    LOW_EFFICIENCY = "low_efficiency"
    EXPENSIVE_TURNS = "expensive_turns"
    CONTEXT_BLOAT = "context_bloat"
    CATEGORY_IMBALANCE = "category_imbalance"
    REPEATED_INPUT = "repeated_input"
    LOW_MEAN_EFFICIENCY = "low_mean_efficiency"
    COSTLY_MODELS = "costly_models"
    NO_CACHE_HITS = "no_cache_hits"


DOCUMENTED_KINDS: Final = tuple(OpportunityKind)[:5]
_K: Final = OpportunityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """Beyond which there is something to save. The defaults are the documented ones.

    ``mean_io_redundancy`` and ``mean_efficiency`` are averages over all turns, the others are for each turn;
    ``min_uncached_turns`` is how many turns that read a prompt, without any cache hit, are worth a word.
    """

    redundancy: float = documented_limits.REDUNDANT_SHARE
    efficiency: float = documented_limits.LOW_EFFICIENCY
    cost_usd: float = documented_limits.EXPENSIVE_TURN_USD
    context_tokens: int = documented_limits.CONTEXT_TOKENS
    category_share: float = documented_limits.CATEGORY_SHARE
    mean_io_redundancy: float = documented_limits.MEAN_IO_REDUNDANCY
    mean_efficiency: float = documented_limits.MEAN_EFFICIENCY
    min_uncached_turns: int = 2

    def __post_init__(self) -> None:
        for name in ("redundancy", "efficiency", "category_share", "mean_io_redundancy", "mean_efficiency"):
            check.share(name, getattr(self, name))
        check.amount("cost_usd", self.cost_usd)
        check.count("context_tokens", self.context_tokens)
        check.whole_number("min_uncached_turns", self.min_uncached_turns, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """One finding: ``value`` is beyond ``limit``. ``where`` is ``agent/turn``, or the name of a category or model.

    ``saving_tokens`` and ``saving_usd`` are what is saved if the value comes back to the limit.
    """

    kind: OpportunityKind
    where: str
    value: float
    limit: float
    text: str
    saving_tokens: float = 0.0
    saving_usd: float = 0.0
    cost_assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Advice with its evidence.

    ``turn_ids``: ``agent/turn`` of all turns that it stands on, worst first. ``figures``: what was measured.
    The savings are of the evidence as a whole, so those of two pieces of advice on one kind do not add up.
    ``saving_assumed``: some price in it is that of the documented table.
    """

    kind: OpportunityKind
    advice: str
    turn_ids: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    saving_tokens: float = 0.0
    saving_usd: float = 0.0
    saving_assumed: bool = False

    @property
    def text(self) -> str:
        """One sentence of advice, one of evidence."""
        figures = ", ".join(f"{name} {value:g}" for name, value in self.figures.items())
        named = ", ".join(self.turn_ids[:NAMED_TURNS])
        more = len(self.turn_ids) - NAMED_TURNS
        turns = f"{named} and {more} more" if more > 0 else named
        priced = " at assumed prices" if self.saving_assumed else ""
        return (
            f"{self.advice} Evidence: {figures}; turns: {turns}. "
            f"Expected saving: {self.saving_tokens:,.0f} tokens, ${self.saving_usd:.4f}{priced}."
        )


def find_opportunities(
    metrics: Sequence[TokenMetrics], limits: TokenLimits, *, whole_system: bool
) -> dict[OpportunityKind, list[Opportunity]]:
    """The documented findings, each kind always there; category imbalance is one of the whole system only."""
    found: dict[OpportunityKind, list[Opportunity]] = {kind: [] for kind in DOCUMENTED_KINDS}
    for m in metrics:
        for judge in (_redundancy, _efficiency, _expense, _context):
            opportunity = judge(m, limits)
            if opportunity is not None:
                found[opportunity.kind].append(opportunity)
    if whole_system:
        found[_K.CATEGORY_IMBALANCE] = _imbalance(metrics, limits)
    return found


def documented_recommendations(
    found: Mapping[OpportunityKind, Sequence[Opportunity]], metrics: Sequence[TokenMetrics]
) -> list[Recommendation]:
    """Two pieces of advice for each kind that has findings, in order of the kinds."""
    return [
        _from_findings(kind, advice, found[kind], metrics)
        for kind in DOCUMENTED_KINDS
        if found[kind]
        for advice in _ADVICE[kind]
    ]


def system_recommendations(
    metrics: Sequence[TokenMetrics], limits: TokenLimits, *, cache_hits: int
) -> list[Recommendation]:
    """What the newer dialect advises on the system as a whole."""
    judges: tuple[Callable[[], Recommendation | None], ...] = (
        lambda: _repeated_input(metrics, limits),
        lambda: _low_mean_efficiency(metrics, limits),
        lambda: _costly_models(metrics, limits),
        lambda: _no_cache_hits(metrics, limits, cache_hits),
    )
    return [advice for judge in judges if (advice := judge()) is not None] if metrics else []


# --- findings in one turn --------------------------------------------------------------------------------


def _where(m: TokenMetrics) -> str:
    return f"{m.agent_id}/{m.turn_id}"


def _opportunity(
    kind: OpportunityKind, m: TokenMetrics, value: float, limit: float, text: str, saving_tokens: float
) -> Opportunity:
    saving_tokens = max(0.0, saving_tokens)
    return Opportunity(
        kind=kind,
        where=_where(m),
        value=value,
        limit=limit,
        text=f"{_where(m)}: {text}",
        saving_tokens=saving_tokens,
        saving_usd=saving_tokens * m.cost_per_token / _PER_RATE,
        cost_assumed=m.cost_assumed,
    )


def _redundancy(m: TokenMetrics, limits: TokenLimits) -> Opportunity | None:
    """The saving: as many redundant tokens less as leave the effective ones their share."""
    share = m.redundancy_ratio
    if share <= limits.redundancy:
        return None
    kept = m.effective_tokens / (1 - limits.redundancy)
    return _opportunity(
        _K.HIGH_REDUNDANCY, m, share, limits.redundancy, f"{share:.1%} redundancy", m.total_tokens - kept
    )


def _efficiency(m: TokenMetrics, limits: TokenLimits) -> Opportunity | None:
    """The saving: the effective tokens stay, and the others go until the score is at the limit (or all are gone)."""
    score = m.efficiency_score
    if score >= limits.efficiency:
        return None
    needed = m.token_efficiency_ratio + (limits.efficiency - score) / RATIO_WEIGHT
    kept = m.effective_tokens / min(needed, 1.0)
    return _opportunity(
        _K.LOW_EFFICIENCY, m, score, limits.efficiency, f"{score:.3f} efficiency", m.total_tokens - kept
    )


def _expense(m: TokenMetrics, limits: TokenLimits) -> Opportunity | None:
    cost_usd = m.turn_cost_usd
    if cost_usd <= limits.cost_usd:
        return None
    over = 1 - limits.cost_usd / cost_usd
    text = f"${cost_usd:.3f}" + (" (assumed price)" if m.cost_assumed else "")
    return Opportunity(
        kind=_K.EXPENSIVE_TURNS,
        where=_where(m),
        value=cost_usd,
        limit=limits.cost_usd,
        text=f"{_where(m)}: {text}",
        saving_tokens=m.total_tokens * over,
        saving_usd=cost_usd * over,
        cost_assumed=m.cost_assumed,
    )


def _context(m: TokenMetrics, limits: TokenLimits) -> Opportunity | None:
    over = m.context_length - limits.context_tokens
    if over <= 0:
        return None
    return _opportunity(
        _K.CONTEXT_BLOAT,
        m,
        m.context_length,
        limits.context_tokens,
        f"{m.context_length} context tokens",
        min(over, m.input_tokens),
    )


def _imbalance(metrics: Sequence[TokenMetrics], limits: TokenLimits) -> list[Opportunity]:
    totals = category_totals(metrics)
    whole = sum(totals.values())
    return [
        _imbalance_of(category, count, whole, metrics, limits.category_share)
        for category, count in totals.items()
        if whole and count / whole > limits.category_share
    ]


def _imbalance_of(
    category: TokenCategory, count: int, whole: int, metrics: Sequence[TokenMetrics], limit: float
) -> Opportunity:
    """The saving: as many tokens of the category less as leave it the limit's share."""
    saving = (count - limit * whole) / (1 - limit)
    spenders = [m for m in metrics if m.category_breakdown.get(category)]
    return Opportunity(
        kind=_K.CATEGORY_IMBALANCE,
        where=category.value,
        value=count / whole,
        limit=limit,
        text=f"{category.value}: {count / whole:.1%} of all category tokens",
        saving_tokens=saving,
        saving_usd=saving * _mean_rate(spenders) / _PER_RATE,
        cost_assumed=any(m.cost_assumed for m in spenders),
    )


# --- documented advice -----------------------------------------------------------------------------------

_ADVICE: Final[Mapping[OpportunityKind, tuple[str, str]]] = {
    _K.HIGH_REDUNDANCY: (
        "Answer repeated questions from a cache instead of asking the model again.",
        "Take out of the prompt templates what does not change the answer.",
    ),
    _K.LOW_EFFICIENCY: (
        "Ask narrower questions, so that more of the tokens end up in a useful answer.",
        "Try a model that reaches the same quality with fewer tokens.",
    ),
    _K.EXPENSIVE_TURNS: (
        "Set an alert on the cost per turn, so that such turns are seen when they happen.",
        "Send routine work to a cheaper model.",
    ),
    _K.CONTEXT_BLOAT: (
        "Drop old parts of the context before each call.",
        "Replace long histories in the context by a summary.",
    ),
    _K.CATEGORY_IMBALANCE: (
        "Check whether the dominant category earns its share of the tokens.",
        "Start saving where most tokens go: in the dominant category.",
    ),
}


def _from_findings(
    kind: OpportunityKind, advice: str, found: Sequence[Opportunity], metrics: Sequence[TokenMetrics]
) -> Recommendation:
    worst_first = sorted(found, key=lambda o: abs(o.value - o.limit), reverse=True)
    figures = {"findings": len(found), "worst": round(worst_first[0].value, 4), "limit": worst_first[0].limit}
    if kind is _K.CATEGORY_IMBALANCE:
        dominant = TokenCategory(worst_first[0].where)
        spenders = [(m.category_breakdown.get(dominant, 0), _where(m)) for m in metrics]
        turn_ids = tuple(where for count, where in sorted(spenders, reverse=True) if count)
        advice = f"{advice[:-1]} ({dominant.value})."
    else:
        turn_ids = tuple(o.where for o in worst_first)
    return Recommendation(
        kind=kind,
        advice=advice,
        turn_ids=turn_ids,
        figures=figures,
        saving_tokens=sum(o.saving_tokens for o in found),
        saving_usd=sum(o.saving_usd for o in found),
        saving_assumed=any(o.cost_assumed for o in found),
    )


# --- advice of the newer dialect -------------------------------------------------------------------------

_Evidence = tuple[TokenMetrics, float, float]
"""A turn, how bad it is, and the tokens that it could have saved."""


def _repeated_input(metrics: Sequence[TokenMetrics], limits: TokenLimits) -> Recommendation | None:
    mean = fmean(m.io_redundancy_ratio for m in metrics)
    if mean <= limits.mean_io_redundancy:
        return None
    return _advice(
        _K.REPEATED_INPUT,
        "Tell the model not to repeat the question in its answer.",
        [(m, m.io_redundancy_ratio, m.output_tokens * m.io_redundancy_ratio) for m in metrics],
        {"mean share of the prompt in the response": round(mean, 4), "limit": limits.mean_io_redundancy},
    )


def _low_mean_efficiency(metrics: Sequence[TokenMetrics], limits: TokenLimits) -> Recommendation | None:
    mean = fmean(m.efficiency_score for m in metrics)
    if mean >= limits.mean_efficiency:
        return None
    wanted = TokenLimits(efficiency=limits.mean_efficiency)
    below = [(m, opportunity) for m in metrics if (opportunity := _efficiency(m, wanted)) is not None]
    return _advice(
        _K.LOW_MEAN_EFFICIENCY,
        "Make prompts more precise, and rate answers, so that quality is measured and not assumed.",
        [(m, limits.mean_efficiency - opportunity.value, opportunity.saving_tokens) for m, opportunity in below],
        {"mean efficiency": round(mean, 4), "limit": limits.mean_efficiency},
    )


def _costly_models(metrics: Sequence[TokenMetrics], limits: TokenLimits) -> Recommendation | None:
    costly = [(m, opportunity) for m in metrics if (opportunity := _expense(m, limits)) is not None]
    if not costly:
        return None
    models = ", ".join(sorted({m.model_name for m, _ in costly}))
    return _advice(
        _K.COSTLY_MODELS,
        f"Look at the costly turns, and whether a cheaper model than {models} would do for them.",
        [(m, opportunity.value, opportunity.saving_tokens) for m, opportunity in costly],
        {"turns above the limit": len(costly), "limit": limits.cost_usd},
    )


def _no_cache_hits(metrics: Sequence[TokenMetrics], limits: TokenLimits, cache_hits: int) -> Recommendation | None:
    reading = [m for m in metrics if m.input_tokens]
    if cache_hits or len(reading) < limits.min_uncached_turns:
        return None
    return _advice(
        _K.NO_CACHE_HITS,
        "Cache answers to equal prompts, and the beginning that the prompts of an agent share (the saving named here "
        "is the most that can be had).",
        [(m, m.input_tokens, saving) for m, saving in zip(reading, _shareable(reading), strict=True)],
        {"turns": len(reading), "cache hits": 0, "input tokens": sum(m.input_tokens for m in reading)},
    )


def _shareable(metrics: Sequence[TokenMetrics]) -> list[int]:
    """Input tokens of each turn that may stand in earlier ones too: at most the smallest input of its agent."""
    smallest: dict[str, int] = {}
    for m in metrics:
        smallest[m.agent_id] = min(m.input_tokens, smallest.get(m.agent_id, m.input_tokens))
    seen: set[str] = set()
    shareable = []
    for m in metrics:
        shareable.append(smallest[m.agent_id] if m.agent_id in seen else 0)
        seen.add(m.agent_id)
    return shareable


def _advice(
    kind: OpportunityKind, advice: str, evidence: Sequence[_Evidence], figures: Mapping[str, float]
) -> Recommendation:
    worst_first = sorted((e for e in evidence if e[1] > 0), key=lambda e: e[1], reverse=True)
    return Recommendation(
        kind=kind,
        advice=advice,
        turn_ids=tuple(_where(m) for m, _, _ in worst_first),
        figures=figures,
        saving_tokens=sum(saving for _, _, saving in worst_first),
        saving_usd=sum(saving * m.cost_per_token / _PER_RATE for m, _, saving in worst_first),
        saving_assumed=any(m.cost_assumed for m, _, _ in worst_first),
    )


# --- shared ----------------------------------------------------------------------------------------------


def category_totals(metrics: Iterable[TokenMetrics]) -> dict[TokenCategory, int]:
    """Tokens of each category that occurs."""
    totals: Counter[TokenCategory] = Counter()
    for m in metrics:
        totals.update(m.category_breakdown)
    return dict(totals)


def _mean_rate(metrics: Sequence[TokenMetrics]) -> float:
    """USD per 1,000 tokens over all these turns."""
    tokens = sum(m.total_tokens for m in metrics)
    return sum(m.turn_cost_usd for m in metrics) / tokens * _PER_RATE if tokens else 0.0
