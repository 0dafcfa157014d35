"""One operation of a benchmark as it was measured: the raw sample that every figure is derived from."""

from dataclasses import dataclass, field

from agentnet_otel.model import Outcome, TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSample:
    """One operation, with all that was measured of it.

    ``iteration`` counts from 0. ``scheduled_ns`` and ``start_ns`` are epoch nanoseconds: when the operation was due,
    and when it really began (without a rate both are the same). ``service_ms`` runs from the start to the end,
    ``response_ms`` from when it was due to the end. ``session`` names the conversation that its turns belong to;
    values of one session are correlated. ``turns`` is how many turns it held, ``turn_latencies_ms`` how long each of
    them took. ``tokens`` and ``cost_usd`` (USD) are those of the whole operation, None where nobody told them;
    ``estimated`` marks tokens that the engine itself only estimated. ``turn_efficiencies`` are the documented scores
    (0 to 1) of the turns whose tokens are known.
    """

    iteration: int
    scheduled_ns: int
    start_ns: int
    service_ms: float
    response_ms: float
    outcome: Outcome
    reason: str | None = None
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float | None = None
    session: str | None = None
    turns: int = 1
    turn_latencies_ms: tuple[float, ...] = ()
    turn_efficiencies: tuple[float, ...] = ()
    estimated: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the operation did what it was to do."""
        return self.outcome is Outcome.SUCCESS
