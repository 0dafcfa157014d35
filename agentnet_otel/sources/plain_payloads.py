"""From a payload to its plain spans, whatever format it is in: the quick way, beside `decoding`, which reads all."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from agentnet_otel.core.plain_span import Origin
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.sources.decoding import opened
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.shape import Form, Payload
from agentnet_otel.sources.share import Agreement, Batch, Share

if TYPE_CHECKING:
    from agentnet_otel.sources.plain_protobuf import PlainProtobufDecoder

MAX_AHEAD: Final = 1000
"""Payloads that are decoded before all readers have agreed on the first of them."""
MAX_BYTES_AHEAD: Final = 4 * 1024 * 1024


class PlainDecoder:
    """Decodes payloads; one a reader, for it remembers attributes.

    ``note`` is called with the origins of spans; of these only those in ``share`` are read further.
    """

    def __init__(self, note: Callable[[Origin], None] = lambda _: None, share: Share | None = None) -> None:
        self._note = note
        self._share = share or Share()
        self._json = PlainJsonDecoder(note, self._share)

    @cached_property
    def _protobuf(self) -> "PlainProtobufDecoder":
        from agentnet_otel.sources.plain_protobuf import PlainProtobufDecoder  # noqa: PLC0415 - JSON needs no protobuf

        return PlainProtobufDecoder(self._note, self._share)

    def decode(self, data: bytes, form: Form) -> Batch | None:
        """The spans of a payload; None where it has to be read in the general way."""
        try:
            data, form = opened(data, form)
        except AgentNetOtelError:  # the general way tells it
            return None
        if form is Form.JSON and not (data.startswith((b"{", b" ")) and b'"resourceSpans"' in data):
            return None  # rubbish, or rare: not worth a try
        return self._json.decode(data) if form is Form.JSON else self._protobuf.decode(data)


def decoded(
    found: Iterator[Payload], plain: PlainDecoder, agreement: Agreement | None, report: ReadReport
) -> Iterator[tuple[Payload, Batch | None]]:
    """The payloads of a file with their plain spans; None with those that have to be read in the general way."""
    if agreement is not None:
        yield from _agreed(found, plain, agreement, report)
        return
    for payload in found:
        yield payload, plain.decode(payload.data, payload.form)


def _agreed(
    found: Iterator[Payload], plain: PlainDecoder, agreement: Agreement, report: ReadReport
) -> Iterator[tuple[Payload, Batch | None]]:
    """The same where readers have to agree: one goes on while it waits for others.

    What is told of ``found`` meanwhile is told in its place: behind that which comes of the payloads before.
    """
    ahead: deque[tuple[Payload, Batch | None]] = deque()
    size = 0
    is_end = False
    while not is_end:
        told = report.told()
        payload = next(found, None)
        is_end = payload is None
        early = report.take_back(told)
        while ahead and (is_end or any(early) or len(ahead) >= MAX_AHEAD or size > MAX_BYTES_AHEAD):
            first, batch = ahead.popleft()
            size -= len(first.data)
            yield first, batch if agreement.all_plain() else None
        report.tell_again(*early)
        if payload is not None:
            batch = plain.decode(payload.data, payload.form)
            agreement.tell(len(payload.data), plain=batch is not None)
            ahead.append((payload, batch))
            size += len(payload.data)
    agreement.end()
