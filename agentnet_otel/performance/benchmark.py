"""What a benchmark is asked to do, and what it found: the documented configuration and result.

Both serve two dialects of the documentation. Where they contradict each other the first one, of the API reference,
wins: the order of fields and their defaults are its own, and the newer names stand behind it as keywords and
properties.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from agentnet_otel.core.statistics import Interval
from agentnet_otel.model import Turn
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance import figures
from agentnet_otel.performance.host_sampling import HostUsage
from agentnet_otel.performance.latency import LatencyTracker
from agentnet_otel.performance.latency_summaries import latency_statistics
from agentnet_otel.performance.samples import OperationSample
from agentnet_otel.performance.tokens import TokenUtilizationTracker

MAX_KEPT_TURNS: Final = 100_000
"""Turns kept in a result; further ones still count in its figures, and are told in its warnings."""
_LARGEST_ROUND: Final = 3
"""Power of two from which rounds no longer grow."""


class BenchmarkType(str, Enum):
    """What one operation of a benchmark is, unless the caller brings an operation of its own.

    Timed is what the agents do, not how they are made, and not the wait for a free worker.

    - `SINGLE_TURN`: one agent answers one prompt. The turn is timed.
    - `MULTI_TURN`: one agent answers ``turn_count`` times in one conversation; each prompt holds the prompts and
      answers before it, so it grows. Each turn is timed.
    - `MULTI_AGENT`: a team of ``agent_count`` agents speaks in one session, one after the other: through AgentNet's
      turn engine where they are AgentNet's, else each gets the prompt and what was said before it. Each turn is timed.
    - `CONCURRENT_AGENTS`: ``agent_count`` agents answer the same prompt at the same time. Each turn is timed.
    - `TOOL_HEAVY`: one agent answers the prompt, then runs each of its tools once. Both together are timed as one turn.
    - `MEMORY_INTENSIVE`: one agent stores the prompt in its memory, answers it, and searches its memory for it. All
      together is timed as one turn.
    """

    SINGLE_TURN = "single_turn"
    MULTI_TURN = "multi_turn"
    MULTI_AGENT = "multi_agent"
    CONCURRENT_AGENTS = "concurrent_agents"
    TOOL_HEAVY = "tool_heavy"
    MEMORY_INTENSIVE = "memory_intensive"


def _default_prompts() -> list[str]:
    return [
        "Name the three risks of this plan that matter most.",
        "Explain how a queue decouples two services.",
        "Compare two ways to store sensor readings for a year.",
    ]


@dataclass
class BenchmarkConfig:
    """What a benchmark does, and the limits that decide whether it passed (a value equal to a limit passes).

    Times are in the unit of their name, costs in USD. ``iterations`` operations are measured after
    ``warmup_iterations`` that are not; ``concurrency_level`` workers run them, each one at a time. An operation that
    takes longer than ``timeout_seconds`` is cancelled and failed. ``rate_per_second`` starts operations by a clock
    instead of one after the other: then how late one began is part of its response time.

    Newer dialect, by keyword: ``min_rounds`` goes before ``iterations`` and makes rounds of 1, 2, 4, 8, 8, ...
    operations (as ``warmup_rounds`` does for the warm-up), each repeated until it lasted ``min_time_per_round_s``;
    ``max_p95_latency_ms`` is one more limit, ``max_avg_cost_usd`` another name of ``max_cost_usd``.

    Raises:
        ValueError: a field is wrong; the text says which, what was given, and what is allowed.
    """

    name: str
    benchmark_type: BenchmarkType
    iterations: int = 10
    concurrency_level: int = 1
    warmup_iterations: int = 2
    timeout_seconds: float = 30.0
    agent_count: int = 1
    turn_count: int = 3
    test_prompts: list[str] = field(default_factory=_default_prompts)
    max_turn_latency_ms: float = 5000.0
    max_tokens_per_turn: int = 1000
    min_success_rate: float = 0.95
    metadata: dict[str, Any] = field(default_factory=dict)
    max_cost_usd: float | None = None
    min_rounds: int | None = None
    min_time_per_round_s: float | None = None
    warmup_rounds: int | None = None
    max_p95_latency_ms: float | None = None
    max_avg_cost_usd: float | None = None
    rate_per_second: float | None = None

    def __post_init__(self) -> None:
        self.benchmark_type = check.member("benchmark_type", self.benchmark_type, BenchmarkType)
        self.test_prompts = check.texts("test_prompts", self.test_prompts)
        self.metadata = check.plain_data("metadata", self.metadata)
        for name, least in _COUNTS.items():
            setattr(self, name, check.whole_number(name, getattr(self, name), least=least))
        self.validate()

    def validate(self) -> None:
        """Check every field again: they can be assigned after the configuration was made.

        Raises:
            ValueError: a field is wrong.
        """
        check.text("name", self.name)
        check.member("benchmark_type", self.benchmark_type, BenchmarkType)
        check.texts("test_prompts", self.test_prompts)
        check.mapping("metadata", self.metadata)
        for name, least in _COUNTS.items():
            check.whole_number(name, getattr(self, name), least=least)
        for name in ("max_turn_latency_ms", "max_tokens_per_turn"):
            check.limit(name, getattr(self, name))
        check.positive("timeout_seconds", self.timeout_seconds)
        check.share("min_success_rate", self.min_success_rate)
        self._validate_optional()

    def _validate_optional(self) -> None:
        for name in ("max_cost_usd", "max_avg_cost_usd", "max_p95_latency_ms"):
            if getattr(self, name) is not None:
                check.limit(name, getattr(self, name))
        if self.min_time_per_round_s is not None:
            check.amount("min_time_per_round_s", self.min_time_per_round_s)
        for name, least in (("min_rounds", 1), ("warmup_rounds", 0)):
            if getattr(self, name) is not None:
                check.whole_number(name, getattr(self, name), least=least)
        if self.rate_per_second is not None:
            check.positive("rate_per_second", self.rate_per_second)
        if len({self.max_cost_usd, self.max_avg_cost_usd} - {None}) > 1:
            given = f"{self.max_cost_usd!r}, and max_avg_cost_usd is {self.max_avg_cost_usd!r}"
            message = f"max_cost_usd is {given}: they are one limit with two names; give one of them"
            raise ValueError(message)

    @property
    def cost_limit_usd(self) -> float | None:
        """Allowed mean cost of a turn in USD, under whichever name it was given."""
        return self.max_avg_cost_usd if self.max_cost_usd is None else self.max_cost_usd

    @property
    def rounds(self) -> tuple[int, ...]:
        """Operations of each measured round: one round of ``iterations``, unless rounds were asked for."""
        return (self.iterations,) if self.min_rounds is None else _rounds(self.min_rounds)

    @property
    def warmup_operations(self) -> int:
        """Operations that are run before those that are measured."""
        return self.warmup_iterations if self.warmup_rounds is None else sum(_rounds(self.warmup_rounds))


_COUNTS: Final[Mapping[str, int]] = {
    "iterations": 0,
    "concurrency_level": 1,
    "warmup_iterations": 0,
    "agent_count": 1,
    "turn_count": 1,
}
"""Fields that are whole numbers, and the least that each allows."""


def _rounds(number: int) -> tuple[int, ...]:
    return tuple(2 ** min(place, _LARGEST_ROUND) for place in range(number))


@dataclass
class BenchmarkResult:
    """What a benchmark found. Times are in the unit of their name (``start_time`` and ``end_time``: epoch seconds).

    Latencies are those of the turns of operations that succeeded; rates count all operations and tokens against
    ``total_duration`` (seconds, without the warm-up). ``individual_results`` has one dictionary an operation:
    ``iteration``, ``duration_ms``, ``prompt``, ``result`` as it was returned, ``success``, and of failed ones
    ``error``.

    Behind the documented fields stands what they rest on: ``samples`` (each operation), ``turns`` (each turn with its
    breakdown, at most `MAX_KEPT_TURNS`; a turn that nobody recorded as spans has empty trace and span ids),
    ``environment``, ``warnings`` (what keeps the figures from being reliable), ``host`` (None without psutil),
    ``avg_cost_usd`` (mean cost of a turn, None where nobody told it), ``completed`` (False where the run was
    cancelled; the figures are those of the operations that had ended).

    Raises:
        ValueError: a count or share is impossible.
    """

    config: BenchmarkConfig
    start_time: float
    end_time: float
    total_duration: float
    avg_turn_latency_ms: float
    min_turn_latency_ms: float
    max_turn_latency_ms: float
    p95_turn_latency_ms: float
    total_tokens_consumed: int
    avg_tokens_per_turn: float
    token_efficiency_score: float
    total_operations: int
    successful_operations: int
    failed_operations: int
    success_rate: float
    operations_per_second: float
    tokens_per_second: float
    individual_results: list[dict[str, Any]] = field(default_factory=list)
    error_details: list[str] = field(default_factory=list)
    avg_cost_usd: float | None = None
    samples: list[OperationSample] = field(default_factory=list, repr=False)
    turns: list[Turn] = field(default_factory=list, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    host: HostUsage | None = field(default=None, repr=False)
    warnings: list[str] = field(default_factory=list)
    completed: bool = True

    def __post_init__(self) -> None:
        for name in ("total_tokens_consumed", "total_operations", "successful_operations", "failed_operations"):
            check.count(name, getattr(self, name))
        check.share("success_rate", self.success_rate)

    @property
    def passed_thresholds(self) -> bool:
        """Whether every limit of the configuration is met; a value equal to its limit is.

        A cost limit is not judged where no operation told its cost; the warnings say so.
        """
        config, cost_limit, p95_limit = self.config, self.config.cost_limit_usd, self.config.max_p95_latency_ms
        return (
            self.avg_turn_latency_ms <= config.max_turn_latency_ms
            and self.avg_tokens_per_turn <= config.max_tokens_per_turn
            and self.success_rate >= config.min_success_rate
            and (cost_limit is None or self.avg_cost_usd is None or self.avg_cost_usd <= cost_limit)
            and (p95_limit is None or self.p95_turn_latency_ms <= p95_limit)
        )

    @property
    def confidence_intervals(self) -> dict[str, Interval | None]:
        """95 % intervals, by field name; None where there are too few values for one."""
        return figures.confidence_intervals(self.samples)

    @property
    def service_time_ms(self) -> dict[str, Any]:
        """Statistics of successful operations from their start to their end; {} without any."""
        return latency_statistics([sample.service_ms for sample in self.samples if sample.succeeded])

    @property
    def response_time_ms(self) -> dict[str, Any]:
        """As `service_time_ms`, from when they were due: with ``rate_per_second`` the wait for a worker is in it."""
        return latency_statistics([sample.response_ms for sample in self.samples if sample.succeeded])

    # --- names of the newer dialect ----------------------------------------------------------------------

    @property
    def total_duration_s(self) -> float:
        """``total_duration``."""
        return self.total_duration

    @property
    def total_iterations(self) -> int:
        """``total_operations``."""
        return self.total_operations

    @property
    def successful_iterations(self) -> int:
        """``successful_operations``."""
        return self.successful_operations

    @property
    def failed_iterations(self) -> int:
        """``failed_operations``."""
        return self.failed_operations

    @property
    def passed(self) -> bool:
        """``passed_thresholds``."""
        return self.passed_thresholds

    @property
    def latency_stats(self) -> dict[str, Any]:
        """Statistics of the turns of successful operations, milliseconds, with the keys of both dialects; or {}."""
        return latency_statistics(figures.turn_latencies_ms(self.samples))

    @property
    def token_stats(self) -> dict[str, Any]:
        """The token tracker's overview of the turns, and their mean cost as ``avg_cost_per_turn_usd``.

        That cost is None where nobody told one; ``total_cost_usd`` then stands on the documented table of rates.
        """
        tracker = TokenUtilizationTracker.from_turns(self.turns, max(1, len(self.turns)))
        overview: dict[str, Any] = tracker.get_system_overview().get("overview", {})
        return {**overview, "avg_cost_per_turn_usd": self.avg_cost_usd}

    @property
    def component_latency_breakdown(self) -> dict[str, dict[str, Any]]:
        """The latency tracker's breakdown of the turns by component; {} where no span told any."""
        return LatencyTracker.from_turns(self.turns, max(1, len(self.turns))).get_component_breakdown()
