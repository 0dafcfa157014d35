"""How much is kept: turns by age since they arrived and by size, requests as long as a turn may need them."""

from dataclasses import dataclass
from typing import Final

from agentnet_otel.sources.store.store import Store

_NANOS: Final = 1_000_000_000
_HOUR_S: Final = 3600
DEFAULT_AGE_S: Final = 14 * 24 * _HOUR_S
DEFAULT_BYTES: Final = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``age_s`` counts from arrival, for clocks of senders may be wrong; ``max_bytes`` is the size of the turns."""

    age_s: float = DEFAULT_AGE_S
    max_bytes: int = DEFAULT_BYTES


def keep_within(retention: Retention, store: Store, now_ns: int) -> int:
    """Delete what is beyond the limits; returns the number of turns that went."""
    gone = store.turns.forget_before(now_ns - round(retention.age_s * _NANOS))
    gone += store.turns.forget_beyond(retention.max_bytes)
    store.turns.sync()
    store.log.forget_before(store.turns.place())
    return gone
