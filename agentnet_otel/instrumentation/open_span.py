"""What all spans of ours share while they are open: a place in the context, a start, and an end that happens once.

They collect facts; `Recorder` writes them. Public methods named ``record_*`` and ``set_*`` are the manual API: they
check what they are given and tell misuse.
"""

import threading
from abc import ABC, abstractmethod
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

from opentelemetry.context import Context
from opentelemetry.trace import Span

from agentnet_otel import semconv
from agentnet_otel.errors import MisuseError
from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.clock import Anchor
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.outcomes import Ending, ending_of
from agentnet_otel.model import AttributeValue, Outcome

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.recorder import Recorder

INTERRUPTED: Final = "interrupted"
"""error.type of what was open when its process ended."""


class OpenSpan(ABC):
    """What sessions, turns and components share: a place in the context, a start, an end that happens once."""

    __slots__ = (
        "__weakref__",
        "_attachment",
        "_ending_claim",
        "anchor",
        "attributes",
        "context",
        "end_ns",
        "ended_from_outside",
        "epoch",
        "is_lost",
        "is_root",
        "own_conversation_id",
        "parent",
        "recorder",
        "span",
        "start_ns",
    )

    kind_name: ClassVar = "span"
    is_turn: ClassVar = False

    def __init__(self, recorder: "Recorder", conversation_id: str | None = None) -> None:
        self.recorder = recorder
        self.own_conversation_id = conversation_id
        self.parent: OpenSpan | None = None
        self.span: Span | None = None
        self.context: Context | None = None
        self.anchor: Anchor | None = None
        self.attributes: dict[str, AttributeValue] = {}
        self.start_ns = 0
        self.end_ns = 0
        self.epoch = -1
        self.is_root = False
        self.is_lost = False
        self.ended_from_outside = False
        self._attachment: ctx.Attachment | None = None
        self._ending_claim = threading.Lock()  # taken once, by whoever ends it first

    @property
    def is_open(self) -> bool:
        """Whether it was started in this process and has not ended."""
        return self.start_ns != 0 and self.end_ns == 0 and self.epoch == lifecycle.epoch

    def nearest_open(self) -> "OpenSpan | None":
        """This span, or the nearest one around it, that is still open in this process."""
        here: OpenSpan | None = self
        while here is not None and not here.is_open:
            here = here.parent
        return here

    def let_go_of_ended_parents(self) -> None:
        """Contexts of tasks and threads may hold an ended span for long: it must not hold a chain of others.

        So tasks that start each other, each inside the turn of the one before, cost no memory.
        """
        self.parent = None if self.parent is None else self.parent.nearest_open()

    @property
    def conversation_id(self) -> str | None:
        """The conversation that it belongs to: its own, else that of the nearest span around it that knows one."""
        here: OpenSpan | None = self
        while here is not None and here.own_conversation_id is None:
            here = here.parent
        return None if here is None else here.own_conversation_id

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
        return None if self.context is None else ctx.attached(self.context, self)

    @faults.guarded
    def leave(self) -> None:
        """Undo what `start` made current; harmless if it did not, or if it is undone elsewhere."""
        if self._attachment is not None:
            self._attachment.detach()

    def start(self, *, current: bool = True) -> Self:
        """Start it; with ``current`` it also becomes the current span of this context.

        Raises:
            MisuseError: in strict mode, if it was started before or cannot be started here.
        """
        if self.start_ns:
            self._misuse(f"this {self.kind_name} was started already; a new one is needed for each use")
            return self
        try:
            self.is_lost = self._start(current=current) is None
        except MisuseError:
            raise
        except BaseException as error:  # an interrupt that came while our code ran: leave nothing behind
            self.end(error)
            raise
        return self

    @faults.guarded
    def _start(self, *, current: bool) -> bool:
        self._open()
        if current:
            self._attachment = self.attach()
        return True

    def end(self, error: BaseException | None = None) -> None:
        """End it once; ``error`` is what the body raised. A further call does nothing. Never raises."""
        try:
            self._end(error)
        finally:
            self.leave()

    @faults.guarded
    def _end(self, error: BaseException | None) -> None:
        if self.is_open and self._ending_claim.acquire(blocking=False):
            if error is not None:
                self.recorder.content.tell_exception(self, error)
            self._close(ending_of(error))

    def end_from_outside(self, ending: Ending | None, *, mark: str | None = None) -> None:
        """End it, whatever its owner does, with ``mark`` as an attribute that says so; nothing if it ends already."""
        if self.is_open and self._ending_claim.acquire(blocking=False):
            self.ended_from_outside = True
            if mark is not None:
                self.attributes[mark] = True
            self._close(ending)

    def interrupt(self) -> None:
        """End it at process exit, marked: nobody knows how it would have ended."""
        self.end_from_outside(Ending(Outcome.CANCELLED, INTERRUPTED), mark=semconv.TURN_INTERRUPTED)

    def abandon(self) -> None:
        """End it, marked, because too many are open: nobody seems to end them."""
        self.interrupt()
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.forget()

    @property
    def closed_by_owner(self) -> bool:
        """Whether it is not open because its owner has not started it or has ended it.

        A fork, an end from outside (its turn's, the process's) or a fault of ours are no mistake of the owner's.
        """
        is_own_process = self.epoch in {-1, lifecycle.epoch}
        return not self.is_open and is_own_process and not self.ended_from_outside and not self.is_lost

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
        """Whether facts can still be recorded; where that is the caller's mistake, say so."""
        if self.closed_by_owner:
            state = "after the end of" if self.end_ns else "before the start of"
            self._misuse(f"{method}() was called {state} the {self.kind_name}; nothing was recorded")
        return self.is_open


def text_of(value: object) -> str | None:
    """A name as text; enums by value, because their members print with the class name."""
    if value is None or (isinstance(value, str) and not isinstance(value, Enum)):
        return value
    return _text_of_any(value)


def _value_as_text(value: object) -> str:
    return str(getattr(value, "value", value))


_text_of_any: Final = faults.guarded(_value_as_text, "text of an argument", quotes_content=True)
