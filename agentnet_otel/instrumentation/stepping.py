"""Driving generators with a span of ours around each step.

A generator runs in the context of whoever asks it for the next item. So the span is made current for each step and
left again before the item is handed out: no context token is held across a ``yield``, and the consumer's own spans
between two items do not land below ours.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.context import Attachment
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.turn_span import TurnSpan

T = TypeVar("T")
R = TypeVar("R")


class _Place:
    """The generator's own context, kept from step to step."""

    def __init__(self, span: OpenSpan) -> None:
        self._span = span
        self._context: Context | None = None
        self._attachment: Attachment | None = None

    def enter(self) -> None:
        if not self._span.start_ns:
            self._span.start(current=False)
            self._context = self._span.context
        if self._context is not None:
            self._attachment = Attachment(self._context)

    def leave(self) -> None:
        if self._attachment is not None:
            self._context = otel_context.get_current()
            self._attachment.detach()
            self._attachment = None


def _note_item(span: OpenSpan) -> None:
    """The first item that reaches the consumer is the first token of a streamed answer."""
    if isinstance(span, TurnSpan | ComponentSpan) and span.is_open:
        span.record_first_token()


def step_generator(generator: Generator[T, Any, R], span: OpenSpan) -> Generator[T, Any, R]:
    """The same items, sends, throws and return value, each step inside ``span``; it ends with the generator."""
    place = _Place(span)
    step: Callable[[], T] = generator.__next__
    try:
        while True:
            place.enter()
            try:
                item = step()
            except StopIteration as stop:
                span.end()
                result: R = stop.value
                return result
            finally:
                place.leave()
            _note_item(span)
            try:
                sent = yield item
            except GeneratorExit:
                place.enter()
                try:
                    generator.close()
                finally:
                    place.leave()
                raise
            except BaseException as error:  # noqa: BLE001 - what the consumer throws in belongs to the generator
                step = _thrower(generator, error)
            else:
                step = _sender(generator, sent)
    except BaseException as error:
        span.end(error)
        raise


def _sender(generator: Generator[T, Any, Any], value: object) -> Callable[[], T]:
    return lambda: generator.send(value)


def _thrower(generator: Generator[T, Any, Any], error: BaseException) -> Callable[[], T]:
    return lambda: generator.throw(error)


async def step_async_generator(
    generator: AsyncGenerator[T, Any],
    span: OpenSpan,
    on_item: Callable[[OpenSpan, T], None] | None = None,
) -> AsyncGenerator[T, Any]:
    """The same items, sends and throws, each step inside ``span``; it ends with the generator."""
    place = _Place(span)
    step: Callable[[], Awaitable[T]] = generator.__anext__
    try:
        while True:
            place.enter()
            try:
                item = await step()
            except StopAsyncIteration:
                span.end()
                return
            finally:
                place.leave()
            _note_item(span)
            if on_item is not None:
                on_item(span, item)
            try:
                sent = yield item
            except GeneratorExit:
                await _close(generator, place)
                raise
            except BaseException as error:  # noqa: BLE001 - what the consumer throws in belongs to the generator
                step = _async_thrower(generator, error)
            else:
                step = _async_sender(generator, sent)
    except BaseException as error:
        span.end(error)
        raise


async def _close(generator: AsyncGenerator[Any, Any], place: _Place) -> None:
    place.enter()
    try:
        await generator.aclose()
    finally:
        place.leave()


def _async_sender(generator: AsyncGenerator[T, Any], value: object) -> Callable[[], Awaitable[T]]:
    return lambda: generator.asend(value)


def _async_thrower(generator: AsyncGenerator[T, Any], error: BaseException) -> Callable[[], Awaitable[T]]:
    return lambda: generator.athrow(error)
