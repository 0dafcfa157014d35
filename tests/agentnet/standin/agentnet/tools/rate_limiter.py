"""Limits calls per minute."""

import time


class RateLimiter:
    """Counts the calls of the last minute by tool and user."""

    def __init__(self):
        self._calls = {}

    def allow(self, tool_name, user_id, limit_per_min):
        """Count a call; False if it is over the limit."""
        now, key = time.monotonic(), (tool_name, user_id)
        recent = [at for at in self._calls.get(key, []) if now - at < 60]
        allowed = len(recent) < limit_per_min
        self._calls[key] = recent + [now] if allowed else recent
        return allowed
