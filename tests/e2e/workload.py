"""An application: the demo's agents, instrumented, their spans sent as the environment says.

usage: workload.py builtin|agentnet TURNS SEED; prints each turn as it was in this process, all its fields as JSON.
"""

import asyncio
import sys

import msgspec

import agentnet_otel
from agentnet_otel.demo.builtin import run_builtin
from agentnet_otel.demo.framework import framework_problem, run_framework
from agentnet_otel.demo.plan import make_plan


def main(source, turns, seed):
    """Run the turns, send them, and print what this process knows of them."""
    if source == "agentnet" and framework_problem() is not None:
        sys.exit(framework_problem())
    handle = agentnet_otel.instrument(exporter="otlp")
    if source == "agentnet":
        run_framework(turns, seed, lambda: None)
    else:
        asyncio.run(run_builtin(make_plan(turns, seed), lambda: None))
    if not handle.flush(30):
        sys.exit("not everything was sent")
    for turn in handle.turns():
        sys.stdout.write(msgspec.json.encode(turn).decode() + "\n")
    handle.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
