"""Getting agents from the user's factory, and giving them back."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from agentnet_otel.performance.calls import Caller
from agentnet_otel.performance.responses import describe

AgentFactory = Callable[[], Any]
"""Makes an agent, or a list of agents: a function, a coroutine function, or an async generator function (a fixture),
which yields the agent and goes on when the operation is over."""

CLOSING_TIME_S: Final = 5.0
"""How long a fixture may take to close; then it is left alone."""


class Lease:
    """The agents of one operation, and the fixtures that they came from."""

    def __init__(self, factory: AgentFactory, caller: Caller) -> None:
        self._factory = factory
        self._caller = caller
        self._fixtures: list[AsyncGenerator[Any, None]] = []
        self.troubles: list[str] = []

    async def take(self) -> Any:
        """What the factory gives: an agent, or a list of agents.

        Raises:
            Exception: what the factory raised.
        """
        if not inspect.isasyncgenfunction(self._factory):
            return await self._caller.call(self._factory)
        fixture = self._factory()
        self._fixtures.append(fixture)
        try:
            return await anext(fixture)
        except StopAsyncIteration:
            message = "the fixture yielded no agent"
            raise ValueError(message) from None

    async def take_team(self, size: int) -> list[Any]:
        """``size`` agents, unless the factory gives a list: that is the team."""
        first = await self.take()
        if isinstance(first, list | tuple):
            return list(first)
        return [first, *[await self.take() for _ in range(size - 1)]]

    async def give_back(self) -> None:
        """Let every fixture run to its end, the last one first; what goes wrong there is a trouble, no failure."""
        while self._fixtures:
            closing = asyncio.ensure_future(_close(self._fixtures.pop()))
            await asyncio.wait({closing}, timeout=CLOSING_TIME_S)
            if not closing.done():
                closing.cancel()
                self.troubles.append(f"a fixture did not close within {CLOSING_TIME_S:g} s")
            elif closing.exception() is not None:
                self.troubles.append(f"a fixture failed to close: {describe(closing.exception() or Exception())}")


async def _close(fixture: AsyncGenerator[Any, None]) -> None:
    """Run what stands behind the ``yield``; a second ``yield`` is the end, too."""
    try:
        await anext(fixture)
    except StopAsyncIteration:
        return
    await fixture.aclose()
