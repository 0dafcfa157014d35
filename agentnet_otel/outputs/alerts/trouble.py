"""What goes wrong is told once, until it works again."""

from collections.abc import Callable


class Trouble:
    """Remembers what was told. One thread uses an instance."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def say(self, what: str, text: str) -> None:
        """Tell of a thing that does not work, unless that was told."""
        if what not in self._told:
            self._told.add(what)
            self._tell(text)

    def over(self, what: str) -> None:
        """It works."""
        self._told.discard(what)
