"""Self time: each instant belongs to one component."""

from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.intervals import ComponentInterval, clip, self_times, steps_of
from agentnet_otel.model import MAX_STEPS, LatencyComponent, Step

INFERENCE, TOOL, MEMORY = (
    LatencyComponent.INFERENCE,
    LatencyComponent.TOOL_EXECUTION,
    LatencyComponent.MEMORY_ACCESS,
)


def part(span_id, component, start, end, parent=""):
    """One interval."""
    return ComponentInterval(span_id=span_id, parent_id=parent, start_ns=start, end_ns=end, component=component)


def test_sequential_components_have_their_durations():
    """Components that do not overlap have all their time."""
    times = self_times([part("a", INFERENCE, 0, 40), part("b", TOOL, 50, 90)], (0, 100))
    assert times == {INFERENCE: 40, TOOL: 40}


def test_the_innermost_component_has_the_time():
    """What runs inside a component takes its time from it."""
    times = self_times([part("a", TOOL, 0, 100), part("b", INFERENCE, 20, 50, "a")], (0, 100))
    assert times == {TOOL: 70, INFERENCE: 30}


def test_of_parallel_siblings_the_one_that_ends_last_has_the_time():
    """The turn waits for the one that ends last."""
    times = self_times([part("a", INFERENCE, 0, 60), part("b", TOOL, 10, 100)], (0, 100))
    assert times == {INFERENCE: 10, TOOL: 90}


def test_equal_ends_are_settled_by_start_then_by_id():
    """Ties have an order, so that two readers agree."""
    assert self_times([part("b", INFERENCE, 0, 50), part("a", TOOL, 10, 50)], (0, 50)) == {INFERENCE: 50, TOOL: 0}
    assert self_times([part("b", INFERENCE, 0, 50), part("a", TOOL, 0, 50)], (0, 50)) == {INFERENCE: 0, TOOL: 50}


def test_a_child_that_outlives_its_parent_keeps_its_time():
    """Work that a component started and did not wait for is still the child's."""
    times = self_times([part("a", TOOL, 0, 20), part("b", INFERENCE, 10, 60, "a")], (0, 100))
    assert times == {TOOL: 10, INFERENCE: 50}


def test_time_outside_the_turn_does_not_count():
    """Intervals are clipped to the turn."""
    assert self_times([part("a", TOOL, -50, 20), part("b", MEMORY, 90, 500)], (0, 100)) == {TOOL: 20, MEMORY: 10}


def test_parents_in_a_circle_lose_no_time():
    """Broken parent links put the spans below the turn."""
    times = self_times([part("a", TOOL, 0, 20, "b"), part("b", MEMORY, 30, 40, "a")], (0, 100))
    assert times == {TOOL: 20, MEMORY: 10}
    assert self_times([part("a", TOOL, 0, 20, "a")], (0, 100)) == {TOOL: 20}


def test_a_parent_with_one_circle_below_keeps_its_other_children():
    """Only the circle is moved."""
    parts = [part("a", TOOL, 0, 50), part("b", INFERENCE, 0, 10, "a"), part("c", MEMORY, 60, 70, "d")]
    assert self_times([*parts, part("d", MEMORY, 70, 80, "c")], (0, 100)) == {TOOL: 40, INFERENCE: 10, MEMORY: 20}


def test_clip_gives_backward_times_no_length():
    """A span that ends before it starts has no length."""
    assert clip(50, 20, (0, 100)) == (50, 50)
    assert clip(-5, 300, (0, 100)) == (0, 100)


def test_steps_say_when_components_ran():
    """Since the turn began, in order of start, what lasts longer first; those that overlap stay whole."""
    parts = [part("c", TOOL, 130, 150), part("b", INFERENCE, 110, 130), part("a", MEMORY, 110, 190)]
    assert steps_of(parts, 100) == (
        Step(component=MEMORY, offset_ns=10, duration_ns=80),
        Step(component=INFERENCE, offset_ns=10, duration_ns=20),
        Step(component=TOOL, offset_ns=30, duration_ns=20),
    )
    assert steps_of([], 100) == ()


def test_of_many_steps_the_longest_are_kept():
    """However many there are, in order of start all the same; of equally long ones the earlier."""
    short = [part(f"s{n:04}", TOOL, 10 * n, 10 * n + 1) for n in range(1000)]
    long = [part(f"l{n}", INFERENCE, 9000 - 100 * n, 9050 - 100 * n) for n in range(3)]
    kept = steps_of([*short, *long], 0)
    assert len(kept) == MAX_STEPS
    assert [step.offset_ns for step in kept] == [*range(0, 10 * (MAX_STEPS - 3), 10), 8800, 8900, 9000]


components = st.sampled_from([INFERENCE, TOOL, MEMORY])


@given(st.lists(st.tuples(components, st.integers(-20, 120), st.integers(-20, 120), st.integers(0, 30)), max_size=25))
def test_self_times_are_a_partition(rows):
    """Whatever the tree: no component is negative, and together they cover exactly the time in which one runs."""
    parts = [
        part(str(i), component, start, end, str(parent) if parent < i else "")
        for i, (component, start, end, parent) in enumerate(rows)
    ]
    times = self_times(parts, (0, 100))
    covered = {t for p in parts for t in range(max(0, p.start_ns), min(100, max(p.start_ns, p.end_ns)))}
    assert all(own >= 0 for own in times.values())
    assert sum(times.values()) == len(covered)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=8))
def test_components_in_each_other_are_read_the_same_way_as_any(drawn):
    """The quick way where nothing overlaps but parents and children says what the general one says.

    A child that takes all of its parent's time, here none, has all intervals read in the general way.
    """
    components, parts = tuple(LatencyComponent)[1:5], []
    for number, (kind, parent, start, length) in enumerate(drawn):
        around = parts[parent] if parent < len(parts) else part("", INFERENCE, 0, 100)
        begin = min(around.start_ns + start * 8, around.end_ns)
        end = min(begin + length * 6, around.end_ns)
        parts.append(part(str(number), components[kind], begin, end, around.span_id))
    nothing = [part("x", MEMORY, 0, 0), part("y", MEMORY, 0, 0, "x")]
    assert self_times([*parts, *nothing], (0, 100)) == {MEMORY: 0} | self_times(parts, (0, 100))
