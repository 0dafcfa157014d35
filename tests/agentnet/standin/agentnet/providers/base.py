"""The base of model engines; it binds the tracker getters at import (trap 25)."""

import asyncio
import functools
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from ..performance.latency import LatencyComponent, get_latency_tracker
from ..performance.tokens import get_token_tracker

RETRY_TRIES = 3
RETRY_WAIT_S = 0.01


@dataclass
class InferenceResponse:
    """An answer; zero tokens in and out mean unknown."""

    content: str
    model_name: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    raw_response: Any = None
    metadata: dict = field(default_factory=dict)


def _retrying(call):
    """Try a coroutine function again on OSError; statistics are shared by all (trap 6)."""

    @functools.wraps(call)
    async def wrapper(*args, **kwargs):
        stats = wrapper.statistics = {"start_time": time.monotonic(), "attempt_number": 0, "idle_for": 0}
        while True:
            stats["attempt_number"] += 1
            try:
                return await call(*args, **kwargs)
            except OSError:
                if stats["attempt_number"] >= RETRY_TRIES:
                    raise
            stats["idle_for"] += RETRY_WAIT_S
            await asyncio.sleep(RETRY_WAIT_S)

    wrapper.statistics = {}
    return wrapper


class ProviderAdapter(ABC):
    """An engine that talks to one provider."""

    def __init__(self, config=None):
        self.config = config or {}
        self.model_name = self.config.get("model", "default-model")
        self.client = self._create_client()
        self._latency = get_latency_tracker()
        self._tokens = get_token_tracker()

    @abstractmethod
    def _create_client(self):
        """Return the provider's client."""

    @abstractmethod
    async def _infer(self, prompt, **kwargs):
        """Ask the provider once and return an InferenceResponse."""

    @abstractmethod
    def _calculate_cost(self, input_tokens, output_tokens):
        """Return the price in USD."""

    @_retrying
    async def async_infer(self, prompt, **kwargs):
        """Ask, then set latency and cost on the answer."""
        turn_id, started = str(kwargs.get("turn_id", "")), time.perf_counter()
        async with self._latency.measure(turn_id, LatencyComponent.INFERENCE):
            response = await self._infer(prompt, **kwargs)
        response.latency_ms = (time.perf_counter() - started) * 1000
        response.cost_usd = self._calculate_cost(response.input_tokens, response.output_tokens)
        self._tokens.record_token_usage(
            agent_id=str(kwargs.get("agent_name", "")),
            turn_id=turn_id,
            input_tokens=response.input_tokens,
            output_tokens=response.output_tokens,
            model_name=response.model_name,
            processing_time_seconds=response.latency_ms / 1000,
        )
        return response

    def infer(self, prompt, **kwargs):
        """Ask on a new loop; fails where a loop is running (trap 3)."""
        return asyncio.run(self.async_infer(prompt, **kwargs))

    async def stream_infer(self, prompt, **kwargs):
        """Stream an answer; not offered here."""
        raise NotImplementedError(f"{type(self).__name__} does not stream")
        yield {}
