"""Numbers in order, of which there are too many to hold each as an object: a float and its place take 32 bytes.

They are held as runs of eight bytes a number, each in order. The number at a place is found by halving the range of
values and asking each run how many of its numbers lie below: a thousand searches, however many there are.
"""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, overload

RUN: Final = 65_536
"""Numbers of a run."""

_DOUBLE: Final = struct.Struct("<d")
_BITS: Final = struct.Struct("<q")
_ALL_BUT_SIGN: Final = 2**63 - 1


class SortedRuns(Sequence[float]):
    """All numbers that were appended (no NaN), as a sequence that is sorted. Not safe for threads."""

    def __init__(self, run: int = RUN) -> None:
        self._run = run
        self._runs: list[array[float]] = []
        self._open = array("d")

    def append(self, number: float) -> None:
        """Put a number in its place."""
        self._open.append(number)
        if len(self._open) >= self._run:
            self._close()

    def __len__(self) -> int:
        return sum(map(len, self._runs)) + len(self._open)

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> list[float]: ...
    def __getitem__(self, place: int | slice) -> float | list[float]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        size = len(self)
        if not -size <= place < size:
            raise IndexError(place)
        self._close()
        wanted = place % size
        low, high = _rank(min(run[0] for run in self._runs)), _rank(max(run[-1] for run in self._runs))
        while low < high:
            middle = (low + high) // 2
            value = _of_rank(middle)
            if sum([bisect_right(run, value) for run in self._runs]) > wanted:
                high = middle
            else:
                low = middle + 1
        return _of_rank(low)

    def _close(self) -> None:
        if self._open:
            self._runs.append(array("d", sorted(self._open)))
            self._open = array("d")


def _rank(number: float) -> int:
    """A whole number for each number, in the same order: its bits, of negative ones turned."""
    (bits,) = _BITS.unpack(_DOUBLE.pack(number))
    return int(bits) if bits >= 0 else int(bits) ^ _ALL_BUT_SIGN


def _of_rank(rank: int) -> float:
    """The number of a rank."""
    (number,) = _DOUBLE.unpack(_BITS.pack(rank if rank >= 0 else rank ^ _ALL_BUT_SIGN))
    return float(number)
