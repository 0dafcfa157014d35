"""An application that goes on until it is ended: turns of the demo's agents, one with a violation now and then.

usage: steady.py; where metrics and spans go is said by the environment.
"""

import asyncio
import itertools

import agentnet_otel
from agentnet_otel.demo.builtin import run_builtin
from agentnet_otel.demo.plan import make_plan

agentnet_otel.instrument()
for seed in itertools.count(1):
    asyncio.run(run_builtin(make_plan(24, seed), lambda: None))
    with agentnet_otel.turn("planner", model="m-large") as turn:
        turn.record_policy_violation("no-secrets", severity="minor")
        turn.record_cost(usd=0.001)
