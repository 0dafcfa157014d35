"""Tokens of answers, in memory."""


class TokenUtilizationTracker:
    """Keeps what it was told."""

    def __init__(self):
        self.samples = []

    def record_token_usage(self, agent_id, turn_id, input_tokens, output_tokens, model_name, **details):
        """Keep the tokens of one answer."""
        self.samples.append((agent_id, turn_id, input_tokens, output_tokens, model_name, details))


_shared = TokenUtilizationTracker()


def get_token_tracker():
    """Return the shared tracker."""
    return _shared
