"""`SpanRecord`: the one normal form of a span, whatever wrote it and whatever carried it.

Attributes keep OTLP's value types. A struct of msgspec is used because millions of these are made when
files are read, and it is the cheapest frozen value there is.
"""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

AttributeValue = str | bool | int | float | bytes | tuple["AttributeValue", ...] | Mapping[str, "AttributeValue"] | None
"""A value as OTLP knows it: scalars, arrays (tuples) and key-value lists (mappings)."""


class SpanKind(IntEnum):
    """Kinds, numbered as in OTLP."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """Status codes, numbered as in OTLP."""

    UNSET = 0
    OK = 1
    ERROR = 2


class SpanEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A named moment in a span. ``time_ns``: epoch nanoseconds."""

    name: str
    time_ns: int
    attributes: Mapping[str, AttributeValue]


class SpanRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ended span.

    ``trace_id``, ``span_id`` and ``parent_span_id`` are lower-case hex (32, 16, 16 digits); a root's parent is
    None. Times are epoch nanoseconds. ``parent_is_remote`` is None where the carrier does not tell. ``resource`` is
    one mapping for all spans that came with it, where the carrier tells it.
    """

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    parent_span_id: str | None = None
    parent_is_remote: bool | None = None
    kind: SpanKind = SpanKind.UNSPECIFIED
    status: StatusCode = StatusCode.UNSET
    status_description: str = ""
    trace_state: str = ""
    attributes: Mapping[str, AttributeValue] = {}
    events: tuple[SpanEvent, ...] = ()
    service_name: str = ""
    resource: Mapping[str, AttributeValue] = {}
    scope_name: str = ""
    scope_version: str = ""

    @property
    def failed(self) -> bool:
        """Whether its status says so."""
        return self.status is StatusCode.ERROR
