"""Token use by the documented API: metrics of turns, summaries, opportunities, recommendations, export.

A tracker is a view on turns. It is filled by hand (`TokenUtilizationTracker.record_token_usage`), live by
`agentnet_otel.instrument()`, or from any source by `record_turn` and `from_turns`; the answers are the same.
Everything is derived when it is asked for; only the cost is fixed when a turn is recorded.

Two dialects of the documentation are served by one implementation; where they contradict each other the docstring
says what holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, overload

from agentnet_otel.core.cost import Call, CostModels, Price, PriceBook, Pricing, assumed_price, price_of_turn
from agentnet_otel.instrumentation.clock import Clock, SystemClock
from agentnet_otel.model import TokenCategory, TokenType, TokenUsage, Turn
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.opportunities import (
    Recommendation,
    TokenLimits,
    documented_recommendations,
    find_opportunities,
    system_recommendations,
)
from agentnet_otel.performance.recording import MAX_HISTORY, Shared
from agentnet_otel.performance.token_metrics import TokenMetrics, make_metrics, token_metrics_of
from agentnet_otel.performance.token_summaries import (
    agent_summary,
    exported,
    system_overview,
    system_token_overview,
    total_cost_usd,
)
from agentnet_otel.performance.token_usage import Places, RecordedUsage, checked_usage
from agentnet_otel.performance.tracker import Tracker, agent_of
from agentnet_otel.prices import installed

__all__ = [
    "TokenCategory",
    "TokenLimits",
    "TokenMetrics",
    "TokenType",
    "TokenUtilizationTracker",
    "get_token_tracker",
    "token_metrics_of",
]

MAX_CACHE_AGENTS: Final = 10_000
"""Agents whose cache hits are told apart; beyond it those of the one that is longest here become nobody's."""

_NANOS_PER_SECOND: Final = 1_000_000_000


@dataclass(slots=True)
class _CacheHits:
    hits: int = 0
    saved_usd: float = 0.0

    def add(self, other: "_CacheHits") -> None:
        self.hits += other.hits
        self.saved_usd += other.saved_usd


class TokenUtilizationTracker(Tracker[TokenMetrics]):
    """Tokens of turns. Any method may be called from any thread and any task.

    Args:
        max_history: turns that are kept; the oldest goes first, and is counted in `dropped`.
        cost_models: the user's rates by model, USD per 1,000 tokens: a number, or a mapping with ``input`` and
            ``output`` (and, if they differ, ``cached``, ``reasoning``, ``batch``). They go before all prices but
            those that an engine told; they replace no other model's price.
        prices: a price book for all other models; without it, genai-prices where that package is installed.
        limits: what opportunities and recommendations go by.
        clock: where the time is from.

    Raises:
        ValueError: an argument has the wrong type or range.
    """

    def __init__(
        self,
        max_history: int = MAX_HISTORY,
        cost_models: Mapping[str, object] | None = None,
        *,
        prices: PriceBook | None = None,
        limits: TokenLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(max_history)
        self.limits = limits or TokenLimits()
        self._clock: Clock = clock or SystemClock()
        self._models = CostModels(cost_models)
        self._pricing = Pricing(self._models, installed() if prices is None else prices)
        self._before_new_rates: list[Callable[[], object]] = []
        self._cache_hits: dict[str, _CacheHits] = {}
        self._nobodys_cache_hits = _CacheHits()

    @property
    def prices(self) -> PriceBook:
        """What prices it goes by: the user's rates, then those of the price book, then the user's default rate."""
        return self._pricing

    # --- filling it ----------------------------------------------------------------------------------

    def record_turn(self, turn: Turn) -> None:
        """Take in a turn that ended; a later revision of it replaces it. Turns whose tokens are unknown are no use.

        A turn whose cost is unknown gets it from the rates of this tracker, as far as they know its models.
        """
        if turn.tokens.known or turn.cost_usd is not None:
            self._log.add_turn(turn if turn.cost_usd is not None else self._priced(turn))

    @overload
    def record_token_usage(
        self,
        agent_id: str,
        turn_id: str,
        input_tokens: int,
        output_tokens: int,
        category_breakdown: Mapping[TokenCategory, int] | Mapping[str, int] | None = None,
        context_length: int = 0,
        processing_time: float = 0.0,
        model_name: str = "default",
        output_quality_score: float = 0.8,
        response_text: str | None = None,
        *,
        processing_time_seconds: float | None = None,
        prompt_text: str | None = None,
        cached_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        batch: bool = False,
    ) -> TokenMetrics: ...

    @overload
    def record_token_usage(
        self,
        agent_id: str,
        turn_id: str,
        input_tokens: int,
        output_tokens: int,
        category_breakdown: str,
        context_length: int = 0,
        processing_time: float = 0.0,
        model_name: float = 0.8,
        output_quality_score: str | float | None = None,
        response_text: str | None = None,
        *,
        processing_time_seconds: float | None = None,
        prompt_text: str | None = None,
        cached_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        batch: bool = False,
    ) -> TokenMetrics: ...

    def record_token_usage(
        self,
        agent_id: str,
        turn_id: str,
        input_tokens: int,
        output_tokens: int,
        category_breakdown: Mapping[TokenCategory, int] | Mapping[str, int] | str | None = None,
        context_length: int = 0,
        processing_time: float = 0.0,
        model_name: str | float = "default",
        output_quality_score: float | str | None = 0.8,
        response_text: str | None = None,
        *,
        processing_time_seconds: float | None = None,
        prompt_text: str | None = None,
        cached_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        batch: bool = False,
    ) -> TokenMetrics:
        """Record what a turn used; returns a copy of its metrics.

        The fifth value tells the dialects apart: a mapping or None is the documented order, a text is the newer
        one, which goes on with context length, time, quality, prompt and response. All keywords of both work
        together; the time has two, of which one may be given.

        Args:
            agent_id: the agent.
            turn_id: the turn.
            input_tokens: tokens that the model read.
            output_tokens: tokens that it wrote.
            category_breakdown: tokens by `TokenCategory` (members or their values).
            context_length: tokens of context.
            processing_time: seconds.
            model_name: the model, for its price.
            output_quality_score: 0 to 1.
            response_text: compared with the prompt, not kept.
            processing_time_seconds: the newer dialect's name of ``processing_time``.
            prompt_text: looked for in the response, not kept.
            cached_tokens: of the input, those that came from a cache.
            reasoning_tokens: of the output, those that were reasoning.
            batch: whether the call was made in a batch, for its price.

        Raises:
            ValueError: a value has the wrong type or range, or is given twice.
        """
        used = checked_usage(
            agent_id=agent_id,
            turn_id=turn_id,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            reasoning_tokens=reasoning_tokens,
            places=Places(
                category_breakdown=category_breakdown,
                model_name=model_name,
                output_quality_score=output_quality_score,
                response_text=response_text,
                prompt_text=prompt_text,
            ),
            context_length=context_length,
            processing_time=processing_time,
            processing_time_seconds=processing_time_seconds,
            batch=batch,
        )
        now_ns = self._clock.wall_ns()
        metrics = _metrics(used, now_ns, self._price(used.model, used.usage, now_ns, batch=used.batch))
        self._log.add_record(metrics, now_ns)
        return replace(metrics)

    def record_cache_hit(
        self, agent_id: str, turn_id: str, cached_input_tokens: int, cached_output_tokens: int, model_name: str
    ) -> None:
        """Record a turn that a cache answered: what its tokens would have cost is saved.

        Raises:
            ValueError: a value has the wrong type or range.
        """
        check.name("agent_id", agent_id)
        check.name("turn_id", turn_id)
        usage = TokenUsage(
            input=check.count("cached_input_tokens", cached_input_tokens),
            output=check.count("cached_output_tokens", cached_output_tokens),
        )
        price = self._price(check.name("model_name", model_name), usage, self._clock.wall_ns())
        hit = _CacheHits(hits=1, saved_usd=price.cost_usd)
        with self._lock:
            self._cache_hits.setdefault(agent_id, _CacheHits()).add(hit)
            if len(self._cache_hits) > MAX_CACHE_AGENTS:
                self._nobodys_cache_hits.add(self._cache_hits.pop(next(iter(self._cache_hits))))

    def set_cost_model(self, model_name: str, cost_per_1k_tokens: float | Mapping[str, object]) -> None:
        """Set the rate of a model, USD per 1,000 tokens, for what is recorded from now on.

        One number is for input and output alike; the mappings of ``cost_models`` will do too.

        Raises:
            ValueError: the rate is no amount of at least 0.
        """
        for catch_up in self._before_new_rates:
            catch_up()
        self._models.set(model_name, cost_per_1k_tokens)

    def before_new_rates(self, catch_up: Callable[[], object]) -> None:
        """Have ``catch_up`` called before a rate is set, by whom `prices` are asked later than what they are for."""
        self._before_new_rates.append(catch_up)

    # --- asking it -----------------------------------------------------------------------------------

    def get_metrics(self, agent_id: str | None = None) -> list[TokenMetrics]:
        """Copies of the metrics in order of recording or ending, of one agent or all."""
        return [
            token_metrics_of(entry) if isinstance(entry, Turn) else replace(entry)
            for entry in self._entries_of(agent_id)
        ]

    def hand_recorded(self) -> list[TokenMetrics]:
        """Copies of the metrics that were recorded by hand, in order of recording."""
        return [replace(entry) for entry in self._log.entries() if not isinstance(entry, Turn)]

    def get_agent_token_summary(self, agent_id: str) -> dict[str, Any]:
        """Totals and averages of one agent; {} if it is unknown.

        The cost includes what is assumed, see `assumed_cost_usd`.
        """
        metrics = self.get_metrics(agent_id)
        return agent_summary(agent_id, metrics) if metrics else {}

    def get_system_token_overview(self) -> dict[str, Any]:
        """Totals over all agents, the hour before now, and each agent's summary; {} without data."""
        return self.overview_of(self.get_metrics())

    def overview_of(self, metrics: Sequence[TokenMetrics]) -> dict[str, Any]:
        """The same of metrics that were asked for before."""
        return system_token_overview(metrics, self._clock.wall_ns() / _NANOS_PER_SECOND)

    def get_system_overview(self) -> dict[str, Any]:
        """The overview of the newer dialect: totals, cost of the newest tenth against all, recommendations.

        ``trend`` is rising, stable or falling. Without data there is only a ``message``.
        """
        metrics = self.get_metrics()
        return system_overview(
            metrics, self._all_cache_hits().saved_usd, [r.text for r in self._system_recommendations(metrics)]
        )

    def assumed_cost_usd(self, agent_id: str | None = None) -> float:
        """How much of the cost stands on the documented table of rates, because nobody knows it."""
        return total_cost_usd([m for m in self.get_metrics(agent_id) if m.cost_assumed])

    def identify_optimization_opportunities(self, agent_id: str | None = None) -> dict[str, list[str]]:
        """Turns that are beyond the `limits`, by kind; each kind is always there.

        The kinds are high_redundancy, low_efficiency, expensive_turns, context_bloat, and, of the system as a whole
        only, category_imbalance.
        """
        found = find_opportunities(self.get_metrics(agent_id), self.limits, whole_system=agent_id is None)
        return {kind.value: [opportunity.text for opportunity in own] for kind, own in found.items()}

    def find_recommendations(self, agent_id: str | None = None) -> list[Recommendation]:
        """Advice with its evidence: turns, figures, expected saving. Two pieces for each documented kind with findings.

        For the system as a whole that of the newer dialect follows.
        """
        metrics = self.get_metrics(agent_id)
        found = find_opportunities(metrics, self.limits, whole_system=agent_id is None)
        documented = documented_recommendations(found, metrics)
        return documented if agent_id is not None else [*documented, *self._system_recommendations(metrics)]

    def generate_optimization_recommendations(self, agent_id: str | None = None) -> list[str]:
        """Advice on the documented kinds, two texts each, with the evidence; [] without any.

        (What the newer dialect returns here is in `get_system_overview`, and in `find_recommendations`.)
        """
        metrics = self.get_metrics(agent_id)
        found = find_opportunities(metrics, self.limits, whole_system=agent_id is None)
        return [recommendation.text for recommendation in documented_recommendations(found, metrics)]

    def export_metrics(
        self,
        format: str = "json",  # noqa: A002 - the documented word
        agent_id: str | None = None,
    ) -> Any:
        """The metrics as plain data: a list of mappings for ``json``, ``headers`` and ``rows`` for ``csv``.

        Raises:
            ValueError: the format is another.
        """
        return exported(self.get_metrics(agent_id), format)

    def clear_metrics(self, agent_id: str | None = None) -> None:
        """Forget the turns and cache hits of one agent, or all."""
        with self._lock:
            if agent_id is None:
                self._cache_hits.clear()
                self._nobodys_cache_hits = _CacheHits()
            else:
                self._cache_hits.pop(agent_id, None)
        if agent_id is None:
            self._log.clear()
        else:
            self._log.remove(lambda entry: agent_of(entry) == agent_id)

    def _forget_all(self) -> None:
        self.clear_metrics()

    def _price(self, model: str, usage: TokenUsage, at_ns: int, *, batch: bool = False) -> Price:
        call = Call(model=model, usage=usage, at_ns=at_ns, batch=batch)
        return self._pricing.price(call) or assumed_price(model, usage)

    def _priced(self, turn: Turn) -> Turn:
        price = price_of_turn(turn, self._pricing)
        return turn if price is None else replace(turn, cost_usd=price.cost_usd, cost_source=price.source)

    def _system_recommendations(self, metrics: list[TokenMetrics]) -> list[Recommendation]:
        return system_recommendations(metrics, self.limits, cache_hits=self._all_cache_hits().hits)

    def _all_cache_hits(self) -> _CacheHits:
        total = _CacheHits()
        with self._lock:
            for hits in (*self._cache_hits.values(), self._nobodys_cache_hits):
                total.add(hits)
        return total


def _metrics(used: RecordedUsage, now_ns: int, price: Price) -> TokenMetrics:
    return make_metrics(
        agent_id=used.agent_id,
        turn_id=used.turn_id,
        timestamp=now_ns / _NANOS_PER_SECOND,
        usage=used.usage,
        quality=used.quality,
        price=price,
        model=used.model,
        processing_time_s=used.processing_time_s,
        context_length=used.context_length,
        categories=used.categories,
        io_redundancy=used.io_redundancy,
    )


_shared: Final[Shared[TokenUtilizationTracker]] = Shared()


def get_token_tracker(**kwargs: Any) -> TokenUtilizationTracker:
    """The tracker that a process shares; the arguments (`TokenUtilizationTracker`) count at the first call only.

    Installed prices are loaded here, so that no call of a model has to wait for them.
    """

    def make() -> TokenUtilizationTracker:
        installed().load()
        return TokenUtilizationTracker(**kwargs)

    return _shared.get(make)
