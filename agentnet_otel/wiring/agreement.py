"""Several processes agree on which requests are plain: each tells each other, through a pipe, a byte a request."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from typing import Final

MAX_AGREEING: Final = 8
"""More processes do not agree, for each pair needs two pipes: each looks at all spans instead."""
_PLAIN, _OTHER, _END = b"\x01\x02\x03"
_TOLD_BYTES: Final = 256 * 1024
"""What was found out of so many bytes of requests is told at once."""
_READ_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """The ends, as file descriptors, by which a process hears others, and is heard by them."""

    hears: Sequence[int]
    tells: Sequence[int]

    def close(self) -> None:
        """Close both."""
        for end in (*self.hears, *self.tells):
            os.close(end)


def lines_between(processes: int) -> list[Line]:
    """The ends of each of so many processes: pipes from each to each other.

    Raises:
        OSError: there cannot be so many pipes.
    """
    pipes: dict[tuple[int, int], tuple[int, int]] = {}
    try:
        pipes.update((pair, os.pipe()) for pair in permutations(range(processes), 2))
    except OSError:
        Line([reads for reads, _ in pipes.values()], [writes for _, writes in pipes.values()]).close()
        raise
    return [
        Line(
            [reads for (_, to), (reads, _) in pipes.items() if to == number],
            [writes for (of, _), (_, writes) in pipes.items() if of == number],
        )
        for number in range(processes)
    ]


class PipeAgreement:
    """`Agreement` of processes that read the same files.

    A process that has ended agrees to nothing: then each of the others reads in the general way.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._untold = bytearray()
        self._untold_of = 0
        self._heard = [_Heard(end) for end in line.hears]

    def tell(self, size: int, *, plain: bool) -> None:
        """Say whether the next request is plain."""
        self._untold.append(_PLAIN if plain else _OTHER)
        self._untold_of += size
        if self._untold_of >= _TOLD_BYTES:
            self._tell_now()

    def all_plain(self) -> bool:
        """Whether the first request that was not asked for yet is plain for all others."""
        if not all(heard.something for heard in self._heard):
            self._tell_now()  # or each would wait for the other
        said = [heard.next_is_plain() for heard in self._heard]  # each is to be heard, whatever others say
        return all(said)

    def end(self) -> None:
        """Say that a source ends, and wait for the others."""
        self._untold.append(_END)
        self._tell_now()
        for heard in self._heard:
            heard.skip_to_end()

    def _tell_now(self) -> None:
        told, self._untold, self._untold_of = self._untold, bytearray(), 0
        for end in self._line.tells:
            with suppress(BrokenPipeError):  # it has ended, and needs to know no more
                os.write(end, told)


class _Heard:
    """What another process has told and was not asked for yet."""

    def __init__(self, end: int) -> None:
        self._end = end
        self._told = b""
        self._at = 0
        self._is_gone = False

    @property
    def something(self) -> bool:
        """Whether there is anything."""
        return self._at < len(self._told)

    def next_is_plain(self) -> bool:
        """Whether the next request is plain for it; no more once its source, or the process, has ended."""
        told = self._next()
        if told == _END:
            self._at -= 1  # it has read less of a file that grows
        return told == _PLAIN

    def skip_to_end(self) -> None:
        """Hear all of a source."""
        while not self._is_gone and self._next() != _END:
            pass

    def _next(self) -> int:
        if not self.something and not self._is_gone:
            self._told, self._at = os.read(self._end, _READ_BYTES), 0
            self._is_gone = not self._told
        if self._is_gone:
            return _OTHER
        self._at += 1
        return self._told[self._at - 1]
