"""Reading with several processes: what they are told, and what they tell.

Each process reads all of the sources and makes turns of its share of the traces (`sources.share`): finding out whose a
span is costs a fraction of what is made of it, no span goes from one process to another, and what becomes of a trace
does not depend on how many share the work. So the turns, and their order, are those of one process. What is in spans of
others a process need not know; whether all of a request is plain they tell each other (`agreement`).

Messages go through pipes, each behind its length; what is told of a turn its form says.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import BinaryIO, Final

import msgspec

from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.turn_row import EndingKey, JudgedRow, TurnRow, judged_of
from agentnet_otel.outputs.turn_rows import row_line
from agentnet_otel.sources.read_report import ReadReport

LENGTH_BYTES: Final = 4


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
    """Turns that were complete after a batch; ``spans``: how many the process has read until then."""

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
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """The next message; None where there is no whole one."""
    length = int.from_bytes(stream.read(LENGTH_BYTES), "big")
    body = stream.read(length)
    return _decoder.decode(body) if length and len(body) == length else None
