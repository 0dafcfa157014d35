"""An engine that needs no provider."""

import asyncio

from .base import InferenceResponse, ProviderAdapter


class ExampleEngine(ProviderAdapter):
    """Echoes the prompt after a short delay."""

    def __init__(self, config=None, simulated_delay_ms=20):
        super().__init__(config)
        self.simulated_delay_ms = self.config.get("simulated_delay_ms", simulated_delay_ms)

    def _create_client(self):
        """There is no client."""
        return None

    async def _infer(self, prompt, **kwargs):
        """Wait a little and echo; a token is a word."""
        await asyncio.sleep(self.simulated_delay_ms / 1000)
        content = self._answer(prompt)
        return InferenceResponse(
            content, self.model_name, len(prompt.split()), len(content.split()),
            metadata={"model_used": self.model_name},
        )

    def _calculate_cost(self, input_tokens, output_tokens):
        """Return a small made-up price."""
        return input_tokens * 1e-6 + output_tokens * 2e-6

    async def stream_infer(self, prompt, **kwargs):
        """Stream the echo word by word."""
        words = self._answer(prompt).split()
        for number, word in enumerate(words, 1):
            await asyncio.sleep(self.simulated_delay_ms / 1000 / len(words))
            last = number == len(words)
            yield {
                "chunk": word if last else word + " ", "is_final": last,
                "metadata": {"model_used": self.model_name, "index": number - 1},
            }

    @staticmethod
    def _answer(prompt):
        """Return the echo."""
        return f"Example answer to: {prompt}"
