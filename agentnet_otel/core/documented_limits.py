"""Beyond which a turn stands out, as documented. Trackers let the user set others; reports go by these.

A turn stands out strictly beyond a limit. (What a service is judged by is in `thresholds`.)
"""

from typing import Final

SLOW_TURN_MS: Final = 1000.0
POLICY_VIOLATIONS: Final = 2
TOOL_USES: Final = 3
MEMORY_SHARE: Final = 0.3
"""Of the limit of a slow turn: so much may be memory access."""

REDUNDANT_SHARE: Final = 0.3
LOW_EFFICIENCY: Final = 0.5
EXPENSIVE_TURN_USD: Final = 0.05
CONTEXT_TOKENS: Final = 8000
CATEGORY_SHARE: Final = 0.6
"""Of all tokens with a category."""

# The newer dialect's, of means over all turns.
MEAN_IO_REDUNDANCY: Final = 0.15
MEAN_EFFICIENCY: Final = 0.6
