"""What the agents do in one operation of each benchmark type. `BenchmarkType` says it in words."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from agentnet_otel.instrumentation import manual
from agentnet_otel.instrumentation.runtime import recorder
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.instrumentation.workflow_span import WorkflowSpan
from agentnet_otel.model import Outcome
from agentnet_otel.performance.benchmark import BenchmarkConfig, BenchmarkType
from agentnet_otel.performance.operation import Operation, OperationFailedError, name_of, turn_method
from agentnet_otel.performance.responses import Failure, failure_of, field_of, read_response
from agentnet_otel.performance.sessions import TurnEngineSession, is_agentnet
from agentnet_otel.performance.tool_parameters import parameters_for

TOOL_PARAMETERS: Final = "tool_parameters"
"""Key in the configuration's metadata: parameters by the name of the tool, where the least that its schema asks for
does not do."""

_SCHEMA_NAMES: Final = ("schema", "parameters", "input_schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one operation is to do. ``agents`` is what the factory gave, or the team."""

    config: BenchmarkConfig
    agents: Any
    prompt: str
    operation: Operation


Workload = Callable[[Task], Coroutine[Any, Any, Any]]


async def single_turn(task: Task) -> Any:
    """One agent answers the prompt."""
    return await task.operation.take_turn(_one_agent(task), task.prompt)


async def multi_turn(task: Task) -> list[Any]:
    """One agent answers again and again in one conversation, each time with all that was said before."""
    agent, prompt, answers = _one_agent(task), task.prompt, []
    async with _conversation(task):
        for number in range(2, task.config.turn_count + 2):
            answers.append(await task.operation.take_turn(agent, prompt))
            prompt = f"{prompt}\n\n{_said(agent, answers[-1])}\n\nGo on, as your answer number {number}."
    return answers


async def multi_agent(task: Task) -> Any:
    """The team speaks in one session, one after the other."""
    session = TurnEngineSession.of(task.agents, task.config.timeout_seconds)
    if session is not None:
        return await session.run(task.operation, task.prompt)
    prompt, answers = task.prompt, []
    async with _conversation(task):
        for agent in task.agents:
            answers.append(await task.operation.take_turn(agent, prompt))
            prompt = f"{prompt}\n\n{_said(agent, answers[-1])}"
    return answers


async def concurrent_agents(task: Task) -> list[Any]:
    """The team answers the prompt at the same time; all are waited for, then the first failure counts."""
    turns = [task.operation.take_turn(agent, task.prompt) for agent in task.agents]
    answers = await asyncio.gather(*turns, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


async def tool_heavy(task: Task) -> dict[str, Any]:
    """One agent answers the prompt and runs each of its tools once; an agent without tools has failed."""
    agent = _one_agent(task)
    task.operation.one_turn = True
    execute, listing = _method(agent, "execute_tool"), _method(agent, "list_available_tools")
    async with _turn_around(agent, task):
        answer = await _answer_if_asked(agent, task)
        tools = await task.operation.call(listing)
        if not tools:
            _fail(f"{name_of(agent)} has no tools; tool_heavy needs an agent with tools")
        given = task.config.metadata.get(TOOL_PARAMETERS)
        results = {}
        for tool in tools:
            name = tool if isinstance(tool, str) else str(field_of(tool, "name"))
            parameters = given[name] if isinstance(given, Mapping) and name in given else None
            if parameters is None:
                parameters = parameters_for(_schema_of(tool), task.prompt)
            results[name] = await task.operation.call(execute, name, parameters)
            _check(results[name], f"tool {name}", empty="gave no result")
    return {"answer": answer, "tools": results}


async def memory_intensive(task: Task) -> dict[str, Any]:
    """One agent stores the prompt, answers it, and searches its memory for it; one without a memory has failed."""
    agent = _one_agent(task)
    task.operation.one_turn = True
    store, retrieve = _method(agent, "store_memory"), _method(agent, "retrieve_memory")
    async with _turn_around(agent, task):
        stored = await task.operation.call(store, task.prompt)
        if stored is False:
            _fail(f"{name_of(agent)} stored nothing; memory_intensive needs an agent with a memory")
        _check(stored, "store_memory")
        answer = await _answer_if_asked(agent, task)
        found = await task.operation.call(retrieve, task.prompt)
        _check(found, "retrieve_memory", empty="gave nothing; memory_intensive needs an agent with a memory")
    return {"stored": stored, "answer": answer, "retrieved": found}


WORKLOADS: Final[Mapping[BenchmarkType, Workload]] = {
    BenchmarkType.SINGLE_TURN: single_turn,
    BenchmarkType.MULTI_TURN: multi_turn,
    BenchmarkType.MULTI_AGENT: multi_agent,
    BenchmarkType.CONCURRENT_AGENTS: concurrent_agents,
    BenchmarkType.TOOL_HEAVY: tool_heavy,
    BenchmarkType.MEMORY_INTENSIVE: memory_intensive,
}
TEAMS: Final = frozenset({BenchmarkType.MULTI_AGENT, BenchmarkType.CONCURRENT_AGENTS})
"""Types whose operations need several agents."""


def calling(function: Callable[..., Any]) -> Workload:
    """The user's own operation: it is called once with what the factory gave, and the prompt."""

    async def user_operation(task: Task) -> Any:
        returned = await task.operation.call(function, task.agents, task.prompt)
        failure = failure_of(returned) if not isinstance(returned, list | tuple) else read_response(returned).failure
        if failure is not None:
            raise OperationFailedError(failure, returned)
        return returned

    return user_operation


def _one_agent(task: Task) -> Any:
    if isinstance(task.agents, list | tuple):
        kind = task.config.benchmark_type.value
        _fail(f"the factory gave {len(task.agents)} agents; {kind} without an operation of its own needs one")
    return task.agents


def _conversation(task: Task) -> WorkflowSpan:
    task.operation.session = f"bench_{secrets.token_hex(8)}"
    return manual.session(task.config.benchmark_type.value, task.operation.session)


def _said(agent: Any, answer: Any) -> str:
    return f"{name_of(agent)}: {read_response(answer).text or answer}"


class _NoTurn:
    """Nothing to open: agents that are not AgentNet's tell their turns themselves."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_raised: object) -> None:
        return None


def _turn_around(agent: Any, task: Task) -> TurnSpan | _NoTurn:
    """AgentNet runs tools and searches memory outside its turns; here they are one turn with the answer."""
    if not is_agentnet(agent):
        return _NoTurn()
    return TurnSpan(recorder(), name_of(agent), prompt=task.prompt, owner=agent)


async def _answer_if_asked(agent: Any, task: Task) -> Any:
    """The agent's answer; None from one that has tools or memory and nothing to be asked by."""
    try:
        turn_method(agent)
    except OperationFailedError:
        return None
    return await task.operation.take_turn(agent, task.prompt)


def _method(agent: Any, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] | None = getattr(agent, name, None)
    if not callable(method):
        _fail(f"{name_of(agent)} ({type(agent).__name__}) has no method {name}")
    return method


def _schema_of(tool: Any) -> Any:
    """The schema of a tool's parameters, under AgentNet's name or one of those of the models' own interfaces."""
    return next((s for s in (field_of(tool, name) for name in _SCHEMA_NAMES) if s is not None), None)


def _check(returned: Any, what: str, *, empty: str | None = None) -> None:
    failure = failure_of(returned)
    if failure is not None:
        raise OperationFailedError(Failure(outcome=failure.outcome, reason=f"{what}: {failure.reason}"), returned)
    if returned is None and empty is not None:
        _fail(f"{what} {empty}")


def _fail(reason: str) -> NoReturn:
    raise OperationFailedError(Failure(outcome=Outcome.ERROR, reason=reason))
