"""Reading with several processes: what they are told, and what they tell.

Each process reads all of the sources and makes turns of its share of the traces (`sources.share`): finding out whose a
span is costs a fraction of what is made of it, no span goes from one process to another, and what becomes of a trace
does not depend on how many share the work. So the turns, and their order, are those of one process. What is in spans of
others a process need not know; whether all of a request is plain they tell each other (`agreement`).

Messages go through pipes, each behind its length; rows are told as the lines that are printed.
"""

from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec

from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.turn_row import EndingKey
from agentnet_otel.sources.read_report import ReadReport

LENGTH_BYTES: Final = 4


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one process does."""

    sources: Sequence[str]
    number: int
    jobs: int
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
