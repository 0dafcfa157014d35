"""Turn latency by the documented API: measurements, statistics, breakdown, issues.

A tracker is a view on turns. It is filled by hand (`start_turn_measurement` to `end_turn_measurement`), live by
`agentnet_otel.instrument()`, or from any source by `record_turn` and `from_turns`; the answers are the same.
Statistics are derived when they are asked for.

Two dialects of the documentation are served by one implementation: where a key or keyword of one is missing in the
other both are there, and where they contradict each other the docstring says what holds.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, overload

from agentnet_otel.instrumentation.clock import Clock, SystemClock
from agentnet_otel.instrumentation.faults import logger
from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.performance import field_checks as check
from agentnet_otel.performance.latency_measurement import TurnLatencyMeasurement, latency_of, latency_of_open_turn
from agentnet_otel.performance.latency_summaries import (
    ISSUE_THRESHOLD_MS,
    LatencyLimits,
    component_breakdown,
    issues_of,
    latency_statistics,
)
from agentnet_otel.performance.open_turns import MAX_TOOL_USES, OpenTurn, Parts
from agentnet_otel.performance.recording import MAX_HISTORY, Shared
from agentnet_otel.performance.tracker import Tracker

__all__ = ["LatencyComponent", "LatencyLimits", "LatencyTracker", "TurnLatencyMeasurement", "get_latency_tracker"]

MAX_OPEN_TURNS: Final = 10_000
"""Turns that are measured at once; beyond it the one that began first is forgotten, and counted."""

_NANOS_PER_SECOND: Final = 1_000_000_000
_NANOS_PER_MS: Final = 1_000_000


class LatencyTracker(Tracker[TurnLatencyMeasurement]):
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
        super().__init__(max_history)
        self.limits = limits or LatencyLimits()
        self._clock: Clock = clock or SystemClock()
        self._open: dict[str, OpenTurn] = {}
        self._misuses: Counter[str] = Counter()

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
        measurement = latency_of_open_turn(turn_id, opened, duration_ns, response_length, tokens_processed)
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

    def _forget_all(self) -> None:
        self.clear_measurements()

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


def _copy(entry: Turn | TurnLatencyMeasurement) -> TurnLatencyMeasurement:
    return latency_of(entry) if isinstance(entry, Turn) else replace(entry)


def _used(measurement: TurnLatencyMeasurement, tool: str) -> bool:
    named = measurement.metadata.get("tools_used", ())
    return tool in measurement.tools_used or (isinstance(named, list | tuple | set) and tool in named)


def _has_items(measurement: TurnLatencyMeasurement, wanted: Mapping[str, Any]) -> bool:
    metadata = measurement.metadata
    return all(key in metadata and metadata[key] == value for key, value in wanted.items())


_shared: Final[Shared[LatencyTracker]] = Shared()


def get_latency_tracker(**kwargs: Any) -> LatencyTracker:
    """The tracker that a process shares; the arguments, those of `LatencyTracker`, count at the first call only."""
    return _shared.get(lambda: LatencyTracker(**kwargs))
