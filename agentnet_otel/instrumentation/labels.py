"""Metric labels: a closed set of keys, and a cap on the values of each.

The cap acts before the SDK's own cardinality limit, which would fold whole series into one: here only the value
that is one too many becomes ``other``, and the other keys stay true.
"""

import threading
from collections.abc import Mapping
from typing import Final

from agentnet_otel.instrumentation.lifecycle import lifecycle

MAX_VALUES: Final = 200
"""Values of one label; further ones become `OTHER` and are counted."""

OTHER: Final = "other"
UNKNOWN: Final = "unknown"
MAX_VALUE_LENGTH: Final = 256

Labels = Mapping[str, str]


class LabelCap:
    """Folds the overflow of each label's values into `OTHER`."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._seen: dict[str, set[str]] = {}
        self._lock = threading.RLock()
        self.folded = 0
        lifecycle.renew_lock_after_fork(self)

    def value(self, key: str, raw: object) -> str:
        """``raw`` if it is among the values known or still admitted, `UNKNOWN` for None, else `OTHER`."""
        if raw is None:
            return UNKNOWN
        seen = self._seen.get(key)
        if seen is not None and raw in seen:
            return raw
        return self._admit(key, str(raw)[:MAX_VALUE_LENGTH])

    def reset_lock(self) -> None:
        """Begin anew, in a forked child: its series are its own."""
        self._lock = threading.RLock()
        self._seen = {}
        self.folded = 0

    def _admit(self, key: str, raw: str) -> str:
        with self._lock:
            seen = self._seen.setdefault(key, set())
            if raw not in seen and len(seen) >= self._max_values:
                self.folded += 1
                return OTHER
            seen.add(raw)
            return raw
