"""Pieces of encoded attributes, and what they say: most spans say the same things again and again.

Of all attributes of a stream only ids, times and counts are new from span to span. So the encoded attributes of a span
are cut apart at what stands between two of them, and each piece is looked up. Cutting is exact: the bytes
``}},{"key":"`` cannot stand in a text of valid JSON, whose quotes would be escaped; and a piece that was cut out of a
nested value is no JSON by itself, so reading it fails.

Attributes in protobuf come cut already.

`native` looks them up in C.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from agentnet_otel import semconv
from agentnet_otel.model import AttributeValue

Read = Callable[[bytes], tuple[str, AttributeValue]]
"""What a piece says: a key, empty where nothing reads it, and a value."""

MAX_PIECES: Final = 10_000
"""Attributes of which what they say is remembered; when there are more, the memory starts anew."""
MAX_PIECE_BYTES: Final = 200
"""Longer ones are texts, such as prompts, which would take much memory, and seldom come again."""
MAX_WHOLE: Final = 1000
"""Spans whose attributes are remembered all together: they are seldom the same where there are many or long ones."""
MAX_WHOLE_BYTES: Final = 400

_START: Final = b'[{"key":"'
_BETWEEN: Final = b'}},{"key":"'
_SPACED_START: Final = b'[{"key": "'
_SPACED_BETWEEN: Final = b'}}, {"key": "'
"""How attributes begin and what stands between them: without spaces, and as Python's json writes them."""
_END: Final = b"}}]"


class Pieces(dict[bytes, tuple[str, AttributeValue]]):
    """What pieces of attributes say; ``read`` tells it of bytes.

    It does so once for each of those that are remembered: at most ``limit``, of at most ``longest`` bytes.
    """

    def __init__(self, read: Read, limit: int, longest: int) -> None:
        super().__init__()
        self._read = read
        self._limit = limit
        self._longest = longest
        self._whole: dict[bytes, dict[str, AttributeValue]] = {}
        """What all attributes of a span say together, where other spans may say the same."""

    def __missing__(self, piece: bytes) -> tuple[str, AttributeValue]:
        """Read a piece; when there are too many, the memory starts anew."""
        found = self._read(piece)
        if len(piece) > self._longest:
            return found
        if len(self) >= self._limit:
            self.clear()
        self[piece] = found
        return found

    def mapping(self, encoded: bytes | msgspec.Raw) -> dict[str, AttributeValue] | None:
        """The attributes of a span; None where they are not written in one of the usual ways.

        Raises:
            Exception: whatever ``read`` raises.
        """
        written = bytes(encoded)
        known = self._whole.get(written) if len(written) <= MAX_WHOLE_BYTES else None
        if known is not None:
            return known
        if written.endswith(_END):
            for start, between in ((_START, _BETWEEN), (_SPACED_START, _SPACED_BETWEEN)):
                if written.startswith(start) and len(written) >= len(start) + len(_END):
                    pieces = written[len(start) : -len(_END)].split(between)
                    return self._remember(written, self.mapping_of(pieces))
        return None

    def mapping_of(self, pieces: list[bytes]) -> dict[str, AttributeValue]:
        """The same of a list of pieces that were cut already.

        Raises:
            Exception: whatever ``read`` raises.
        """
        attributes = dict(map(self.__getitem__, pieces))
        attributes.pop("", None)
        return attributes

    def _remember(self, written: bytes, attributes: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
        """Keep what all attributes of a span say, unless they name its turn, which no other turn's spans do."""
        if len(written) <= MAX_WHOLE_BYTES and semconv.TURN_ID not in attributes:
            if len(self._whole) >= MAX_WHOLE:
                self._whole.clear()
            self._whole[written] = attributes
        return attributes


def are_ids(texts: list[str], digits: int) -> bool:
    """Whether all texts are hexadecimal numbers of so many digits, in lower case and not 0.

    Reading them as hexadecimal is the quickest check; it alone would take capitals and spaces.
    """
    if not texts:
        return True
    joined = "".join(texts)
    try:
        size = len(bytes.fromhex(joined))
    except ValueError:
        return False
    return (
        size * 2 == digits * len(texts)
        and joined == joined.lower()
        and set(map(len, texts)) == {digits}
        and "0" * digits not in texts
    )
