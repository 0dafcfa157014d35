"""How much is kept: turns by age since they arrived and by size; requests as long as a turn may need them."""

from dataclasses import dataclass
from typing import Final

_HOUR_S: Final = 3600
DEFAULT_AGE_S: Final = 14 * 24 * _HOUR_S
DEFAULT_BYTES: Final = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``age_s`` counts from arrival, for clocks of senders may be wrong; ``max_bytes`` is the size of the turns."""

    age_s: float = DEFAULT_AGE_S
    max_bytes: int = DEFAULT_BYTES
