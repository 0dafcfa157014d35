"""What a benchmark's result tells of each turn."""

from collections.abc import Hashable, Iterator

from agentnet_otel.core.observations import Observation, observation_of
from agentnet_otel.model import Outcome
from agentnet_otel.performance.benchmark import BenchmarkResult
from agentnet_otel.performance.samples import OperationSample


def observations_of(result: BenchmarkResult) -> list[Observation]:
    """The turns of a result, as its best evidence tells them.

    That is its samples, for they hold operations that failed before any turn; of a result that was put together by
    hand its turns, else its individual results.
    """
    if result.samples:
        return [seen for sample in result.samples for seen in _of_operation(sample)]
    if result.turns:
        return [observation_of(turn) for turn in result.turns]
    return [
        Observation(
            latency_ms=_milliseconds(entry.get("duration_ms")),
            outcome=Outcome.SUCCESS if entry.get("success") else Outcome.ERROR,
        )
        for entry in result.individual_results
    ]


def _of_operation(sample: OperationSample) -> Iterator[Observation]:
    """The turns of an operation; those share what is known of the whole operation only."""
    turns = max(sample.turns, len(sample.turn_latencies_ms), 1)
    for latency_ms in sample.turn_latencies_ms or (None,):
        yield Observation(
            latency_ms=latency_ms,
            outcome=sample.outcome,
            tokens=sample.tokens.total / turns if sample.tokens.known else None,
            cost_usd=None if sample.cost_usd is None else sample.cost_usd / turns,
            session=_session(sample),
        )


def efficiencies_of(result: BenchmarkResult) -> list[Observation]:
    """The efficiencies that `observations_of` leaves out.

    Agents that were called by agents have one too, so they are not one a latency.
    """
    return [
        Observation(efficiency=efficiency, session=_session(sample))
        for sample in result.samples
        for efficiency in sample.turn_efficiencies
    ]


def _session(sample: OperationSample) -> Hashable | None:
    """What the turns of an operation are correlated within."""
    alone = sample.turns <= 1 and len(sample.turn_latencies_ms) <= 1
    return sample.session if alone or sample.session is not None else sample.iteration


def _milliseconds(value: object) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return float(value) if number else None  # type: ignore[arg-type] # a number, as was just seen
