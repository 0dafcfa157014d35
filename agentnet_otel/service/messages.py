"""What the process that receives and the one that understands tell each other: one JSON object a line."""

from typing import Final

import msgspec

from agentnet_otel.core.assembler import Counts
from agentnet_otel.model import MetricsMode


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What to work on. ``clock_offset_ns``: epoch time less that of the monotonic clock, at the start."""

    folder: str
    quiet_ns: int
    metrics: MetricsMode
    clock_offset_ns: int
    group_calls: bool = False
    careful: bool = False
    """Whether a process died before: then also turns are made with a note of what they are made of."""


class Grown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Requests are durable up to ``end``."""

    end: int


class Forget(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Delete turns that arrived before a time, and the oldest ones beyond a size."""

    before_ns: int
    max_bytes: int


class AskFigures(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell what the metrics counted."""


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Understand what is there, but no longer than ``within_s``, keep it, and end."""

    within_s: float


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How far it came. ``place``: understood up to there; ``arrived_ns``: when the last request of these arrived."""

    place: int
    arrived_ns: int
    counts: Counts
    bad_spans: int
    bad_requests: int
    bad_turns: int
    held_spans: int
    held_traces: int


class Forgotten(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Requests before ``place`` are not needed any more, be there a power cut."""

    place: int
    stored_turns: int


class Figures(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the metrics counted, as `TurnFigures.restore` takes it."""

    body: msgspec.Raw
    counted: int
    left_out: int
    folded: int


class Remark(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A sentence for whoever runs it. ``trouble``: why turns cannot be kept now; empty where they can.

    ``once``: it is of no use to whoever was told the same before.
    """

    text: str
    trouble: str | None = None
    once: bool = False


Order = Begin | Grown | Forget | AskFigures | Finish
Told = Progress | Forgotten | Figures | Remark

ORDERS: Final = msgspec.json.Decoder(Order)
TOLD: Final = msgspec.json.Decoder(Told)


def line_of(message: Order | Told) -> bytes:
    """The message as a line."""
    return msgspec.json.encode(message) + b"\n"
