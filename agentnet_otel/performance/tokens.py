"""Token use by the documented API: metrics of turns, summaries of agents and of the system."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from agentnet_otel.core.efficiency import ASSUMED_QUALITY
from agentnet_otel.model import TokenCategory, Turn

MAX_METRICS: Final = 10_000
"""Turns kept; beyond it the oldest goes."""
_NANOS: Final = 1_000_000_000
_HOUR_S: Final = 3600.0
_TOKENS_PER_PRICE: Final = 1000
_DECIMALS: Final = 9


@dataclass
class TokenMetrics:
    """Tokens of one turn, as documented. ``timestamp``: epoch seconds; ``cost_per_token``: USD per 1,000 tokens."""

    agent_id: str
    turn_id: str
    timestamp: float
    input_tokens: int = 0
    output_tokens: int = 0
    category_breakdown: dict[TokenCategory, int] = field(default_factory=dict)
    context_length: int = 0
    effective_tokens: float = 0
    redundant_tokens: float = 0
    tokens_per_second: float = 0.0
    cost_per_token: float = 0.0
    output_quality_score: float = 0.0
    token_efficiency_ratio: float = 0.0
    efficiency: float | None = None
    cost_usd: float | None = None

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def efficiency_score(self) -> float:
        """The documented score, 0 to 1; 0.0 without tokens."""
        return self.efficiency or 0.0


def token_metrics_of(turn: Turn) -> TokenMetrics:
    """The documented metrics of a turn."""
    total = turn.tokens.total
    quality = ASSUMED_QUALITY if turn.quality is None else turn.quality
    effective = round((turn.tokens.output or 0) * quality, _DECIMALS)
    seconds = turn.duration_ns / _NANOS
    return TokenMetrics(
        agent_id=turn.agent,
        turn_id=turn.turn_id,
        timestamp=turn.end_ns / _NANOS,
        input_tokens=turn.tokens.input or 0,
        output_tokens=turn.tokens.output or 0,
        category_breakdown=dict(turn.tokens_by_category),
        context_length=turn.prompt_length or 0,
        effective_tokens=effective,
        redundant_tokens=total - effective,
        tokens_per_second=total / seconds if seconds else 0.0,
        cost_per_token=(turn.cost_usd or 0.0) / total * _TOKENS_PER_PRICE if total else 0.0,
        output_quality_score=quality,
        token_efficiency_ratio=effective / total if total else 0.0,
        efficiency=turn.efficiency,
        cost_usd=turn.cost_usd,
    )


class TokenUtilizationTracker:
    """Tokens of the turns that were recorded. Safe for threads."""

    def __init__(self, max_metrics: int = MAX_METRICS) -> None:
        self._turns: deque[Turn] = deque(maxlen=max_metrics)
        self._lock = threading.Lock()

    def record_turn(self, turn: Turn) -> None:
        """Take a turn that ended."""
        with self._lock:
            self._turns.append(turn)

    def get_metrics(self, agent_id: str | None = None) -> list[TokenMetrics]:
        """Metrics of the turns whose tokens are known, in order of ending, of one agent or all."""
        with self._lock:
            turns = list(self._turns)
        return [token_metrics_of(t) for t in turns if t.tokens.known and (agent_id is None or t.agent == agent_id)]

    def get_agent_token_summary(self, agent_id: str) -> dict[str, Any]:
        """Totals and averages of one agent; {} if it is unknown."""
        metrics = self.get_metrics(agent_id)
        return _summary(agent_id, metrics) if metrics else {}

    def get_system_token_overview(self) -> dict[str, Any]:
        """Totals over all agents, the last hour, and each agent's summary; {} without data."""
        metrics = self.get_metrics()
        if not metrics:
            return {}
        newest = max(m.timestamp for m in metrics)
        recent = [m for m in metrics if m.timestamp > newest - _HOUR_S]
        agents = sorted({m.agent_id for m in metrics})
        return {
            "overview": {
                "total_tokens": sum(m.total_tokens for m in metrics),
                "total_turns": len(metrics),
                "unique_agents": len(agents),
                "avg_efficiency": fmean(m.efficiency_score for m in metrics),
                "total_cost_usd": _cost(metrics),
            },
            "recent_activity": {
                "last_hour_tokens": sum(m.total_tokens for m in recent),
                "last_hour_turns": len(recent),
                "last_hour_cost_usd": _cost(recent),
            },
            "agents": {agent: _summary(agent, [m for m in metrics if m.agent_id == agent]) for agent in agents},
        }

    def clear_metrics(self, agent_id: str | None = None) -> None:
        """Forget the turns of one agent, or all."""
        with self._lock:
            kept = [turn for turn in self._turns if agent_id is not None and turn.agent != agent_id]
            self._turns.clear()
            self._turns.extend(kept)

    def reset_after_fork(self) -> None:
        """Start anew, in a forked child: the turns are the parent's."""
        self._lock = threading.Lock()
        self._turns.clear()


def _summary(agent_id: str, metrics: Sequence[TokenMetrics]) -> dict[str, Any]:
    total = sum(m.total_tokens for m in metrics)
    cost = _cost(metrics)
    categories: Counter[str] = Counter()
    for m in metrics:
        categories.update({category.value: count for category, count in m.category_breakdown.items()})
    return {
        "agent_id": agent_id,
        "total_turns": len(metrics),
        "tokens": {
            "input": sum(m.input_tokens for m in metrics),
            "output": sum(m.output_tokens for m in metrics),
            "total": total,
            "avg_per_turn": total / len(metrics),
        },
        "efficiency": {
            "avg_efficiency_score": fmean(m.efficiency_score for m in metrics),
            "avg_quality_score": fmean(m.output_quality_score for m in metrics),
            "avg_tokens_per_second": fmean(m.tokens_per_second for m in metrics),
        },
        "cost": {"total_usd": cost, "avg_per_turn_usd": cost / len(metrics)},
        "category_breakdown": dict(categories),
        "latest_metrics": metrics[-1],
    }


def _cost(metrics: Sequence[TokenMetrics]) -> float:
    return sum(m.cost_usd or 0.0 for m in metrics)
