"""The providers' own bookkeeping, in memory."""


class LatencyTracker:
    """Keeps (model, milliseconds)."""

    def __init__(self):
        self.samples = []

    def record(self, model, latency_ms):
        """Keep one latency."""
        self.samples.append((model, latency_ms))


class TokenTracker:
    """Keeps (model, input, output)."""

    def __init__(self):
        self.samples = []

    def record(self, model, tokens_in, tokens_out):
        """Keep the tokens of one answer."""
        self.samples.append((model, tokens_in, tokens_out))


_latency, _tokens = LatencyTracker(), TokenTracker()


def get_latency_tracker():
    """Return the shared latency tracker."""
    return _latency


def get_token_tracker():
    """Return the shared token tracker."""
    return _tokens
