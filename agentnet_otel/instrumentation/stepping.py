"""Driving generators with a span of ours around each step.

A generator runs in the context of whoever asks it for the next item. So the span is made current for each step and
left again before the item is handed out: no context token is held across a ``yield``, and the consumer's own spans
between two items do not land below ours.
"""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import partial
from typing import Any, TypeVar

from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.context import Attachment
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.turn_span import TurnSpan

T = TypeVar("T")
R = TypeVar("R")


class _Place:
    """What is current inside the generator, kept from step to step. A fault here costs the place, not the step."""

    def __init__(self, span: OpenSpan) -> None:
        self._span = span
        self._attachment: Attachment | None = None

    @faults.guarded
    def enter(self) -> None:
        """Make it current, for one step."""
        if self._attachment is not None:
            self._attachment.resume()
        elif not self._span.start_ns:
            self._attachment = self._span.start(current=False).attach()

    @faults.guarded
    def leave(self) -> None:
        """Give the consumer's context back."""
        if self._attachment is not None:
            self._attachment.suspend()


@faults.guarded
def _note_item(span: OpenSpan) -> None:
    """The first item that reaches the consumer is the first token of a streamed answer."""
    if isinstance(span, TurnSpan | ComponentSpan) and span.is_open:
        span.record_first_token()


def step_generator(generator: Generator[T, Any, R], span: OpenSpan) -> Generator[T, Any, R]:
    """The same items, sends, throws and return value, each step inside ``span``; it ends with the generator."""
    place, closed = _Place(span), None
    step: Callable[[], T] = generator.__next__
    try:
        while True:
            place.enter()
            try:
                item = step()
            except StopIteration as stop:
                result: R = stop.value
                break
            finally:
                place.leave()
            _note_item(span)
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - what the consumer throws in belongs to the generator
                step = partial(generator.throw, _without_our_frame(error))
                closed = error if isinstance(error, GeneratorExit) else None
            else:
                step = partial(generator.send, sent)
    except BaseException as error:
        span.end(error)
        raise
    span.end(closed)
    return result


async def step_async_generator(
    generator: AsyncGenerator[T, Any],
    span: OpenSpan,
    on_item: Callable[[OpenSpan, T], None] | None = None,
) -> AsyncGenerator[T, Any]:
    """The same items, sends and throws, each step inside ``span``; it ends with the generator."""
    place, closed = _Place(span), None
    step: Callable[[], Awaitable[T]] = partial(_first_step, generator)
    try:
        while True:
            place.enter()
            try:
                item = await step()
            except StopAsyncIteration:
                break
            finally:
                place.leave()
            _note_item(span)
            if on_item is not None:
                on_item(span, item)
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - what the consumer throws in belongs to the generator
                step = partial(generator.athrow, _without_our_frame(error))
                closed = error if isinstance(error, GeneratorExit) else None
            else:
                step = partial(generator.asend, sent)
    except BaseException as error:
        span.end(error)
        raise
    span.end(closed)


def _first_step(generator: AsyncGenerator[T, Any]) -> Awaitable[T]:
    """Ask for the first item without telling the event loop of the generator.

    The loop closes at its end, in any order and at once, each generator that it was told of. It knows ours; it must not
    close the one inside behind our back.
    """
    hooks = _keep_from_the_loop()
    try:
        return generator.__anext__()
    finally:
        _tell_the_loop(hooks)


@faults.guarded
def _keep_from_the_loop() -> "sys._asyncgen_hooks":
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    return hooks


@faults.guarded
def _tell_the_loop(hooks: "sys._asyncgen_hooks | None") -> None:
    if hooks is not None:
        sys.set_asyncgen_hooks(*hooks)


def _without_our_frame(thrown: BaseException) -> BaseException:
    """What the consumer threw in, with the traceback that it had then: the generator is to see nothing of us."""
    traceback = thrown.__traceback__
    return thrown.with_traceback(None if traceback is None else traceback.tb_next)
