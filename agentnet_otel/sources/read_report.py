"""What happened while spans were read: what could not be used, how often, and where."""

from dataclasses import dataclass, field, replace
from typing import Final

MAX_PROBLEMS: Final = 20
"""Problems kept with their place; further ones are only counted."""


@dataclass(slots=True, kw_only=True)
class ReadReport:
    """Counts of one reading. ``problems``: texts with file and line, the first `MAX_PROBLEMS` of them.

    ``lines`` are lines, or messages where a file holds such.
    """

    spans: int = 0
    lines: int = 0
    bad_lines: int = 0
    bad_spans: int = 0
    skipped_lines: int = 0
    """Lines or messages longer than the limit, skipped unread."""
    cut_off_ends: int = 0
    """Files whose last line or message is not whole: their writer was killed, or still writes."""
    cut_windows: int = 0
    """Windows of time of which a server did not tell all."""
    bad_turns: int = 0
    """Damaged turns in folders of `serve`."""
    sources: int = 0
    unreadable_sources: int = 0
    missing_sources: int = 0
    """Of these, how many were asked for by name and could not even be opened."""
    foreign_files: int = 0
    """Files found in a directory of which no line could be read: reports, notes and the like."""
    problems: list[str] = field(default_factory=list)
    untold: int = 0
    cut_source: str = ""
    """The source of which, as is told, what is compressed is cut off: that its last line is too goes without saying."""

    @property
    def is_full(self) -> bool:
        """Whether of a further problem only the number is kept."""
        return len(self.problems) >= MAX_PROBLEMS

    def tell(self, where: str, what: str) -> None:
        """Note a problem."""
        if self.is_full:
            self.untold += 1
        else:
            self.problems.append(f"{where}: {what}")

    def told(self) -> tuple[int, int]:
        """How many problems are kept, and how many are only counted."""
        return len(self.problems), self.untold

    def take_back(self, told: tuple[int, int]) -> tuple[list[str], int]:
        """The problems since ``told``, which are kept no more: they were told too early."""
        kept, untold = told
        early = self.problems[kept:], self.untold - untold
        self.problems[kept:] = []
        self.untold = untold
        return early

    def tell_again(self, problems: list[str], untold: int) -> None:
        """Note what was taken back, now that what comes before it is told."""
        room = MAX_PROBLEMS - len(self.problems)
        self.problems += problems[:room]
        self.untold += len(problems[room:]) + untold

    def place(self) -> "ReadReport":
        """The counts as they are now."""
        return replace(self, problems=list(self.problems))

    def put_together(self, before: "ReadReport", path: str) -> None:
        """Tell of a file, read since ``before``, of which no line could be read, once and not line by line."""
        if self.bad_lines == before.bad_lines or self.counts_of_spans != before.counts_of_spans:
            return
        first = next(iter(self.problems[len(before.problems) :]), None)
        self.problems[len(before.problems) :] = []
        self.bad_lines, self.untold = before.bad_lines, before.untold
        self.foreign_files += 1
        place = "" if first is None else first.removeprefix(f"{path}:").strip()
        reason = f" ({'line ' if place[0].isdigit() else ''}{place})" if place else ""
        self.tell(path, f"no file of spans, left out{reason}")

    def take_problems(self) -> list[str]:
        """The problems since the last time, which are kept no more; of very many only their number."""
        taken, self.problems = self.problems, []
        if self.untold:
            taken.append(f"and {self.untold:,} more like these")
            self.untold = 0
        return taken

    def skip(self, where: str, what: str) -> None:
        """Count and note something that is too long."""
        self.skipped_lines += 1
        self.tell(where, what)

    def cut_off(self, where: str, what: str) -> None:
        """Count and note an end that is not whole."""
        self.cut_off_ends += 1
        self.tell(where, f"{what}; its writer was stopped, or still writes")

    def cut_window(self, where: str, what: str) -> None:
        """Count and note a window of time that is not whole."""
        self.cut_windows += 1
        self.tell(where, what)

    @property
    def counts_of_spans(self) -> tuple[int, ...]:
        """What shows that a file is one of spans, or is told otherwise."""
        return self.spans, self.bad_spans, self.skipped_lines, self.cut_off_ends, self.unreadable_sources

    @property
    def summary(self) -> str | None:
        """One sentence on what was lost, or None where nothing was."""
        parts = [
            f"{count} {word if count == 1 else word + 's'}"
            for count, word in (
                (self.unreadable_sources, "unreadable source"),
                (self.foreign_files, "foreign file"),
                (self.bad_lines, "bad line"),
                (self.skipped_lines, "oversized line"),
                (self.cut_off_ends, "cut-off end"),
                (self.cut_windows, "cut window"),
                (self.bad_spans, "bad span"),
                (self.bad_turns, "damaged turn"),
            )
            if count
        ]
        return f"left out: {', '.join(parts)}" if parts else None
