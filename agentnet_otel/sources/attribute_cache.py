"""Attributes by their encoded bytes: most spans say the same things again and again.

Decoding an attribute costs more than looking its bytes up, in JSON as in protobuf, and of all attributes in a stream
only ids, times and texts differ from span to span.
"""

from collections.abc import Callable, Iterable
from typing import Final

from agentnet_otel.model import AttributeValue

Attribute = tuple[str, AttributeValue]

MAX_ENTRIES: Final = 20_000
"""Attributes kept; when there are more, the cache starts anew."""
MAX_BYTES: Final = 160
"""Longer attributes are texts, which rarely repeat: they are decoded each time."""


class AttributeCache:
    """Decodes attributes by ``decode``, each distinct one once. Not safe for threads: each reader has its own."""

    def __init__(self, decode: Callable[[bytes], Attribute]) -> None:
        self._decode = decode
        self._known: dict[bytes, Attribute] = {}

    def mapping(self, encoded: Iterable[bytes]) -> dict[str, AttributeValue]:
        """The attributes as a mapping; of those with one key the last counts.

        Raises:
            Exception: whatever ``decode`` raises for bad ones.
        """
        known = self._known
        found: dict[str, AttributeValue] = {}
        for raw in map(bytes, encoded):
            attribute = known.get(raw)
            if attribute is None:
                attribute = self._decode(raw)
                self._keep(raw, attribute)
            found[attribute[0]] = attribute[1]
        return found

    def _keep(self, raw: bytes, attribute: Attribute) -> None:
        if len(raw) > MAX_BYTES:
            return
        if len(self._known) >= MAX_ENTRIES:
            self._known.clear()
        self._known[raw] = attribute
