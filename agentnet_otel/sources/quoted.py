"""What others wrote, in what is told of it: as much of it as helps."""

from typing import Final

MAX_QUOTED: Final = 100
"""Characters of one text. What is too long to be an id or a number may have millions."""
MAX_WORDS: Final = 500
"""Characters of what somebody says."""


def quoted(said: object) -> str:
    """A value as Python writes it, texts in quotes; of long ones the beginning."""
    return repr(cut(said, MAX_QUOTED) if isinstance(said, str) else said)


def cut(words: str, most: int = MAX_WORDS) -> str:
    """Words of others, without quotes; where they are cut, there is an ellipsis."""
    return words if len(words) <= most else f"{words[:most]}\u2026"
