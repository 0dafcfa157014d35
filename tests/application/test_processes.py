"""Processes: forked workers, and memory over a long life."""

import subprocess
import sys
from collections import Counter

import pytest

from agentnet_otel.sources.rebuild import rebuild

PREFORK = """
import os, sys
import agentnet_otel
from agentnet_otel import LatencyComponent

handle = agentnet_otel.instrument(exporter="file:" + sys.argv[1])

def serve(name, turns):
    for number in range(turns):
        with agentnet_otel.turn(name, turn_id=f"{name}-{number}") as turn:
            with turn.component(LatencyComponent.INFERENCE):
                pass

serve("parent-before", 5)
with agentnet_otel.turn("open-at-fork"):
    workers = []
    for place in range(4):
        child = os.fork()
        if child == 0:
            assert agentnet_otel.current_turn() is None
            assert handle.turns() == []
            serve(f"worker-{place}", 50)
            handle.flush()
            os._exit(0)
        workers.append(child)
    for child in workers:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
serve("parent-after", 5)
handle.shutdown()
"""

POOL = """
import multiprocessing, sys
import agentnet_otel

def work(number):
    with agentnet_otel.turn("pool", turn_id=str(number)):
        return number * 2

if __name__ == "__main__":
    handle = agentnet_otel.instrument(exporter="file:" + sys.argv[1])
    with agentnet_otel.turn("parent"):
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=work, args=(n,)) for n in range(6)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
    handle.shutdown()
"""

MEMORY = """
import gc, sys
import psutil
import agentnet_otel
from agentnet_otel import LatencyComponent
from agentnet_otel.testing import InMemoryTelemetry
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.metrics import MeterProvider

handle = agentnet_otel.instrument(
    tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=MeterProvider(shutdown_on_exit=False)
)
process = psutil.Process()

def run(turns):
    for number in range(turns):
        with agentnet_otel.turn(f"a{number % 9}", prompt="hi", conversation_id=str(number // 10)) as turn:
            with turn.component(LatencyComponent.INFERENCE, model="m") as call:
                call.record_tokens(input=10, output=5)
            with turn.component(LatencyComponent.TOOL_EXECUTION, "t"):
                pass
    gc.collect()
    return process.memory_info().rss / 1e6

warm = run(20_000)
with agentnet_otel.session("one-session-that-never-ends"):
    session = run(40_000)
end = run(140_000)
assert len(handle.turns()) == 10_000
print(warm, session, end)
assert max(session, end) < warm * 1.1 + 5, (warm, session, end)
"""


def run_script(tmp_path, script, *arguments):
    """Run a script in a process of its own."""
    path = tmp_path / "app.py"
    path.write_text(script)
    done = subprocess.run(
        [sys.executable, "-W", "error", path, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to detach" not in done.stderr
    return done.stdout


def test_a_prefork_server(tmp_path):
    """Workers forked inside an open turn: their turns are their own, the open one is told once, by its process."""
    spans = tmp_path / "spans.jsonl"
    run_script(tmp_path, PREFORK, str(spans))
    rebuilt = rebuild([spans])
    assert not rebuilt.read.problems
    agents = Counter(turn.agent for turn in rebuilt.turns)
    assert agents == {
        "parent-before": 5, "parent-after": 5, "open-at-fork": 1, **{f"worker-{place}": 50 for place in range(4)}
    }  # fmt: skip
    assert rebuilt.counts.duplicates == 0
    assert all(turn.spans == (1 if turn.agent == "open-at-fork" else 2) for turn in rebuilt.turns)


def test_multiprocessing_children_flush_at_their_end(tmp_path):
    """A child of multiprocessing exits without exit handlers; its turns arrive all the same."""
    spans = tmp_path / "spans.jsonl"
    run_script(tmp_path, POOL, str(spans))
    rebuilt = rebuild([spans])
    assert Counter(turn.agent for turn in rebuilt.turns) == {"pool": 6, "parent": 1}
    assert rebuilt.counts.duplicates == 0


@pytest.mark.slow
def test_memory_stays_flat_over_200000_turns(tmp_path):
    """After the bounded buffers are full the process does not grow, in traces of their own and in one session."""
    run_script(tmp_path, MEMORY)
