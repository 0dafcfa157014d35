"""What the demo's agents will do: sessions of rounds of turns, the same for the same seed."""

import random
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

SPANS_FILE: Final = "spans.jsonl"
"""Where the spans go, in the demo's folder."""


class DemoSource(str, Enum):
    """Whose agents run."""

    AUTO = "auto"
    AGENTNET = "agentnet"
    BUILTIN = "builtin"


AGENTS: Final = ("planner", "researcher", "critic", "writer")
LARGE_MODEL: Final = "m-large"
SMALL_MODEL: Final = "m-small"
TURNS_A_SESSION: Final = 12
SLOW_AGENT: Final = "critic"

_USD_PER_1K: Final = {LARGE_MODEL: (0.006, 0.018), SMALL_MODEL: (0.0006, 0.0018)}
_LONGEST_S: Final = 2.6
_SLOW_EVERY: Final = 4
"""Every so many of the slow agent's turns is slow."""


def usd_of(model: str, input_tokens: int, output_tokens: int) -> float:
    """What a call of one of the demo's models costs."""
    price_in, price_out = _USD_PER_1K[model]
    return (input_tokens * price_in + output_tokens * price_out) / 1000


class Trouble(Enum):
    """What goes wrong in a turn."""

    NONE = auto()
    ENGINE_ERROR = auto()
    TIMEOUT = auto()
    TOOL_FAILS = auto()
    VIOLATION = auto()
    """A rule of the policy is broken; the answer counts all the same."""
    FAULT = auto()
    """A monitor refuses the answer."""


_TROUBLES: Final = (
    (43, 48, Trouble.TIMEOUT),
    (5, 17, Trouble.TOOL_FAILS),
    (10, 31, Trouble.VIOLATION),
    (15, 43, Trouble.ENGINE_ERROR),
    (24, 53, Trouble.FAULT),
)
"""From which turn on, and every how many turns of the whole run: 44 turns have them all, whatever the seed.

Those that time out fall into sessions without a slow turn: no session takes much longer than the others.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlan:
    """One turn. Durations are seconds, tokens those that the engine will tell."""

    number: int
    agent: str
    model: str
    prompt: str
    inference_s: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    confidence: float
    trouble: Trouble
    uses_tool: bool
    uses_memory: bool
    streams: bool

    @property
    def cost_usd(self) -> float:
        """What the tokens cost."""
        return usd_of(self.model, self.input_tokens, self.output_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """One session: its turns run one after the other, sessions run at the same time."""

    conversation_id: str
    mode: str
    turns: tuple[TurnPlan, ...]

    @property
    def rounds(self) -> tuple[tuple[TurnPlan, ...], ...]:
        """Its turns, round by round."""
        return tuple(self.turns[first : first + len(AGENTS)] for first in range(0, len(self.turns), len(AGENTS)))


def make_plan(turns: int, seed: int) -> tuple[SessionPlan, ...]:
    """Sessions with ``turns`` turns in all."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible workload, not cryptography
    plans = [_turn(number, draw) for number in range(turns)]
    modes = ("round_robin", "debate", "brainstorm")
    return tuple(
        SessionPlan(
            conversation_id=f"demo-{seed}-{first // TURNS_A_SESSION}",
            mode=modes[first // TURNS_A_SESSION % len(modes)],
            turns=tuple(plans[first : first + TURNS_A_SESSION]),
        )
        for first in range(0, turns, TURNS_A_SESSION)
    )


def _turn(number: int, draw: random.Random) -> TurnPlan:
    agent = AGENTS[number % len(AGENTS)]
    slow = agent == SLOW_AGENT and number // len(AGENTS) % _SLOW_EVERY == 0
    trouble = next((found for first, every, found in _TROUBLES if number % every == first), Trouble.NONE)
    inference_s = draw.uniform(2.05, _LONGEST_S) if slow else draw.lognormvariate(-3.0, 0.5)
    return TurnPlan(
        number=number,
        agent=agent,
        model=LARGE_MODEL if agent in {"planner", "critic"} else SMALL_MODEL,
        prompt=f"Step {number + 1}: {agent}, take the next step on the release plan.",
        inference_s=min(inference_s, _LONGEST_S),
        input_tokens=draw.randint(200, 900),
        output_tokens=draw.randint(120, 600),
        cached_tokens=draw.choice((0, 0, 64, 128)),
        confidence=round(draw.uniform(0.55, 0.95), 2),
        trouble=trouble,
        uses_tool=agent == "researcher" or trouble is Trouble.TOOL_FAILS,
        uses_memory=agent in {"planner", "researcher"},
        streams=agent == "writer",
    )
