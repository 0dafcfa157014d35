"""What happened while spans were read: what could not be used, how often, and where."""

from dataclasses import dataclass, field
from typing import Final

MAX_PROBLEMS: Final = 20
"""Problems kept with their place; further ones are only counted."""


@dataclass(slots=True, kw_only=True)
class ReadReport:
    """Counts of one reading. ``problems``: texts with file and line, the first `MAX_PROBLEMS` of them."""

    spans: int = 0
    lines: int = 0
    bad_lines: int = 0
    bad_spans: int = 0
    skipped_lines: int = 0
    """Lines longer than the limit, skipped unread."""
    sources: int = 0
    unreadable_sources: int = 0
    problems: list[str] = field(default_factory=list)
    untold: int = 0

    def tell(self, where: str, what: str) -> None:
        """Note a problem."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{where}: {what}")
        else:
            self.untold += 1

    @property
    def summary(self) -> str | None:
        """One sentence on what was lost, or None where nothing was."""
        parts = [
            f"{count} {word if count == 1 else word + 's'}"
            for count, word in (
                (self.unreadable_sources, "unreadable source"),
                (self.bad_lines, "bad line"),
                (self.skipped_lines, "oversized line"),
                (self.bad_spans, "bad span"),
            )
            if count
        ]
        return f"left out: {', '.join(parts)}" if parts else None
