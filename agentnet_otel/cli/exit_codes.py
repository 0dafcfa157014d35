"""What the end of a command tells a script, beside 0. Signals: 130 and 143."""

from typing import Final

FAILURE: Final = 1
"""Something named is missing, cannot be read or written, or a server does not answer."""

USAGE: Final = 2
"""Wrong options, files of settings or variables."""

CRITICAL: Final = 10
"""A critical limit is passed."""

REGRESSION: Final = 11
"""Worse than the baseline."""

TOO_FEW_TURNS: Final = 12
"""Fewer than 20 turns on a side: nothing can be said."""
