"""What others wrote, in what is told of it: as much of it as helps."""

from typing import Final

MAX_QUOTED: Final = 100
"""Characters of one text. What is too long to be an id or a number may have millions."""


def quoted(said: object) -> str:
    """A value as Python writes it, texts in quotes; long ones are cut."""
    if isinstance(said, str | bytes) and len(said) > MAX_QUOTED:
        unit = "characters" if isinstance(said, str) else "bytes"
        return f"{said[:MAX_QUOTED]!r}... ({len(said):,} {unit})"
    return repr(said)


def cut(words: str, most: int = 5 * MAX_QUOTED) -> str:
    """Words of others, without quotes."""
    return words if len(words) <= most else f"{words[:most]}..."
