"""One operation while it runs: the turns it takes, how long they take, and the spans that belong to it.

Each turn has a collector of its own, so that its spans are told apart from those of turns that run beside it. Where a
turn is open around it already (AgentNet's turn engine opens one, and so does a workload whose tools belong to the
turn), that one is it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from agentnet_otel.instrumentation import context as ctx
from agentnet_otel.instrumentation import manual
from agentnet_otel.instrumentation.collecting import TurnCollector, collector_in, with_collector
from agentnet_otel.model import Outcome
from agentnet_otel.performance.calls import Caller, Stopwatch, is_coroutine_function
from agentnet_otel.performance.responses import Failure, Response, describe, read_response

_TURN_METHODS: Final = ("generate_reasoning_tree", "process", "infer")
"""How an agent is asked, best first."""
_ASYNC_TREE: Final = "async_generate_reasoning_tree"


class OperationFailedError(Exception):
    """An operation did not do what it was to do. ``returned`` is what came back all the same."""

    def __init__(self, failure: Failure, returned: object = None) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.returned = returned


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenTurn:
    """A turn as it was driven; times are those of the monotonic clock.

    ``around_turn_id``: the turn that was open around it, and is the same.
    """

    agent: str
    prompt: str
    started_ns: int
    ended_ns: int
    outcome: Outcome
    reason: str | None
    response: Response
    collector: TurnCollector | None
    around_turn_id: str | None


@dataclass(slots=True, kw_only=True)
class _Drive:
    """A turn while it is driven."""

    watch: Stopwatch
    begun_ns: int
    outcome: Outcome = Outcome.ERROR
    reason: str | None = None
    response: Response = field(default_factory=Response)

    def read(self, returned: object) -> None:
        """Take what came back."""
        self.response = read_response(returned)
        failure = self.response.failure
        self.outcome = Outcome.SUCCESS if failure is None else failure.outcome
        self.reason = None if failure is None else failure.reason

    def taken(self, agent: str, prompt: str, collector: TurnCollector | None, around_turn_id: str | None) -> TakenTurn:
        """The turn, which ended, or is no longer waited for."""
        started_ns, ended_ns = self.watch.started_ns, self.watch.ended_ns
        return TakenTurn(
            agent=agent,
            prompt=prompt,
            started_ns=self.begun_ns if started_ns is None else started_ns,
            ended_ns=time.perf_counter_ns() if ended_ns is None else ended_ns,
            outcome=self.outcome,
            reason=self.reason,
            response=self.response,
            collector=collector,
            around_turn_id=around_turn_id,
        )


class Operation:
    """Takes turns with agents, and keeps what was seen of them."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.collector = TurnCollector()
        self.watch = Stopwatch()
        self.taken: list[TakenTurn] = []
        self.session: str | None = None
        self.one_turn = False
        self.timed_out = False
        self._open: list[TurnCollector] = []

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call something of the user's, as part of the operation.

        Raises:
            Exception: what the call raised.
        """
        return await self._caller.call(function, *args, watches=(self.watch,))

    async def take_turn(self, agent: Any, prompt: str) -> Any:
        """Have ``agent`` answer ``prompt``; what it returned.

        Raises:
            OperationFailedError: it has no method for it, or answered with an error or a fault.
            Exception: what it raised.
        """
        method = turn_method(agent)
        around = manual.current_turn()
        if around is not None and collector_in(around.context) is not self.collector:
            around = None
        collector = None if around is not None else TurnCollector()
        if collector is not None:
            self._open.append(collector)
        drive = _Drive(watch=Stopwatch(), begun_ns=time.perf_counter_ns())
        try:
            with _collecting(collector):
                returned = await self._caller.call(method, prompt, watches=(self.watch, drive.watch))
            drive.read(returned)
        except asyncio.CancelledError:
            drive.outcome = Outcome.TIMEOUT if self.timed_out else Outcome.CANCELLED
            raise
        except Exception as error:
            drive.reason = describe(error)
            raise
        finally:
            around_turn_id = None if around is None else around.turn_id
            self.taken.append(drive.taken(name_of(agent), prompt, collector, around_turn_id))
        if drive.response.failure is not None:
            raise OperationFailedError(drive.response.failure, returned)
        return returned

    def let_go(self) -> None:
        """Time it out: its open turns end now, and what it does from now on is not its own."""
        self.timed_out = True
        for collector in (self.collector, *self._open):
            collector.time_out()

    def close(self) -> None:
        """Take no more turns."""
        for collector in (self.collector, *self._open):
            collector.close()

    @property
    def late(self) -> int:
        """Turns and calls that ended after it was let go."""
        return sum(collector.late for collector in (self.collector, *self._open))


@contextmanager
def _collecting(collector: TurnCollector | None) -> Iterator[None]:
    """Turns that begin inside are the matter of ``collector``; None leaves it as it is."""
    attachment = None if collector is None else ctx.Attachment(with_collector(collector))
    try:
        yield
    finally:
        if attachment is not None:
            attachment.detach()


def turn_method(agent: Any) -> Callable[..., Any]:
    """How ``agent`` is asked: ``generate_reasoning_tree``, else ``process``, else ``infer``.

    An agent of AgentNet whose engine is a coroutine function has to be asked by its coroutine entry point: the other
    one does not await the engine.

    Raises:
        OperationFailedError: it has none of them.
    """
    engine_infer = getattr(getattr(agent, "engine", None), "infer", None)
    entry: Callable[..., Any] | None = getattr(agent, _ASYNC_TREE, None)
    if callable(getattr(agent, _TURN_METHODS[0], None)) and callable(entry) and _is_coroutine_engine(engine_infer):
        return entry
    for name in _TURN_METHODS:
        method: Callable[..., Any] | None = getattr(agent, name, None)
        if callable(method):
            return method
    kind = type(agent).__name__
    reason = f"{kind} cannot be asked: it has none of the methods {', '.join(_TURN_METHODS)}"
    raise OperationFailedError(Failure(outcome=Outcome.ERROR, reason=reason))


def name_of(agent: Any) -> str:
    """The agent's name, or its type where it has none."""
    name = getattr(agent, "name", None)
    return name if isinstance(name, str) and name else type(agent).__name__


def _is_coroutine_engine(infer: Any) -> bool:
    return callable(infer) and is_coroutine_function(infer)
