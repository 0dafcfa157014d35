"""What a simple wrapper around AgentNet's calls would tell, and what is told here, beside what really happened.

Agents run turns on every entry point; some engines fail, some answers are objected to, some turns time out. The wrapper
does what wrappers do: it times the public entry points, takes an exception for a failure, and estimates tokens as a
quarter of the characters. The truth is what the engines know. Nothing here depends on the machine.

Runs on the AgentNet that can be imported or that AGENTNET_SRC names, else on the stand-in of the tests.
"""

import asyncio
import functools
import logging
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import arguments, publish
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

import agentnet_otel
from agentnet_otel import Outcome, semconv
from agentnet_otel.testing import InMemoryTelemetry

STANDIN = Path(__file__).resolve().parent.parent / "tests" / "agentnet" / "standin"
SAMPLED = 0.1
CHARACTERS_OF_A_TOKEN = 4
ERROR_EVERY, FAULT_EVERY, TIMEOUT_EVERY = 9, 14, 50
TIMEOUT_S = 0.05
ENTRIES = ("generate_reasoning_tree", "async_generate_reasoning_tree")


@dataclass(slots=True)
class Tally:
    """What somebody says of the turns."""

    turns: int = 0
    failed: int = 0
    tokens: int = 0


class Engine:
    """Answers with its own token count, or fails; it alone knows what was spent."""

    def __init__(self, number: int, truth: Tally) -> None:
        self.number = number
        self.truth = truth

    def answer(self) -> dict[str, Any]:
        """One answer: its tokens are not those of its text, for the prompt was longer than what the agent was asked."""
        if self.number % ERROR_EVERY == 0:
            self.truth.failed += 1
            message = "the engine is overloaded"
            raise ConnectionError(message)
        read, written = 300 + self.number % 70, 40
        usage = {"prompt_tokens": read, "completion_tokens": written, "model": "m-large"}
        self.truth.tokens += read + written
        return {"content": "An answer of some forty tokens. " * 5, "confidence": 0.6, "usage": usage}

    def infer(self, _prompt: str, **_more: Any) -> dict[str, Any]:
        """Answer."""
        return self.answer()


class CoroutineEngine(Engine):
    """The same as coroutine function; some calls hang."""

    async def infer(self, _prompt: str, **_more: Any) -> dict[str, Any]:  # type: ignore[override]
        """Answer, later or never."""
        await asyncio.sleep(2 * TIMEOUT_S if self.number % TIMEOUT_EVERY == 0 else 0)
        return self.answer()


class SimpleWrapper:
    """Times the entry points, counts exceptions, and guesses tokens from texts."""

    def __init__(self) -> None:
        self.tally = Tally()

    def wrap(self, agent_class: type, name: str) -> None:
        """Put the wrapper around an entry point."""
        original = getattr(agent_class, name)

        if asyncio.iscoroutinefunction(original):

            @functools.wraps(original)
            async def call(agent: Any, task: str, *args: Any, **kwargs: Any) -> Any:
                with self._counted():
                    return self._read(task, await original(agent, task, *args, **kwargs))
        else:

            @functools.wraps(original)
            def call(agent: Any, task: str, *args: Any, **kwargs: Any) -> Any:
                with self._counted():
                    return self._read(task, original(agent, task, *args, **kwargs))

        setattr(agent_class, name, call)

    def _counted(self) -> "SimpleWrapper":
        self.tally.turns += 1
        return self

    def __enter__(self) -> None:
        """The call begins."""

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """The call ended; only what was raised is a failure."""
        self.tally.failed += kind is not None

    def _read(self, task: str, tree: Any) -> Any:
        self.tally.tokens += (len(task) + len(str(tree["result"]["content"]))) // CHARACTERS_OF_A_TOKEN
        return tree


def objects(_agent: Any, _task: str, _result: Any) -> None:
    """A monitor that objects to every answer."""
    from agentnet.core.types import CognitiveFault  # noqa: PLC0415 - only now it can be found

    message = "not like this"
    raise CognitiveFault(message)


def run_turns(turns: int, truth: Tally) -> None:
    """Each turn on one of the entry points, in the turn engine where it is to time out."""
    from agentnet.core.agent import AgentNet  # noqa: PLC0415 - only now it can be found
    from agentnet.core.orchestration.turn_engine import TurnEngine  # noqa: PLC0415 - as above

    for number in range(1, turns + 1):
        truth.turns += 1
        times_out = number % TIMEOUT_EVERY == 0
        coroutine = times_out or number % 3 == 0
        engine = (CoroutineEngine if coroutine else Engine)(number, truth)
        faulty = not times_out and number % ERROR_EVERY != 0 and number % FAULT_EVERY == 0
        truth.failed += faulty or times_out
        agent = AgentNet("planner", {"logic": 0.8}, engine=engine, monitors=[objects] if faulty else None)
        if times_out:
            sessions = TurnEngine(max_turns=1, turn_timeout=TIMEOUT_S)
            asyncio.run(sessions.execute_single_agent_session(agent, "Is it done?"))
        elif number % 3 == 1:
            agent.generate_reasoning_tree("Is it done?")
        else:
            asyncio.run(agent.async_generate_reasoning_tree("Is it done?"))


class SeededIds(IdGenerator):
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self._draw = random.Random(1)  # noqa: S311 - reproducible, not secret

    def generate_trace_id(self) -> int:
        """128 bits."""
        return self._draw.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """64 bits."""
        return self._draw.getrandbits(64) or 1


def told_by_turns(run: Callable[[], None]) -> Tally:
    """What the turns of this process say."""
    telemetry = InMemoryTelemetry()
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    run()
    turns = handle.turns()
    handle.shutdown()
    telemetry.close()
    return Tally(
        turns=len(turns), failed=sum(t.outcome.failed for t in turns), tokens=sum(t.tokens.total for t in turns)
    )


def told_under_a_sampler(run: Callable[[], None]) -> tuple[Tally, int]:
    """What the metrics say where a sampler keeps a part of the traces, and how many turns the kept spans show."""
    telemetry = InMemoryTelemetry(TraceIdRatioBased(SAMPLED))
    telemetry.tracer_provider.id_generator = SeededIds()
    handle = agentnet_otel.instrument(
        tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
    )
    run()
    handle.shutdown()
    tally = Tally(tokens=sum(telemetry.metric(semconv.METRIC_TOKENS).values()))
    for labels, count in telemetry.metric(semconv.METRIC_TURNS).items():
        tally.turns += count
        tally.failed += count * Outcome(dict(labels)[semconv.TURN_OUTCOME]).failed
    shown = len(telemetry.spans(semconv.OP_INVOKE_AGENT))
    telemetry.close()
    return tally, shown


def told_by_a_wrapper(run: Callable[[], None]) -> Tally:
    """What the simple wrapper says."""
    from agentnet.core.agent import AgentNet  # noqa: PLC0415 - only now it can be found

    wrapper = SimpleWrapper()
    originals = {name: AgentNet.__dict__[name] for name in ENTRIES}
    for name in ENTRIES:
        wrapper.wrap(AgentNet, name)
    try:
        run()
    finally:
        for name, original in originals.items():
            setattr(AgentNet, name, original)
    return wrapper.tally


def main() -> None:
    """Compare with the truth."""
    options = arguments(__doc__, turns=200)
    source = os.environ.get("AGENTNET_SRC")
    sys.path.insert(0, source or str(STANDIN))
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    truth = Tally()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        run_turns(options.turns, truth)
        wrapper = told_by_a_wrapper(lambda: run_turns(options.turns, Tally()))
        turns = told_by_turns(lambda: run_turns(options.turns, Tally()))
        metrics, shown = told_under_a_sampler(lambda: run_turns(options.turns, Tally()))
    print("on AgentNet itself" if source else "on the stand-in of AgentNet")
    tallies = {"the engines": truth, "a simple wrapper": wrapper, "turns": turns, f"metrics at {SAMPLED:.0%}": metrics}
    ratios = {"turns_in_sampled_spans": shown / truth.turns}
    for who, tally in tallies.items():
        print(f"{who:<18} {tally.turns:5} turns {tally.failed:4} failed {tally.tokens:7} tokens")
        name = "by_" + who.partition(" at ")[0].removeprefix("a simple ")
        if tally is not truth:
            ratios[f"turns_{name}"] = tally.turns / truth.turns
            ratios[f"failed_turns_{name}"] = tally.failed / truth.failed
            ratios[f"tokens_{name}"] = tally.tokens / truth.tokens
    publish("accuracy", ratios, save=options.save)


if __name__ == "__main__":
    main()
