"""Turn latency by the documented API: measurements, statistics, breakdown, issues.

A tracker is a view on turns. It is filled by hand (`start_turn_measurement` to `end_turn_measurement`), live by
`agentnet_otel.instrument()`, or from any source by `record_turn` and `from_turns`; the answers are the same.
Statistics are derived when they are asked for.

Two dialects of the documentation are served by one implementation: where a key or keyword of one is missing in the
other both are there, and where they contradict each other the docstring says what holds.
"""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean, median, stdev
from typing import Any, Final, Self, overload

from agentnet_otel.core import documented_limits
from agentnet_otel.core.statistics import quantile
from agentnet_otel.instrumentation.clock import Clock, SystemClock
from agentnet_otel.instrumentation.faults import logger
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.open_turns import MAX_TOOL_USES, OpenTurn, Parts
from agentnet_otel.performance.recording import MAX_HISTORY, Shared, TurnLog

__all__ = ["LatencyComponent", "LatencyLimits", "LatencyTracker", "TurnLatencyMeasurement", "get_latency_tracker"]

MAX_OPEN_TURNS: Final = 10_000
"""Turns that are measured at once; beyond it the one that began first is forgotten, and counted."""

_NANOS_PER_SECOND: Final = 1_000_000_000
_NANOS_PER_MS: Final = 1_000_000
_MS_PER_SECOND: Final = 1000
_CLOCK_GRAIN_MS: Final = 1e-3
"""Epoch seconds as a float are good to a quarter of a microsecond."""
_RECENT_SHARE: Final = 10
"""The newest tenth of the turns is "recent"."""
ISSUE_THRESHOLD_MS: Final = 1000.0
"""The documented threshold of turns that stand out."""


@dataclass
class TurnLatencyMeasurement:
    """Latency of one turn, as documented: times in seconds since the epoch, components in milliseconds.

    ``metadata`` is what the newer dialect has in place of the five fields before it; both are here. ``duration_ms``
    is the exact length where it is known: the difference of two such times is good to a quarter of a microsecond.

    Raises:
        ValueError: a field has the wrong type or range; the turn ends before it starts.
    """

    turn_id: str
    agent_id: str
    start_time: float
    end_time: float
    component_latencies: dict[LatencyComponent, float] = field(default_factory=dict)
    prompt_length: int = 0
    response_length: int = 0
    tokens_processed: int = 0
    policy_violations: int = 0
    tools_used: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    duration_ms: float | None = None

    def __post_init__(self) -> None:
        check.name("turn_id", self.turn_id)
        check.name("agent_id", self.agent_id)
        start = check.moment("start_time", self.start_time)
        if check.moment("end_time", self.end_time) < start:
            check.refuse("end_time", self.end_time, f"a time from start_time ({self.start_time!r}) on")
        self.component_latencies = check.members(
            "component_latencies", self.component_latencies, LatencyComponent, check.amount
        )
        for name in ("prompt_length", "response_length", "tokens_processed", "policy_violations"):
            setattr(self, name, check.count(name, getattr(self, name)))
        self.tools_used = check.names("tools_used", self.tools_used)
        self.metadata = check.plain_data("metadata", self.metadata)

    @property
    def total_latency_ms(self) -> float:
        """The whole turn."""
        between_ms = (self.end_time - self.start_time) * _MS_PER_SECOND
        exact_ms = self.duration_ms
        return between_ms if exact_ms is None or abs(exact_ms - between_ms) > _CLOCK_GRAIN_MS else exact_ms

    @property
    def latency_breakdown(self) -> dict[str, float]:
        """Per cent of the turn that each component took; empty for a turn without length."""
        total_ms = self.total_latency_ms
        if total_ms == 0:
            return {}
        return {component.value: ms / total_ms * 100 for component, ms in self.component_latencies.items()}

    @property
    def latency_breakdown_percent(self) -> dict[str, float]:
        """What the newer dialect calls `latency_breakdown`."""
        return self.latency_breakdown


def latency_of(turn: Turn) -> TurnLatencyMeasurement:
    """The documented measurement of a turn. A component's latency is its self time, so the parts never exceed it.

    ``tools_used`` has a name for each use; ``metadata`` says where the turn came from and how it ended.
    """
    start = turn.start_ns / _NANOS_PER_SECOND
    origin = {
        "trace_id": turn.trace_id,
        "span_id": turn.span_id,
        "session": turn.session,
        "model": turn.model,
        "outcome": turn.outcome.value,
    }
    return TurnLatencyMeasurement(
        turn_id=turn.turn_id,
        agent_id=turn.agent,
        start_time=start,
        end_time=start + turn.duration_ns / _NANOS_PER_SECOND,
        component_latencies={c: own_ns / _NANOS_PER_MS for c, own_ns in turn.component_self_ns.items()},
        prompt_length=turn.prompt_length or 0,
        response_length=turn.response_length or 0,
        tokens_processed=turn.tokens.total,
        policy_violations=turn.policy_violations,
        tools_used=[call.name for call in turn.tool_calls],
        metadata={key: value for key, value in origin.items() if value},
        duration_ms=turn.duration_ns / _NANOS_PER_MS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLimits:
    """Above which a turn is an issue. ``memory_share``: part of the latency threshold that memory may take."""

    policy_violations: int = documented_limits.POLICY_VIOLATIONS
    tool_uses: int = documented_limits.TOOL_USES
    memory_share: float = documented_limits.MEMORY_SHARE

    def __post_init__(self) -> None:
        check.count("policy_violations", self.policy_violations)
        check.count("tool_uses", self.tool_uses)
        check.amount("memory_share", self.memory_share)


class LatencyTracker:
    """Latency of turns. Any method may be called from any thread and any task.

    Args:
        max_history: turns that are kept; the oldest goes first, and is counted in `dropped`.
        limits: what `identify_performance_issues` goes by.
        clock: where the time is from. A turn starts at the wall clock's time and lasts by the monotonic clock, so
            that setting the machine's clock changes no latency.

    Misuse (an unknown turn, a component that was not started, ...) never raises: it is counted in `misuses`, and
    each kind is logged once. A wrong value raises a ValueError that says what is allowed.
    """

    def __init__(
        self, max_history: int = MAX_HISTORY, *, limits: LatencyLimits | None = None, clock: Clock | None = None
    ) -> None:
        self.limits = limits or LatencyLimits()
        self._clock: Clock = clock or SystemClock()
        self._log: TurnLog[TurnLatencyMeasurement] = TurnLog(check.whole_number("max_history", max_history, least=1))
        self._open: dict[str, OpenTurn] = {}
        self._lock = threading.Lock()
        self._misuses: Counter[str] = Counter()
        lifecycle.renew_lock_after_fork(self)

    @classmethod
    def from_turns(cls, turns: Iterable[Turn], max_history: int | None = None) -> Self:
        """A tracker that holds these turns: all of them, unless ``max_history`` says how many at most."""
        given = list(turns)
        tracker = cls(max(MAX_HISTORY, len(given)) if max_history is None else max_history)
        for turn in given:
            tracker.record_turn(turn)
        return tracker

    @property
    def max_history(self) -> int:
        """How many turns are kept."""
        return self._log.max_entries

    @property
    def dropped(self) -> int:
        """How many turns went to make room for newer ones."""
        return self._log.dropped

    @property
    def misuses(self) -> Mapping[str, int]:
        """How often each kind of misuse was met."""
        with self._lock:
            return dict(self._misuses)

    # --- filling it from turns -----------------------------------------------------------------------

    def record_turn(self, turn: Turn) -> None:
        """Take in a turn that ended; a later revision of it replaces it."""
        self._log.add_turn(turn)

    # --- filling it by hand --------------------------------------------------------------------------

    @overload
    def start_turn_measurement(
        self, turn_id: str, agent_id: str, prompt_length: int = 0, *, metadata: Mapping[str, Any] | None = None
    ) -> None: ...

    @overload
    def start_turn_measurement(self, turn_id: str, agent_id: str, prompt_length: Mapping[str, Any] | None) -> None: ...

    def start_turn_measurement(
        self,
        turn_id: str,
        agent_id: str,
        prompt_length: int | Mapping[str, Any] | None = 0,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Start measuring a turn; one of this id that runs is replaced (and counted as misuse).

        The third value is a length or, in the newer dialect, a mapping of metadata; both have a keyword.

        Raises:
            ValueError: a value has the wrong type or range, or metadata is given twice.
        """
        if isinstance(prompt_length, Mapping) or prompt_length is None:
            if metadata is not None:
                check.refuse("metadata", metadata, "one mapping: it is given by position too")
            metadata, prompt_length = prompt_length, 0
        opened = OpenTurn(
            check.name("agent_id", agent_id),
            start_ns=self._clock.wall_ns(),
            started_ns=self._clock.monotonic_ns(),
            prompt_length=check.count("prompt_length", prompt_length),
            metadata=check.plain_data("metadata", {} if metadata is None else metadata),
        )
        check.name("turn_id", turn_id)
        with self._lock:
            replaced = self._open.pop(turn_id, None)
            self._open[turn_id] = opened
            forgotten = next(iter(self._open)) if len(self._open) > MAX_OPEN_TURNS else None
            if forgotten is not None:
                del self._open[forgotten]
        if replaced is not None:
            self._note("replaced_turn", f"turn {turn_id!r} was started again while it ran; it starts anew")
        if forgotten is not None:
            self._note(
                "forgotten_turn", f"more than {MAX_OPEN_TURNS} turns run; the oldest, {forgotten!r}, was forgotten"
            )

    def start_component_measurement(self, turn_id: str, component: LatencyComponent | str) -> None:
        """Start measuring a part of a turn; of an unknown turn it does nothing (and is counted as misuse).

        Raises:
            ValueError: the component is unknown.
        """
        kind = check.member("component", component, LatencyComponent)
        now_ns = self._clock.monotonic_ns()
        parts = self._begin(turn_id, kind, now_ns, by_hand=True)
        if parts is None:
            self._note_unknown(turn_id)

    def end_component_measurement(self, turn_id: str, component: LatencyComponent | str) -> float:
        """End the part that was started last; its length in milliseconds.

        Parts of one component add up, and what overlaps counts once. Without an open part it is 0.0 and nothing
        changes (counted as misuse).

        Raises:
            ValueError: the component is unknown.
        """
        kind = check.member("component", component, LatencyComponent)
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            opened = self._open.get(turn_id)
            parts = None if opened is None else opened.parts.get(kind)
            started_ns = parts.started.pop() if parts is not None and parts.started else None
            if parts is not None and started_ns is not None:
                parts.end(started_ns, now_ns)
        if opened is None:
            self._note_unknown(turn_id)
        elif started_ns is None:
            self._note("component_not_started", f"{kind.value} of turn {turn_id!r} was ended without a start")
        else:
            return self._length_ns(started_ns, now_ns) / _NANOS_PER_MS
        return 0.0

    @asynccontextmanager
    async def measure(self, turn_id: str, component: LatencyComponent | str) -> AsyncIterator[None]:
        """Measure the body of an ``async with`` as a part of a turn, however it is left; exceptions pass.

        Parts of one component add up, and what overlaps counts once. The body also runs where the turn is unknown,
        or ends before it.

        Raises:
            ValueError: the component is unknown.
        """
        kind = check.member("component", component, LatencyComponent)
        started_ns = self._clock.monotonic_ns()
        parts = self._begin(turn_id, kind, started_ns, by_hand=False)
        if parts is None:
            self._note_unknown(turn_id, told=False)
        try:
            yield
        finally:
            if parts is not None:
                with self._lock:
                    parts.end(started_ns, self._clock.monotonic_ns())  # does nothing once the turn has ended

    def record_tool_usage(self, turn_id: str, tool_name: str) -> None:
        """Add the use of a tool to a turn that is measured; other turns are ignored.

        Raises:
            ValueError: the name is no text.
        """
        check.name("tool_name", tool_name)
        with self._lock:
            opened = self._open.get(turn_id)
            full = opened is not None and len(opened.tools_used) >= MAX_TOOL_USES
            if opened is not None and not full:
                opened.tools_used.append(tool_name)
        if opened is None:
            self._note_unknown(turn_id)
        elif full:
            self._note("tool_uses_dropped", f"turn {turn_id!r} used tools more than {MAX_TOOL_USES} times")

    def record_policy_violation(self, turn_id: str) -> None:
        """Count a violation in a turn that is measured; other turns are ignored."""
        with self._lock:
            opened = self._open.get(turn_id)
            if opened is not None:
                opened.policy_violations += 1
        if opened is None:
            self._note_unknown(turn_id)

    def end_turn_measurement(
        self, turn_id: str, response_length: int = 0, tokens_processed: int = 0
    ) -> TurnLatencyMeasurement:
        """End a turn, keep its measurement and return a copy.

        Of a turn that is not measured (unknown, or ended before) a measurement without length comes back, of agent
        ``unknown``; it is not kept (and is counted as misuse). The newer dialect returns None there; the documented
        one holds. A part that was started by hand and not ended is left out, for its end is not known (and is counted
        as misuse); one that `measure` is measuring counts up to here.

        Raises:
            ValueError: a length or number is none. The turn is still measured.
        """
        response_length = check.count("response_length", response_length)
        tokens_processed = check.count("tokens_processed", tokens_processed)
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            opened = self._open.pop(turn_id, None)
            unfinished = [] if opened is None else opened.cut_off(now_ns)
        if opened is None:
            self._note_unknown(turn_id)
            now = self._clock.wall_ns() / _NANOS_PER_SECOND
            return TurnLatencyMeasurement(turn_id=turn_id, agent_id="unknown", start_time=now, end_time=now)
        if unfinished:
            self._note("unfinished_component", f"turn {turn_id!r} ended while {', '.join(unfinished)} ran")
        duration_ns = self._length_ns(opened.started_ns, now_ns)
        measurement = _measurement(turn_id, opened, duration_ns, response_length, tokens_processed)
        self._log.add_record(measurement, opened.start_ns + duration_ns)
        return replace(measurement)

    # --- asking it -----------------------------------------------------------------------------------

    def get_measurements(
        self,
        agent_id: str | None = None,
        limit: int | None = None,
        *,
        min_latency_ms: float | None = None,
        tool_used: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
    ) -> list[TurnLatencyMeasurement]:
        """Copies of the measurements in order of ending.

        Args:
            agent_id: only those of this agent.
            limit: only so many of the newest that pass the filters. (It is the second value by position; the newer
                dialect has ``min_latency_ms`` there.)
            min_latency_ms: only turns that took at least so long.
            tool_used: only turns that used this tool, by ``tools_used`` or by their metadata.
            metadata_filter: only turns whose metadata has each of these items.

        Raises:
            ValueError: ``limit`` or ``min_latency_ms`` is no number of at least 0.
        """
        limit = None if limit is None else check.count("limit", limit)
        least_ms = None if min_latency_ms is None else check.amount("min_latency_ms", min_latency_ms)
        found = [
            measurement
            for measurement in map(_copy, self._entries_of(agent_id))
            if (least_ms is None or measurement.total_latency_ms >= least_ms)
            and (tool_used is None or _used(measurement, tool_used))
            and _has_items(measurement, metadata_filter or {})
        ]
        return found if limit is None else found[len(found) - min(limit, len(found)) :]

    def recorded_turns(self) -> list[Turn]:
        """The turns that were taken in whole, in order of ending."""
        return [entry for entry in self._log.entries() if isinstance(entry, Turn)]

    def hand_measured(self) -> list[TurnLatencyMeasurement]:
        """Copies of the measurements that were taken by hand, in order of ending."""
        return [replace(entry) for entry in self._log.entries() if not isinstance(entry, Turn)]

    def get_latency_statistics(
        self, agent_id: str | None = None, component: LatencyComponent | str | None = None
    ) -> dict[str, Any]:
        """Statistics in milliseconds of the turns, or of a component in the turns that have it; {} without data.

        ``count``, ``mean``, ``median``, ``min``, ``max``, ``stdev`` (of a sample), ``p95``, ``p99``; the same with
        ``_ms`` (but p99), ``p95_recent_ms`` of the newest tenth, and ``trend`` of it against p95: improving,
        stable or degrading. A quantile is the value at place ``int(n * q)`` of the sorted ones. ``TOTAL`` is the
        turn. (Without data the newer dialect has a message; the documented one holds.)

        Raises:
            ValueError: the component is unknown.
        """
        kind = LatencyComponent.TOTAL if component is None else check.member("component", component, LatencyComponent)
        measurements = self.get_measurements(agent_id)
        if kind is LatencyComponent.TOTAL:
            return latency_statistics([m.total_latency_ms for m in measurements])
        return latency_statistics([m.component_latencies[kind] for m in measurements if kind in m.component_latencies])

    def get_component_breakdown(self, agent_id: str | None = None) -> dict[str, dict[str, Any]]:
        """For each component of the turns its average, shares and number of turns; {} without any.

        ``percentage`` is its average in per cent of the sum of all averages, no share of time;
        ``percentage_of_total`` its time in per cent of the time of all turns.
        """
        return component_breakdown(self.get_measurements(agent_id))

    def identify_performance_issues(
        self, latency_threshold_ms: float = ISSUE_THRESHOLD_MS, agent_id: str | None = None
    ) -> dict[str, list[str]]:
        """Turns that stand out, by kind: strictly above the threshold or the `limits`; each kind is always there.

        Raises:
            ValueError: the threshold is no number of at least 0.
        """
        threshold_ms = check.amount("latency_threshold_ms", latency_threshold_ms)
        return issues_of(self.get_measurements(agent_id), threshold_ms, self.limits)

    def clear_measurements(self) -> None:
        """Forget all turns, those that are being measured too."""
        with self._lock:
            self._open.clear()
        self._log.clear()

    # --- for the process around it -------------------------------------------------------------------

    def reset_lock(self) -> None:
        """Make a new lock, in a forked child."""
        self._lock = threading.Lock()

    def reset_after_fork(self) -> None:
        """Start anew, in a forked child, where the turns are the parent's."""
        self.reset_lock()
        self._log.reset_lock()
        self.clear_measurements()

    def _entries_of(self, agent_id: str | None) -> Sequence[Turn | TurnLatencyMeasurement]:
        entries = self._log.entries()
        return entries if agent_id is None else [entry for entry in entries if _agent(entry) == agent_id]

    def _begin(self, turn_id: str, kind: LatencyComponent, now_ns: int, *, by_hand: bool) -> Parts | None:
        with self._lock:
            opened = self._open.get(turn_id)
            if opened is None:
                return None
            parts = opened.parts.setdefault(kind, Parts())
            if by_hand:
                parts.started.append(now_ns)
            forgot = not parts.begin(now_ns)
        if forgot:
            self._note("forgotten_part", f"too many parts of {kind.value} run in turn {turn_id!r}")
        return parts

    def _length_ns(self, start_ns: int, end_ns: int) -> int:
        if end_ns < start_ns:
            self._note("clock_backwards", "the monotonic clock went back; the part has no length")
        return max(0, end_ns - start_ns)

    def _note_unknown(self, turn_id: object, *, told: bool = True) -> None:
        self._note("unknown_turn", f"turn {turn_id!r} is not being measured (never started, or ended)", told=told)

    def _note(self, kind: str, text: str, *, told: bool = True) -> None:
        """Count misuse, and tell the first of its kind."""
        with self._lock:
            self._misuses[kind] += 1
            first = self._misuses[kind] == 1
        if first and told:
            logger.warning("agentnet_otel: latency tracker: %s. Further ones of the kind are only counted.", text)


def _measurement(
    turn_id: str, opened: OpenTurn, duration_ns: int, response_length: int, tokens_processed: int
) -> TurnLatencyMeasurement:
    start = opened.start_ns / _NANOS_PER_SECOND
    return TurnLatencyMeasurement(
        turn_id=turn_id,
        agent_id=opened.agent_id,
        start_time=start,
        end_time=start + duration_ns / _NANOS_PER_SECOND,
        component_latencies={c: ns / _NANOS_PER_MS for c, ns in opened.component_ns.items()},
        prompt_length=opened.prompt_length,
        response_length=response_length,
        tokens_processed=tokens_processed,
        policy_violations=opened.policy_violations,
        tools_used=opened.tools_used,
        metadata=opened.metadata,
        duration_ms=duration_ns / _NANOS_PER_MS,
    )


def _copy(entry: Turn | TurnLatencyMeasurement) -> TurnLatencyMeasurement:
    return latency_of(entry) if isinstance(entry, Turn) else replace(entry)


def _agent(entry: Turn | TurnLatencyMeasurement) -> str:
    return entry.agent if isinstance(entry, Turn) else entry.agent_id


def _used(measurement: TurnLatencyMeasurement, tool: str) -> bool:
    named = measurement.metadata.get("tools_used", ())
    return tool in measurement.tools_used or (isinstance(named, list | tuple | set) and tool in named)


def _has_items(measurement: TurnLatencyMeasurement, wanted: Mapping[str, Any]) -> bool:
    metadata = measurement.metadata
    return all(key in metadata and metadata[key] == value for key, value in wanted.items())


def latency_statistics(latencies: Sequence[float]) -> dict[str, Any]:
    """The statistics of `LatencyTracker.get_latency_statistics` for latencies in milliseconds, oldest first."""
    if not latencies:
        return {}
    ordered = sorted(latencies)
    values = {
        "mean": fmean(ordered),
        "median": median(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        "stdev": stdev(ordered) if len(ordered) > 1 else 0.0,
        "p95": quantile(ordered, 0.95),
    }
    recent = quantile(sorted(latencies[-max(1, len(latencies) // _RECENT_SHARE) :]), 0.95)
    return {
        "count": len(ordered),
        **values,
        "p99": quantile(ordered, 0.99),
        **{f"{name}_ms": value for name, value in values.items()},
        "p95_recent_ms": recent,
        "trend": _trend(recent, values["p95"]),
    }


def _trend(recent: float, overall: float) -> str:
    if recent == overall:
        return "stable"
    return "improving" if recent < overall else "degrading"


def component_breakdown(measurements: Sequence[TurnLatencyMeasurement]) -> dict[str, dict[str, Any]]:
    """What `LatencyTracker.get_component_breakdown` tells, of these."""
    by_component: dict[str, list[float]] = {}
    for measurement in measurements:
        for component, ms in measurement.component_latencies.items():
            by_component.setdefault(component.value, []).append(ms)
    averages = {name: fmean(values) for name, values in by_component.items()}
    sum_of_averages = sum(averages.values())
    whole_ms = sum(measurement.total_latency_ms for measurement in measurements)
    return {
        name: {
            "avg_latency_ms": average,
            "percentage": average / sum_of_averages * 100 if sum_of_averages else 0.0,
            "percentage_of_total": sum(by_component[name]) / whole_ms * 100 if whole_ms else 0.0,
            "count": len(by_component[name]),
        }
        for name, average in averages.items()
    }


def issues_of(
    measurements: Sequence[TurnLatencyMeasurement], threshold_ms: float, limits: LatencyLimits
) -> dict[str, list[str]]:
    """What `LatencyTracker.identify_performance_issues` tells, of these."""
    memory_ms = [(m.turn_id, m.component_latencies.get(LatencyComponent.MEMORY_ACCESS, 0.0)) for m in measurements]
    return {
        "high_latency_turns": [
            f"{m.turn_id}: {m.total_latency_ms:.2f}ms" for m in measurements if m.total_latency_ms > threshold_ms
        ],
        "policy_heavy_turns": [
            f"{m.turn_id}: {m.policy_violations} violations"
            for m in measurements
            if m.policy_violations > limits.policy_violations
        ],
        "tool_heavy_turns": [
            f"{m.turn_id}: {len(m.tools_used)} tools" for m in measurements if len(m.tools_used) > limits.tool_uses
        ],
        "memory_intensive_turns": [
            f"{turn_id}: {ms:.2f}ms memory access"
            for turn_id, ms in memory_ms
            if ms > limits.memory_share * threshold_ms
        ],
    }


_shared: Final[Shared[LatencyTracker]] = Shared()


def get_latency_tracker(**kwargs: Any) -> LatencyTracker:
    """The tracker that a process shares; the arguments, those of `LatencyTracker`, count at the first call only."""
    return _shared.get(lambda: LatencyTracker(**kwargs))
