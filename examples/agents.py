"""The agents of the examples: they answer after a moment and tell their tokens, as any agent of yours may."""

import asyncio
import time

import agentnet_otel
from agentnet_otel import LatencyComponent


class Agent:
    """An agent that is not AgentNet: its turns are told by the manual API."""

    def __init__(self, name: str, seconds: float = 0.002, usd: float = 0.001) -> None:
        self.name = name
        self.seconds = seconds
        self.usd = usd

    def generate_reasoning_tree(self, task: str) -> dict[str, object]:
        """Answer ``task``."""
        with agentnet_otel.turn(self.name, prompt=task, model="m-small") as turn:
            with turn.component(LatencyComponent.INFERENCE, model="m-small") as call:
                time.sleep(self.seconds)
                call.record_tokens(input=40 + len(task) // 4, output=60)
                call.record_cost(usd=self.usd)
            turn.record_confidence(0.9)
            turn.set_response("done")
        return {"result": {"content": "done", "confidence": 0.9}}


class AsyncAgent(Agent):
    """The same for the event loop."""

    async def answer(self, task: str) -> dict[str, object]:
        """Answer ``task``."""
        async with agentnet_otel.turn(self.name, prompt=task, model="m-small") as turn:
            async with turn.component(LatencyComponent.INFERENCE, model="m-small") as call:
                await asyncio.sleep(self.seconds)
                call.record_tokens(input=50, output=50)
                call.record_cost(usd=self.usd)
            turn.set_response("done")
        return {"content": "done", "success": True}
