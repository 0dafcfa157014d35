"""From a payload to its plain spans, whatever format it is in: the quick way, beside `decoding`, which reads all."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from agentnet_otel.core.plain_span import Origin
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.sources.decoding import opened
from agentnet_otel.sources.framing import Form
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.share import Batch, Share

if TYPE_CHECKING:
    from agentnet_otel.sources.plain_protobuf import PlainProtobufDecoder


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
        if form is Form.JSON and not data.startswith((b"{", b" ")):  # rubbish, or rare: not worth a try
            return None
        return self._json.decode(data) if form is Form.JSON else self._protobuf.decode(data)
