"""Sessions of AgentNet's own turn engine: the one module of the benchmarks that knows AgentNet."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final, Self

from agentnet_otel.model import Outcome
from agentnet_otel.performance.operation import Operation, OperationFailedError
from agentnet_otel.performance.responses import Failure, describe

_AGENT_MODULE: Final = "agentnet.core.agent"
_ENGINE_MODULE: Final = "agentnet.core.orchestration.turn_engine"
_NEVER: Final = 2.0
"""A consensus that no confidence reaches: the session ends when everybody has spoken."""

_LONGER: Final = 2
"""The time-out of the operation acts, and not the turn engine's own, which would go on with the next agent."""


def is_agentnet(agent: Any) -> bool:
    """Whether it is an agent of AgentNet; AgentNet is not imported to find out."""
    framework = getattr(sys.modules.get(_AGENT_MODULE), "AgentNet", None)
    return isinstance(framework, type) and isinstance(agent, framework)


class TurnEngineSession:
    """A session in which each agent speaks once."""

    def __init__(self, module: Any, agents: Sequence[Any], timeout_s: float) -> None:
        self._agents = agents
        self._engine = module.TurnEngine(
            max_turns=len(agents),
            max_rounds=1,
            turn_timeout=_LONGER * timeout_s,
            session_timeout=_LONGER * timeout_s,
            consensus_threshold=_NEVER,
        )

    @classmethod
    def of(cls, agents: Sequence[Any], timeout_s: float) -> Self | None:
        """A session of the turn engine; None where the agents are not AgentNet's, or it has no turn engine."""
        if not all(is_agentnet(agent) for agent in agents):
            return None
        try:
            module = importlib.import_module(_ENGINE_MODULE)
        except Exception:  # noqa: BLE001 - older versions lack it, broken ones raise anything: then it is not there
            return None
        return cls(module, agents, timeout_s)

    async def run(self, operation: Operation, topic: str) -> Any:
        """Run it; the session's result.

        Raises:
            OperationFailedError: a turn failed, or not every agent has spoken.
        """
        seats = [_Seat(agent, operation) for agent in self._agents]
        if len(seats) == 1:
            result = await self._engine.execute_single_agent_session(seats[0], topic)
        else:
            result = await self._engine.execute_multi_agent_session(seats, topic)
        session_id = getattr(result, "session_id", None)
        operation.session = session_id if isinstance(session_id, str) else None
        failure = next((seat.failure for seat in seats if seat.failure is not None), None)
        if failure is None and len(operation.taken) < len(seats):
            state = getattr(result, "status", None)
            reason = f"the session ended as {getattr(state, 'value', state)} before every agent had spoken"
            failure = Failure(outcome=Outcome.ERROR, reason=reason)
        if failure is not None:
            raise OperationFailedError(failure, result)
        return result


class _Seat:
    """An agent at the turn engine's table. Asked, it takes the turn by the operation's means.

    The turn engine would have asyncio's own threads run a synchronous engine, and those are waited for.
    """

    def __init__(self, agent: Any, operation: Operation) -> None:
        self.__wrapped__ = agent
        self._operation = operation
        self.failure: Failure | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    async def async_generate_reasoning_tree(self, task: str, *_args: Any, **_kwargs: Any) -> Any:
        """The agent's turn. The turn engine swallows failures, so the first one is kept."""
        try:
            return await self._operation.take_turn(self.__wrapped__, task)
        except OperationFailedError as failed:
            self.failure = self.failure or failed.failure
            if failed.returned is not None:
                return failed.returned
            raise
        except Exception as error:
            self.failure = self.failure or Failure(outcome=Outcome.ERROR, reason=describe(error))
            raise
