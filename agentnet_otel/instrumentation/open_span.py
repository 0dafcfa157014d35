"""What all spans of ours share while they are open: a place in the context, a start, and an end that happens once.

They collect facts; `Recorder` writes them. Public methods named ``record_*`` and ``set_*`` are the manual API: they
check what they are given and tell misuse.
"""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from opentelemetry.context import Context
from opentelemetry.trace import Span

from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.clock import Anchor
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.outcomes import Ending, ending_of
from agentnet_otel.model import AttributeValue

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.recorder import Recorder


class OpenSpan(ABC):
    """What sessions, turns and components share: a place in the context, a start, an end that happens once."""

    __slots__ = (
        "__weakref__",
        "_attachment",
        "anchor",
        "attributes",
        "context",
        "end_ns",
        "epoch",
        "is_root",
        "parent",
        "recorder",
        "span",
        "start_ns",
    )

    kind_name = "span"

    def __init__(self, recorder: "Recorder") -> None:
        self.recorder = recorder
        self.parent: OpenSpan | None = None
        self.span: Span | None = None
        self.context: Context | None = None
        self.anchor: Anchor | None = None
        self.attributes: dict[str, AttributeValue] = {}
        self.start_ns = 0
        self.end_ns = 0
        self.epoch = -1
        self.is_root = False
        self._attachment: ctx.Attachment | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was started in this process and has not ended."""
        return self.start_ns != 0 and self.end_ns == 0 and self.epoch == lifecycle.epoch

    @property
    @abstractmethod
    def conversation_id(self) -> str | None:
        """The conversation that it belongs to, where one is known."""

    @property
    def trace_id(self) -> str | None:
        """The trace id in hex, once started with a valid span."""
        if self.span is None or not self.span.get_span_context().is_valid:
            return None
        return format(self.span.get_span_context().trace_id, "032x")

    @property
    def span_id(self) -> str | None:
        """The span id in hex, once started with a valid span."""
        if self.span is None or not self.span.get_span_context().is_valid:
            return None
        return format(self.span.get_span_context().span_id, "016x")

    def now_ns(self) -> int:
        """The time on this span's clock, epoch nanoseconds."""
        return 0 if self.anchor is None else self.anchor.now_ns()

    def attach(self) -> ctx.Attachment | None:
        """Make this span current for a while; the caller detaches. None where there is nothing to attach."""
        return None if self.context is None else ctx.Attachment(self.context)

    def make_current(self) -> None:
        """Make this span current until it ends."""
        self._attachment = self.attach()

    def leave(self) -> None:
        """Undo `make_current`; harmless if it was not called or is undone elsewhere."""
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.detach()

    def start(self, *, current: bool = True) -> Self:
        """Start it; with ``current`` it also becomes the current span of this context. Never raises."""
        self._start(current=current)
        return self

    @faults.guarded
    def _start(self, *, current: bool) -> None:
        if self.start_ns:
            self._misuse(f"this {self.kind_name} was started already; a new one is needed for each use")
            return
        self._open()
        if current:
            self.make_current()

    def end(self, error: BaseException | None = None) -> None:
        """End it once; ``error`` is what the body raised. A further call does nothing. Never raises."""
        try:
            self._end(error)
        finally:
            self.leave()

    @faults.guarded
    def _end(self, error: BaseException | None) -> None:
        if self.is_open:
            if error is not None and self.recorder.content.anywhere:
                self.recorder.tell_error(self, error)
            self._close(ending_of(error))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        self.end(exc)
        return False

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        self.end(exc)
        return False

    @abstractmethod
    def _open(self) -> None:
        """Have the recorder start it."""

    @abstractmethod
    def _close(self, ending: Ending | None) -> None:
        """Have the recorder end it."""

    def _misuse(self, text: str) -> None:
        faults.log.misuse(text, strict=self.recorder.strict)

    def _usable(self, method: str) -> bool:
        """Whether facts can still be recorded; if not, say so."""
        if self.is_open:
            return True
        if self.epoch in {-1, lifecycle.epoch}:
            state = "after the end of" if self.end_ns else "before the start of"
            self._misuse(f"{method}() was called {state} the {self.kind_name}; nothing was recorded")
        return False


def text_of(value: object) -> str | None:
    """A name as text; enums by value, because their members print with the class name."""
    if value is None:
        return None
    return str(getattr(value, "value", value))
