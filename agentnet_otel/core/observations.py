"""What is known of a turn that is judged or compared, whatever told it: spans, a benchmark, figures taken by hand."""

from collections.abc import Hashable
from typing import Final

import msgspec

from agentnet_otel.model import Outcome, Turn

NANOS_PER_MS: Final = 1_000_000


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One turn; None is unknown. ``tokens``: input and output. Turns of one ``session`` are correlated.

    ``model``: the one with most output tokens.
    """

    agent: str | None = None
    model: str | None = None
    latency_ms: float | None = None
    outcome: Outcome | None = None
    tokens: float | None = None
    cost_usd: float | None = None
    efficiency: float | None = None
    session: Hashable | None = None

    @property
    def failed(self) -> bool | None:
        """Whether it failed; None where nobody knows, and where it was cancelled, which is neither good nor bad."""
        return None if self.outcome in {None, Outcome.CANCELLED} else self.outcome.failed


def observation_of(turn: Turn) -> Observation:
    """What a turn tells."""
    return Observation(
        agent=turn.agent,
        model=turn.model,
        latency_ms=turn.duration_ns / NANOS_PER_MS,
        outcome=turn.outcome,
        tokens=turn.tokens.total if turn.tokens.known else None,
        cost_usd=turn.cost_usd,
        efficiency=turn.efficiency,
        session=turn.session,
    )
