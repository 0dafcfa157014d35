"""The figures of a benchmark, derived from its raw samples.

Latency is that of the turns of operations that succeeded; tokens and cost are those of all operations that told
them, failed ones too, for they are paid.
"""

from collections.abc import Hashable, Sequence
from statistics import fmean
from typing import Final

from agentnet_otel.core.statistics import Interval, mean_interval, quantile_interval, wilson_interval
from agentnet_otel.performance.samples import OperationSample

P95: Final = 0.95


def turn_latencies_ms(samples: Sequence[OperationSample]) -> list[float]:
    """Latencies of the turns of successful operations, in order of the operations."""
    return [ms for sample in samples if sample.succeeded for ms in sample.turn_latencies_ms]


def total_tokens(samples: Sequence[OperationSample]) -> int:
    """Tokens of all operations."""
    return sum(sample.tokens.total for sample in samples)


def tokens_per_turn(samples: Sequence[OperationSample]) -> float | None:
    """Mean of the tokens of a turn; None where no operation told any."""
    return _per_turn([(sample, sample.tokens.total) for sample in samples if sample.tokens.known])


def cost_per_turn_usd(samples: Sequence[OperationSample]) -> float | None:
    """Mean cost of a turn in USD; None where no operation told any."""
    return _per_turn([(sample, sample.cost_usd) for sample in samples if sample.cost_usd is not None])


def token_efficiency(samples: Sequence[OperationSample]) -> float | None:
    """Mean efficiency of the turns whose tokens are known; None where there is none."""
    scores = [score for sample in samples for score in sample.turn_efficiencies]
    return fmean(scores) if scores else None


def confidence_intervals(samples: Sequence[OperationSample]) -> dict[str, Interval | None]:
    """95 % intervals of the figures, by the names of the result's fields; None where there are too few values.

    Quantiles by order statistics, means by bootstrap of whole conversations (of operations, where they have none),
    the success rate by Wilson's score.
    """
    good = [sample for sample in samples if sample.succeeded]
    latencies = [(ms, _cluster(sample)) for sample in good for ms in sample.turn_latencies_ms]
    efficiencies = [(score, _cluster(sample)) for sample in samples for score in sample.turn_efficiencies]
    tokens = [(sample, sample.tokens.total) for sample in samples if sample.tokens.known]
    costs = [(sample, sample.cost_usd) for sample in samples if sample.cost_usd is not None]
    return {
        "avg_turn_latency_ms": _mean_interval(latencies),
        "p95_turn_latency_ms": quantile_interval(sorted(ms for ms, _ in latencies), P95),
        "avg_tokens_per_turn": _mean_interval(_shared_by_turns(tokens)),
        "token_efficiency_score": _mean_interval(efficiencies),
        "success_rate": wilson_interval(len(good), len(samples)),
        "avg_cost_usd": _mean_interval(_shared_by_turns(costs)),
    }


def _per_turn(amounts: Sequence[tuple[OperationSample, float]]) -> float | None:
    turns = sum(sample.turns for sample, _ in amounts)
    return sum(amount for _, amount in amounts) / turns if turns else None


def _shared_by_turns(amounts: Sequence[tuple[OperationSample, float]]) -> list[tuple[float, Hashable]]:
    """What an operation used, in equal parts for its turns: they are drawn together anyway."""
    return [(amount / sample.turns, _cluster(sample)) for sample, amount in amounts for _ in range(sample.turns)]


def _cluster(sample: OperationSample) -> Hashable:
    """What the values of a sample are correlated within."""
    return sample.iteration if sample.session is None else sample.session


def _mean_interval(values: Sequence[tuple[float, Hashable]]) -> Interval | None:
    return mean_interval([value for value, _ in values], [cluster for _, cluster in values])
