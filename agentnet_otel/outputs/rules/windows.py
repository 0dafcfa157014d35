"""When an alert is true: in a long window surely, and in a short one still.

Where turns are many, the long window is a quarter of an hour; where they are few, two hours, so that there is something
to judge by. Below a number of turns nobody is woken, whatever happened to them.

The bounds and numbers are chosen by the matrix of docs/alerts.md: at most one false alert an agent and year.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BUSY_TURNS: Final = 50
"""In the long window of those with many turns."""
FEW_TURNS: Final = 10
"""In the long window of those with few, for shares: of ten turns, that all fail is no chance."""
MORE_THAN_ONE: Final = 1.5
"""Bad turns in the short window of those with few: one alone is chance, also just after a fault, while its bad turns
are still in the long window. Prometheus' increases are not whole numbers. Two of twenty are chance, too: what is likely
of their share (`promql.Z_LIKELY`) has to be past the limit as well."""
FEW_MEAN_TURNS: Final = 20
"""The same for means, which one turn can pull."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A long and a short window, with the fewest turns in the long one."""

    long: str
    short: str
    min_turns: int


BUSY: Final = Pair(long="15m", short="5m", min_turns=BUSY_TURNS)
QUIET: Final = Pair(long="2h", short="30m", min_turns=FEW_TURNS)
QUIET_MEANS: Final = Pair(long="2h", short="30m", min_turns=FEW_MEAN_TURNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How many times too fast the budget of errors is used, in which windows."""

    factor: float
    pair: Pair


FAST_BURNS: Final = (
    Burn(factor=14.4, pair=Pair(long="1h", short="5m", min_turns=20)),
    Burn(factor=6.0, pair=Pair(long="6h", short="30m", min_turns=20)),
)
SLOW_BURNS: Final = (
    Burn(factor=3.0, pair=Pair(long="1d", short="2h", min_turns=50)),
    Burn(factor=1.0, pair=Pair(long="3d", short="6h", min_turns=50)),
)


LIKELY_WINDOWS: Final = (QUIET.short,)
"""Short windows in which a share is not taken as it is."""


def share_windows(pairs: Sequence[Pair]) -> tuple[list[str], list[str], list[str]]:
    """The short windows, the long ones, and all, each once."""
    short = list(dict.fromkeys(pair.short for pair in pairs))
    long = list(dict.fromkeys(pair.long for pair in pairs))
    return short, long, list(dict.fromkeys([*short, *long]))


def either(busy: Sequence[str], quiet: Sequence[str], count_busy: str) -> str:
    """True by the pair of windows that fits the traffic; the short window comes first, for its value is told."""
    many = "\n  and ".join([*busy, f"{count_busy} >= {BUSY_TURNS}"])
    few = "\n  and ".join(quiet)
    return f"(\n  {many}\n)\nor\n(\n  {few}\n  unless {count_busy} >= {BUSY_TURNS}\n)"
