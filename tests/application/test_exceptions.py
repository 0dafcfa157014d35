"""The application's exceptions pass unchanged: the same object, text, chain, notes and end of the traceback."""

import asyncio
import contextlib
import traceback

import pytest

import agentnet_otel
from agentnet_otel import LatencyComponent

TOOL = LatencyComponent.TOOL_EXECUTION


class BoomError(Exception):
    """The application's own."""


def chained():
    """An exception with everything that one can have."""
    error = BoomError("message", 5)
    error.add_note("a note")
    error.extra = object()
    return error


def boom(error):
    """Raise it, while another is handled and with a cause."""
    try:
        raise KeyError("context")
    except KeyError:
        raise error from OSError("cause")


def plain(error):
    """A function that raises."""
    boom(error)


async def coroutine(error):
    """A coroutine function that raises."""
    await asyncio.sleep(0)
    boom(error)


def generator(error):
    """A generator that raises."""
    yield 1
    boom(error)


async def async_generator(error):
    """An async generator that raises."""
    yield 1
    await asyncio.sleep(0)
    boom(error)


def thrown_into(error):
    """A generator that is thrown into."""
    try:
        yield 1
    finally:
        ""  # the generator's last frame, which the traceback ends in


async def thrown_into_async(error):
    """An async generator that is thrown into."""
    try:
        yield 1
    finally:
        await asyncio.sleep(0)


def closed_badly(error):
    """A generator that raises when it is closed."""
    try:
        yield 1
    finally:
        boom(error)


async def closed_badly_async(error):
    """An async generator that raises when it is closed."""
    try:
        yield 1
    finally:
        boom(error)


async def anext_all(items):
    """Take all items."""
    async for _ in items:
        pass


async def throw_async(items, error):
    """Throw into it at its first item."""
    await anext(items)
    await items.athrow(error)


async def close_async(items):
    """Close it at its first item."""
    await anext(items)
    await items.aclose()


def throw(items, error):
    """Throw into it at its first item."""
    next(items)
    items.throw(error)


def close(items):
    """Close it at its first item."""
    next(items)
    items.close()


CASES = [
    (plain, lambda made, error: made(error)),
    (coroutine, lambda made, error: asyncio.run(made(error))),
    (generator, lambda made, error: list(made(error))),
    (async_generator, lambda made, error: asyncio.run(anext_all(made(error)))),
    (thrown_into, lambda made, error: throw(made(error), error)),
    (thrown_into_async, lambda made, error: asyncio.run(throw_async(made(error), error))),
    (closed_badly, lambda made, error: close(made(error))),
    (closed_badly_async, lambda made, error: asyncio.run(close_async(made(error)))),
]
WAYS = [
    agentnet_otel.traced_turn("a"),
    agentnet_otel.traced_component(TOOL),
    lambda function: agentnet_otel.traced_turn("a")(agentnet_otel.traced_component(TOOL)(function)),
]


def links(error):
    """The chain of contexts and causes as types, texts and last places."""
    found = []
    while error is not None and len(found) < 9:
        frames = traceback.extract_tb(error.__traceback__)
        found.append((type(error), str(error), error.__suppress_context__, frames[-1].name if frames else None))
        error = error.__context__
    return found


def what_arrives(function, drive, error):
    """The exception as its receiver sees it."""
    try:
        drive(function, error)
    except BaseException as caught:
        frames = traceback.extract_tb(caught.__traceback__)
        own = [(f.name, f.lineno) for f in frames if f.filename == __file__ and f.name != "<lambda>"]
        return {
            "same": caught is error,
            "args": caught.args,
            "notes": caught.__notes__,
            "attributes": vars(caught),
            "cause": (type(caught.__cause__), str(caught.__cause__)),
            "links": links(caught),
            "end": (frames[-1].filename, frames[-1].lineno),
            "frames": own,
        }
    return None


@pytest.mark.parametrize("way", WAYS, ids=["turn", "component", "both"])
@pytest.mark.parametrize(("function", "drive"), CASES, ids=[case[0].__name__ for case in CASES])
def test_through_decorators(telemetry, handle, way, function, drive):
    """Functions, coroutines and both kinds of generators, raising, thrown into and closed."""
    error = chained()
    arrived = what_arrives(way(function), drive, error)
    other = chained()
    other.extra = error.extra
    assert arrived == what_arrives(function, drive, other)
    assert arrived["same"]
    assert len(telemetry.spans()) > 0
    assert {span.status.description for span in telemetry.spans()} == {"BoomError"}


def around():
    """Context managers of the manual API, one inside the other."""
    stack = contextlib.ExitStack()
    stack.enter_context(agentnet_otel.session("s"))
    turn = stack.enter_context(agentnet_otel.turn("a"))
    stack.enter_context(turn.component(TOOL, "t"))
    return stack


async def in_async_contexts(error):
    """The same as async context managers."""
    async with agentnet_otel.session("s"), agentnet_otel.turn("a") as turn, turn.component(TOOL, "t"):
        await coroutine(error)


async def in_no_contexts(error):
    """Without ours."""
    async with contextlib.AsyncExitStack():
        await coroutine(error)


def in_contexts(error):
    """In context managers."""
    with around():
        boom(error)


def in_no_context(error):
    """Without ours."""
    with contextlib.ExitStack():
        boom(error)


@pytest.mark.parametrize(
    ("ours", "theirs", "drive"),
    [
        (in_contexts, in_no_context, lambda made, error: made(error)),
        (in_async_contexts, in_no_contexts, lambda made, error: asyncio.run(made(error))),
    ],
)
def test_through_context_managers(telemetry, handle, ours, theirs, drive):
    """A body's exception leaves sessions, turns and components as it is."""
    error = chained()
    arrived, plainly = what_arrives(ours, drive, error), what_arrives(theirs, drive, error)
    assert arrived["same"]
    for key in ("args", "notes", "attributes", "cause", "links", "end"):
        assert arrived[key] == plainly[key], key
    assert len(telemetry.spans()) == 3


def test_nothing_is_kept_alive(telemetry, handle):
    """What an exception's frames hold goes when the application lets go of it, also while the turn goes on."""

    class Resource:
        gone = False

        def __del__(self):
            type(self).gone = True

    def fail():
        held = Resource()
        raise BoomError(str(held)[:0])

    with agentnet_otel.turn("a") as turn:
        with contextlib.suppress(BoomError), turn.component(TOOL, "t"):
            fail()
        assert Resource.gone
