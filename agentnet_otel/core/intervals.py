"""Self time: each instant of a turn given to one component.

An instant belongs to the innermost span that runs. Where siblings run in parallel it belongs to the one that ends
last, because that is the one the turn waits for (ties: the earlier start, then the smaller span id).
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from agentnet_otel.model import MAX_STEPS, LatencyComponent, Step

Stretch = tuple[int, int]
"""Start and end of a stretch of time, nanoseconds."""


class ComponentInterval(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When one component ran. ``parent_id`` is another interval's id, or anything else for the turn itself."""

    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    component: LatencyComponent


def clip(start_ns: int, end_ns: int, within: Stretch) -> Stretch:
    """The part of a stretch that lies inside ``within``; one that ends before it starts has no length."""
    low, high = within
    start_ns = min(max(start_ns, low), high)
    return start_ns, min(max(end_ns, start_ns), high)


def self_times(intervals: Sequence[ComponentInterval], within: Stretch) -> dict[LatencyComponent, int]:
    """Nanoseconds of each component's self time in the turn ``within``; the sum never exceeds the turn.

    Every component that occurs is in the result, be it with 0. Order n log n times the depth of the tree.
    """
    totals = dict.fromkeys((interval.component for interval in intervals), 0)
    if _in_sequence(intervals, within):
        for interval in intervals:
            totals[interval.component] += interval.end_ns - interval.start_ns
        return totals
    if _nested_in_sequence(intervals, within):
        for interval in intervals:
            totals[interval.component] += interval.end_ns - interval.start_ns
        components = {interval.span_id: interval.component for interval in intervals}
        for interval in intervals:
            if interval.parent_id in components:
                totals[components[interval.parent_id]] -= interval.end_ns - interval.start_ns
        return totals
    forest = _Forest(intervals, within)
    pending: list[tuple[str, list[Stretch]]] = [("", [within])]
    while pending:
        node_id, own = pending.pop()
        given = forest.shares(node_id, own)
        taken = sum(end - start for _, stretches in given for start, end in stretches)
        component = forest.component(node_id)
        if component is not None:
            totals[component] += sum(end - start for start, end in own) - taken
        pending.extend(given)
    return totals


def steps_of(intervals: Sequence[ComponentInterval], start_ns: int) -> tuple[Step, ...]:
    """When components (clipped to their turn) ran since the turn began, in order of start; the longest of many."""
    kept = intervals
    if len(kept) > MAX_STEPS:
        kept = sorted(kept, key=lambda one: (one.start_ns - one.end_ns, one.start_ns, one.span_id))[:MAX_STEPS]
    return tuple(
        Step(component=one.component, offset_ns=one.start_ns - start_ns, duration_ns=one.end_ns - one.start_ns)
        for one in sorted(kept, key=lambda one: (one.start_ns, -one.end_ns, one.span_id))
    )


def _in_sequence(intervals: Sequence[ComponentInterval], within: Stretch) -> bool:
    """Whether nothing overlaps and nothing leaves the turn: the common case, and the quick one."""
    now = within[0]
    for start_ns, end_ns in sorted((interval.start_ns, interval.end_ns) for interval in intervals):
        if start_ns < now or end_ns < start_ns:
            return False
        now = end_ns
    return now <= within[1]


def _nested_in_sequence(intervals: Sequence[ComponentInterval], within: Stretch) -> bool:
    """Whether each runs within its parent, and longer than anything below it, and those below one do not overlap.

    Then a parent has what its children leave, whoever ends last. A child that takes all of its parent's time is left to
    the general way, and with it spans that name each other as parent.
    """
    runs = {interval.span_id: (interval.start_ns, interval.end_ns) for interval in intervals}
    below: dict[str, list[Stretch]] = {}
    for interval in intervals:
        own = runs[interval.span_id]
        around = runs.get(interval.parent_id)
        if around is None:
            below.setdefault("", []).append(own)
        elif around[0] <= own[0] <= own[1] <= around[1] and own != around:
            below.setdefault(interval.parent_id, []).append(own)
        else:
            return False
    for siblings in below.values():
        siblings.sort()
        if any(one[1] > other[0] for one, other in pairwise(siblings)):
            return False
    outer = below.get("", ())
    return all(within[0] <= start <= end <= within[1] for start, end in outer)


class _Forest:
    """The intervals as a tree below the turn, whose id here is the empty string."""

    def __init__(self, intervals: Sequence[ComponentInterval], within: Stretch) -> None:
        self._nodes = {interval.span_id: interval for interval in intervals}
        self._children: dict[str, list[str]] = defaultdict(list)
        for interval in self._nodes.values():
            known = interval.parent_id in self._nodes and interval.parent_id != interval.span_id
            self._children[interval.parent_id if known else ""].append(interval.span_id)
        self._adopt_cycles()
        self._runs = self._run_sets(within)

    def component(self, node_id: str) -> LatencyComponent | None:
        """The component of a node; None for the turn."""
        node = self._nodes.get(node_id)
        return None if node is None else node.component

    def shares(self, node_id: str, own: list[Stretch]) -> list[tuple[str, list[Stretch]]]:
        """What each child takes of the time ``own`` that its parent has."""
        children = self._children.get(node_id, ())
        shares = _contest((self._rank(child), self._runs[child]) for child in children)
        return [(child, stretches) for child, run in shares.items() if (stretches := _common(run, own))]

    def _rank(self, node_id: str) -> tuple[int, int, str]:
        node = self._nodes[node_id]
        return (-self._runs[node_id][-1][1], node.start_ns, node_id)

    def _order(self) -> list[str]:
        """All nodes that the turn reaches, parents first."""
        order: list[str] = []
        pending = list(self._children.get("", ()))
        while pending:
            node_id = pending.pop()
            order.append(node_id)
            pending.extend(self._children.get(node_id, ()))
        return order

    def _adopt_cycles(self) -> None:
        """Spans that name each other as parent are put below the turn, so that no time is lost."""
        lost = self._nodes.keys() - set(self._order())
        if not lost:
            return
        for parent, children in self._children.items():
            if parent:
                self._children[parent] = [child for child in children if child not in lost]
        self._children[""].extend(sorted(lost))

    def _run_sets(self, within: Stretch) -> Mapping[str, list[Stretch]]:
        """When a node or anything below it runs: a child may outlive the component that started it."""
        runs: dict[str, list[Stretch]] = {}
        for node_id in reversed(self._order()):
            node = self._nodes[node_id]
            stretches = [clip(node.start_ns, node.end_ns, within)]
            for child in self._children.get(node_id, ()):
                stretches.extend(runs[child])
            runs[node_id] = _merged(stretches)
        return runs


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _common(left: Sequence[Stretch], right: Sequence[Stretch]) -> list[Stretch]:
    """The time that lies in both (sorted, disjoint) sets."""
    common: list[Stretch] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            common.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def _contest(runs: Iterable[tuple[tuple[int, int, str], list[Stretch]]]) -> dict[str, list[Stretch]]:
    """Share time among siblings: at each instant the one of lowest rank among those that run has it."""
    starts = sorted((start, rank, end) for rank, stretches in runs for start, end in stretches)
    shares: dict[str, list[Stretch]] = defaultdict(list)
    running: list[tuple[tuple[int, int, str], int]] = []
    now, index = 0, 0
    while index < len(starts) or running:
        if not running:
            now = max(now, starts[index][0])
        while index < len(starts) and starts[index][0] <= now:
            heapq.heappush(running, (starts[index][1], starts[index][2]))
            index += 1
        rank, end = running[0]
        if end <= now:
            heapq.heappop(running)
            continue
        until = min(end, starts[index][0]) if index < len(starts) else end
        shares[rank[2]].append((now, until))
        now = until
    return shares
