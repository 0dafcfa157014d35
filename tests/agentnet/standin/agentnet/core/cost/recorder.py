"""Cost records, held in memory only: this stand-in writes no files."""

import time
from dataclasses import dataclass, field

# USD per 1000 tokens (input, output); round numbers made up for tests.
PRICES = {"openai": (0.01, 0.03), "anthropic": (0.01, 0.05)}


@dataclass
class CostRecord:
    """The cost of one inference."""

    provider: str
    model: str
    agent_name: str
    task_id: str
    tokens_input: int
    tokens_output: int
    cost_input: float
    cost_output: float
    total_cost: float
    session_id: str | None = None
    tenant_id: str | None = None
    timestamp: float = field(default_factory=time.time)


def read_tokens(result):
    """Return (usage, input, output) of an engine dict; trap 20: None inside it fails."""
    nested = result.get("metadata", {}).get("usage")
    plain = result.get("tokens", {})
    fallback = (plain.get("input", 0), plain.get("output", 0))
    usage = result.get("usage") or nested
    if usage:
        return usage, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return (plain, *fallback)


class CostRecorder:
    """Prices answers by provider; an unknown provider costs 0.0 (trap 19)."""

    def __init__(self, storage_dir="cost_logs"):
        self.storage_dir = storage_dir
        self.records = []

    def record_inference_cost(
        self, provider, model, result, agent_name, task_id, session_id=None, tenant_id=None
    ):
        """Price one engine dict and keep the record."""
        _, tokens_in, tokens_out = read_tokens(result)
        rate_in, rate_out = PRICES.get(provider, (0.0, 0.0))
        cost_in, cost_out = tokens_in * rate_in / 1000, tokens_out * rate_out / 1000
        record = CostRecord(
            provider, model, agent_name, task_id, tokens_in, tokens_out,
            cost_in, cost_out, cost_in + cost_out, session_id, tenant_id,
        )
        self.records.append(record)
        return record
