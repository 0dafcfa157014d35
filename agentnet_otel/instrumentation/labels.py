"""Metric labels: a closed set of keys a metric, a cap on the values of each, and a cap on the series of a metric.

Both caps act before the SDK's own cardinality limit, which would fold whole series into one without any label: here
only the value that is one too many becomes ``other``, and the other keys stay true.
"""

import threading
from collections.abc import Mapping
from typing import Final

from agentnet_otel.instrumentation.lifecycle import lifecycle

MAX_VALUES: Final = 200
"""Values of one label; further ones become `OTHER` and are counted."""
MAX_SERIES: Final = 1800
"""Combinations of labels of one metric; in further ones all values that are not of a closed vocabulary become `OTHER`.
The SDK allows 2,000, and the combinations with `OTHER` come on top."""

OTHER: Final = "other"
UNKNOWN: Final = "unknown"
MAX_VALUE_LENGTH: Final = 256

Labels = Mapping[str, str]


class LabelCap:
    """Folds the overflow of each label's values into `OTHER`."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._seen: dict[str, set[str]] = {}
        self.lock = threading.RLock()
        self.folded = 0
        lifecycle.renew_lock_after_fork(self)

    def value(self, key: str, raw: object) -> str:
        """``raw`` if it is among the values known or still admitted, `UNKNOWN` for None, else `OTHER`."""
        if raw is None:
            return UNKNOWN
        text = str(raw)[:MAX_VALUE_LENGTH]
        with self.lock:
            seen = self._seen.setdefault(key, set())
            if text not in seen and len(seen) >= self._max_values:
                self.folded += 1
                return OTHER
            seen.add(text)
        return text

    def reset_lock(self) -> None:
        """Begin anew, in a forked child: its series are its own."""
        self.lock = threading.RLock()
        self._seen = {}
        self.folded = 0


class LabelSets:
    """The labels of one metric: ``keys`` in order, the same for each of its series.

    The values of ``closed`` keys are of a closed vocabulary and always kept. ``optional`` keys are left out where there
    is nothing to say, as conventions of others ask; every other key is there always.
    """

    def __init__(
        self,
        cap: LabelCap,
        *keys: str,
        closed: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        max_series: int = MAX_SERIES,
    ) -> None:
        self._cap = cap
        self._keys = keys
        self._closed = frozenset(closed)
        self._optional = frozenset(optional)
        self._max_series = max_series
        self._known: dict[tuple[str | None, ...], Labels] = {}
        self._series: set[tuple[str | None, ...]] = set()
        lifecycle.renew_lock_after_fork(self)

    def of(self, *values: str | None) -> Labels:
        """The labels with these values, in the order of the keys; None is unknown."""
        return self._known.get(values) or self._admit(values)

    def reset_lock(self) -> None:
        """Begin anew, in a forked child."""
        self._known = {}
        self._series = set()

    def _admit(self, values: tuple[str | None, ...]) -> Labels:
        with self._cap.lock:
            kept = tuple(self._kept(key, value) for key, value in zip(self._keys, values, strict=True))
            if kept not in self._series and len(self._series) >= self._max_series:
                self._cap.folded += 1
                kept = tuple(
                    value if value is None or key in self._closed else OTHER
                    for key, value in zip(self._keys, kept, strict=True)
                )
            else:
                self._series.add(kept)
            labels = {key: value for key, value in zip(self._keys, kept, strict=True) if value is not None}
            was_folded = any(raw is not None and raw != value for raw, value in zip(values, kept, strict=True))
            if not was_folded:  # what was folded, or cut, comes in endless forms
                self._known[values] = labels
        return labels

    def _kept(self, key: str, value: str | None) -> str | None:
        if value is None and key in self._optional:
            return None
        return value if key in self._closed and value is not None else self._cap.value(key, value)
