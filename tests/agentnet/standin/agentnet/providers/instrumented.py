"""A second, separate ProviderAdapter that fails after each answer (trap 21)."""

import asyncio
from abc import ABC, abstractmethod


class ProviderAdapter(ABC):
    """Not the class of providers.base, and without its retries."""

    def __init__(self, config=None):
        self.config = config or {}
        self.model_name = self.config.get("model", "default-model")

    @abstractmethod
    async def _infer(self, prompt, **kwargs):
        """Ask the provider once and return an InferenceResponse."""

    async def async_infer(self, prompt, **kwargs):
        """Ask, then fail while reading the usage."""
        response = await self._infer(prompt, **kwargs)
        self.last_usage = response.usage.total_tokens  # an InferenceResponse has no usage
        return response

    def infer(self, prompt, **kwargs):
        """Do the same on a new loop."""
        return asyncio.run(self.async_infer(prompt, **kwargs))

    async def stream_infer(self, prompt, **kwargs):
        """Stream an answer; not offered here."""
        raise NotImplementedError(f"{type(self).__name__} does not stream")
        yield {}
