"""Many turns as columns of figures, for whoever tells of all of them at once: some two hundred bytes a turn.

A turn as an object takes ten times as much, and to look at each of a hundred thousand objects for each table of a
report takes longer than to read them. So each turn is looked at once, when it comes, and then let go. What is asked of
single ones later (the slowest, the newest that failed) is kept for as many as are ever named.

Turns have places, which count from 0 in the order in which they came.
"""

from agentnet_otel.core.columns.held import Met, Told
from agentnet_otel.core.columns.incidents import UNNAMED_RULE
from agentnet_otel.core.columns.turns import AT_ONCE, SLOWEST, UNATTRIBUTED, TurnColumns, Turns, columns_of

__all__ = [
    "AT_ONCE",
    "SLOWEST",
    "UNATTRIBUTED",
    "UNNAMED_RULE",
    "Met",
    "Told",
    "TurnColumns",
    "Turns",
    "columns_of",
]
