"""What one span says, in our words."""

from enum import Enum, auto
from typing import Final

import msgspec

from agentnet_otel.model import CostSource, LatencyComponent, PolicyViolation, TokenCategory, TokenUsage


class Role(Enum):
    """What a span is to a turn."""

    __hash__ = object.__hash__  # millions of spans are asked whether theirs is one of some; `Enum` hashes names

    TURN = auto()
    UNNAMED_TURN = auto()
    """An agent without a name of its own: a turn unless an agent that has one is below it."""
    WORKFLOW = auto()
    """A turn only if no turn is below it or around it."""
    ROOT = auto()
    """The same, if there is no workflow either, and a model is asked below it."""
    SESSION = auto()
    """Holds turns, is never one."""
    COMPONENT = auto()
    OTHER = auto()
    """No fact of ours: its time belongs to what is around it."""
    TWIN = auto()
    """Says nothing that another span does not say better: it is left out."""


MAYBE_TURNS: Final = frozenset({Role.UNNAMED_TURN, Role.WORKFLOW, Role.ROOT})
"""Roles whose spans become turns, or do not, by what stands around and below them."""

NO_USAGE: Final = TokenUsage()


class SpanFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one span says. None: not said.

    ``component`` is what the span's time is spent on if it is no turn.
    """

    role: Role = Role.OTHER
    dialect: str = ""
    component: LatencyComponent | None = None
    ours: bool = False
    agent: str | None = None
    subject: str | None = None
    turn_id: str | None = None
    session: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    usage: TokenUsage = NO_USAGE
    category: TokenCategory | None = None
    estimated: bool = False
    provider: str | None = None
    batch: bool = False
    """Made in a batch, which has prices of its own."""
    cost_usd: float | None = None
    cost_source: CostSource | None = None
    attempts: int | None = None
    first_chunk_s: float | None = None
    """From the start of a call to the first chunk of its answer, seconds."""
    tool_outcome: str | None = None
    failed: bool = False
    error_type: str | None = None
    violations: tuple[tuple[int, PolicyViolation], ...] = ()
    """With the epoch nanoseconds of each."""
    body_beside: bool = False
    """What this turn did may stand in a span beside it that bears the agent's name."""
    judged_by_calls: bool = False
    """This turn's own status does not tell that it failed; its last call of a model does."""
    completes_call: bool = False
    """Tells more about the call that ended before it, beside it; no call of its own."""

    @property
    def model(self) -> str | None:
        """The model that answered, else the one that was asked."""
        return self.response_model or self.request_model


NOTHING: Final = SpanFacts()
