"""A turn that is being measured by hand: its parts as they run, folded into one number a component.

Parts of one component that run at the same time count once (their union), parts after each other add up. What is
over and can no longer overlap with anything is folded, so a turn of any number of parts stays small.
"""

from typing import Any, Final

from agentnet_otel.model import LatencyComponent

MAX_RUNNING: Final = 1000
"""Parts of one component that run at once in one turn; beyond it the oldest is forgotten."""
MAX_TOOL_USES: Final = 10_000
"""Tool uses that are named in one turn; beyond it they are counted as misuse."""


class Parts:
    """When one component ran. Times are monotonic nanoseconds, and parts end in order of time."""

    __slots__ = ("_closed", "_floor_ns", "_folded_ns", "_running", "_stretches", "ended", "started")

    def __init__(self) -> None:
        self.ended = False
        """Whether any part is over."""
        self._closed = False
        self.started: list[int] = []
        """Starts of the parts that were started by hand and are not over."""
        self._running: list[int] = []
        self._stretches: list[tuple[int, int]] = []
        self._folded_ns = 0
        self._floor_ns = 0

    def begin(self, start_ns: int) -> bool:
        """Start a part; False if one had to be forgotten for it."""
        self._running.append(start_ns)
        if len(self._running) <= MAX_RUNNING:
            return True
        oldest = self._running.pop(0)
        if oldest in self.started:
            self.started.remove(oldest)
        return False

    def end(self, start_ns: int, end_ns: int) -> None:
        """End the part that began at ``start_ns``."""
        if self._closed or start_ns not in self._running:
            return
        self.ended = True
        self._running.remove(start_ns)
        begin_ns = max(start_ns, self._floor_ns)
        while self._stretches and self._stretches[-1][1] >= begin_ns:
            earlier_start, earlier_end = self._stretches.pop()
            begin_ns, end_ns = min(begin_ns, earlier_start), max(end_ns, earlier_end)
        if end_ns > begin_ns:
            self._stretches.append((begin_ns, end_ns))
        if not self._running or len(self._stretches) > MAX_RUNNING:
            self._fold()

    @property
    def total_ns(self) -> int:
        """How long at least one of the ended parts ran."""
        return self._folded_ns + sum(end - start for start, end in self._stretches)

    def close(self, now_ns: int) -> bool:
        """The turn ends: parts that nobody promised to end by hand count up to here. Whether others still ran."""
        for start_ns in self.started:
            self._running.remove(start_ns)
        for start_ns in tuple(self._running):
            self.end(start_ns, now_ns)
        self._closed = True
        return bool(self.started)

    def _fold(self) -> None:
        if self._stretches:
            self._folded_ns += sum(end - start for start, end in self._stretches)
            self._floor_ns = self._stretches[-1][1]
            self._stretches.clear()


class OpenTurn:
    """What is known of a turn until it ends."""

    __slots__ = (
        "agent_id",
        "metadata",
        "parts",
        "policy_violations",
        "prompt_length",
        "start_ns",
        "started_ns",
        "tools_used",
    )

    def __init__(
        self, agent_id: str, *, start_ns: int, started_ns: int, prompt_length: int, metadata: dict[str, Any]
    ) -> None:
        """``start_ns`` is of the wall clock (epoch), ``started_ns`` of the monotonic one."""
        self.agent_id = agent_id
        self.start_ns = start_ns
        self.started_ns = started_ns
        self.prompt_length = prompt_length
        self.metadata = metadata
        self.parts: dict[LatencyComponent, Parts] = {}
        self.tools_used: list[str] = []
        self.policy_violations = 0

    def cut_off(self, now_ns: int) -> list[str]:
        """End it; returns the components that were started by hand and not ended."""
        return [component.value for component, parts in self.parts.items() if parts.close(now_ns)]

    @property
    def component_ns(self) -> dict[LatencyComponent, int]:
        """How long each component ran, as far as its parts are over."""
        return {component: parts.total_ns for component, parts in self.parts.items() if parts.ended}
