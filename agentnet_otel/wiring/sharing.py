"""Reading with several processes: what they are told, and what they tell.

Each process reads all of the sources and makes turns of its share of the traces (`sources.share`): finding out whose a
span is costs a fraction of what is made of it, no span goes from one process to another, and what becomes of a trace
does not depend on how many share the work. So the turns, and their order, are those of one process. What is in spans of
others a process need not know; whether all of a request is plain they tell each other (`agreement`).

Messages go through pipes, each behind its length; what is told of a turn its form says.
"""

import os
import selectors
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import BinaryIO, Final

import msgspec

from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.turn_row import EndingKey, JudgedRow, TurnRow, judged_of
from agentnet_otel.outputs.turn_rows import row_line
from agentnet_otel.sources.read_report import ReadReport

_LENGTH_BYTES: Final = 4
_READ_BYTES: Final = 1 << 20


class ToldAs(Enum):
    """What is told of a turn: the line that is printed, or what is judged."""

    LINE = "line"
    JUDGED = "judged"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one process does."""

    sources: Sequence[str]
    number: int
    jobs: int
    form: ToldAs
    group_calls: bool


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Turns that were complete after a batch, perhaps none; ``spans``: how many the process has read until then."""

    batch: int
    spans: int
    turns: list[tuple[EndingKey, bytes]]


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The end, and what is told of the reading."""

    counts: Counts
    read: ReadReport
    environment: dict[str, str]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The end, for a reason that is told by all processes alike."""

    message: str
    wrong_use: bool


Message = Told | Done | Failed

encode: Final = msgspec.msgpack.encode
told_as: Final[dict[ToldAs, Callable[[TurnRow], bytes]]] = {
    ToldAs.LINE: row_line,
    ToldAs.JUDGED: lambda row: msgspec.json.encode(judged_of(row)),  # numbers of tokens may be beyond 64 bits
}
judged_in: Final[Callable[[bytes], JudgedRow]] = msgspec.json.Decoder(JudgedRow).decode
_decoder: Final = msgspec.msgpack.Decoder(Message)


def send(message: Message, stream: BinaryIO) -> None:
    """Write a message.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    body = encode(message)
    stream.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    stream.flush()


class Inbox:
    """What processes tell, given the file descriptors on which they do; messages of each come in their order.

    Processes that wait for each other (``together``) must not wait for whoever reads them: what one tells is taken in
    while another is listened to. It is as little as they are apart.
    """

    def __init__(self, ends: Sequence[int], *, together: bool) -> None:
        self._parts = [_Part(end) for end in ends]
        self._selector: selectors.BaseSelector | None = None
        if together:
            self._selector = selectors.DefaultSelector()
            for part in self._parts:
                self._selector.register(part.end, selectors.EVENT_READ, part)

    def next(self, number: int) -> Message | None:
        """The next message of a process; None where it has ended without one."""
        wanted = self._parts[number]
        while not wanted.messages and not wanted.has_ended:
            for part in self._readable(wanted):
                part.read()
                if part.has_ended and self._selector is not None:
                    self._selector.unregister(part.end)
        return wanted.messages.popleft() if wanted.messages else None

    def close(self) -> None:
        """Listen no more; the file descriptors stay open."""
        if self._selector is not None:
            self._selector.close()

    def _readable(self, wanted: "_Part") -> "list[_Part]":
        return [wanted] if self._selector is None else [key.data for key, _ in self._selector.select()]


class _Part:
    """What one process tells."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.has_ended = False
        self.messages: deque[Message] = deque()
        self._begun = bytearray()

    def read(self) -> None:
        """Take in what is there; waits if there is nothing."""
        some = os.read(self.end, _READ_BYTES)
        self.has_ended = not some
        self._begun += some
        at = 0
        while len(self._begun) >= at + _LENGTH_BYTES:
            begin = at + _LENGTH_BYTES
            end = begin + int.from_bytes(self._begun[at:begin], "big")
            if end > len(self._begun):
                break
            self.messages.append(_decoder.decode(self._begun[begin:end]))
            at = end
        del self._begun[:at]
