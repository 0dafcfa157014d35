"""Cutting a stream into payloads, one a request: its shape is told by its first bytes, not by a name.

| shape | what writes it |
|---|---|
| a line each | the Collector's file exporter (JSON), our own |
| one document | an OTLP request saved as it is, Jaeger's API and UI |
| 4 bytes of length before each (big-endian) | the Collector's file exporter (protobuf; either format when compressed) |
| a varint of length before each | streams of delimited protobuf messages |
| one message | an OTLP protobuf request saved as it is |
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

from agentnet_otel.sources.compression import peeked
from agentnet_otel.sources.lines import texts, whole
from agentnet_otel.sources.messages import MessageCutter
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import (
    FOREIGN,
    HEAD_BYTES,
    LONG_HEAD_BYTES,
    Form,
    Payload,
    Shape,
    shape_of_start,
    tells_nothing,
)

_CHUNK: Final = 1024 * 1024


def payloads(stream: BinaryIO, name: str, report: ReadReport) -> Iterator[Payload]:
    """The payloads of a stream. What is too long is skipped unread, counted and told.

    Raises:
        InputError: a single document is too large, or text is in an encoding that is not read; or a length is none.
    """
    head, stream = peeked(stream, HEAD_BYTES)
    if tells_nothing(head) and not head.startswith(FOREIGN):
        head, stream = peeked(stream, LONG_HEAD_BYTES)
    shape = shape_of_start(head)
    if shape is Shape.TEXT:
        yield from texts(stream, name, report)
    elif shape is Shape.MESSAGE:
        report.lines += 1
        yield Payload(data=whole(b"", stream), where=name, form=Form.PROTOBUF)
    else:
        yield from _messages(stream, MessageCutter(shape, name, report, grows=False))


def _messages(stream: BinaryIO, cutter: MessageCutter) -> Iterator[Payload]:
    read_some = getattr(stream, "read1", stream.read)  # of a pipe what is there
    while part := read_some(_CHUNK):
        yield from cutter.feed(part)
    yield from cutter.finish()
