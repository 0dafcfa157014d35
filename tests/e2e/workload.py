"""An application: the demo's agents, instrumented, their spans sent as the environment says.

usage: workload.py builtin|agentnet|plain|slow TURNS SEED

``plain`` are turns of one agent, each a trace of its own; every fiftieth fails, every hundredth is slow. ``slow`` are
such turns as pass the critical limit, in two waves. Prints each turn as it was in this process, its fields as JSON.
"""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

import agentnet_otel
from agentnet_otel.demo.builtin import run_builtin
from agentnet_otel.demo.framework import framework_problem, run_framework
from agentnet_otel.demo.plan import make_plan

SLOW, SLOW_S = 30, 2.1
FAILING = 7
CRITICAL_S = 5.1


def run_slow(turns):
    """Turns that all take too long, half of them at a time."""
    with ThreadPoolExecutor(turns // 2) as threads:
        list(threads.map(lambda _: slow_turn(), range(turns)))


def slow_turn():
    """One of them."""
    with (
        agentnet_otel.turn("researcher", model="m-small") as turn,
        turn.component("inference", model="m-small") as call,
    ):
        call.record_tokens(input=100, output=20)
        time.sleep(CRITICAL_S)


class RefusedError(Exception):
    """What goes wrong in a plain turn."""


def run_plain(turns):
    """Turns of one agent, one after the other."""
    for number in range(turns):
        try:
            plain_turn(number)
        except RefusedError:
            continue


def plain_turn(number):
    """One of them."""
    with agentnet_otel.turn("planner", model="m-small") as turn, turn.component("inference", model="m-small") as call:
        call.record_tokens(input=100, output=20)
        call.record_cost(usd=0.001)
        if number % 100 == SLOW:
            time.sleep(SLOW_S)
        if number % 50 == FAILING:
            raise RefusedError


PLAIN = {"plain": run_plain, "slow": run_slow}


def main(source, turns, seed):
    """Run the turns, send them, and print what this process knows of them."""
    if source == "agentnet" and framework_problem() is not None:
        sys.exit(framework_problem())
    handle = agentnet_otel.instrument(exporter="otlp")
    if source in PLAIN:
        PLAIN[source](turns)
    elif source == "agentnet":
        asyncio.run(run_framework(turns, seed, lambda: None))
    else:
        asyncio.run(run_builtin(make_plan(turns, seed), lambda: None))
    if not handle.flush(30):
        sys.exit("not everything was sent")
    for turn in handle.turns():
        sys.stdout.write(msgspec.json.encode(turn).decode() + "\n")
    handle.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
