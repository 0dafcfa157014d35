"""How figures of many turns are held: eight bytes a value, and what is rare by its place."""

from array import array
from collections import deque
from collections.abc import Iterator, MutableSequence, Sequence
from itertools import accumulate
from typing import Final, TypeVar

from agentnet_otel.model import TokenUsage

Number = TypeVar("Number", bound=float)

INTEGERS: Final = "q"
FLOATS: Final = "d"
NEWEST: Final = 3
"""Turns in which something was met that can be named."""
_PLACES: Final = "I"


def longer(values: MutableSequence[Number], more: Sequence[Number]) -> MutableSequence[Number]:
    """The values and more; as a list where one is beyond 64 bits, which somebody may have told."""
    held = len(values)
    try:
        values.extend(more)
    except OverflowError:
        return [*values[:held], *more]
    return values


class Told:
    """The values of a figure, and the places of the turns that tell it."""

    __slots__ = ("places", "values")

    def __init__(self, kind: str = FLOATS) -> None:
        self.places = array(_PLACES)
        self.values: MutableSequence[float] = array(kind)

    def __len__(self) -> int:
        return len(self.places)

    def extend(self, first: int, values: Sequence[float | None]) -> None:
        """Take in the values of turns, which follow each other from place ``first``; None is not told."""
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            self.places.extend(range(first, first + len(values)))
        else:
            self.places.extend([place for place, value in enumerate(values, first) if value is not None])
        self.values = longer(self.values, known)

    def extend_sparse(self, places: Sequence[int], values: Sequence[float]) -> None:
        """Take in values with their places."""
        self.places.extend(places)
        self.values = longer(self.values, values)

    def pairs(self) -> Iterator[tuple[int, float]]:
        """Each value with its place."""
        return zip(self.places, self.values, strict=True)


class Texts:
    """Texts end to end: an id as a string of its own takes twice the room."""

    __slots__ = ("_data", "_ends")

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("Q", [0])

    def extend(self, texts: Sequence[str]) -> None:
        """Take in texts."""
        encoded = [text.encode(errors="surrogatepass") for text in texts]
        self._ends.extend(accumulate(map(len, encoded), initial=self._ends.pop()))
        self._data += b"".join(encoded)

    def __getitem__(self, place: int) -> str:
        return self._data[self._ends[place] : self._ends[place + 1]].decode(errors="surrogatepass")


class TokenSums:
    """Tokens of turns together; what is unknown in all stays unknown."""

    __slots__ = ("cached", "input", "output", "reasoning")

    def __init__(self) -> None:
        self.input: int | None = None
        self.output: int | None = None
        self.cached: int | None = None
        self.reasoning: int | None = None

    def extend(self, usages: Sequence[TokenUsage]) -> None:
        """Take in those of turns."""
        self.input = _sum_known(self.input, [usage.input for usage in usages])
        self.output = _sum_known(self.output, [usage.output for usage in usages])
        self.cached = _sum_known(self.cached, [usage.cached for usage in usages])
        self.reasoning = _sum_known(self.reasoning, [usage.reasoning for usage in usages])

    @property
    def usage(self) -> TokenUsage:
        """What they come to."""
        return TokenUsage(input=self.input, output=self.output, cached=self.cached, reasoning=self.reasoning)


def _sum_known(before: int | None, counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return before if not known else sum(known) + (before or 0)


class Met:
    """How often something was met, and in which turns last."""

    __slots__ = ("newest", "times")

    def __init__(self) -> None:
        self.times = 0
        self.newest: deque[int] = deque(maxlen=NEWEST)

    def note(self, place: int, times: int = 1) -> None:
        """It was met so often in a turn."""
        self.times += times
        if not self.newest or self.newest[-1] != place:
            self.newest.append(place)
