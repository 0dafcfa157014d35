"""Engines as users write them."""

import asyncio
import threading

ANSWER = {
    "content": "hello",
    "confidence": 0.6,
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "model": "m1"},
}


class DictEngine:
    """A plain engine: answers a dict."""

    model = "m0"

    def __init__(self, **changes):
        self.answer = {**ANSWER, **changes}

    def infer(self, prompt, agent_name=None):
        """Answer."""
        return dict(self.answer)


class CoroutineEngine:
    """A plain engine whose infer is a coroutine function."""

    def __init__(self, **changes):
        self.answer = {**ANSWER, **changes}

    async def infer(self, prompt, agent_name=None):
        """Answer, later."""
        await asyncio.sleep(0)
        return dict(self.answer)


class RaisingEngine:
    """A plain engine that fails."""

    def __init__(self, error=None):
        self.error = error or ConnectionError("a secret text")

    def infer(self, prompt, agent_name=None):
        """Fail."""
        raise self.error


class RaisingCoroutineEngine(RaisingEngine):
    """The same, as coroutine function."""

    async def infer(self, prompt, agent_name=None):
        """Fail, later."""
        raise self.error


class WaitingEngine:
    """A synchronous engine that answers when it is told to."""

    def __init__(self):
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()

    def infer(self, prompt, agent_name=None):
        """Wait, then answer."""
        self.begun.set()
        self.go_on.wait(10)
        self.ended.set()
        return dict(ANSWER, confidence=0.9)


class HangingEngine:
    """A coroutine engine that never answers."""

    async def infer(self, prompt, agent_name=None):
        """Hang."""
        await asyncio.sleep(60)


class CallingEngine:
    """A plain engine that calls something first, as engines with tools do."""

    def __init__(self, call):
        self.call = call

    def infer(self, prompt, agent_name=None):
        """Call, then answer."""
        self.call()
        return dict(ANSWER)
