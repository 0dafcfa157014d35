"""A turn as one JSON object: the lines of `agentnet-otel turns`. Every key is always there, null where unknown."""

from typing import Any

import msgspec

from agentnet_otel.core.turn_row import TurnRow, row_of
from agentnet_otel.model import Turn
from agentnet_otel.outputs.json_text import strict_json


def turn_row(turn: Turn) -> dict[str, Any]:
    """The row of a turn; durations in milliseconds, cost in USD."""
    row: dict[str, Any] = msgspec.to_builtins(row_of(turn))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}


def turn_line(turn: Turn) -> bytes:
    """The row as one line of JSON."""
    return row_line(row_of(turn))


def row_line(row: TurnRow) -> bytes:
    """A row as one line of JSON."""
    return strict_json(row) + b"\n"
