"""Agents and runs as users of the harness write them."""

import asyncio
import threading
import time
from contextlib import contextmanager

import agentnet_otel
from agentnet_otel.model import LatencyComponent
from agentnet_otel.performance import BenchmarkConfig, PerformanceHarness

TREE = {"root": "a_reasoning", "result": {"content": "hello", "confidence": 0.9}, "agent": "a"}


def config(kind="single_turn", **changes):
    """A small configuration without a warm-up."""
    return BenchmarkConfig("c", kind, **{"iterations": 4, "warmup_iterations": 0, **changes})


def run(factory, operation=None, kind="single_turn", **changes):
    """Run a benchmark on a loop of its own."""
    return asyncio.run(PerformanceHarness().run_benchmark(config(kind, **changes), factory, operation))


class Agent:
    """A synchronous agent; remembers what it was asked, where, and how many were asked at once."""

    name = "a"
    asked = []  # noqa: RUF012 - shared on purpose: the factory makes many
    busy = 0
    most_busy = 0
    lock = threading.Lock()

    def __init__(self, seconds=0.0, answer=TREE):
        self.seconds = seconds
        self.answer = answer

    def generate_reasoning_tree(self, prompt):
        """Answer after a while."""
        with self.at_work(prompt):
            time.sleep(self.seconds)
        return dict(self.answer) if isinstance(self.answer, dict) else self.answer

    @contextmanager
    def at_work(self, prompt):
        """Note who asks what."""
        cls = type(self)
        with Agent.lock:
            cls.asked.append((prompt, _loop_runs()))
            cls.busy += 1
            cls.most_busy = max(cls.most_busy, cls.busy)
        try:
            yield
        finally:
            with Agent.lock:
                cls.busy -= 1


class AsyncAgent(Agent):
    """The same by a coroutine function."""

    generate_reasoning_tree = None

    async def process(self, prompt):
        """Answer after a while."""
        with self.at_work(prompt):
            await asyncio.sleep(self.seconds)
        return dict(self.answer)


def fresh(kind, **given):
    """A new class of agent, whose memory is its own."""
    return type(kind.__name__, (kind,), {"asked": [], "busy": 0, "most_busy": 0})


def traced(agent="a", tokens=(10, 5), cost_usd=0.01, seconds=0.0, conversation_id=None):
    """A turn by the manual API."""
    turn = agentnet_otel.turn(agent, prompt="p", conversation_id=conversation_id)
    with turn, turn.component(LatencyComponent.INFERENCE, model="m") as call:
        time.sleep(seconds)
        call.record_tokens(input=tokens[0], output=tokens[1])
        if cost_usd is not None:
            call.record_cost(cost_usd)
    return "answered"


def _loop_runs():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
